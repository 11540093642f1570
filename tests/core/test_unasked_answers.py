"""What a server sends that nobody asked for is nobody's answer: the next caller never gets it."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from mimo_core import AsyncMiMoClient, MiMoClient

REQUESTS = [f"question {number}" for number in range(4)]


def request(text: str) -> dict[str, object]:
    return {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": text}]}


def answer(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": text}}
    body = json.dumps({"choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


@pytest.fixture
def chatterbox() -> Iterator[str]:
    """A server whose every answer is followed, in the same segment, by another one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(65536)):
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])  # type: ignore[index]
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                asked = json.loads(body)["messages"][0]["content"]
                connection.sendall(answer(asked) + answer("of somebody else"))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_blocking_client_drops_a_connection_that_says_more(chatterbox: str) -> None:
    with MiMoClient("sk-unasked", base_url=chatterbox, max_retries=0) as client:
        answers = [client.chat(request(text)) for text in REQUESTS]
    assert [a["choices"][0]["message"]["content"] for a in answers] == REQUESTS


async def test_so_does_an_asynchronous_one(chatterbox: str) -> None:
    async with AsyncMiMoClient("sk-unasked", base_url=chatterbox, max_retries=0) as client:
        answers = [await client.chat(request(text)) for text in REQUESTS]
    assert [a["choices"][0]["message"]["content"] for a in answers] == REQUESTS
