"""One fault put into one request of a run, and what was seen of the requests meanwhile.

While a run goes on, two seams of this library are held: where every `FakeMiMo` takes the answers of
its script, and where the client prepares an attempt, judges a failure and waits for the next one.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from mimo_core._http import destination as destinations
from mimo_core._http import settings
from mimo_core._http.exchange import Exchange
from mimo_core.errors import MiMoError
from mimo_core.testing.emulator import Fault, ReceivedRequest, Reply
from mimo_core.testing.emulator.script import Answerable, Rule, Script
from mimo_core.testing.fault_report.table import Row, Said
from mimo_core.testing.live import loopback_allowed

LONGEST_PAUSE = 0.05  # seconds that the client waits before a further attempt, whatever was asked
CLIENTS_SILENCE = 1.0  # seconds after which the client stops to wait, whatever its timeout is
_ANSWERING = ("/chat/completions", "/messages")


@dataclass
class Traffic:
    """The requests of one run, and the fault that is to meet one of them.

    Attributes:
        row: the fault; None for a run without one.
        number: which request it meets, counted from 1.
        silence: seconds that a silent server is silent.
        expected: the messages of that request in the run without a fault, for a refused connection,
            of which the server sees nothing.
        on_hit: called when the fault is sent.
    """

    row: Row | None = None
    number: int = 0
    silence: float = 10.0
    expected: list[Any] | None = None
    on_hit: Callable[[], None] = lambda: None
    asked: list[tuple[ReceivedRequest, Said | None]] = field(default_factory=list)
    """Each request that the script answered, and its answer; None where that was a fault."""
    errors: list[MiMoError] = field(default_factory=list)
    """What the client made of failures, those that it tried again after included."""
    hit_at: float | None = None
    asked_again: bool = False
    """Whether the question that the fault met was asked once more."""
    scripts: dict[Script, None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _met: list[Any] | None = None
    _given: list[tuple[list[Any], Answerable]] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many requests the client sent: one that was refused has reached no server."""
        refused = self.hit_at is not None and self.row is not None and self.row.make is None
        return len(self.asked) + refused

    def answer(
        self, script: Script, request: ReceivedRequest, take: Callable[..., Answerable]
    ) -> Answerable:
        """The script's answer to a request, or the fault.

        Whoever tries again, one request or the conversation from its start, finds the script where
        it was: the answer that a fault took away, and those before it, are given once more.
        """
        messages = comparable(request.messages)
        with self._lock:
            said = self._given_again(messages)
        if said is None:
            said = take(script, request)
        with self._lock:
            self.scripts[script] = None
            whole = _whole(said)
            self.asked.append((request, whole))
            if self.hit_at is None:
                self._given.append((messages, said))
            if len(self.asked) != self.number or self.hit_at is not None:
                return said
            row = self.row
            if row is None or row.make is None or whole is None or not row.applies(request, whole):
                return said
            self._hit(messages)
            return row.make(whole, self.silence)

    def refuses(self, url: str) -> bool:
        """Whether the attempt that is being prepared meets a refused connection."""
        if self.row is None or self.row.make is not None:
            return False
        with self._lock:
            comes = len(self.asked) == self.number - 1 and self.hit_at is None
            comes = comes and url.partition("?")[0].endswith(_ANSWERING)
            if comes:
                self._hit(self.expected)
            return comes

    def _hit(self, messages: list[Any] | None) -> None:
        self.hit_at = time.monotonic()
        self._met = messages
        self.on_hit()

    def _given_again(self, messages: list[Any]) -> Answerable | None:
        """The answer of before to a question that is asked again after the fault.

        A question that goes on from an answer which was odd in what it says is the same one.
        """
        if self.hit_at is None or self.row is None:
            return None
        met = self._met or []
        is_met = messages == met or (self.row.is_content and messages[: len(met)] == met)
        if is_met and not self.asked_again:
            self.asked_again = True
            return self._given.pop()[1] if self.row.make is not None else None
        for index, (before, said) in enumerate(self._given):
            if before == messages:
                del self._given[index]
                return said
        return None


def comparable(messages: list[Any]) -> list[Any]:
    """Messages without the ids of their calls, which the emulator makes up anew for each run."""

    def bare(message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        kept = {key: value for key, value in message.items() if key != "tool_call_id"}
        if isinstance(calls := kept.get("tool_calls"), list):
            kept["tool_calls"] = [
                {key: value for key, value in call.items() if key != "id"}
                if isinstance(call, dict)
                else call
                for call in calls
            ]
        return kept

    return [bare(message) for message in messages]


def _whole(said: Answerable) -> Said | None:
    if isinstance(said, Fault):
        return None
    return Reply(said) if isinstance(said, str) else said


@contextmanager
def watched(traffic: Traffic) -> Iterator[None]:
    """Answer the requests of every `FakeMiMo` by `traffic`, and shorten the client's waits."""
    take = Script.answer_to
    judge, pause, limited = Exchange.failure, Exchange.delay_before_retry, Exchange.limited
    destination = destinations.destination

    def failure(self: Exchange[Any], cause: Exception, kinds: Any) -> MiMoError:
        error = judge(self, cause, kinds)
        traffic.errors.append(error)
        return error

    def delay_before_retry(self: Exchange[Any], error: MiMoError) -> float | None:
        delay = pause(self, error)
        return None if delay is None else min(delay, LONGEST_PAUSE)

    def limited_silence(self: Exchange[Any], timeout: Any) -> Any:
        given = limited(self, timeout)
        return tuple(_at_most(seconds) for seconds in given or (None,) * 4)

    def address(url: str, client: Any = None) -> str:
        where = destination(url, client)
        return nowhere + url.partition("://")[2] if traffic.refuses(url) else where

    def answer_to(script: Script, request: ReceivedRequest) -> Answerable:
        return traffic.answer(script, request, take)

    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(Script, "answer_to", answer_to)
        patch.setattr(Exchange, "failure", failure)
        patch.setattr(Exchange, "delay_before_retry", delay_before_retry)
        if traffic.row is not None and traffic.row.waits:
            patch.setattr(Exchange, "limited", limited_silence)
        if traffic.row is not None and traffic.row.make is None:
            nowhere = stack.enter_context(_nobody_listens())
            patch.setattr(settings, "destination", address)
        yield


def _at_most(seconds: float | None) -> float:
    return CLIENTS_SILENCE if seconds is None else min(seconds, CLIENTS_SILENCE)


@contextmanager
def _nobody_listens() -> Iterator[str]:
    """The beginning of an address of this machine at which a connection is refused."""
    with loopback_allowed(), socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


Kept = Mapping[Script, tuple[list[Answerable], list[tuple[Rule, list[Answerable]]]]]


def kept(traffic: Traffic) -> Kept:
    """What the scripts of a run hold now: those of longer-lived emulators outlast it."""
    return {
        script: (list(script.queue), [(rule, rule.left) for rule in script._rules])
        for script in traffic.scripts
    }


def put_back(state: Kept) -> None:
    """Take out of the scripts what a run under a fault has left in them."""
    for script, (queue, rules) in state.items():
        script.queue.clear()
        script.queue.extend(queue)
        script._rules[:] = [rule for rule, _ in rules]
        for rule, left in rules:
            rule._answers = deque(left)
