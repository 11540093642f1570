"""A server that does not read must time a write out, over TLS as without it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpcore2
from common import Backend, backend_from_arguments, client_context, plain_and_tls, said

SECONDS = 0.3


def never_reads(connection: Any) -> None:
    time.sleep(2.5)


async def write(backend: Backend, port: int, *, tls: bool) -> str:
    stream = await backend().connect_tcp("127.0.0.1", port, timeout=5)
    if tls:
        stream = await stream.start_tls(client_context(), "localhost", timeout=5)
    started = time.monotonic()
    try:
        async with asyncio.timeout(1.5):
            for _ in range(50):
                await stream.write(bytes(2**20), timeout=SECONDS)
    except httpcore2.WriteTimeout:
        took = time.monotonic() - started
        return "" if took < 1.2 else f"a write's timeout of {SECONDS} s took {took:.1f} s"
    except TimeoutError:
        return f"a write's timeout of {SECONDS} s never ended it"
    finally:
        await stream.aclose()
    return "50 MB were taken that nobody reads"


def problem(backend: Backend) -> str:
    """What is wrong with a backend; empty where nothing is."""

    def check(port: int, tls: bool) -> str:
        return asyncio.run(write(backend, port, tls=tls))

    return plain_and_tls(check, never_reads)


if __name__ == "__main__":
    said(problem(backend_from_arguments()))
