"""How our asyncio connections are made, and when they are used; on asyncio's loop and on uvloop's.

`test_client.py` runs the whole client on both.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import time
from typing import Any

import httpcore2
import httpx2
import pytest

from mimo_core import AsyncMiMoClient, StreamInterruptedError
from mimo_core._http.network import asyncio_backend as module
from mimo_core._http.network.asyncio_backend import AsyncioBackend, AsyncioTransport, serves
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.core.conftest import Run
from tests.core.peer import (
    FullListener,
    Peer,
    connected,
    stays_open,
    trusting_context,
)

# Finding the peer.


def info(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> Any:
    return (family, socket.SOCK_STREAM, 6, "", (host, port))


async def connect_to(infos: list[Any]) -> Any:
    """Connect to a name that has these addresses."""

    async def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        return infos

    loop: Any = asyncio.get_running_loop()
    loop.getaddrinfo = getaddrinfo
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

    with FullListener() as port, Peer(stays_open) as peer:
        run(main(port, peer))


def test_the_families_take_turns(run: Run) -> None:
    six = socket.AF_INET6
    infos = [info("a", 1, six), info("b", 1, six), info("c", 1, six), info("d", 1), info("e", 1)]
    assert [one[4][0] for one in module._interleave_families(infos)] == ["a", "d", "b", "e", "c"]
    assert module._interleave_families(infos[:1]) == infos[:1]

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
    run: Run, mimo: FakeMiMo, hello: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    connect_tcp = AsyncioBackend.connect_tcp

    async def counted(self: Any, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        made.append(port)
        return await connect_tcp(self, host, port, *args, **kwargs)

    monkeypatch.setattr(AsyncioBackend, "connect_tcp", counted)

    async def ask(**options: Any) -> None:
        async with AsyncMiMoClient(KEY, base_url=mimo.base_url, **options) as client:
            await client.chat(hello)

    run(ask())
    assert len(made) == 1  # were it 0, httpx2 would have another name for its pool now

    async def with_a_given_client() -> None:
        async with httpx2.AsyncClient() as http:
            await ask(http_client=http)

    run(with_a_given_client())
    assert len(made) == 1  # what was given goes httpx2's way
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    run(ask())
    assert len(made) == 2  # past the proxy: this machine is never asked through one


def test_a_proxy_is_still_used(
    run: Run, hello: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        asked.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 503 busy\r\ncontent-length: 0\r\n\r\n")

    async def ask() -> None:
        async with AsyncMiMoClient(KEY, base_url="http://mimo.test/v1", max_retries=0) as client:
            with pytest.raises(Exception, match="503"):
                await client.chat(hello)

    with Peer(proxy) as peer:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{peer.port}")
        monkeypatch.setenv("MIMO_ALLOW_HTTP", "mimo.test")
        run(ask())
    assert asked == [b"POST http://mimo.test/v1/chat/completions HTTP/1.1"]


def test_loops_that_are_not_known_take_httpx2s_way() -> None:
    unknown, known = asyncio.BaseEventLoop(), asyncio.SelectorEventLoop()
    assert (serves(unknown), serves(known)) == (False, True)
    unknown.close()
    known.close()


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
            assert caught.value.partial is not None
            assert caught.value.partial["choices"][0]["message"]["content"] == "Half"

    with Peer(script, tls=True) as peer:
        run(main(peer))


def test_a_tls_connection_is_used_again(run: Run, hello: dict[str, Any]) -> None:
    """The tickets that TLS 1.3 sends after the handshake must not look like a dead connection."""
    served: list[int] = []
    answer = (
        b'{"id":"1","choices":[{"index":0,"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":"Hi"}}]}'
    )

    def script(connection: ssl.SSLSocket) -> None:
        served.append(0)
        while asked := connection.recv(65536):
            if asked.endswith(b"}"):
                served[-1] += 1
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d"
                connection.sendall((head + b"\r\n\r\n%s") % (len(answer), answer))

    async def main(peer: Peer) -> None:
        transport = AsyncioTransport(trusting_context(), httpx2.Limits())
        base_url = f"https://localhost:{peer.port}/v1"
        async with httpx2.AsyncClient(transport=transport) as http:
            client = AsyncMiMoClient(KEY, base_url=base_url, http_client=http)
            for _ in range(3):
                await client.chat(hello)
                await asyncio.sleep(0.02)

    with Peer(script, tls=True) as peer:
        run(main(peer))
    assert served == [3]


def test_a_storm_of_cancellations_leaves_nothing_behind(
    run: Run, mimo: FakeMiMo, hello: dict[str, Any]
) -> None:
    chance = random.Random(1)

    async def main() -> None:
        async with AsyncMiMoClient(KEY, base_url=mimo.base_url) as client:

            async def one() -> int:
                return len([chunk async for chunk in client.stream(hello)])

            whole = await one()
            tasks = [asyncio.ensure_future(one()) for _ in range(60)]
            for task in tasks:
                asyncio.get_running_loop().call_later(chance.random() * 0.3, task.cancel)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled = [r for r in results if isinstance(r, asyncio.CancelledError)]
            assert all(r == whole for r in results if r not in cancelled)
            assert cancelled
            assert await one() == whole

    run(main())
    assert mimo.wait_for_idle()
