"""What goes over our asyncio connections, and how they end; on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

import httpcore2
import pytest

from mimo_core._http.network.asyncio_backend import AsyncioBackend
from mimo_core._http.network.asyncio_protocol import READ_SIZE
from tests.core.conftest import Run
from tests.core.peer import (
    Peer,
    connected,
    everything,
    receive,
    reset,
    stays_open,
)

SOME = bytes(range(256)) * 400  # more than one read


# What goes over a connection.


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [1, 16_384, 16_385, 1_000_000])
def test_bytes_arrive_as_they_were_sent(run: Run, tls: bool, size: int) -> None:
    sent = os.urandom(size)

    def echo(connection: socket.socket) -> None:
        connection.sendall(receive(connection, size))

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=tls)
        writing = asyncio.ensure_future(stream.write(sent, timeout=5))
        assert await everything(stream) == sent
        await writing
        await stream.aclose()

    with Peer(echo, tls=tls) as peer:
        run(main(peer))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_read_gives_what_is_there_and_no_more_than_was_asked_for(run: Run, tls: bool) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"abcdef")
        stays_open(connection)

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=tls)
        assert await stream.read(2, timeout=5) == b"ab"
        assert await stream.read(65536, timeout=5) == b"cdef"
        await stream.aclose()

    with Peer(script, tls=tls) as peer:
        run(main(peer))


def test_a_goodbye_that_came_with_the_answer_is_news(run: Run) -> None:
    """Else the pool would send the next request over a connection that is at its end."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"answer")
        with suppress(OSError):
            connection.unwrap()  # type: ignore[attr-defined]  # of ssl.SSLSocket

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=True)
        await asyncio.sleep(0.1)  # both have arrived
        assert await stream.read(65536, timeout=5) == b"answer"
        assert stream.get_extra_info("is_readable")
        await stream.aclose()

    with Peer(script, tls=True) as peer:
        run(main(peer))


def test_writing_nothing_sends_nothing(run: Run) -> None:
    async def main(peer: Peer, tls: bool) -> None:
        stream = await connected(peer, tls=tls)
        await stream.write(b"", timeout=0)
        await stream.aclose()

    for tls in (False, True):
        with Peer(stays_open, tls=tls) as peer:
            run(main(peer, tls))


def test_what_httpcore_asks_of_a_connection(run: Run) -> None:
    async def main(peer: Peer) -> None:
        plain = await connected(peer)
        assert plain.get_extra_info("server_addr") == ("127.0.0.1", peer.port)
        assert plain.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert plain.get_extra_info("ssl_object") is None
        assert plain.get_extra_info("something else") is None
        sock = plain.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await plain.aclose()

    async def main_tls(peer: Peer) -> None:
        stream = await connected(peer, tls=True)
        assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", peer.port)
        await stream.aclose()

    with Peer(stays_open) as peer:
        run(main(peer))
    with Peer(stays_open, tls=True) as peer:
        run(main_tls(peer))


# How connections end.


def test_after_the_peers_end_we_can_still_send(run: Run) -> None:
    got: list[bytes] = []

    def script(connection: socket.socket) -> None:
        connection.sendall(b"all I have to say")
        connection.shutdown(socket.SHUT_WR)
        got.append(receive(connection, len(SOME)))

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        assert await everything(stream) == b"all I have to say"
        assert await stream.read(10, timeout=5) == b""
        await stream.write(SOME, timeout=5)
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))
    assert got == [SOME]


def test_what_came_before_a_reset_can_be_read(run: Run) -> None:
    read = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"before")
        read.wait(5)
        reset(connection)

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        assert await stream.read(3, timeout=5) == b"bef"
        read.set()
        await asyncio.sleep(0.2)
        assert await stream.read(100, timeout=5) == b"ore"
        with pytest.raises(httpcore2.ReadError, match="reset"):
            await stream.read(100, timeout=5)
        with pytest.raises(httpcore2.WriteError, match="reset"):
            await stream.write(b"x", timeout=5)
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))


