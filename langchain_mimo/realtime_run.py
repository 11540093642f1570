"""A realtime job at work: which request is next, and when. Shared by threads, Dask and asyncio."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_mimo.errors import MiMoModelError, MiMoTimeoutError
from langchain_mimo.rate_limits import Limits, RateLimits, Sent
from langchain_mimo.realtime_answers import Outcome, error_from
from langchain_mimo.realtime_file import RealtimeFile
from mimo_core.batches import JobStatus

_PATIENCE = 20  # errors that may pass, in a row, before a wait is given up


class Ask(NamedTuple):
    """Send this request now."""

    position: int


class Pause(NamedTuple):
    """Send nothing before something has come back, or so many seconds have passed."""

    seconds: float | None


class Clock:
    """The time, in seconds since 1970, which no change of the system's clock turns back."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """The time."""
        return self._offset + time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """`sleep`, asynchronously."""
        await asyncio.sleep(seconds)


class RealtimeRun:
    """The work of one `wait`. Whoever drives it does what `next_step` says, and tells it of each
    request that has `ended`.

    Args:
        file: of the job, of which nobody else may do the work meanwhile.
        limits: of the account.
        tokens: of each request, estimated.
        at_once: requests that may be on their way.
        clock: by which the limits go.
        timeout: seconds after which nothing more is sent; None for any.
        look: called with the status after each answer.

    Attributes:
        at_once: the same.
        is_done: whether there was nothing to ask.
    """

    def __init__(
        self,
        file: RealtimeFile,
        limits: Limits,
        tokens: Sequence[int],
        at_once: int,
        clock: Clock,
        timeout: float | None,
        look: Callable[[JobStatus], None] | None,
    ) -> None:
        self._file, self._tokens, self._clock, self._look = file, tokens, clock, look
        self.at_once = at_once
        self._waiting = deque(file.waiting())
        self.is_done = not self._waiting
        now = clock.now()
        self._limits = RateLimits(limits, file.sent_since(now))
        self._timeout = timeout
        self._ends = None if timeout is None else now + timeout
        self._sent: dict[int, Sent] = {}
        self._failed_in_a_row = 0
        self._failure: MiMoModelError | None = None

    def next_step(self) -> Ask | Pause | None:
        """What to do now; None where nothing is left. The file has a request before it is sent."""
        now = self._clock.now()
        left = None if self._ends is None else self._ends - now
        if not self._waiting or self._failure is not None or (left is not None and left <= 0):
            return Pause(None) if self._sent else None
        if len(self._sent) >= self.at_once:
            return Pause(left)
        position = self._waiting[0]
        tokens = self._tokens[position]
        delay = self._limits.delay(tokens, now)
        if delay > 0:
            return Pause(delay if left is None else min(delay, left))
        self._waiting.popleft()
        self._file.note_asked(position, now, tokens)
        self._sent[position] = self._limits.send(tokens, now)
        return Ask(position)

    def ended(self, position: int, outcome: Outcome) -> None:
        """Keep what came back.

        Args:
            position: of the request.
            outcome: of it.
        """
        sent = self._sent.pop(position)
        if outcome.tokens is not None:
            sent.tokens = outcome.tokens
        self._file.note_answer(position, outcome.state, outcome.text, outcome.tokens)
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome.passes else 0
        if outcome.state == "waiting" or self._failed_in_a_row >= _PATIENCE:
            self._failure = error_from(outcome.text)
        if self._look is not None:
            self._look(self._file.status())

    def end(self) -> JobStatus:
        """The status after it.

        Raises:
            MiMoModelError: why it was given up.
            MiMoTimeoutError: there was no time for the rest.
        """
        if self._failure is not None:
            raise self._failure
        if self._waiting:
            raise MiMoTimeoutError(
                f"The job has not ended within {self._timeout:g} s: {len(self._waiting):,} "
                "requests were not sent. Wait again to go on.",
                code="job_not_ended",
            )
        return self._file.status()
