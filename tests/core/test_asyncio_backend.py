"""Our connections for asyncio, against peers that are slow, silent, rude or cut off.

Everything runs on asyncio's loop and on uvloop's. `test_client.py` runs the whole client on both.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import anyio
import httpcore2
import httpx2
import pytest
import uvloop

from mimo_core import AsyncMiMoClient, StreamInterruptedError
from mimo_core import asyncio_backend as module
from mimo_core.asyncio_backend import AsyncioBackend, AsyncioTransport, serves
from mimo_core.testing.fake import FakeMiMo
from tests.core.conftest import KEY
from tests.core.peer import Peer, receive, reset, trusting_context

Run = Callable[[Coroutine[Any, Any, Any]], Any]
SOME = bytes(range(256)) * 400  # more than one read


@pytest.fixture(params=[None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs coroutines on one loop; nothing may be left open when it ends."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run
    gc.collect(1)  # an unclosed transport warns, and warnings are errors


async def connected(peer: Peer, *, tls: bool = False) -> Any:
    stream = await AsyncioBackend().connect_tcp("127.0.0.1", peer.port, timeout=5)
    if tls:
        stream = await stream.start_tls(trusting_context(), "localhost", timeout=5)
    return stream


async def everything(stream: Any) -> bytes:
    data = b""
    while piece := await stream.read(65536, timeout=5):
        data += piece
    return data


def stays_open(connection: socket.socket) -> None:
    """A script that says nothing until the other side closes."""
    connection.recv(1)


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

    with full_listener() as port:
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
        with full_listener() as port:
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
        assert len(stream._protocol._arrived) < 2 * module._SPACE
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


# Finding the peer.


class full_listener:
    """A port whose queue is full: a connection attempt is neither accepted nor refused."""

    def __enter__(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self._listener = socket.socket()
        self._listener.bind((host, port))
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


def info(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> Any:
    return (family, socket.SOCK_STREAM, 6, "", (host, port))


async def connect_to(infos: list[Any]) -> Any:
    """Connect to a name that has these addresses."""

    async def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        return infos

    asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    return await AsyncioBackend().connect_tcp("many.example", 1, timeout=5)


def test_a_refusal_leads_to_the_next_address_at_once(run: Run) -> None:
    async def main(peer: Peer) -> None:
        start = time.monotonic()
        refusing = [info("127.0.0.1", unused_port()) for _ in range(3)]
        stream = await connect_to([*refusing, info("127.0.0.1", peer.port)])
        assert time.monotonic() - start < 0.25
        await stream.aclose()

    with Peer(stays_open) as peer:
        run(main(peer))


def test_a_silent_address_does_not_hold_up_the_next_one(run: Run) -> None:
    async def main(port: int, peer: Peer) -> None:
        start = time.monotonic()
        stream = await connect_to([info("127.0.0.1", port), info("127.0.0.1", peer.port)])
        assert 0.2 < time.monotonic() - start < 2
        assert stream.get_extra_info("server_addr")[1] == peer.port
        await stream.aclose()

    with full_listener() as port, Peer(stays_open) as peer:
        run(main(port, peer))


def test_the_families_take_turns(run: Run) -> None:
    six = socket.AF_INET6
    infos = [info("a", 1, six), info("b", 1, six), info("c", 1, six), info("d", 1), info("e", 1)]
    assert [one[4][0] for one in module._mixed(infos)] == ["a", "d", "b", "e", "c"]
    assert module._mixed(infos[:1]) == infos[:1]

    async def main(peer: Peer) -> None:
        """An IPv6 address that leads nowhere, as on many home networks."""
        stream = await connect_to([info("100::1", 9, six), info("127.0.0.1", peer.port)])
        await stream.aclose()

    with Peer(stays_open) as peer:
        run(main(peer))


def test_all_addresses_refuse(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(httpcore2.ConnectError):
            await connect_to([info("127.0.0.1", unused_port()) for _ in range(3)])

    run(main())


def test_no_such_host(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(httpcore2.ConnectError):
            await AsyncioBackend().connect_tcp("nobody.invalid", 443, timeout=5)

    run(main())


def test_a_local_address_and_socket_options_are_used(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await AsyncioBackend().connect_tcp(
            "127.0.0.1",
            peer.port,
            timeout=5,
            local_address="127.0.0.2",
            socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
        )
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.2"
        assert stream.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await stream.aclose()

    with Peer(stays_open) as peer:
        run(main(peer))


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# Certificates.


@pytest.mark.parametrize(
    ("context", "hostname", "words"),
    [
        (ssl.create_default_context, "localhost", "unable to get local issuer"),
        (trusting_context, "elsewhere.example", "Hostname mismatch"),
    ],
    ids=["unknown authority", "another name"],
)
def test_a_certificate_that_does_not_hold(
    run: Run, context: Any, hostname: str, words: str
) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        with pytest.raises(httpcore2.ConnectError, match=words):
            await stream.start_tls(context(), hostname, timeout=5)

    with Peer(stays_open, tls=True) as peer:
        run(main(peer))
    assert "alert" in str(peer.failures[0]).lower()  # the peer is told why


def test_a_peer_that_closes_during_the_handshake(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        with pytest.raises(httpcore2.ConnectError):
            await stream.start_tls(trusting_context(), "localhost", timeout=5)

    with Peer(lambda connection: connection.recv(10)) as peer:
        run(main(peer))


# In the client.


def test_our_own_async_clients_use_these_connections(
    run: Run, fake: FakeMiMo, hello: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    connect_tcp = AsyncioBackend.connect_tcp

    async def counted(self: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        made.append(port)
        return await connect_tcp(self, host, port, *args, **kwargs)

    monkeypatch.setattr(AsyncioBackend, "connect_tcp", counted)

    async def ask(**options: Any) -> None:
        async with AsyncMiMoClient(KEY, base_url=fake.base_url, **options) as client:
            await client.chat(hello)

    run(ask())
    assert len(made) == 1  # were it 0, httpx2 would have another name for its pool now

    async def with_a_given_client() -> None:
        async with httpx2.AsyncClient() as http:
            await ask(http_client=http)

    run(with_a_given_client())
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    run(ask())
    assert len(made) == 1  # what was given and what may have to go through a proxy: httpx2's way


def test_a_proxy_is_still_used(
    run: Run, fake: FakeMiMo, hello: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        asked.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 503 busy\r\ncontent-length: 0\r\n\r\n")

    async def ask() -> None:
        async with AsyncMiMoClient(KEY, base_url=fake.base_url, max_retries=0) as client:
            with pytest.raises(Exception, match="503"):
                await client.chat(hello)

    with Peer(proxy) as peer:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{peer.port}")
        run(ask())
    assert asked == [f"POST {fake.base_url}/chat/completions HTTP/1.1".encode()]


def test_loops_that_are_not_known_take_httpx2s_way() -> None:
    class ProactorEventLoop(asyncio.AbstractEventLoop):
        pass

    assert not serves(ProactorEventLoop())
    loop = asyncio.SelectorEventLoop()
    assert serves(loop)
    loop.close()


def test_a_body_that_tls_cut_off_is_no_complete_answer(run: Run, hello: dict[str, Any]) -> None:
    event = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Half"}}]}\n\n'

    def script(connection: ssl.SSLSocket) -> None:
        asked = b""
        while not asked.endswith(b"}"):
            asked += connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
        connection.sendall(b"%s\r\n\r\n%x\r\n%s\r\n" % (head, len(event), event))

    async def main(peer: Peer) -> None:
        transport = AsyncioTransport(trusting_context(), httpx2.Limits())
        base_url = f"https://localhost:{peer.port}/v1"
        async with httpx2.AsyncClient(transport=transport) as http:
            client = AsyncMiMoClient(KEY, base_url=base_url, http_client=http)
            chunks = client.stream(hello)
            assert (await anext(chunks))["choices"][0]["delta"]["content"] == "Half"
            with pytest.raises(StreamInterruptedError) as caught:
                await anext(chunks)
            assert caught.value.partial["choices"][0]["message"]["content"] == "Half"

    with Peer(script, tls=True) as peer:
        run(main(peer))
