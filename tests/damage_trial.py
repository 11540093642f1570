"""Trials: damaged answers, read in one way after the other, and judged by what nobody may break.

1. However the bytes are split, chunks, answer and error are the same.
2. Only the documented errors: one line, 1,000 characters at the most, without the key.
3. No reading without end: a server that goes on sending comments is left.
4. No answer that looks whole and is not: `damage_reader` says what a careful person would read.
5. What is delivered has the types that it promises.
"""

from __future__ import annotations

import os
import random
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

import httpx2
import pytest

from tests.conftest import KEY
from tests.damage import Damaged, damaged
from tests.damage_answers import TOOLS
from tests.damage_reader import Reading, read, whole

BASE_URLS = {
    "chat_completions": "http://127.0.0.1:9/v1",
    "messages": "http://127.0.0.1:9/anthropic",
}
REQUEST: dict[str, Any] = {
    "model": "mimo-v2.6-pro",
    "messages": [{"role": "user", "content": "Hi"}],
    "tools": TOOLS,
}
FUZZES = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
SHARDS = range(20 if FUZZES else 2)
_SEED = os.environ.get("DAMAGE_SEED")
RERUNS = _SEED is not None
_LATE = "comments and no event for 600 s"
_MORE_REQUESTS = 3  # an attempt, and the two that clients make by default
_MORE_READS = 20  # after the damaged bytes; the buffers in between hold a few


def seeds(shard: int, ordinary: int, fuzz: int) -> Iterator[int]:
    """The seeds of one shard: the same ones in an ordinary run, new ones when fuzzing.

    Args:
        shard: which one.
        ordinary: how many in all, in an ordinary run.
        fuzz: how many in all, with `HYPOTHESIS_PROFILE=fuzz`.
    """
    if _SEED is not None:  # to see one failure again
        yield from [int(_SEED)] if shard == 0 else []
        return
    count = (fuzz if FUZZES else ordinary) // len(SHARDS)
    first = secrets.randbits(48) if FUZZES else shard * count
    yield from range(first, first + count)


@dataclass
class Outcome:
    """What one way of reading gave."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Names and arguments."""
    chunks: Any = None
    error: Exception | None = None
    problems: list[str] = field(default_factory=list)
    """What was delivered and should not have been."""

    def shown(self) -> str:
        """Everything of it, to be compared; ids that were made up are numbered."""
        everything = repr({**self.__dict__, "error": (type(self.error), str(self.error))})
        made_up: dict[str, str] = {}
        return re.sub(
            "call_[0-9a-f]{24,32}",
            lambda id_: made_up.setdefault(id_[0], f"call_{len(made_up)}"),
            everything,
        )


class Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces, with comments after it that never end where it is `endless`."""

    def __init__(self, pieces: list[bytes], *, endless: bool, on_comment: Callable[[], None]):
        self._pieces = pieces
        self._endless = endless
        self._on_comment = on_comment

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._endless:
            yield b"\n\n"
        for _ in range(_MORE_READS if self._endless else 0):
            self._on_comment()
            yield b": still here\n\n"
        if self._endless:
            raise AssertionError("it reads on and on")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Wire:
    """A server without sockets. It answers each request with what `serve` was given last."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds on a clock that only the comments of an endless body move."""
        self._case: Damaged | None = None
        self._pieces: list[bytes] = []
        self._endless = False
        self._requests = 0
        self.transport = httpx2.MockTransport(self._answer)

    @classmethod
    def in_the_place_of_sockets(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """A wire for all clients that the library makes; their clock is the wire's.

        Args:
            monkeypatch: takes it away again.
        """
        wire = cls()
        monkeypatch.setattr(
            "mimo_core._http.own_client._transport", lambda *_, **__: wire.transport
        )
        monkeypatch.setattr("mimo_core._http.pools._pools", {})  # none with real connections
        monkeypatch.setattr("mimo_core._http.pools._async_pools", {})
        clock = SimpleNamespace(monotonic=lambda: wire.now)
        monkeypatch.setattr("mimo_core._http.exchange.time", clock)

        async def sleep(seconds: float) -> None:
            """Nobody waits between the attempts."""

        monkeypatch.setattr("mimo_core.client.time", SimpleNamespace(sleep=lambda _: None))
        monkeypatch.setattr("mimo_core.client.asyncio", SimpleNamespace(sleep=sleep))
        return wire

    def serve(self, case: Damaged, pieces: list[bytes], *, endless: bool = False) -> None:
        """Answer with this body from now on.

        Args:
            case: the answer.
            pieces: its bytes, as they are read.
            endless: whether comments follow, for ever.
        """
        self._case, self._pieces, self._endless = case, pieces, endless
        self._requests = 0

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        assert self._case is not None
        self._requests += 1
        if self._requests > _MORE_REQUESTS:
            raise AssertionError("it asks again and again")
        stream = Pieces(self._pieces, endless=self._endless, on_comment=self._tick)
        headers = {k.encode(): v.encode() for k, v in self._case.headers.items()}
        return httpx2.Response(self._case.status, headers=headers, stream=stream)

    def _tick(self) -> None:
        self.now += 400.0


def split(body: bytes, rng: random.Random) -> list[bytes]:
    """The bytes in pieces: all at once, one by one, or cut anywhere.

    Args:
        body: the bytes.
        rng: where chance comes from.
    """
    size = rng.choice([1, 1, 7, 0, 0, 0]) if len(body) < 3000 else 0
    if size:
        return [body[at : at + size] for at in range(0, len(body), size)]
    cuts = sorted(rng.choices(range(len(body) + 1), k=rng.choice([0, 1, 2, 5, 20])))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def expected(case: Damaged, *, streamed: bool) -> Reading:
    """What a careful person reads in the answer.

    Args:
        case: the answer.
        streamed: whether it was asked for as a stream.
    """
    if case.status != 200:
        return Reading(broken=f"HTTP {case.status}")
    kind = case.headers["content-type"].partition(";")[0]
    begins = case.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    is_events = streamed and kind not in ("application/json", "text/html") and begins != b"{"
    return read(case.body, case.protocol, streamed=is_events)


def problems(
    case: Damaged, reading: Reading, outcome: Outcome, family: type[Exception]
) -> list[str]:
    """What is wrong with an outcome; an empty list where nothing is.

    Args:
        case: the answer.
        reading: what is in it.
        outcome: what was made of it.
        family: the errors that are documented.
    """
    if outcome.error is not None:
        found = _error_problems(outcome.error, family)
        if case.harmless and not reading.broken and _LATE not in str(outcome.error):
            found.append(f"an error, where nothing that counts was damaged: {outcome.error}")
        return found + outcome.problems
    found = list(outcome.problems)
    if reading.broken:
        return [*found, f"taken for whole: {reading.broken}"]
    if "<tool_call>" not in reading.text and whole(outcome.text) != reading.text:
        found.append(f"the text is {outcome.text!r:.80}, not {reading.text!r:.80}")
    if whole(outcome.reasoning) != reading.reasoning:
        found.append(f"the reasoning is {outcome.reasoning!r:.80}, not {reading.reasoning!r:.80}")
    return found + _call_problems(reading, outcome)


def _error_problems(error: Exception, family: type[Exception]) -> list[str]:
    text = str(error)
    found = []
    if not isinstance(error, family):
        found.append(f"undocumented error {type(error).__name__}: {text[:200]}")
    elif len(text.splitlines()) != 1 or len(text) > 1000:
        found.append(f"an error of {len(text)} characters in {len(text.splitlines())} lines")
    if KEY in text:
        found.append("the key is in the error")
    return found


def _call_problems(reading: Reading, outcome: Outcome) -> list[str]:
    if "<tool_call>" in reading.text:
        return []
    calls = sorted((name, _letters(arguments)) for name, arguments in outcome.calls)
    sure = reading.sure_calls()
    if sure is not None:
        wanted = sorted((name, _letters(arguments)) for name, arguments in sure)
        return [] if calls == wanted else [f"the calls are {calls}, not {wanted}"]
    pieces = "".join(piece[2] for pieces in reading.calls.values() for piece in pieces)
    # An escape that was cut into pieces leaves some of its digits: they are not compared.
    letters = re.sub("[0-9a-f]", "", _letters(pieces))
    if sorted(re.sub("[0-9a-f]", "", "".join(text for _, text in calls))) != sorted(letters):
        return [f"the calls {calls} lack something of {pieces!r:.200}"]
    return []


def _letters(arguments: str) -> str:
    """What of arguments no repair changes."""
    return re.sub(r"\\u[0-9a-f]{4}|\\.|[^a-zA-Z0-9]", "", arguments)


Read = Callable[[Damaged], Outcome]


def judge(
    case: Damaged, wire: Wire, ways: dict[str, Read], *, streamed: bool, family: type[Exception]
) -> list[str]:
    """Read one answer in every way, each with bytes split otherwise; say what is wrong.

    Args:
        case: the answer.
        wire: where the ways read it from.
        ways: the ways, by name. Where they end in chunks, these have to be the same.
        streamed: whether they ask for a stream.
        family: the errors that are documented.
    """
    rng = random.Random(case.seed)
    reading = expected(case, streamed=streamed)
    found, first = [], ""
    for name, way in ways.items():
        pieces = split(case.body, rng) if first else [case.body]
        endless = streamed and bool(first) and rng.random() < 0.2
        wire.serve(case, pieces, endless=endless)
        try:
            outcome = way(case)
        except Exception as error:
            outcome = Outcome(error=error)
        said = problems(case, reading, outcome, family)
        first = first or outcome.shown()
        if outcome.shown() != first and _LATE not in str(outcome.error):
            said.append(f"other than in one piece: {outcome.shown()[:700]} and {first[:700]}")
        found += [f"seed {case.seed}, {case.protocol}, {name}: {text}" for text in said]
    return found


def failures(
    numbers: Iterator[int],
    wire: Wire,
    ways: dict[str, Read],
    *,
    streamed: bool,
    family: type[Exception],
    protocol: str | None = None,
) -> tuple[list[str], int]:
    """Try the answers of many seeds.

    Args:
        numbers: the seeds.
        protocol: the only one to be tried; None for both.
        wire, ways, streamed, family: as for `judge`.

    Returns:
        A text for each failure, and the number of readings.
    """
    found: list[str] = []
    readings = 0
    for seed in numbers:
        case = damaged(seed)
        if protocol in (None, case.protocol) and (streamed or not case.streamed):
            readings += len(ways)
            for text in judge(case, wire, ways, streamed=streamed, family=family):
                found.append(f"{text}\n    {', '.join(case.damages)}\n    {case.body[:600]!r}")
    return found, readings


def report(found: list[str]) -> str:
    """The failures, with the command that shows one of them again.

    Args:
        found: from `failures`.
    """
    shown = "\n".join(found[:5])
    return f"{len(found)} failures; rerun one with DAMAGE_SEED=… pytest <this file>\n{shown}"
