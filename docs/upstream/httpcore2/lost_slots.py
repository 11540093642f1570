"""A pool loses places for ever when anyio's scopes cancel a connect.

`move_on_after` is level-triggered: a scope that ends while `connect_tcp` or `start_tls` returns is
noticed at the next checkpoint only, which is inside of the pool's own bookkeeping.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import anyio
import httpcore2
from common import Backend, backend_from_arguments, client_context, plain_and_tls, said

PLACES, CALLS = 30, 400


def slow(connection: Any) -> None:
    while connection.recv(65_536):
        time.sleep(0.002)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


async def lost(backend: Backend, port: int, *, tls: bool) -> int:
    """How many of the pool's places cannot be had any more."""
    chance = random.Random(7)
    url = f"http{'s' * tls}://localhost:{port}/"
    async with httpcore2.AsyncConnectionPool(
        ssl_context=client_context(),
        max_connections=PLACES,
        max_keepalive_connections=0,
        network_backend=backend(),
    ) as pool:

        async def cut() -> None:
            with anyio.move_on_after(chance.random() * (0.05 if tls else 0.01)):
                await pool.request("GET", url)

        for _ in range(CALLS // PLACES + 1):
            async with anyio.create_task_group() as group:
                for _ in range(PLACES):
                    group.start_soon(cut)
        await asyncio.sleep(0.1)
        return len(pool.connections)  # nothing is kept alive, and nothing runs


def problem(backend: Backend) -> str:
    """What is wrong with a backend; empty where nothing is."""

    def check(port: int, tls: bool) -> str:
        count = asyncio.run(lost(backend, port, tls=tls))
        return f"{count} of {PLACES} places are lost" if count else ""

    return plain_and_tls(check, slow)


if __name__ == "__main__":
    said(problem(backend_from_arguments()))
