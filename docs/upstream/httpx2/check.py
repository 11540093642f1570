"""What httpcore2 does in Python for each read of a streamed body; and that errors stay the same.

    python check.py except | timeout

A server sends a stream in the pieces of one read each. The calls are counted, because times
waver; `measure.py` beside this takes the times.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpcore2
import httpx2

READS = 200
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
PIECE = b"5\r\nhello\r\n"


@contextlib.contextmanager
def served(script: Callable[[socket.socket], object]) -> Iterator[str]:
    """The URL of a server on loopback; a script runs for each request, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10)
                    connection.recv(65_536)
                    script(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def one_piece_a_read(connection: socket.socket) -> None:
    """Send the next piece when the reader has said that it has the one before."""
    connection.sendall(HEAD)
    for _ in range(READS):
        go_on.acquire(timeout=10)
        connection.sendall(PIECE)
    connection.sendall(b"0\r\n\r\n")


go_on = threading.Semaphore(0)


def calls_in_a_stream() -> Counter[str]:
    """How often each function was called while a body was read."""
    calls: Counter[str] = Counter()

    def count(frame: Any, event: str, function: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[function.__name__] += 1

    with (
        served(one_piece_a_read) as url,
        httpx2.Client(trust_env=False) as client,
        client.stream("GET", url) as response,
    ):
        pieces = response.iter_raw()
        go_on.release()
        assert next(pieces) == b"hello"
        sys.setprofile(count)
        for _ in range(READS - 1):
            go_on.release()
            next(pieces)
        sys.setprofile(None)
        assert list(pieces) == []
    return calls


def raised_by(script: Callable[[socket.socket], object], timeout: Any) -> tuple[str, str, str]:
    """The error of a stream, what httpcore2 raised below it, and what was the cause of that."""
    with served(script) as url, httpx2.Client(trust_env=False, timeout=timeout) as client:
        try:
            client.get(url)
        except httpx2.TransportError as error:
            cause = error.__cause__
            below = cause.__cause__ if cause else None
            return type(error).__name__, type(cause).__name__, type(below).__name__
    return "", "", ""


def falls_silent(connection: socket.socket) -> None:
    connection.sendall(HEAD + PIECE)
    connection.recv(1)


def resets(connection: socket.socket) -> None:
    connection.sendall(HEAD + PIECE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def sends_no_length(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"no length\r\n")


def errors() -> list[str]:
    """What is not raised as it has to be."""
    timed_out = ("ReadTimeout", "ReadTimeout", "TimeoutError")
    wanted = [
        (falls_silent, 0.1, timed_out),
        # The timeout of writing is another one: that of reading must be set again.
        (falls_silent, httpx2.Timeout(5, read=0.1), timed_out),
        (falls_silent, httpx2.Timeout(0.1, write=None), timed_out),
        (resets, 5, ("ReadError", "ReadError", "ConnectionResetError")),
        (sends_no_length, 5, ("RemoteProtocolError",) * 3),
    ]
    found = [(script, raised_by(script, timeout), names) for script, timeout, names in wanted]
    return [f"{script.__name__}: {got}" for script, got, names in found if got != names]


def problems(what: str) -> list[str]:
    calls = calls_in_a_stream()
    print(f"{sum(calls.values()) / (READS - 1):.1f} calls a read", end="; ")
    avoidable = {"except": "map_exceptions", "timeout": "settimeout"}[what]
    steps = 2 if what == "except" else 1  # a generator is entered and left
    count = calls[avoidable] / (READS - 1) / steps
    return [f"{count:.1f} uses of {avoidable} a read"] * (count > 0) + errors()


if __name__ == "__main__":
    found = problems(sys.argv[1])
    print("; ".join(found) or f"as it should be, in {httpcore2.__version__}")
    raise SystemExit(1 if found else 0)
