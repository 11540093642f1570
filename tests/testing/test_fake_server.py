"""FakeMiMo as a server: its life, its connections, and what it counts."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
REQUEST = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "hi"}]}
STREAM = REQUEST | {"stream": True}


def url(mimo: FakeMiMo) -> str:
    return f"{mimo.base_url}/chat/completions"


def test_addresses(mimo: FakeMiMo) -> None:
    assert mimo.base_url == f"http://127.0.0.1:{mimo.port}/v1"
    assert mimo.messages_base_url == f"http://127.0.0.1:{mimo.port}/anthropic"


def test_life() -> None:
    mimo = FakeMiMo()
    mimo.stop()
    with pytest.raises(RuntimeError, match="not running"):
        mimo.base_url  # noqa: B018
    with mimo.start() as same:
        assert same is mimo
        with pytest.raises(RuntimeError, match="already running"):
            mimo.start()
        port = mimo.port
        assert post(url(mimo), json=REQUEST).status_code == 200
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    with FakeMiMo(port=port) as again:
        assert again.port == port


def test_keep_alive(mimo: FakeMiMo) -> None:
    with httpx2.Client(verify=False) as client:
        for body in (REQUEST, STREAM, REQUEST | {"messages": []}):
            client.post(url(mimo), json=body)
            client.get(f"{mimo.base_url}/models")
        assert mimo.connections_open == 1
    assert mimo.wait_for_idle()
    assert mimo.disconnects == 0
    assert len(mimo.requests) == 6


def test_connection_close(mimo: FakeMiMo) -> None:
    with httpx2.Client(verify=False) as client:
        client.post(url(mimo), json=REQUEST, headers={"connection": "close"})
        assert mimo.wait_for_idle()


def test_request_in_chunks_and_with_expect(mimo: FakeMiMo) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"model": "mimo-v2.5", '
        yield b'"messages": [{"role": "user", "content": "hi"}]}'

    assert post(url(mimo), content=body()).status_code == 200
    with socket.create_connection(("127.0.0.1", mimo.port), timeout=5) as client:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\n"
        client.sendall(head + b"Content-Length: 2\r\nConnection: close\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(100).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_what_is_no_http_is_hung_up_on(mimo: FakeMiMo) -> None:
    with socket.create_connection(("127.0.0.1", mimo.port), timeout=5) as client:
        client.sendall(b"hello\r\n\r\n")
        assert client.recv(100) == b""
    assert mimo.requests == []


def test_a_client_that_leaves_in_mid_stream_is_seen(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("a" * 1000, chunk_size=1, interval=0.01))
    with (
        httpx2.Client(verify=False) as client,
        client.stream("POST", url(mimo), json=STREAM) as response,
    ):
        next(response.iter_lines())
    assert mimo.wait_for_disconnect()
    assert mimo.disconnects == 1
    assert not mimo.wait_for_disconnect(0.01, count=2)


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(latency=60), Fault(hang_after=1)])
def test_a_client_that_leaves_while_waiting_is_seen(mimo: FakeMiMo, fault: Fault) -> None:
    mimo.queue(fault)
    with pytest.raises(httpx2.ReadTimeout):
        post(url(mimo), json=STREAM, timeout=0.1)
    assert mimo.wait_for_disconnect()
    assert mimo.wait_for_idle()


def test_a_client_that_reads_to_the_end_is_no_disconnect(mimo: FakeMiMo) -> None:
    for _ in range(20):
        post(url(mimo), json=STREAM)
    assert mimo.wait_for_idle()
    assert mimo.disconnects == 0


def test_stop_is_fast_and_ends_what_hangs() -> None:
    failures: list[Exception] = []

    def call(address: str) -> None:
        try:
            post(address, json=STREAM, timeout=30)
        except httpx2.TransportError as error:
            failures.append(error)

    with FakeMiMo() as mimo:
        mimo.queue(Fault(hang=True), Fault(latency=60), Fault(hang_after=1))
        threads = [threading.Thread(target=call, args=(url(mimo),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert mimo.wait_for_requests(3)
        started = time.monotonic()
    assert time.monotonic() - started < 1
    for thread in threads:
        thread.join(5)
    assert len(failures) == 3
    assert mimo.disconnects == 0
    assert mimo.connections_open == 0


def test_stop_leaves_no_thread() -> None:
    with FakeMiMo() as mimo:
        with httpx2.Client(verify=False) as client:
            client.post(url(mimo), json=REQUEST)
            ours = [t for t in threading.enumerate() if t.name.endswith(f"FakeMiMo:{mimo.port}")]
            assert len(ours) == 2
        mimo.stop()
        assert not any(thread.is_alive() for thread in ours)


@pytest.mark.slow
async def test_200_concurrent_streams(mimo: FakeMiMo) -> None:
    reply = Reply("word " * 40, interval=0.005)
    mimo.queue(*[reply] * 200)
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(verify=False, limits=limits, timeout=30) as client:

        async def one() -> str:
            response = await client.post(url(mimo), json=STREAM)
            return response.text

        texts = await asyncio.gather(*[one() for _ in range(200)])
    assert all(text.endswith("data: [DONE]\n\n") for text in texts)
    assert len({text.split('"id": "')[1][:32] for text in texts}) == 200
    assert len(mimo.requests) == 200


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_clients_of_any_event_loop(mimo: FakeMiMo, backend: str) -> None:
    """It is threads and sockets: what runs in the test does not matter."""
    pytest.importorskip(backend)

    async def ask() -> int:
        async with httpx2.AsyncClient(verify=False) as client:
            return (await client.post(url(mimo), json=REQUEST)).status_code

    assert anyio.run(ask, backend=backend) == 200


def test_log() -> None:
    lines: list[str] = []
    with FakeMiMo(log=lines.append) as mimo:
        post(url(mimo), json=STREAM)
        post(url(mimo), json=REQUEST | {"messages": []})
        post(url(mimo) + "?key=secret", json=REQUEST)
    assert lines[0] == "POST /v1/chat/completions mimo-v2.5-pro stream -> 200"
    assert lines[2] == "POST /v1/chat/completions mimo-v2.5-pro -> 200"
    assert lines[1].startswith("POST /v1/chat/completions mimo-v2.5-pro -> 400 {")


def test_lazy_names() -> None:
    import mimo_core.testing as testing

    assert {"FakeMiMo", "Fault", "Reply", "ReceivedRequest"} <= set(dir(testing))
    missing: Any = "nothing"
    with pytest.raises(AttributeError, match="nothing"):
        getattr(testing, missing)


def test_the_old_name_of_a_received_request_warns() -> None:
    from mimo_core import testing

    with pytest.warns(DeprecationWarning, match="RecordedRequest is called ReceivedRequest now"):
        old_name = testing.RecordedRequest
    assert old_name is testing.ReceivedRequest
    assert "RecordedRequest" not in dir(testing)
