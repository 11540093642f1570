"""A peer on loopback that does to its connections exactly what a test says, TLS included."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import trustme

from mimo_core._http.network.asyncio_backend import AsyncioBackend

Script = Callable[[Any], object]  # gets a socket.socket or, with TLS, an ssl.SSLSocket
_AUTHORITY = trustme.CA()
_CERTIFICATE = _AUTHORITY.issue_cert("localhost", "127.0.0.1")


def trusting_context() -> ssl.SSLContext:
    """A client's context that trusts the peer's certificate."""
    context = ssl.create_default_context()
    _AUTHORITY.configure_trust(context)
    return context


class Peer:
    """Runs `script` for each connection, in a thread, and closes the connection afterwards.

    Args:
        script: gets the connected socket.
        tls: whether TLS is spoken first.
    """

    def __init__(self, script: Script, *, tls: bool = False) -> None:
        self._script = script
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            _CERTIFICATE.configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *details: Any) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends a waiting accept
        self._listener.close()
        self._accepting.join(10)
        for thread in self._threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in self._threads), "a script is still running"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._script(connection)
        except OSError as error:  # ssl.SSLError among them
            self.failures.append(error)
        finally:
            connection.close()


def reset(connection: socket.socket) -> None:
    """Close with an RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes, fewer where the other side ended."""
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data


class FullListener:
    """A port whose queue is full: a connection attempt is neither accepted nor refused."""

    def __enter__(self) -> int:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)
        time.sleep(0.05)
        return int(self._listener.getsockname()[1])

    def __exit__(self, *details: Any) -> None:
        for one in (*self._fillers, self._listener):
            one.close()


async def connected(peer: Peer, *, tls: bool = False) -> Any:
    stream = await AsyncioBackend().connect_tcp("127.0.0.1", peer.port, timeout=5)
    if tls:
        stream = await stream.start_tls(trusting_context(), "localhost", timeout=5)
    return stream


async def everything(stream: Any) -> bytes:
    pieces = []
    while piece := await stream.read(65536, timeout=5):
        pieces.append(piece)
    return b"".join(pieces)


def stays_open(connection: socket.socket) -> None:
    """A script that says nothing until the other side closes."""
    connection.recv(1)
