"""The pytest plugin. It imports next to nothing until one of its fixtures is asked for.

With pytest-recording installed, `@pytest.mark.vcr` and `--record-mode` work for MiMo as they do
for everything else, and what is none of MiMo's stays as it was; `mimo_cassette` and `fake_mimo` do
without it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mimo_core.testing.fault_report import options as fault_options

if TYPE_CHECKING:
    from mimo_core.testing.emulator import FakeMiMo

Scope = Literal["session", "package", "module", "class", "function"]

_REFUSING = pytest.StashKey[ExitStack]()
_MOCKERS = {"httpx_mock": "pytest-httpx", "respx_mock": "respx"}
_LONGEST_NAME = 200  # bytes; file systems take 255, and `.yaml` and what is being written follow


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "mimo_live",
        "whether tests may ask MiMo without a cassette or fake_mimo (default: true)",
        type="bool",
        default=True,
    )
    fault_options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    # Registered here and not as part of this module: of two plugins' fixtures of one name the
    # later plugin's counts.
    config.pluginmanager.register(Fixtures(), "mimo-fixtures")
    fault_options.register(config)
    if not config.getini("mimo_live"):
        from mimo_core.testing.live import block

        stack = config.stash[_REFUSING] = ExitStack()
        stack.enter_context(block("mimo_live = false in pytest's configuration"))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash.get(_REFUSING, ExitStack()).close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse live requests where a test mocks HTTP by what does not see this library's."""
    mockers = _MOCKERS.keys() & set(getattr(item, "fixturenames", ()))
    if not mockers:
        return (yield)
    from mimo_core.testing.live import block

    name = _MOCKERS[mockers.pop()]
    with block(f"{name} does not see requests of mimo_core, which go through httpx2"):
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    """Called by pytest-recording with the `vcr.VCR` of a test that is marked."""
    from mimo_core.testing.cassettes.contexts import register

    register(vcr)


def fake_mimo_fixture(scope: Scope = "function", **options: Any) -> Any:
    """A fixture like `fake_mimo`, of another scope or with other arguments.

    >>> mimo = fake_mimo_fixture(scope="session", require_reasoning=False)  # in conftest.py

    Args:
        scope: pytest's. Between the tests of a wider scope nothing is reset: `mimo.reset()` does.
        options: the arguments of `FakeMiMo`.

    Returns:
        What `pytest.fixture` makes: give it the fixture's name.
    """

    @pytest.fixture(scope=scope)
    def fixture() -> Iterator[FakeMiMo]:
        yield from _running(**options)

    return fixture


def _running(**options: Any) -> Iterator[FakeMiMo]:
    from mimo_core.testing.emulator import FakeMiMo
    from mimo_core.testing.live import all_requests_to, loopback_allowed

    with loopback_allowed(), FakeMiMo(**options) as mimo, all_requests_to(mimo):
        yield mimo


def _own_name(node: Any) -> str:
    """The name of a test's cassette, as pytest-recording makes it, and short enough for a file."""
    name = f"{node.cls.__name__}.{node.name}" if getattr(node, "cls", None) else node.name
    name = re.sub(r"""[<>?%*:|"'/\\]""", "-", name)
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        return str(name)
    told = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    kept = os.fsencode(name)[: _LONGEST_NAME - len(told) - 3].decode("utf-8", "ignore")
    return f"{kept}...{told}"


class Fixtures:
    """The fixtures, for everybody who has this library installed."""

    @pytest.fixture
    def mimo_cassette(
        self, request: pytest.FixtureRequest
    ) -> Callable[..., AbstractContextManager[Any]]:
        """Opens a cassette: `with mimo_cassette(): …`, or `mimo_cassette("name")`.

        The file is `cassettes/<module>/<name>.yaml` beside the test, or where pytest-recording's
        fixture `vcr_cassette_dir` says. Without a name it is called after the test
        (`TestClass.test_name`); a name that ends in `.yaml` is a path from the test's folder. It
        replays, or does what `--record-mode` says. Further arguments are those of `use_cassette`:
        with `emulate=[Reply(…), …]` the first recording does not need a key.
        """
        from mimo_core.testing.cassettes.contexts import use_cassette

        beside = request.path.parent
        folder = beside / "cassettes" / request.path.stem
        if request.config.pluginmanager.has_plugin("recording"):
            folder = Path(request.getfixturevalue("vcr_cassette_dir"))

        def open_cassette(
            name: str | Path | None = None, **options: Any
        ) -> AbstractContextManager[Any]:
            path = Path(_own_name(request.node) if name is None else name)
            if name is not None and path.suffix == ".yaml":
                path = beside / path
            else:
                path = folder / f"{path}.yaml"
            mode = request.config.getoption("--record-mode", default=None) or "none"
            options.setdefault("record_mode", mode)
            return use_cassette(path, **options)

        return open_cassette

    @pytest.fixture
    def fake_mimo(self) -> Iterator[FakeMiMo]:
        """A running `FakeMiMo`, to which every request of this library is led, whenever and
        wherever its model was made; `MIMO_BASE_URL`, `MIMO_BATCH_BASE_URL` and `MIMO_API_KEY` lead
        subprocesses there."""
        yield from _running()
