"""Cassettes for MiMo traffic: `use_cassette` for programs, `vcr_settings` for vcrpy's users."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.matching import MATCHER, mimo_request
from mimo_core.testing.cassettes.persister import MiMoPersister, published, read
from mimo_core.testing.cassettes.provenance import Provenance
from mimo_core.testing.cassettes.vcr_handlers import replaced_handlers
from mimo_core.testing.cassettes.vcrpy import VCR, Cassette, CassetteContextDecorator
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from mimo_core.testing.errors import CassetteError

RECORD_MODES = ("none", "once", "new_episodes", "all", "rewrite")
STAND_IN_KEY = "sk-not-a-key"
"""What `MIMO_API_KEY` is set to while a cassette replays, if it is not set."""


def vcr_settings() -> dict[str, Any]:
    """What makes a cassette of vcrpy safe for MiMo traffic, once `register` has been called.

    Returns:
        Keyword arguments for `VCR.use_cassette`.
    """
    return {"match_on": (MATCHER,), "before_record_request": clean_request}


def register(vcr: Any, persister: MiMoPersister | None = None) -> Any:
    """Teach a `vcr.VCR` what `vcr_settings` and our cassettes need.

    While a cassette of this `vcr` is open, vcrpy's handlers for httpx and httpx2 are replaced.

    Args:
        vcr: the `vcr.VCR`. It is changed.
        persister: loads and saves its cassettes; None makes one.

    Returns:
        The same `vcr`.
    """

    def open_cassette(
        path: Any = None, *, with_current_defaults: bool = False, **options: Any
    ) -> Any:
        if callable(path):  # used as a decorator without arguments
            return open_cassette(**options)(path)
        settings = partial(vcr.get_merged_config, path=path, **options)
        if with_current_defaults:
            settings = partial(dict, settings())
        return _OpenCassette(Cassette, settings)

    vcr.register_matcher(MATCHER, mimo_request)
    vcr.register_persister(persister or MiMoPersister())
    vcr.use_cassette = open_cassette
    return vcr


class _OpenCassette(CassetteContextDecorator):
    """vcrpy's context of a cassette, during which our handlers are in the place of vcrpy's."""

    def __enter__(self) -> Cassette:
        with ExitStack() as stack:
            stack.enter_context(replaced_handlers())
            cassette = super().__enter__()
            self._handlers = stack.pop_all()
        return cassette

    def __exit__(self, *raised: Any) -> None:
        with self._handlers:
            super().__exit__(*raised)


def provenance_of(path: str | Path) -> Provenance | None:
    """Whose answers a cassette holds.

    Args:
        path: the YAML file.

    Returns:
        The provenance, or None if the cassette does not say.

    Raises:
        CassetteError: the file is missing or is not a cassette.
    """
    return Provenance.of(read(path), path)


@contextmanager
def use_cassette(
    path: str | Path,
    *,
    record_mode: str = "none",
    provenance: Provenance | None = None,
    note: str = "",
    emulate: Sequence[Reply | Fault | str] | None = None,
) -> Iterator[Any]:
    """Everything said over HTTP in this context comes from the cassette, or goes into it.

    >>> with use_cassette("cassettes/vendor/chat_introduction.yaml"):
    ...     ChatMiMo().invoke("please introduce yourself")

    Args:
        path: the YAML file.
        record_mode: `none` replays and never sends, `once` records a file that is not there,
            `new_episodes` adds to it what it lacks, `all` and `rewrite` record everything anew;
            `rewrite` also forgets what is not asked for any more.
        provenance: of what is recorded; None derives it from the hosts that answer.
        note: what the cassette shows.
        emulate: what a `FakeMiMo` answers if something is recorded without MIMO_API_KEY.
            A file that is missing is then recorded from the emulator, whatever the mode and
            the key. Models have to be made in the context: MIMO_BASE_URL leads to the emulator.

    Yields:
        vcrpy's cassette.

    Raises:
        CassetteError: nothing may be recorded and the file is missing; or the recording could not
            be saved; or it would replace published answers.
        NoRecordedAnswer: (from the request) the file has no answer to it.
    """
    path = Path(path)
    if record_mode not in RECORD_MODES:
        raise CassetteError(f"record_mode is {record_mode!r}; it can be {', '.join(RECORD_MODES)}.")
    emulated = emulate is not None and (
        not path.is_file() if record_mode == "none" else not os.environ.get("MIMO_API_KEY")
    )
    if emulated and record_mode == "none":
        record_mode = "once"
    if record_mode == "none" or path.is_file():
        held = provenance_of(path)
        if (
            held
            and held.kind == "vendor"
            and record_mode not in ("none", "once")
            and not provenance
        ):
            raise published(path)
    settings = vcr_settings()
    if record_mode == "rewrite":
        record_mode = "all"
        settings["drop_unused_requests"] = True
    persister = MiMoPersister(provenance, note=note)
    vcr = register(VCR(record_mode=record_mode), persister)
    with (
        emulator(emulate or ()) if emulated else stand_in_key(record_mode),
        vcr.use_cassette(str(path), **settings) as cassette,
    ):
        yield cassette
    persister.check_saved()


@contextmanager
def stand_in_key(record_mode: str) -> Iterator[None]:
    """Set MIMO_API_KEY to a stand-in while a cassette replays, unless it is set already."""
    if record_mode != "none" or os.environ.get("MIMO_API_KEY"):
        yield
        return
    with environment(MIMO_API_KEY=STAND_IN_KEY):
        yield


@contextmanager
def emulator(replies: Sequence[Reply | Fault | str]) -> Iterator[None]:
    """A scripted `FakeMiMo`, to which the environment leads."""

    with FakeMiMo() as mimo:
        mimo.queue(*replies)
        with environment(MIMO_BASE_URL=mimo.named_base_url, MIMO_API_KEY=STAND_IN_KEY):
            yield


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables set, and put back afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
