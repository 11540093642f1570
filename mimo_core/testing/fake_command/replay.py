"""A cassette as a server: recorded answers for the requests that they were given to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.edits import split
from mimo_core.testing.cassettes.endings import NO_ANSWER
from mimo_core.testing.cassettes.matching import Candidate, best_match, why_no_match
from mimo_core.testing.cassettes.persister import MiMoPersister, read
from mimo_core.testing.cassettes.provenance import Provenance
from mimo_core.testing.cassettes.vcrpy import Request, yamlserializer
from mimo_core.testing.emulator.connection import Cut, WireRequest
from mimo_core.testing.emulator.extras import cors_headers, is_preflight
from mimo_core.testing.emulator.faults import Fault, error_body
from mimo_core.testing.emulator.listener import LOOPBACK, NO_FAULT
from mimo_core.testing.emulator.server import NOT_SCRIPTED
from mimo_core.testing.emulator.service import HTTPAnswer, error_answer

_AGAIN = "Record it: mimo-fake --record-proxy URL --cassette FILE"
# What was true of the recorded message only.
_FRAMING = ("transfer-encoding", "content-length", "connection", "content-encoding")


class Replay:
    """Gives the recorded answers, each once and with its recorded breaks.

    A stream that broke off breaks off again, and where no answer had come, the connection is closed
    without one. What was not recorded gets 418, which no client retries.

    Args:
        path: the cassette.
        repeat: when the answers to a request have been given, give the first one again.
        cors: let pages in browsers ask; cassettes do not hold the headers for it.
        log: called with one line for each request and its answer.

    Raises:
        CassetteError: there is no such cassette, or it cannot be read.
    """

    def __init__(
        self, path: Path, *, repeat: bool, log: Callable[[str], None], cors: bool = False
    ) -> None:
        self.provenance = Provenance.of(read(path), path)
        self._path = path
        self._repeat = repeat
        self._cors = cors
        self._log = log
        loaded = MiMoPersister(whole=True).load_cassette(path, yamlserializer)
        self._requests, self._answers = loaded
        self._played: set[int] = set()
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many answers it holds."""
        return len(self._answers)

    def handle(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        """The recorded answer, or 418 with how the nearest recorded request differs."""
        if not self._cors:
            return self._play(received)
        if is_preflight(received.method, received.headers):
            answer, fault = HTTPAnswer(204, {}), NO_FAULT
        else:
            answer, fault = self._play(received)
        allowed = cors_headers(received.method, received.headers)
        return replace(answer, headers=answer.headers | allowed), fault

    def _play(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        uri = f"http://{LOOPBACK}{received.path}"
        sent = clean_request(Request(received.method, uri, received.body, dict(received.headers)))
        with self._lock:
            candidates = [
                Candidate(index, request, index in self._played)
                for index, request in enumerate(self._requests)
            ]
            index = best_match(sent, candidates)
            if index is None and self._repeat:
                index = best_match(sent, candidates, allow_repeats=True)
            if index is not None:
                self._played.add(index)
        what = f"{received.method} {received.path.partition('?')[0]}"
        if index is None:
            said = f"{self._path} {why_no_match(sent, candidates, None)}. {_AGAIN}"
            self._log(f"{what} -> {NOT_SCRIPTED} {said}")
            body = error_body(str(NOT_SCRIPTED), f"mimo-fake: {said}")
            return error_answer(NOT_SCRIPTED, body), NO_FAULT
        self._log(f"{what} -> answer {index + 1} of {self.count}")
        return _recorded(self._answers[index])


def _recorded(answer: dict[str, Any]) -> tuple[HTTPAnswer, Fault]:
    status = answer["status"]["code"]
    if status == NO_ANSWER:
        return HTTPAnswer(502, {}), Fault(cut="before_headers")
    held = answer["body"]
    body = held["string"] or b""
    raw: bytes = body.encode() if isinstance(body, str) else body
    fields = [
        (name, str(value))
        for name, values in answer["headers"].items()
        for value in (values if isinstance(values, list) else [values])
        if name.lower() not in _FRAMING
    ]
    said = HTTPAnswer(status, {}, raw, is_emulators=False, repeated_headers=tuple(fields))
    if held.get("pieces") or held.get("broken"):
        pieces = split(raw, held.get("pieces"))
        said = HTTPAnswer(
            status,
            {},
            events=_pieces(pieces, broken=bool(held.get("broken"))),
            is_emulators=False,
            repeated_headers=tuple(fields),
        )
    return said, NO_FAULT


def _pieces(pieces: list[bytes], *, broken: bool) -> Iterator[bytes]:
    yield from pieces
    if broken:
        raise Cut
