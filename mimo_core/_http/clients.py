"""How to talk to an HTTP client, be it one of our own (`pools`), of httpx2 or of httpx."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mimo_core.errors import InvalidRequestError, MiMoError
from mimo_core.values import quoted

if TYPE_CHECKING:
    import httpx2

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 600.0  # seconds: the longest silence; an unstreamed answer is silent while it thinks
_TIMEOUTS = ("connect", "read", "write", "pool")  # httpx's names, in its order
_END_OF_BODY = 0.5  # seconds from an answer's end to its body's
OURS = "mimo_core"  # the extension by which cassettes know a request of this library

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
    never_connected: tuple[type[Exception], ...]
    """The server cannot have seen the request."""
    pool_full: tuple[type[Exception], ...]
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
        never_connected=(http.ConnectError, http.ConnectTimeout, http.PoolTimeout),
        pool_full=(http.PoolTimeout,),
        not_connected_in_time=(http.ConnectTimeout,),
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
    never_connected=(),
    pool_full=(),
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
