"""HTTP clients, made when first used: one TLS context, a client for each process or event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mimo_core._http.proxies import PROXIED, refused_proxies
from mimo_core.errors import APIConnectionError, InvalidRequestError, MiMoError
from mimo_core.values import quoted

if TYPE_CHECKING:
    import ssl

    import httpx2

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 600.0  # seconds: the longest silence; an unstreamed answer is silent while it thinks
_MAX_CONNECTIONS = 1000  # httpx's default of 100 lets the 101st stream wait for a free one
_TIMEOUTS = ("connect", "read", "write", "pool")  # httpx's names, in its order
_END_OF_BODY = 0.5  # seconds from an answer's end to its body's
OURS = "mimo_core"  # the extension by which cassettes know a request of this library
_KEEPALIVE = 60.0  # seconds an idle connection is kept: an agent's tools take a while

Timeout = float | tuple[float | None, ...] | Any
"""Seconds for connecting and for the longest silence, one number or `(connect, read)`, or an
httpx `Timeout`."""


def timeout_for(timeout: Timeout | None) -> tuple[float | None, ...]:
    """What httpx's clients take as `timeout`, from what a user set.

    Raises:
        InvalidRequestError: it is not a timeout.
    """
    if timeout is None:
        return (CONNECT_TIMEOUT, READ_TIMEOUT, READ_TIMEOUT, CONNECT_TIMEOUT)
    if hasattr(timeout, "as_dict"):  # httpx's and httpx2's Timeout do not know each other
        values = tuple(timeout.as_dict()[name] for name in _TIMEOUTS)
    else:
        values = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if len(values) not in (2, len(_TIMEOUTS)) or not all(map(_is_timeout, values)):
        raise InvalidRequestError(
            f"timeout is {quoted(timeout)}; it can be seconds, (connect, read) or an httpx "
            f"Timeout, all more than 0 and at most {threading.TIMEOUT_MAX:.0f}; None waits for "
            "ever.",
            param="timeout",
        )
    connect, read, *_ = values
    return values if len(values) == 4 else (connect, read, read, connect)


def _is_timeout(value: object) -> bool:
    return value is None or (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= threading.TIMEOUT_MAX  # more overflows in the socket, far from here
    )


@lru_cache(maxsize=4)
def _context(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()


_lock = threading.RLock()  # held while something that the process shares is made


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    # Another thread may have held the lock while this one forked: nobody is left to release it.
    os.register_at_fork(after_in_child=_new_lock)


def ssl_context() -> ssl.SSLContext:
    """The process's TLS context; building it takes about 20 ms, so it is built once, when needed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured; changing them gives another context.
    """
    with _lock:
        return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def _new_client(name: str, *, direct: bool) -> Any:
    """A new `httpx2.Client` or `httpx2.AsyncClient`.

    Args:
        name: which of the two.
        direct: leave the environment's proxies alone.

    Raises:
        APIConnectionError: the environment (proxies, certificates) does not let it be made.
    """
    import httpx2

    try:
        context = ssl_context()
    except (ImportError, OSError, ValueError) as error:
        raise APIConnectionError(
            f"No connection can be made: {error}. Check SSL_CERT_FILE and SSL_CERT_DIR."
        ) from error
    limits = httpx2.Limits(
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_CONNECTIONS,
        keepalive_expiry=_KEEPALIVE,
    )
    transport = _transport(name, context, limits, direct=direct)
    try:
        return getattr(httpx2, name)(
            verify=context, limits=limits, transport=transport, trust_env=not direct
        )
    except ImportError:
        wrong = f"{refused_proxies(is_socks_missing=True)} needs pip install 'httpx2[socks]'"
    except (OSError, ValueError, httpx2.InvalidURL):
        wrong = f"{refused_proxies(is_socks_missing=False)} is no address that httpx2 can use"
    # Out here, and without its cause: what httpx2 says of an address may be the password in it.
    raise APIConnectionError(
        f"No connection can be made: {wrong}. Check the proxy settings (HTTPS_PROXY, ALL_PROXY, "
        "NO_PROXY); an address is like http://127.0.0.1:3128."
    )


def _transport(name: str, context: ssl.SSLContext, limits: httpx2.Limits, *, direct: bool) -> Any:
    """A transport with cheaper reads. None falls back to httpx2's own (proxies, loops that we have
    not tested)."""
    from urllib.request import getproxies

    # Of the rest (NO_PROXY, FTP_PROXY), httpx2 makes no proxy either.
    if not direct and not PROXIED.isdisjoint(getproxies()):
        return None
    if name == "Client":
        from mimo_core._http.network.socket_backend import SocketTransport

        return SocketTransport(context, limits)
    from mimo_core._http.network.asyncio_backend import AsyncioTransport, serves

    return AsyncioTransport(context, limits) if serves(asyncio.get_running_loop()) else None


def own_request(
    http: Any,
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: Any,
    timeout: tuple[float | None, ...],
) -> httpx2.Request:
    """A request for a client of ours, as its `build_request` makes it.

    Such a client has no headers, cookies or parameters to merge, and its requests go to one URL or
    two: to merge and parse them each time takes 30 µs.
    """
    import httpx2

    parsed = _url(url)
    defaults = {
        "host": parsed.netloc.decode("ascii"),
        "accept-encoding": http.headers["accept-encoding"],  # what httpx2 can decode here
        "connection": "keep-alive",
    }
    extensions = {"timeout": dict(zip(_TIMEOUTS, timeout, strict=True)), OURS: True}
    if content is None or isinstance(content, bytes):
        if content is not None:
            defaults["content-length"] = str(len(content))
        content = {"stream": httpx2.ByteStream(content or b"")}
    else:
        content = {"content": content}
    return httpx2.Request(
        method, parsed, headers={**defaults, **headers}, extensions=extensions, **content
    )


@lru_cache(maxsize=16)
def _url(url: str) -> httpx2.URL:
    import httpx2

    return httpx2.URL(url)


class ClientErrors(NamedTuple):
    """The HTTP library's exception classes, by kind of failure."""

    all: tuple[type[Exception], ...]
    """All that an exchange has to expect, errors of our own family included."""
    not_connected_in_time: tuple[type[Exception], ...]
    silent: tuple[type[Exception], ...]
    not_sent: tuple[type[Exception], ...]
    no_answer: tuple[type[Exception], ...]
    misread: tuple[type[Exception], ...]
    """Subclasses of `RuntimeError` that mean an answer that cannot be read."""


