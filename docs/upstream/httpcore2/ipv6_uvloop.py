"""Where a host has an IPv6 address that refuses, its IPv4 address must be reached: under uvloop
too, and when many connect at once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpcore2
from common import Backend, backend_from_arguments, said, served

AT_ONCE, ROUNDS = 40, 5


def answers(connection: Any) -> None:
    connection.sendall(b"x")
    connection.recv(1)


async def connect(backend: Backend, port: int) -> str:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]
    loop = asyncio.get_running_loop()

    async def addresses(*args: Any, **options: Any) -> Any:
        return both

    loop.getaddrinfo = addresses  # type: ignore[method-assign]

    async def one() -> bytes:
        stream = await backend().connect_tcp("two-addresses.test", port, timeout=5)
        try:
            return bytes(await stream.read(1, timeout=5))
        finally:
            await stream.aclose()

    for _ in range(ROUNDS):
        found = await asyncio.gather(*(one() for _ in range(AT_ONCE)), return_exceptions=True)
        if wrong := [repr(each) for each in found if each != b"x"]:
            return f"{len(wrong)} of {AT_ONCE} connections were not made: {wrong[0]:.150}"
    return ""


def problem(backend: Backend) -> str:
    """What is wrong with a backend; empty where nothing is."""
    import uvloop

    with served(answers) as port:
        try:
            with asyncio.Runner(loop_factory=_loop(uvloop)) as runner:
                return runner.run(connect(backend, port))
        except httpcore2.NetworkError as error:
            return f"{type(error).__name__}: {error}"


def _loop(uvloop: Any) -> Any:
    class Loop(uvloop.Loop):  # type: ignore[misc]
        """Whose `getaddrinfo` can be replaced."""

    Loop.__module__ = "uvloop"
    return Loop


if __name__ == "__main__":
    said(problem(backend_from_arguments()))
