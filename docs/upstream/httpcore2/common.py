"""What the four programs share: a backend named on the command line, and a server in a thread."""

from __future__ import annotations

import contextlib
import importlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import trustme

_AUTHORITY = trustme.CA()
_CERTIFICATE = _AUTHORITY.issue_cert("localhost")
Backend = Callable[[], Any]
"""Makes an `httpcore2.AsyncNetworkBackend`."""


def backend_from_arguments() -> Backend:
    """The backend that `module:Class` names, else httpcore2's own."""
    module, _, name = (sys.argv[1:] or ["httpcore2:AnyIOBackend"])[0].partition(":")
    backend: Backend = getattr(importlib.import_module(module), name)
    return backend


def client_context() -> ssl.SSLContext:
    """Trusts the server below."""
    context = ssl.create_default_context()
    _AUTHORITY.configure_trust(context)
    return context


@contextlib.contextmanager
def served(script: Callable[[Any], object], *, tls: bool = False) -> Iterator[int]:
    """A server on loopback.

    Args:
        script: runs for each connection, in a thread.
        tls: whether it speaks TLS.

    Yields:
        Its port.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _CERTIFICATE.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)

    def serve(connection: Any) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(30)
            if tls:
                connection = context.wrap_socket(connection, server_side=True)
            script(connection)
        connection.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def plain_and_tls(check: Callable[[int, bool], str], script: Callable[[Any], object]) -> str:
    """What a check of a server's port finds, without TLS and with it; empty where nothing is.

    Args:
        check: gets the port, and whether the server speaks TLS.
        script: of the server.
    """
    found = []
    for tls in (False, True):
        with served(script, tls=tls) as port:
            if wrong := check(port, tls):
                found.append(f"{wrong} ({'TLS' if tls else 'plain'})")
    return "; ".join(found)


def said(problem: str) -> None:
    """Print what a program found, and end it: with 1 where there is a problem."""
    print(problem or "as it should be")
    raise SystemExit(1 if problem else 0)