@lru_cache(maxsize=8)
def _errors_of(package: str) -> ClientErrors:
    http = sys.modules[package]
    return ClientErrors(
        # UnicodeError: the host's name cannot be asked for.
        all=(MiMoError, http.HTTPError, http.InvalidURL, RuntimeError, UnicodeError),
        not_connected_in_time=(http.ConnectTimeout, http.PoolTimeout),
        silent=(http.TimeoutException,),
        not_sent=(
            *(http.UnsupportedProtocol, http.LocalProtocolError, http.InvalidURL),
            *(RuntimeError, UnicodeError),
        ),
        no_answer=(http.TransportError,),
        misread=(http.StreamError,),
    )


_OTHER_CLIENTS = ClientErrors(
    all=(MiMoError, OSError, RuntimeError, UnicodeError),
    not_connected_in_time=(),
    silent=(TimeoutError,),
    not_sent=(RuntimeError, UnicodeError),
    no_answer=(OSError,),
    misread=(),
)


def client_errors(client: object) -> ClientErrors:
    """What `client` raises when HTTP fails: httpx2 and httpx each have their own family."""
    for kind in type(client).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in ("httpx", "httpx2"):
            return _errors_of(package)
    return _OTHER_CLIENTS


Received = Callable[[int], None]


def body_of(response: Any, received: Received) -> Iterator[bytes]:
    """The pieces of a streamed body.

    `iter_bytes` wraps each of them twice, for an encoding that is hardly ever there: 1.5 µs a read.

    Args:
        response: as `send(stream=True)` gives it.
        received: called with the bytes of each piece that was compressed, for a compressed one may
            hold nothing, and would not be seen. It may raise.
    """
    if _is_plain(response):
        return iter(response.stream)
    response.stream = _counting(_package(response))(response.stream, received)
    return iter(response.iter_bytes())


def abody_of(response: Any, received: Received) -> AsyncIterator[bytes]:
    """The same, asynchronously."""
    if _is_plain(response):
        return aiter(response.stream)
    response.stream = _counting(_package(response))(response.stream, received)
    return aiter(response.aiter_bytes())


