"""What arrives at one asyncio connection, and who waits for it."""

from __future__ import annotations

import asyncio
import select
from typing import Any

READ_SIZE = 16 * 1024  # bytes read at once, and what may lie unread before reading is paused
_PIECE_COSTS = 1024  # bytes that could be written in the time that a small piece takes
_CLOSED = "the connection has been closed"


class ReadyEvent:
    """Wakes the one task that waits for something, again and again.

    The timer of an earlier wait is left running, and looks at the newest deadline when it ends:
    setting one up for every read would cost as much as the read.
    """

    __slots__ = ("_deadline", "_ends_at", "_loop", "_timer", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ends_at = 0.0  # when the timer ends
        self._deadline: float | None = None

    async def wait(self, timeout: float | None) -> None:
        """Until `wake`. Raises `TimeoutError` after `timeout` seconds."""
        if self._waiter is not None:
            raise RuntimeError("Two tasks wait for one connection.")
        waiter = self._waiter = self._loop.create_future()
        self._deadline = None
        if timeout is not None:
            self._deadline = self._loop.time() + timeout
            if self._timer is None or self._ends_at > self._deadline:
                self._set_timer(self._deadline)
        try:
            await waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def stop(self) -> None:
        """Wake whoever waits, for the last time."""
        self.wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, ends_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._ends_at = ends_at
        self._timer = self._loop.call_at(ends_at, self._timer_ended)

    def _timer_ended(self) -> None:
        self._timer = None
        if self._waiter is None or self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._set_timer(self._deadline)
        elif not self._waiter.done():
            self._waiter.set_exception(TimeoutError())


class Protocol(asyncio.BufferedProtocol):
    """What has arrived at one connection and has not been read.

    Attributes:
        ended: nothing more will arrive.
        lost: nor can anything be sent.
        error: why, where it is not the peer's ordinary end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, space: memoryview) -> None:
        self._space = space
        self._arrived = bytearray()
        self._reading = True
        self._sending = True
        self._held_on = 0  # what was written without letting others run
        self._readable, self._writable = ReadyEvent(loop), ReadyEvent(loop)
        self.ended = self.lost = False
        self.error: Exception | None = None
        self.transport: Any = None

    async def read(self, limit: int, timeout: float | None) -> bytes:
        """Up to `limit` bytes; none at the end. What arrived before a failure comes before it."""
        while not self._arrived:
            if self.error is not None:
                raise ConnectionError(str(self.error)) from self.error
            if self.ended:
                return b""
            await self._readable.wait(timeout)
        data = bytes(self._arrived[:limit])
        del self._arrived[:limit]
        if not self._reading and not self.ended and len(self._arrived) < READ_SIZE:
            self._reading = True
            self.transport.resume_reading()
        return data

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Hand `data` to the system, all of it."""
        if not self.lost:
            self.transport.write(data)
            self._held_on += len(data) + _PIECE_COSTS
            if self._held_on > READ_SIZE or self.transport.is_closing():
                self._held_on = 0
                await asyncio.sleep(0)  # a large body lets others run, and a failure be told
        while not (self._sending or self.lost):
            await self._writable.wait(timeout)
        if self.lost:
            raise ConnectionError(str(self.error or _CLOSED)) from self.error

    async def close(self) -> None:
        if not self.lost:
            self.transport.abort()  # nobody reads what has arrived, and what was sent is sent
            self._end(ConnectionError(_CLOSED))
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    def has_news(self) -> bool:
        """Whether anything has come, an end included; of an idle connection: whether it is dead."""
        return bool(self._arrived) or self.ended or _is_readable(self.transport)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # `write` returns when the system has it all

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._arrived += self._space[:nbytes]
        if len(self._arrived) >= READ_SIZE:
            self._reading = False
            self.transport.pause_reading()
        self._readable.wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._readable.wake()
        return True  # half closed: what is being sent can still be sent

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def pause_writing(self) -> None:
        self._sending = False

    def resume_writing(self) -> None:
        self._sending = True
        self._writable.wake()

    def _end(self, error: Exception | None) -> None:
        self.ended = self.lost = True
        self.error = self.error or error
        self._readable.stop()
        self._writable.stop()


def _is_readable(transport: Any) -> bool:
    """Whether the system holds what the loop has not seen: between two runs, it stands still."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
