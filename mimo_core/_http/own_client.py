"""An HTTP client of our own: its TLS context, its limits, and connections with cheaper reads."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from mimo_core._http.proxies import PROXIED, refused_proxies
from mimo_core.errors import APIConnectionError

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_CONNECTIONS = 1000  # httpx's default of 100 lets the 101st stream wait for a free one
_KEEPALIVE = 60.0  # seconds an idle connection is kept: an agent's tools take a while


class PoolSettings(NamedTuple):
    """What decides how connections are made, and who may share them."""

    direct: bool = False
    """Leave the environment's proxies alone: requests to this machine, with their keys and prompts,
    would go through them unencrypted."""
    tls: bool = True
    """Whether they are encrypted. A context for that takes 20 ms to make."""
    credentials: frozenset[str] = frozenset()
    """Of the client, not of a call's `extra_headers`: connections are shared within one account."""


def environment(settings: PoolSettings) -> tuple[str | int | None, ...]:
    """What the environment adds to that, to be compared; a proxy's address may hold a password."""
    from urllib.request import getproxies

    proxies = () if settings.direct else tuple(sorted(getproxies().items()))
    files = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    return (*files, hash(proxies), _is_plain())


def _is_plain() -> bool:
    """Whether whoever runs the program wants httpx2's connections as they are."""
    return os.environ.get("MIMO_PLAIN_HTTP", "").strip().lower() not in ("", "0", "false", "no")


_lock = threading.RLock()  # held while a TLS context is made
_contexts: dict[tuple[str | None, str | None], ssl.SSLContext] = {}
_is_imported = False  # whether all that the first call of an asynchronous client needs has been


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    # Another thread may have held the lock while this one forked: nobody is left to release it.
    os.register_at_fork(after_in_child=_new_lock)


def ssl_context() -> ssl.SSLContext:
    """The process's TLS context; building it takes about 20 ms, so it is built once, when needed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured; changing them gives another context.

    Raises:
        APIConnectionError: they name no certificates.
    """
    import httpx2

    files = _certificate_files()
    with _lock:
        if files not in _contexts:
            try:
                _contexts[files] = httpx2.create_ssl_context()
            except (ImportError, OSError, ValueError) as error:
                raise APIConnectionError(
                    f"No connection can be made: {error}. Check SSL_CERT_FILE and SSL_CERT_DIR."
                ) from error
        return _contexts[files]


def _certificate_files() -> tuple[str | None, str | None]:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


def is_ready(settings: PoolSettings) -> bool:
    """Whether an asynchronous client can be made without holding up its event loop."""
    return _is_imported and (not settings.tls or _certificate_files() in _contexts)


def make_ready(settings: PoolSettings) -> None:
    """Import and make what `is_ready` asks for: 20 to 60 ms, for a thread of its own.

    Raises:
        APIConnectionError: the environment names no certificates.
    """
    global _is_imported
    from contextlib import suppress
    from importlib import import_module

    import_module("mimo_core._http.network.asyncio_backend")
    with suppress(ImportError):  # which httpcore2 loads with the first request
        import_module("anyio._backends._asyncio")
    _is_imported = True
    if settings.tls:
        ssl_context()


def new_client(name: str, settings: PoolSettings) -> Any:
    """A new `httpx2.Client` or `httpx2.AsyncClient`.

    Args:
        name: which of the two.
        settings: how its connections are made.

    Raises:
        APIConnectionError: the environment (proxies, certificates) does not let it be made.
    """
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx2

    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_CONNECTIONS,
        keepalive_expiry=_KEEPALIVE,
    )
    context = ssl_context() if settings.tls else _context_that_trusts_nobody()
    transport = _transport(name, context, limits, direct=settings.direct)
    try:
        return getattr(httpx2, name)(
            verify=context,
            limits=limits,
            transport=transport,
            trust_env=not settings.direct,
            # Many share it, and none of their requests sends a cookie: it keeps none.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
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


def _context_that_trusts_nobody() -> ssl.SSLContext:
    """For connections that are not encrypted: no certificates are read, and TLS would fail."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _transport(name: str, context: ssl.SSLContext, limits: httpx2.Limits, *, direct: bool) -> Any:
    """A transport with cheaper reads. None falls back to httpx2's own (proxies, loops that we have
    not tested, `MIMO_PLAIN_HTTP`)."""
    from urllib.request import getproxies

    # Of the rest (NO_PROXY, FTP_PROXY), httpx2 makes no proxy either.
    if _is_plain() or (not direct and not PROXIED.isdisjoint(getproxies())):
        return None
    if name == "Client":
        from mimo_core._http.network.socket_backend import SocketTransport

        return SocketTransport(context, limits)
    from mimo_core._http.network.asyncio_backend import AsyncioTransport, serves

    return AsyncioTransport(context, limits) if serves(asyncio.get_running_loop()) else None
