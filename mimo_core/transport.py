"""HTTP clients, made when first used: one TLS context, a client for each process or event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpx2

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 600.0  # seconds: the longest silence; an unstreamed answer is silent while it thinks
_MAX_CONNECTIONS = 1000  # httpx's default of 100 lets the 101st stream wait for a free one
_KEEPALIVE = 60.0  # seconds an idle connection is kept: an agent's tools take a while

Timeout = float | tuple[float | None, ...] | Any
"""Seconds for connecting and for the longest silence, one number or `(connect, read)`, or an
httpx `Timeout`."""


def timeout_for(timeout: Timeout | None) -> Any:
    """What httpx's clients take as `timeout`, from what a user set."""
    if timeout is None:
        return (CONNECT_TIMEOUT, READ_TIMEOUT, READ_TIMEOUT, CONNECT_TIMEOUT)
    if isinstance(timeout, int | float):
        return (timeout, timeout, timeout, timeout)
    if isinstance(timeout, tuple) and len(timeout) == 2:
        connect, read = timeout
        return (connect, read, read, connect)
    return timeout


@lru_cache(maxsize=4)
def _context(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()


_context_lock = threading.Lock()


def ssl_context() -> ssl.SSLContext:
    """The process's TLS context; building it takes about 20 ms, so it is built once, when needed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured; changing them gives another context.
    """
    with _context_lock:
        return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def _options() -> dict[str, Any]:
    import httpx2

    limits = httpx2.Limits(
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_CONNECTIONS,
        keepalive_expiry=_KEEPALIVE,
    )
    return {"verify": ssl_context(), "limits": limits, "follow_redirects": False}


def client_errors(client: object) -> tuple[type[Exception], ...]:
    """What `client` raises when HTTP fails: httpx2 and httpx each have their own family."""
    for kind in type(client).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in ("httpx", "httpx2"):
            module = sys.modules[package]
            return (module.HTTPError, module.StreamError, module.InvalidURL)
    return (OSError,)


class SyncClients:
    """The `httpx2.Client` to use now: one for each process, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._pid = 0

    def get(self) -> httpx2.Client:
        if self._client is None or self._pid != os.getpid():
            with self._lock:
                if self._client is None or self._pid != os.getpid():
                    import httpx2

                    # A forked child leaves its parent's connections alone and opens its own.
                    self._client = httpx2.Client(**_options())
                    self._pid = os.getpid()
        return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()


class AsyncClients:
    """The `httpx2.AsyncClient` to use now: one for each event loop, closed when its loop ends."""

    def __init__(self) -> None:
        self._held: dict[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None, None]]
        ] = {}

    async def get(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            import httpx2

            for other in list(self._held):
                if other.is_closed():  # closed by hand, without shutting its generators down
                    self._held.pop(other, None)
            client = httpx2.AsyncClient(**_options())
            # No await before it is stored: two tasks cannot both make a client.
            held = self._held[loop] = (client, self._hold(loop, client))
            await anext(held[1])
        return held[0]

    async def aclose(self) -> None:
        """Close the running loop's client; those of other loops close with their loops."""
        if held := self._held.get(asyncio.get_running_loop()):
            await held[1].aclose()

    async def _hold(
        self, loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient
    ) -> AsyncGenerator[None, None]:
        """Keeps `client` until the loop shuts its generators down, as `asyncio.run` does."""
        try:
            yield
        finally:
            self._held.pop(loop, None)
            await client.aclose()
