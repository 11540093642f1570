"""Cassettes for MiMo traffic: `use_cassette` for programs, `register` for vcrpy's users."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mimo_core._http.destination import playing
from mimo_core.testing.cassettes.cassette import MiMoCassette
from mimo_core.testing.cassettes.cleaning import Scrub, clean_request
from mimo_core.testing.cassettes.ignoring import MatchRule
from mimo_core.testing.cassettes.matching import MATCHER, check_found, mimo_request
from mimo_core.testing.cassettes.persister import MiMoPersister, published, read
from mimo_core.testing.cassettes.provenance import Provenance
from mimo_core.testing.cassettes.vcr_handlers import replaced_handlers
from mimo_core.testing.cassettes.vcrpy import VCR, Cassette, CassetteContextDecorator
from mimo_core.testing.decorators import context_decorator
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from mimo_core.testing.errors import CassetteError
from mimo_core.testing.live import (
    STAND_IN_KEY,
    all_requests_to,
    environment,
    loopback_allowed,
)

RECORD_MODES = ("none", "once", "new_episodes", "all", "rewrite")


def vcr_settings() -> dict[str, Any]:
    """What compares every request of a cassette as MiMo's are, once `register` has been called.

    MiMo's own need no settings: they are cleaned and compared by our rules in any cassette of a
    registered `vcr.VCR`.

    Returns:
        Keyword arguments for `VCR.use_cassette`.
    """
    return {"match_on": (MATCHER,), "before_record_request": clean_request}


def register(vcr: Any, persister: MiMoPersister | None = None) -> Any:
    """Teach a `vcr.VCR` to keep MiMo's exchanges as they may be kept.

    While a cassette of this `vcr` is open, vcrpy's handlers for httpx and httpx2 are replaced.
    What is none of MiMo's is recorded and replayed as vcrpy does it. `use_cassette` takes three
    further arguments, those of `mimo_core.testing.use_cassette`: `scrub`, `match`, `keep_audio`.

    Args:
        vcr: the `vcr.VCR`. It is changed.
        persister: loads and saves its cassettes; None makes one, over the one that it has.

    Returns:
        The same `vcr`.
    """
    base = vcr.persister

    def open_cassette(
        path: Any = None,
        *,
        with_current_defaults: bool = False,
        scrub: Scrub | None = None,
        match: MatchRule | None = None,
        keep_audio: bool = False,
        **options: Any,
    ) -> Any:
        if callable(path):  # used as a decorator without arguments
            return open_cassette(**options)(path)
        loads = persister or MiMoPersister(
            base=base, scrub=scrub, rule=match, keep_audio=keep_audio
        )
        settings = partial(_config, vcr, loads, path=path, **options)
        if with_current_defaults:
            settings = partial(dict, settings())
        return _OpenCassette(MiMoCassette, settings)

    vcr.register_matcher(MATCHER, mimo_request)
    vcr.use_cassette = open_cassette
    return vcr


def _config(vcr: Any, persister: MiMoPersister, **options: Any) -> dict[str, Any]:
    config: dict[str, Any] = vcr.get_merged_config(**options)
    return {**config, "persister": persister}


class _OpenCassette(CassetteContextDecorator):
    """vcrpy's context of a cassette, during which our handlers are in the place of vcrpy's.

    vcrpy patches the whole process, and whoever closes first takes the patches back. So contexts
    end from the innermost outwards, whatever the order in which they are left, and none is opened
    beside that of another thread or task: it would answer that one's requests.
    """

    _owner: tuple[int, object]

    def __enter__(self) -> Cassette:
        owner = _current_owner()
        with _lock, ExitStack() as stack:
            if _open and not _may_nest(_open[-1]._owner, owner):
                raise CassetteError(
                    "Another thread or task has a cassette open, and it would answer the requests "
                    "of this one too: open one cassette around all of them."
                )
            stack.enter_context(replaced_handlers())
            opened = stack.enter_context(playing())
            cassette = super().__enter__()
            assert isinstance(cassette, MiMoCassette)
            cassette.opened = opened
            stack.enter_context(_stand_in_key(cassette))
            if cassette.record_mode == "none":
                stack.enter_context(environment(MIMO_LIVE="false"))  # for subprocesses
            self._held = stack.pop_all()
            self._owner, self._cassette, self._ended = owner, cassette, False
            self._raised: tuple[Any, ...] = ()
            _open.append(self)
        return cassette

    def __exit__(self, *raised: Any) -> None:
        with _lock:
            self._ended, self._raised = True, raised
            while _open and _open[-1]._ended:
                _open.pop()._close()
        if not any(raised):
            self._cassette._persister.check_saved()
            rule = self._cassette._persister.rule
            # The rule of a whole project need not concern each of its tests.
            if rule is not None and self._cassette._persister.whole:
                check_found(rule, [*self._cassette.requests, *self._cassette.sent])

    def _close(self) -> None:
        with self._held:
            super().__exit__(*self._raised)


_Owner = tuple[int, object]
_lock = threading.RLock()
_open: list[_OpenCassette] = []


def _current_owner() -> _Owner:
    """The thread and the task that run now; None without a task."""
    try:
        return threading.get_ident(), asyncio.current_task()
    except RuntimeError:
        return threading.get_ident(), None


def _may_nest(outer: _Owner, inner: _Owner) -> bool:
    return outer[0] == inner[0] and outer[1] in (None, inner[1])


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


def shortened_in(path: str | Path) -> list[str]:
    """What is not whole in a cassette: notes on sound that was cut when it was recorded.

    Args:
        path: the YAML file.

    Returns:
        A line for each such answer.

    Raises:
        CassetteError: the file is missing or is not a cassette.
    """
    bodies = [(one.get("response") or {}).get("body") or {} for one in read(path)["interactions"]]
    return [str(body["note"]) for body in bodies if "shortened" in str(body.get("note", ""))]


@context_decorator
def use_cassette(
    path: str | Path,
    *,
    record_mode: str = "none",
    provenance: Provenance | None = None,
    note: str = "",
    emulate: Sequence[Reply | Fault | str] | None = None,
    scrub: Scrub | None = None,
    match: MatchRule | None = None,
    keep_audio: bool = False,
) -> Iterator[Any]:
    """Everything said over HTTP in this context comes from the cassette, or goes into it.

    It is a context manager, and a decorator of functions, coroutines, generators and methods.

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
            the key, and whenever the models were made.
        scrub: takes out what only you know to be secret: called with each address, body and line
            of a stream, it gives the text that may stand in the file. Keys, cookies and request
            ids are taken out in any case.
        match: what may differ between a request and the recorded one, as `ignore` says it.
        keep_audio: keep large base64 payloads of answers whole; else the first 740 bytes or so
            are kept, and a replay plays these.

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
    settings: dict[str, Any] = {"match_on": (MATCHER,)}
    if record_mode == "rewrite":
        record_mode = "all"
        settings["drop_unused_requests"] = True
    persister = MiMoPersister(
        provenance, note=note, whole=True, scrub=scrub, keep_audio=keep_audio, rule=match
    )
    vcr = register(VCR(record_mode=record_mode), persister)
    with ExitStack() as stack:
        if emulated:
            stack.enter_context(emulator(emulate or ()))
        yield stack.enter_context(vcr.use_cassette(str(path), **settings))


@contextmanager
def _stand_in_key(cassette: Cassette) -> Iterator[None]:
    """Set MIMO_API_KEY to a stand-in while a cassette has answers to play, unless it is set."""
    plays = cassette.record_mode == "none" or (cassette.data and cassette.record_mode != "all")
    if not plays or os.environ.get("MIMO_API_KEY"):
        yield
        return
    with environment(MIMO_API_KEY=STAND_IN_KEY):
        yield


@contextmanager
def emulator(replies: Sequence[Reply | Fault | str]) -> Iterator[None]:
    """A scripted `FakeMiMo`, to which every request of this library is led."""
    with loopback_allowed(), FakeMiMo() as mimo:
        mimo.queue(*replies)
        with all_requests_to(mimo):
            yield