class _Counting:
    """A response's stream that tells how much it gives."""

    def __init__(self, stream: Any, received: Received) -> None:
        self._stream = stream
        self._received = received

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._received(len(piece))
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._received(len(piece))
            yield piece

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _package(response: Any) -> str:
    return type(response).__module__.partition(".")[0]


@lru_cache(maxsize=4)
def _counting(package: str) -> Any:
    """`_Counting` as a class of the response's HTTP library, which checks for its own."""
    http = sys.modules[package]
    bases = [getattr(http, name, object) for name in ("SyncByteStream", "AsyncByteStream")]
    return type("CountingStream", (_Counting, *bases), {})


def _is_plain(response: Any) -> bool:
    return "content-encoding" not in response.headers and not response.is_stream_consumed


def ends_soon(response: Any) -> bool:
    """Ask a response whose answer is complete to end its body within `_END_OF_BODY` seconds.

    A body that is read to its end leaves a connection that can be used again; one that a gateway
    never ends would hold the caller for the whole read timeout.

    Returns:
        Whether its connection can be asked. If not, the response is to be closed now.
    """
    stream = response.extensions.get("network_stream")
    if not hasattr(stream, "limit_reads"):
        return False
    stream.limit_reads(_END_OF_BODY)
    return True


class SyncClients:
    """The `httpx2.Client` to use now: one for each process, safe to share between threads.

    Args:
        direct: leave the environment's proxies alone: requests to this machine, with their keys
            and prompts, would go through them unencrypted.
    """

    def __init__(self, *, direct: bool = False) -> None:
        self._direct = direct
        # By process: a forked child leaves its parent's connections alone and opens its own.
        self._clients: dict[int, httpx2.Client] = {}

    def get(self) -> httpx2.Client:
        pid = os.getpid()
        client = self._clients.get(pid)
        if client is None:
            with _lock:
                client = self._clients.get(pid)
                if client is None:
                    client = self._clients[pid] = _new_client("Client", direct=self._direct)
        return client

    def close(self) -> None:
        if client := self._clients.pop(os.getpid(), None):
            client.close()

    def __del__(self, suppress: Any = suppress) -> None:
        with suppress(Exception):  # at the interpreter's end, parts of it are gone
            self.close()

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # A copy, or a worker that gets it pickled, opens its own connections.
        return partial(type(self), direct=self._direct), ()


class AsyncClients:
    """The `httpx2.AsyncClient` to use now: one for each event loop, closed when its loop ends.

    Args:
        direct: as for `SyncClients`.
    """

    def __init__(self, *, direct: bool = False) -> None:
        self._direct = direct
        self._held: dict[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None, None]]
        ] = {}

    async def get(self) -> httpx2.AsyncClient:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise InvalidRequestError(
                "AsyncMiMoClient runs on asyncio and uvloop; elsewhere (trio) use MiMoClient in a "
                "thread, or give http_client=httpx2.AsyncClient()."
            ) from error
        held = self._held.get(loop)
        if held is None:
            for other in list(self._held):
                if other.is_closed():  # closed by hand, without shutting its generators down
                    self._held.pop(other, None)
            client = _new_client("AsyncClient", direct=self._direct)
            # No await before it is stored: two tasks cannot both make a client.
            held = self._held[loop] = (client, _hold(weakref.ref(self), loop, client))
            await anext(held[1])
        return held[0]

    async def aclose(self) -> None:
        """Close the running loop's client; those of other loops close with their loops."""
        if held := self._held.get(asyncio.get_running_loop()):
            await held[1].aclose()

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return partial(type(self), direct=self._direct), ()  # as SyncClients


async def _hold(
    owner: weakref.ref[AsyncClients], loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient
) -> AsyncGenerator[None, None]:
    """Keeps `client` until the loop shuts its generators down, as `asyncio.run` does.

    It knows its owner weakly: a client that is dropped inside a running loop lets go of this
    generator at once, and the loop closes it, before the garbage collector finds its sockets.
    """
    try:
        yield
    finally:
        if (clients := owner()) is not None:
            clients._held.pop(loop, None)
        await client.aclose()