@pytest.mark.parametrize(("slices", "size"), [(1, 100_000_000), (5_000, 20_000)])
def test_a_reset_in_the_middle_of_a_body(run: Run, slices: int, size: int) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(10)
        reset(connection)

    async def send(stream: Any) -> None:
        for _ in range(slices):
            await stream.write(bytes(size), timeout=5)

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        with pytest.raises(httpcore2.WriteError):
            await send(stream)
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))


@pytest.mark.parametrize("polite", [True, False], ids=["close_notify", "cut"])
def test_a_tls_stream_ends_with_or_without_a_word(run: Run, polite: bool) -> None:
    """HTTP says where a body ends, so a missing `close_notify` is an end like another: the client
    finds out whether the body was whole."""

    def script(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"the end")
        if polite:
            connection.setblocking(False)
            with pytest.raises(ssl.SSLWantReadError):
                connection.unwrap()

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=True)
        assert await everything(stream) == b"the end"
        assert await stream.read(10, timeout=5) == b""
        await stream.aclose()

    with Peer(script, tls=True) as peer:
        run(main(peer))


def test_records_that_are_no_tls(run: Run) -> None:
    def script(connection: ssl.SSLSocket) -> None:
        os.write(connection.fileno(), b"\x17\x03\x03\x00\x10 this is no tag ")
        receive(connection, 1)

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=True)
        with pytest.raises(httpcore2.ReadError):
            await stream.read(10, timeout=5)
        await stream.aclose()

    with Peer(script, tls=True) as peer:
        run(main(peer))


def test_closing_ends_a_read_that_waits_and_frees_the_socket(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        reading = asyncio.ensure_future(stream.read(10, timeout=5))
        await asyncio.sleep(0.05)
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(httpcore2.ReadError, match="closed"):
            await reading
        with pytest.raises(httpcore2.ReadError, match="closed"):
            await stream.read(10, timeout=5)
        with pytest.raises(httpcore2.WriteError, match="closed"):
            await stream.write(b"x", timeout=5)
        assert stream.get_extra_info("is_readable")  # to a pool: this one is dead

    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        assert connection.recv(1) == b""
        ended.set()

    with Peer(script) as peer:
        run(main(peer))
        assert ended.wait(5)


def test_an_idle_connection_that_the_peer_closed_while_the_loop_stood_still(run: Run) -> None:
    close, closed = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        close.wait(5)
        connection.close()
        closed.set()

    async def is_readable(stream: Any) -> bool:
        return bool(stream.get_extra_info("is_readable"))  # before the loop looks at its sockets

    async def end(stream: Any) -> None:
        await stream.aclose()

    with Peer(script) as peer:
        stream = run(connected(peer))
        assert not run(is_readable(stream))
        close.set()
        assert closed.wait(5)
        assert run(is_readable(stream))
        run(end(stream))


# Neither side is drowned.


@pytest.mark.slow
def test_what_nobody_reads_stays_with_the_sender(run: Run) -> None:
    sent: list[int] = []
    total = 20_000_000

    def script(connection: socket.socket) -> None:
        view = memoryview(bytes(total))
        while view:
            count = connection.send(view[:65536])
            sent.append(count)
            view = view[count:]

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        await stream.read(1, timeout=5)
        await asyncio.sleep(0.3)
        assert len(stream._protocol._arrived) < 2 * READ_SIZE
        assert sum(sent) < total
        assert len(await everything(stream)) == total - 1
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))


def test_many_connections_share_one_buffer_and_keep_their_bytes_apart(run: Run) -> None:
    def script(connection: socket.socket) -> None:
        name = connection.recv(3)
        for _ in range(50):
            connection.sendall(name * 100)
            time.sleep(0.001)

    async def one(backend: AsyncioBackend, peer: Peer, number: int) -> None:
        name = b"%03d" % number
        stream = await backend.connect_tcp("127.0.0.1", peer.port, timeout=5)
        await stream.write(name, timeout=5)
        assert await everything(stream) == name * 5000
        await stream.aclose()

    async def main(peer: Peer) -> None:
        backend = AsyncioBackend()
        await asyncio.gather(*(one(backend, peer, number) for number in range(40)))

    with Peer(script) as peer:
        run(main(peer))
