"""Our blocking connections: httpcore2's, but for the timeout that is set only when it changes."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from typing import Any

import httpcore2
import httpx2
import pytest

from mimo_core import MiMoClient
from mimo_core._http.network.socket_backend import SocketBackend
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.core.peer import Peer, receive, reset, trusting_context


def connected(peer: Peer, *, tls: bool = False) -> httpcore2.NetworkStream:
    stream = SocketBackend().connect_tcp("127.0.0.1", peer.port, timeout=5)
    return stream.start_tls(trusting_context(), "localhost", timeout=5) if tls else stream


def echo_twice(connection: socket.socket) -> None:
    connection.sendall(receive(connection, 5))
    connection.sendall(receive(connection, 5))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_bytes_arrive_as_they_were_sent(tls: bool) -> None:
    with Peer(echo_twice, tls=tls) as peer:
        stream = connected(peer, tls=tls)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", peer.port)
        assert bool(stream.get_extra_info("ssl_object")) == tls
        for word in (b"first", b"other"):
            stream.write(word, timeout=5)
            assert stream.read(100, timeout=5) == word
        assert stream.read(100, timeout=5) == b""
        stream.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_every_read_keeps_to_its_own_timeout(tls: bool) -> None:
    """After a read with another timeout, after a write with one, and after the same again."""
    release = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"x")
        receive(connection, 1)
        release.wait(5)

    with Peer(script, tls=tls) as peer:
        stream = connected(peer, tls=tls)
        assert stream.read(1, timeout=5) == b"x"
        for timeout in (0.1, 0.2, 0.2):
            assert timeout - 0.01 < seconds_of_silence(stream, timeout) < 2
        stream.write(b"y", timeout=5)
        assert 0.19 < seconds_of_silence(stream, 0.2) < 2
        release.set()
        assert stream.read(1) == b""  # without one, it waits
        stream.close()


def seconds_of_silence(stream: httpcore2.NetworkStream, timeout: float) -> float:
    start = time.monotonic()
    with pytest.raises(httpcore2.ReadTimeout):
        stream.read(1, timeout=timeout)
    return time.monotonic() - start


def test_a_reset_is_a_read_error() -> None:
    def reset_once_connected(connection: socket.socket) -> None:
        connection.recv(1)
        reset(connection)

    with Peer(reset_once_connected) as peer:
        stream = connected(peer)
        stream.write(b"x", timeout=5)
        with pytest.raises(httpcore2.ReadError, match="reset"):
            stream.read(1, timeout=5)
        stream.close()
        with pytest.raises(httpcore2.ReadError):
            stream.read(1, timeout=5)


def test_a_handshake_that_fails() -> None:
    with Peer(lambda connection: None, tls=True) as peer:
        stream = connected(peer)
        with pytest.raises(httpcore2.ConnectError, match="certificate"):
            stream.start_tls(ssl.create_default_context(), "localhost", timeout=5)


def test_our_own_clients_use_these_connections(
    mimo: FakeMiMo, hello: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    connect_tcp = SocketBackend.connect_tcp

    def counted(self: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        made.append(port)
        return connect_tcp(self, host, port, *args, **kwargs)

    monkeypatch.setattr(SocketBackend, "connect_tcp", counted)

    def ask(**options: Any) -> None:
        with MiMoClient(KEY, base_url=mimo.base_url, **options) as client:
            client.chat(hello)

    ask()
    assert len(made) == 1  # were it 0, httpx2 would have another name for its pool now
    with httpx2.Client() as http:
        ask(http_client=http)
    assert len(made) == 1  # what was given goes httpx2's way
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    ask()
    assert len(made) == 2  # past the proxy: this machine is never asked through one


def test_a_forked_child_takes_nothing_of_its_parents_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it reads, the parent would miss, and both would look complete."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"for the parent")
        receive(connection, 1)

    with Peer(script) as peer:
        stream = SocketBackend().connect_tcp("127.0.0.1", peer.port)
        parent = os.getpid()
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: parent + 1)
            with pytest.raises(httpcore2.ReadError, match="process that opened it"):
                stream.read(65536, timeout=5)
        assert stream.read(65536, timeout=5) == b"for the parent"
        stream.write(b".")
        stream.close()
