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
from typing import Any

import httpcore2
import httpx2
from anyio.lowlevel import checkpoint_if_cancelled

from mimo_core._http.network import has_unasked, head_arrived, pool_options
from mimo_core._http.network.asyncio_protocol import READ_SIZE, Protocol
from mimo_core._http.network.asyncio_streams import TCPStream

Attempt = Callable[[], Awaitable[Protocol]]
_NEXT_ADDRESS = 0.25  # seconds until the next address is tried beside the last (RFC 8305)
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def serves(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the backend has been shown to work on loops of this kind.

    Windows' proactor loop is not one: it reads into a buffer that all connections would share.
    """
    known = isinstance(loop, asyncio.SelectorEventLoop) or type(loop).__module__ == "uvloop"
    return known and hasattr(select, "poll")


class AsyncioBackend(httpcore2.AnyIOBackend):
    """A network backend for connections of one event loop."""

    def __init__(self) -> None:
        self._space = memoryview(bytearray(READ_SIZE))  # filled and emptied within one callback

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
            httpcore2.ConnectError: the host is not known, or all of its addresses refused.
        """
        loop = asyncio.get_running_loop()
        local = (local_address, 0) if local_address else None
        protocol: Protocol | None = None
        try:
            async with asyncio.timeout(timeout):
                infos = _interleave_families(
                    await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
                protocol = await _happy_eyeballs(
                    [self._attempt(loop, info, local) for info in infos]
                )
            for option in (_NO_DELAY, *(socket_options or ())):
                protocol.transport.get_extra_info("socket").setsockopt(*option)
            # A scope of anyio's that has ended says so at a checkpoint only: later, httpcore2's
            # pool would lose the connection's place for ever.
            await checkpoint_if_cancelled()
        except BaseException as error:
            if protocol is not None:
                protocol.transport.abort()
            if isinstance(error, TimeoutError):
                raise httpcore2.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):
                raise httpcore2.ConnectError(str(error)) from error
            raise
        return TCPStream(protocol)

    def _attempt(
        self, loop: asyncio.AbstractEventLoop, info: Any, local: tuple[str, int] | None
    ) -> Attempt:
        # Not by `loop.sock_connect`: uvloop's mixes up attempts whose sockets get the same number.
        family, _, _, _, (address, port, *ipv6) = info
        if ipv6 and ipv6[1]:
            address = f"{address}%{ipv6[1]}"  # a link-local one

        async def connect() -> Protocol:
            _, protocol = await loop.create_connection(
                lambda: Protocol(loop, self._space), address, port, family=family, local_addr=local
            )
            return protocol

        return connect


class _Connection(httpcore2.AsyncHTTPConnection):
    def has_expired(self) -> bool:
        return super().has_expired() or has_unasked(self)


class _Pool(httpcore2.AsyncConnectionPool):
    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.AsyncConnectionInterface:
        return _Connection(
            origin,
            self._ssl_context,
            self._keepalive_expiry,
            network_backend=self._network_backend,
        )


class AsyncioTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport with connections of this backend.

    `_pool` is httpx2's own name. Were it another one day, this would be httpx2's ordinary transport
    (and a test would say so). A subclass, because vcrpy and its like know the class.
    """

    def __init__(self, context: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=context, limits=limits)
        self._pool = _Pool(**pool_options(context, limits), network_backend=AsyncioBackend())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return head_arrived(await super().handle_async_request(request))


def _interleave_families(infos: list[Any]) -> list[Any]:
    """Addresses with their families in turn: where one family leads nowhere, the other is next."""
    first = [info for info in infos if info[0] == infos[0][0]]
    other = [info for info in infos if info[0] != infos[0][0]]
    pairs = [info for pair in zip(first, other, strict=False) for info in pair]
    return pairs + first[len(other) :] + other[len(first) :]


async def _happy_eyeballs(attempts: list[Attempt]) -> Protocol:
    """The first connection that is made. The next attempt starts when one fails, or after 0.25 s.

    Raises the last `OSError` where none is made.
    """
    waiting = list(reversed(attempts))
    running: set[asyncio.Future[Protocol]] = set()
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


def _close_spare(attempt: asyncio.Future[Protocol]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().transport.abort()
