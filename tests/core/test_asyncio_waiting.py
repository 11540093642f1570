"""Timeouts and cancellation on our asyncio connections; on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import anyio
import httpcore2
import pytest

from mimo_core._http.network.asyncio_backend import AsyncioBackend
from tests.core.conftest import Run
from tests.core.peer import (
    FullListener,
    Peer,
    connected,
    receive,
    stays_open,
    trusting_context,
)

# Timeouts.


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_silent_peer_times_out_and_the_connection_can_still_be_read(run: Run, tls: bool) -> None:
    speak = threading.Event()

    def script(connection: socket.socket) -> None:
        speak.wait(5)
        connection.sendall(b"late")
        stays_open(connection)

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=tls)
        start = time.monotonic()
        with pytest.raises(httpcore2.ReadTimeout):
            await stream.read(10, timeout=0.1)
        assert 0.09 < time.monotonic() - start < 2
        speak.set()
        assert await stream.read(10, timeout=5) == b"late"
        await stream.aclose()

    with Peer(script, tls=tls) as peer:
        run(main(peer))


def test_each_read_has_its_own_deadline(run: Run) -> None:
    """One timer serves all reads: neither an earlier nor a later end may be mistaken for it."""
    go = [threading.Event() for _ in range(2)]

    def script(connection: socket.socket) -> None:
        connection.sendall(b"1")
        go[0].wait(5)
        time.sleep(0.3)
        connection.sendall(b"2")
        stays_open(connection)

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        assert await stream.read(1, timeout=0.1) == b"1"  # its timer goes on running
        go[0].set()
        assert await stream.read(1, timeout=5) == b"2"  # and does not end this read
        start = time.monotonic()
        with pytest.raises(httpcore2.ReadTimeout):  # nor does the long one hold this one up
            await stream.read(1, timeout=0.1)
        assert time.monotonic() - start < 2
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))


def test_no_timeout_waits(run: Run) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"1")
        time.sleep(0.3)
        connection.sendall(b"2")

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        assert await stream.read(1, timeout=0.1) == b"1"
        assert await stream.read(1) == b"2"
        await stream.aclose()

    with Peer(script) as peer:
        run(main(peer))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_peer_that_does_not_read_times_a_write_out(run: Run, tls: bool) -> None:
    release = threading.Event()

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=tls)
        with pytest.raises(httpcore2.WriteTimeout):
            await stream.write(bytes(50_000_000), timeout=0.1)
        await stream.aclose()
        release.set()

    with Peer(lambda connection: release.wait(5), tls=tls) as peer:
        run(main(peer))


def test_a_write_returns_when_the_system_has_it_all(run: Run) -> None:
    """So that a large body, which is sent in slices, is in memory once and not twice."""
    got: list[int] = []

    def slowly(connection: socket.socket) -> None:
        time.sleep(0.2)
        got.append(len(receive(connection, 10_000_000)))

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        await stream.write(bytes(10_000_000), timeout=5)
        assert stream._protocol.transport.get_write_buffer_size() == 0
        await stream.aclose()

    with Peer(slowly) as peer:
        run(main(peer))
    assert got == [10_000_000]


def test_an_address_that_does_not_answer(run: Run) -> None:
    async def main(port: int) -> None:
        with pytest.raises(httpcore2.ConnectTimeout):
            await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=0.2)

    with FullListener() as port:
        run(main(port))


def test_a_handshake_that_is_not_answered(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        with pytest.raises(httpcore2.ConnectTimeout):
            await stream.start_tls(trusting_context(), "localhost", timeout=0.2)

    def hello_and_silence(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with Peer(hello_and_silence) as peer:
        run(main(peer))


# Cancellation.


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_cancelled_read_loses_nothing(run: Run, tls: bool) -> None:
    speak = threading.Event()

    def script(connection: socket.socket) -> None:
        speak.wait(5)
        connection.sendall(b"for the next one")
        stays_open(connection)

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=tls)
        reading = asyncio.ensure_future(stream.read(100, timeout=5))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        speak.set()
        assert await stream.read(100, timeout=5) == b"for the next one"
        await stream.aclose()

    with Peer(script, tls=tls) as peer:
        run(main(peer))


@pytest.mark.parametrize("phase", ["connect", "handshake", "write"])
def test_cancelled_at_any_point_it_leaves_nothing_open(run: Run, phase: str) -> None:
    seen: list[bytes] = []
    release = threading.Event()

    def script(connection: socket.socket) -> None:
        if phase == "write":
            release.wait(5)
        while data := connection.recv(1_000_000):
            seen.append(data[:1])
        seen.append(b"closed")

    async def work(port: int) -> None:
        stream = await AsyncioBackend().connect_tcp("127.0.0.1", port, timeout=5)
        if phase == "handshake":
            await stream.start_tls(trusting_context(), "localhost", timeout=5)
        try:
            await stream.write(bytes(50_000_000), timeout=5)
        finally:
            await stream.aclose()

    async def main(port: int) -> None:
        task = asyncio.ensure_future(work(port))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()

    if phase == "connect":
        with FullListener() as port:
            run(main(port))
        return
    with Peer(script) as peer:
        run(main(peer.port))
    assert seen[-1:] == [b"closed"] or peer.failures  # a reset, where much was left unsent


def test_anyios_scopes_end_a_read_too(run: Run) -> None:
    """httpx2's callers often live in anyio's task groups, which cancel again and again."""

    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        with anyio.move_on_after(0.1) as scope:
            await stream.read(10, timeout=5)
        assert scope.cancelled_caught
        await stream.aclose()

    with Peer(stays_open) as peer:
        run(main(peer))


def test_two_tasks_cannot_read_one_connection(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        first = asyncio.ensure_future(stream.read(10, timeout=5))
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError, match="Two tasks"):
            await stream.read(10, timeout=5)
        await stream.aclose()
        with pytest.raises(httpcore2.ReadError, match="closed"):
            await first

    with Peer(stays_open) as peer:
        run(main(peer))
