"""TCP and TLS over asyncio's transports, with httpcore2's interface and exceptions."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import httpcore2
from anyio.lowlevel import checkpoint_if_cancelled

from mimo_core._http.network import HeadBudget, shorter
from mimo_core._http.network.asyncio_protocol import READ_SIZE, Protocol

Result = TypeVar("Result")


class TCPStream(httpcore2.AsyncNetworkStream):
    """One TCP connection, with httpcore2's exceptions."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._limit: float | None = None
        self.head = HeadBudget()

    def limit_reads(self, seconds: float) -> None:
        """The most that a read waits, until something is written: the next request."""
        self._limit = seconds

    def limited(self, timeout: float | None) -> float | None:
        """A read's timeout within the limit on all of them."""
        return timeout if self._limit is None else shorter(timeout, self._limit)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = await self._protocol.read(max_bytes, self.limited(timeout))
            self.head.spend(len(data))
            return data
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        self._limit = None
        self.head.begin()
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
        stream = TLSStream(self, ssl_context, server_hostname)
        try:
            async with asyncio.timeout(timeout):
                await stream.handshake()
            await checkpoint_if_cancelled()  # as at the end of `connect_tcp`
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


def _left(ends: float | None) -> float | None:
    """The seconds until then, or none."""
    return None if ends is None else max(ends - asyncio.get_running_loop().time(), 0.0)


class TLSStream(httpcore2.AsyncNetworkStream):
    """TLS over a TCP connection. Like httpx2's, it sends no `close_notify` and needs none: HTTP
    says itself where a body ends."""

    def __init__(
        self, tcp: TCPStream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._tcp = tcp
        self.head = tcp.head
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )

    def limit_reads(self, seconds: float) -> None:
        """As `TCPStream.limit_reads`."""
        self._tcp.limit_reads(seconds)

    async def handshake(self) -> None:
        await self._run(self._ssl.do_handshake, None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        ends = self._ends(self._tcp.limited(timeout))
        if not self._incoming.pending and not self._ssl.pending():  # else a try would be in vain
            await self._receive(ends)
        try:
            return await self._run(lambda: self._ssl.read(max_bytes), ends)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._run(lambda: self._ssl.write(buffer), self._ends(timeout))
        except ssl.SSLError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._tcp.aclose()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._incoming.pending:
            return True  # the other side's goodbye came with its answer
        return self._ssl if info == "ssl_object" else self._tcp.get_extra_info(info)

    @staticmethod
    def _ends(timeout: float | None) -> float | None:
        """When an operation is to end, however many pieces it takes; by the loop's clock."""
        return None if timeout is None else asyncio.get_running_loop().time() + timeout

    async def _run(self, operation: Callable[[], Result], ends: float | None) -> Result:
        """`operation`, as often as it takes until the other side has said all that it needs."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await self._send(ends)
                await self._receive(ends)
            except ssl.SSLError:
                with suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
                    await self._send(ends)  # tells the other side why
                raise
            else:
                await self._send(ends)
                return result

    async def _send(self, ends: float | None) -> None:
        if self._outgoing.pending:
            await self._tcp.write(self._outgoing.read(), _left(ends))

    async def _receive(self, ends: float | None) -> None:
        if data := await self._tcp.read(READ_SIZE, _left(ends)):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
