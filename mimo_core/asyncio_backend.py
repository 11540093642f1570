"""HTTP connections on asyncio's own transports: a third of what httpx2's way through anyio costs.

With one event a read, anyio's cancel scope, its pausing and resuming of the transport and its two
turns of the loop cost more than everything above them. Here a transport goes on reading into a
buffer, and is paused only when nobody empties it. It serves httpcore2 as a network backend, whose
public interface this is; everything else (pool, HTTP, exceptions) stays httpcore2's.

It is used on asyncio's selector loops and on uvloop's, without a proxy. Other loops, proxies and
clients that were given take httpx2's own way (`transport.py`).
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import httpcore2
import httpx2

Result = TypeVar("Result")
Attempt = Callable[[], Awaitable["_Protocol"]]
_SPACE = 16 * 1024  # bytes read at once, and what may lie unread before reading is paused
_NEXT_ADDRESS = 0.25  # seconds until the next address is tried beside the last (RFC 8305)
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_CLOSED = "the connection has been closed"


def serves(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the backend has been shown to work on loops of this kind.

    Windows' proactor loop is not one: it reads into a buffer that all connections would share.
    """
    known = isinstance(loop, asyncio.SelectorEventLoop) or type(loop).__module__ == "uvloop"
    return known and hasattr(select, "poll")


class AsyncioBackend(httpcore2.AnyIOBackend):
    """A network backend for connections of one event loop."""

    def __init__(self) -> None:
        self._space = memoryview(bytearray(_SPACE))  # filled and emptied within one callback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first of `host`'s addresses that answers.

        Raises:
            httpcore2.ConnectTimeout: none did within `timeout` seconds.
            httpcore2.ConnectError: there is no such host, or all of them refused.
        """
        loop = asyncio.get_running_loop()
        local = (local_address, 0) if local_address else None
        try:
            async with asyncio.timeout(timeout):
                infos = _mixed(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
                protocol = await _first([self._attempt(loop, info, local) for info in infos])
            for option in (_NO_DELAY, *(socket_options or ())):
                protocol.transport.get_extra_info("socket").setsockopt(*option)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return _TCPStream(protocol)

    def _attempt(
        self, loop: asyncio.AbstractEventLoop, info: Any, local: tuple[str, int] | None
    ) -> Attempt:
        # Not by `loop.sock_connect`: uvloop's mixes up attempts whose sockets get the same number.
        family, _, _, _, (address, port, *ipv6) = info
        if ipv6 and ipv6[1]:
            address = f"{address}%{ipv6[1]}"  # a link-local one

        async def connect() -> _Protocol:
            _, protocol = await loop.create_connection(
                lambda: _Protocol(loop, self._space), address, port, family=family, local_addr=local
            )
            return protocol

        return connect


def _mixed(infos: list[Any]) -> list[Any]:
    """Addresses with their families in turn: where one family leads nowhere, the other is next."""
    first = [info for info in infos if info[0] == infos[0][0]]
    other = [info for info in infos if info[0] != infos[0][0]]
    pairs = [info for pair in zip(first, other, strict=False) for info in pair]
    return pairs + first[len(other) :] + other[len(first) :]


async def _first(attempts: list[Attempt]) -> _Protocol:
    """The first connection that is made. The next attempt starts when one fails, or after 0.25 s.

    Raises the last `OSError` where none is made.
    """
    if len(attempts) == 1:
        return await attempts[0]()
    waiting = list(reversed(attempts))
    running: set[asyncio.Future[_Protocol]] = set()
    failure: BaseException = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(waiting.pop()()))
            done, running = await asyncio.wait(
                running,
                timeout=_NEXT_ADDRESS if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            made = [one.result() for one in done if one.exception() is None]
            for spare in made[1:]:
                spare.transport.abort()
            if made:
                return made[0]
            for one in done:
                failure = one.exception() or failure
    finally:
        for one in running:
            one.add_done_callback(_close_spare)
            one.cancel()
    raise failure


def _close_spare(attempt: asyncio.Future[_Protocol]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().transport.abort()


class _Signal:
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


class _Protocol(asyncio.BufferedProtocol):
    """What has arrived at one connection and has not been read.

    Attributes:
        ended: nothing more will arrive.
        lost: nor can anything be sent; `error` says why, None where it was closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, space: memoryview) -> None:
        self._space = space
        self._arrived = bytearray()
        self._reading = True
        self._sending = True
        self._readable, self._writable = _Signal(loop), _Signal(loop)
        self.ended = self.lost = self.closed = False
        self.error: Exception | None = None
        self.transport: Any = None

    async def read(self, limit: int, timeout: float | None) -> bytes:
        """Up to `limit` bytes; none at the end. What arrived before a failure comes before it."""
        while not self._arrived:
            if self.closed or self.error is not None:
                raise ConnectionError(str(self.error or _CLOSED)) from self.error
            if self.ended:
                return b""
            await self._readable.wait(timeout)
        data = bytes(self._arrived) if len(self._arrived) <= limit else bytes(self._arrived[:limit])
        del self._arrived[:limit]
        if not self._reading and not self.ended and len(self._arrived) < _SPACE:
            self._reading = True
            self.transport.resume_reading()
        return data

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Hand `data` to the system, all of it."""
        if not self.lost and not self.closed:
            self.transport.write(data)
            if len(data) > _SPACE or self.transport.is_closing():
                await asyncio.sleep(0)  # a large body lets others run, and a failure be told
        while not (self._sending or self.lost or self.closed):
            await self._writable.wait(timeout)
        if self.lost or self.closed:
            raise ConnectionError(str(self.error or _CLOSED)) from self.error

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.transport.abort()  # nobody reads what has arrived, and what was sent is sent
            self._stop()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    def has_news(self) -> bool:
        """Whether anything has come, an end included; of an idle connection: whether it is dead."""
        return bool(self._arrived) or self.ended or self.closed or _is_readable(self.transport)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # `write` returns when the system has it all

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._arrived += self._space[:nbytes]
        if len(self._arrived) >= _SPACE:
            self._reading = False
            self.transport.pause_reading()
        self._readable.wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._readable.wake()
        return True  # half closed: what is being sent can still be sent

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = self.lost = True
        self.error = exc
        self._stop()

    def pause_writing(self) -> None:
        self._sending = False

    def resume_writing(self) -> None:
        self._sending = True
        self._writable.wake()

    def _stop(self) -> None:
        self._readable.stop()
        self._writable.stop()


def _is_readable(transport: Any) -> bool:
    """Whether the system holds what the loop has not seen: between two runs, it stands still."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


