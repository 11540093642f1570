"""A connection that the server closed while the loop stood still must not be used again.

asyncio tells a protocol of the end in its next turn: until then only the system knows.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpcore2
from common import Backend, backend_from_arguments, client_context, plain_and_tls, said


def answers_once(connection: Any) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    time.sleep(0.05)  # it looks alive, and then it closes


async def ask_again(backend: Backend, url: str) -> None:
    async with httpcore2.AsyncConnectionPool(
        ssl_context=client_context(), network_backend=backend()
    ) as pool:
        for _ in range(3):
            await pool.request("GET", url)
            time.sleep(0.15)  # the loop stands still


def problem(backend: Backend) -> str:
    """What is wrong with a backend; empty where nothing is."""

    def check(port: int, tls: bool) -> str:
        try:
            asyncio.run(ask_again(backend, f"http{'s' * tls}://localhost:{port}/"))
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            return f"a dead connection was used again: {type(error).__name__}"
        return ""

    return plain_and_tls(check, answers_once)


if __name__ == "__main__":
    said(problem(backend_from_arguments()))
