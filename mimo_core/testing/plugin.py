"""The pytest plugin. It imports next to nothing until one of its fixtures is asked for.

With pytest-recording installed, `@pytest.mark.vcr` and `--record-mode` work for MiMo as they do
for everything else; `mimo_cassette` and `fake_mimo` do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mimo_core.testing.emulator import FakeMiMo


_PERSISTER = pytest.StashKey[Any]()


def pytest_configure(config: pytest.Config) -> None:
    # Registered here and not as part of this module: of two plugins' fixtures of one name the
    # later plugin's counts, and pytest-recording has an (empty) vcr_config too.
    config.pluginmanager.register(Fixtures(), "mimo-fixtures")


@pytest.hookimpl(optionalhook=True)
def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    """Called by pytest-recording with the `vcr.VCR` of a test that is marked."""
    from mimo_core.testing.cassettes.contexts import register
    from mimo_core.testing.cassettes.persister import MiMoPersister

    persister = MiMoPersister(extra_paths=getattr(vcr.persister, "extra_paths", ()))
    config.stash[_PERSISTER] = persister
    register(vcr, persister)


def _record_mode(config: pytest.Config) -> str:
    return config.getoption("--record-mode", default=None) or "none"


class Fixtures:
    """The fixtures, for everybody who has this library installed."""

    @pytest.fixture
    def vcr_config(self, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
        """The configuration of `@pytest.mark.vcr` for MiMo: no key in a cassette, bodies compared
        by meaning, streams piece by piece. While it replays, no key is needed.
        """
        from mimo_core.testing.cassettes.contexts import stand_in_key, vcr_settings

        with stand_in_key(_record_mode(request.config)):
            yield vcr_settings()
        # Torn down after pytest-recording's fixture, which has asked for this one: it has saved.
        persister = request.config.stash.get(_PERSISTER, None)
        if persister is not None:
            persister.check_saved()

    @pytest.fixture
    def mimo_cassette(
        self, request: pytest.FixtureRequest
    ) -> Callable[..., AbstractContextManager[Any]]:
        """Opens a cassette: `with mimo_cassette(): …`, or `mimo_cassette("name")`.

        The file is `cassettes/<module>/<name>.yaml` beside the test. Without a name it is called
        after the test; a name that ends in `.yaml` is a path from the test's folder. It replays,
        or does what `--record-mode` says. Further arguments are those of `use_cassette`: with
        `emulate=[Reply(…), …]` the first recording does not need a key.
        """
        from mimo_core.testing.cassettes.contexts import use_cassette

        folder = request.path.parent
        own = request.node.name.translate(str.maketrans(dict.fromkeys(r"<>?%*:|\"'/\\", "-")))

        def open_cassette(
            name: str | Path | None = None, **options: Any
        ) -> AbstractContextManager[Any]:
            path = Path(own if name is None else name)
            if path.suffix == ".yaml":
                path = folder / path
            else:
                path = folder / "cassettes" / request.path.stem / f"{path}.yaml"
            options.setdefault("record_mode", _record_mode(request.config))
            return use_cassette(path, **options)

        return open_cassette

    @pytest.fixture
    def fake_mimo(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMiMo]:
        """A running `FakeMiMo`; `MIMO_BASE_URL` and `MIMO_API_KEY` lead to it."""
        from mimo_core.testing.cassettes.contexts import STAND_IN_KEY
        from mimo_core.testing.emulator import FakeMiMo

        with FakeMiMo() as mimo:
            monkeypatch.setenv("MIMO_BASE_URL", mimo.named_base_url)
            monkeypatch.setenv("MIMO_API_KEY", STAND_IN_KEY)
            yield mimo