class _TCPStream(httpcore2.AsyncNetworkStream):
    """One TCP connection, with httpcore2's exceptions."""

    def __init__(self, protocol: _Protocol) -> None:
        self._protocol = protocol

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._protocol.read(max_bytes, timeout)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._protocol.write(buffer, timeout)
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._protocol.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = _TLSStream(self, ssl_context, server_hostname)
        try:
            async with asyncio.timeout(timeout):
                await stream.handshake()
        except BaseException as error:
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise httpcore2.ConnectTimeout(str(error)) from error
            if isinstance(error, httpcore2.NetworkError | ssl.SSLError):
                raise httpcore2.ConnectError(str(error)) from error
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:
        transport = self._protocol.transport
        if info == "is_readable":
            return self._protocol.has_news()
        names = {"client_addr": "sockname", "server_addr": "peername", "socket": "socket"}
        return transport.get_extra_info(names[info]) if info in names else None


class _TLSStream(httpcore2.AsyncNetworkStream):
    """TLS over a TCP connection. Like httpx2's, it sends no `close_notify` and needs none: HTTP
    says itself where a body ends."""

    def __init__(
        self, tcp: _TCPStream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._tcp = tcp
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )

    async def handshake(self) -> None:
        await self._run(self._ssl.do_handshake, None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._incoming.pending and not self._ssl.pending():  # else a try would be in vain
            await self._receive(timeout)
        try:
            return await self._run(lambda: self._ssl.read(max_bytes), timeout)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._run(lambda: self._ssl.write(buffer), timeout)
        except ssl.SSLError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._tcp.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._ssl if info == "ssl_object" else self._tcp.get_extra_info(info)

    async def _run(self, operation: Callable[[], Result], timeout: float | None) -> Result:
        """`operation`, as often as it takes until the other side has said all that it needs."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await self._send(timeout)
                await self._receive(timeout)
            except ssl.SSLError:
                with suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
                    await self._send(timeout)  # tells the other side why
                raise
            else:
                await self._send(timeout)
                return result

    async def _send(self, timeout: float | None) -> None:
        if self._outgoing.pending:
            await self._tcp.write(self._outgoing.read(), timeout)

    async def _receive(self, timeout: float | None) -> None:
        if data := await self._tcp.read(_SPACE, timeout):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


class AsyncioTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport with connections of this backend.

    `_pool` is httpx2's own name. Were it another one day, this would be httpx2's ordinary transport
    (and a test would say so). A subclass, because vcrpy and its like know the class.
    """

    def __init__(self, context: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=context, limits=limits)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=AsyncioBackend(),
        )
