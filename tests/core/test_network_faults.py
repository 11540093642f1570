"""What a review from outside found in the connections: each of these failed before."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from typing import Any

import anyio
import httpcore2
import httpx2
import pytest

from mimo_core import AsyncMiMoClient, InvalidRequestError, MiMoClient
from mimo_core._http.network.asyncio_backend import AsyncioBackend, AsyncioTransport
from mimo_core._http.network.socket_backend import SocketBackend, SocketTransport
from mimo_core._http.own_client import ssl_context
from mimo_core.testing import FakeMiMo
from tests.conftest import KEY
from tests.core.conftest import Run
from tests.core.peer import Peer, connected, stays_open, trusting_context

SLOTS = 10


def answers(connection: Any) -> None:
    """An HTTP server that takes its time."""
    while connection.recv(65_536):
        time.sleep(0.002)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_no_place_in_the_pool_is_lost_under_anyios_scopes(run: Run, tls: bool) -> None:
    """`move_on_after` cancels where LangGraph's servers and Starlette do: inside of a connect."""
    chance = random.Random(7)

    async def main(port: int) -> None:
        context = trusting_context() if tls else ssl_context()
        limits = httpx2.Limits(max_connections=SLOTS, max_keepalive_connections=0)
        url = f"http{'s' * tls}://localhost:{port}/"
        async with httpx2.AsyncClient(transport=AsyncioTransport(context, limits)) as client:

            async def cut() -> None:
                with anyio.move_on_after(chance.random() * (0.02 if tls else 0.004)):
                    await client.get(url, timeout=5)

            for _ in range(15):
                async with anyio.create_task_group() as group:
                    for _ in range(SLOTS):
                        group.start_soon(cut)
            whole = [client.get(url, timeout=5) for _ in range(SLOTS)]
            assert [r.text for r in await asyncio.gather(*whole)] == ["ok"] * SLOTS

    with Peer(answers, tls=tls) as peer:
        run(main(peer.port))


def test_a_scope_that_has_ended_closes_what_was_connected(run: Run) -> None:
    async def main(peer: Peer) -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            with anyio.CancelScope(shield=True):  # as asyncio's own shields do
                stream = await AsyncioBackend().connect_tcp("127.0.0.1", peer.port, timeout=5)
                await stream.aclose()
            await AsyncioBackend().connect_tcp("127.0.0.1", peer.port, timeout=5)
        assert scope.cancelled_caught

    with Peer(stays_open) as peer:
        run(main(peer))


def test_a_read_of_tls_has_one_deadline(run: Run) -> None:
    """A record that arrives byte by byte does not begin the time anew."""

    def trickle(connection: Any) -> None:
        raw = socket.socket(fileno=connection.detach())
        with raw:
            for byte in b"\x17\x03\x03\x01\x00" + bytes(100):
                raw.sendall(bytes([byte]))
                time.sleep(0.05)

    async def main(peer: Peer) -> None:
        stream = await connected(peer, tls=True)
        started = time.monotonic()
        with pytest.raises(httpcore2.ReadTimeout):
            await stream.read(10, timeout=0.3)
        assert time.monotonic() - started < 2
        await stream.aclose()

    with Peer(trickle, tls=True) as peer:
        run(main(peer))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_closing_wakes_a_thread_that_reads(tls: bool) -> None:
    with Peer(stays_open, tls=tls) as peer:
        stream = SocketBackend().connect_tcp("localhost", peer.port, timeout=5)
        if tls:
            stream = stream.start_tls(trusting_context(), "localhost", timeout=5)
        ended: list[Any] = []

        def read() -> None:
            try:
                ended.append(stream.read(10, timeout=60))
            except httpcore2.NetworkError as error:
                ended.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.1)
        stream.close()
        thread.join(5)
        assert not thread.is_alive()
        assert ended == [b""] or isinstance(ended[0], httpcore2.ReadError)


def test_closing_a_client_ends_a_stream_in_another_thread(mimo: FakeMiMo, hello: Any) -> None:
    mimo.respond = lambda request: _silent()
    client = MiMoClient(KEY, base_url=mimo.base_url, max_retries=0)
    ended: list[Exception] = []

    def read() -> None:
        try:
            list(client.stream(hello))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert mimo.wait_for_requests(1)
    time.sleep(0.1)
    client.close()
    thread.join(5)
    assert not thread.is_alive()
    assert ended


def _silent() -> Any:
    from mimo_core.testing import Fault

    return Fault(cut="before_first_event", never_ends=True)


def test_a_socket_option_that_fails_leaves_no_socket(run: Run) -> None:
    async def main(peer: Peer) -> None:
        with pytest.raises(httpcore2.ConnectError):
            await AsyncioBackend().connect_tcp(
                "127.0.0.1", peer.port, timeout=5, socket_options=[(999, 999, 1)]
            )
        await asyncio.sleep(0.05)

    closed: list[bytes] = []
    with Peer(lambda connection: closed.append(connection.recv(1))) as peer:
        run(main(peer))
    assert closed == [b""]


def test_small_pieces_of_an_upload_let_others_run(run: Run) -> None:
    async def main(peer: Peer) -> None:
        stream = await connected(peer)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.ensure_future(others())
        for _ in range(2_000):
            await stream.write(bytes(100), timeout=5)
        other.cancel()
        assert turns > 50
        await stream.aclose()

    def drain(connection: Any) -> None:
        while connection.recv(65_536):
            pass

    with Peer(drain) as peer:
        run(main(peer))


@pytest.mark.parametrize(
    ("name", "is_ours"), [("NO_PROXY", True), ("FTP_PROXY", True), ("ALL_PROXY", False)]
)
def test_only_a_proxy_for_http_selects_httpx2s_way(
    monkeypatch: pytest.MonkeyPatch, name: str, is_ours: bool
) -> None:
    monkeypatch.setenv(name, "http://localhost:1")
    with MiMoClient(KEY, base_url="https://api.xiaomimimo.com/v1") as client:
        transport = client._clients.get()._transport
        assert isinstance(transport, SocketTransport) is is_ours


def test_a_loop_that_is_not_served_is_told(hello: Any) -> None:
    coroutine = AsyncMiMoClient(KEY, base_url="xiaomi").chat(hello)
    with pytest.raises(InvalidRequestError, match="runs on asyncio and uvloop"):
        coroutine.send(None)  # as another library's loop would run it
