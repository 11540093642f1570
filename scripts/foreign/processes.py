"""Starting another server on a free port of loopback, and stopping it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

_LOOKS_EVERY = 0.1  # seconds
_GRACE = 10.0  # seconds to end in


class UnavailableError(Exception):
    """The server cannot be had on this machine; `str()` is one line that says why."""


@contextmanager
def running(
    command: Callable[[int], Sequence[str]],
    is_up: str,
    log: Path,
    *,
    timeout: float,
    environment: dict[str, str] | None = None,
) -> Iterator[str]:
    """Run a server while the block runs.

    Args:
        command: the command line for a port.
        is_up: a path that answers 200 once the server is ready.
        log: a file for what it prints.
        timeout: seconds to wait for it.
        environment: variables beside those of this process.

    Yields:
        Its root, `http://127.0.0.1:PORT`.

    Raises:
        UnavailableError: it ended before it was ready, or is not ready in time.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own scripts
            command(port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        deadline = time.monotonic() + timeout
        while not _answers(root + is_up):
            if process.poll() is not None or time.monotonic() > deadline:
                state = "ended" if process.poll() is not None else "is not ready in time"
                raise UnavailableError(f"the server {state}: {_last_line(log)} (see {log})")
            time.sleep(_LOOKS_EVERY)
        yield root
    finally:
        process.terminate()
        try:
            process.wait(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx2.TransportError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
