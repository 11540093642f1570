"""A relay on loopback that keeps what passes: each request to a server, and its answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "date", "server"}


@dataclass
class Passed:
    """One request and its answer.

    Attributes:
        path: of the request.
        body: of the request, parsed.
        status: of the answer.
        answer: the bytes that were passed on.
        left: whether the client went away before the end.
    """

    path: str
    body: Any
    status: int = 0
    answer: bytes = b""
    left: bool = False


@dataclass
class Relay:
    """A running relay.

    Attributes:
        root: its own address.
        behind: the server's.
        passed: what has passed since the start, or since `passed.clear()`.
    """

    root: str
    behind: str
    passed: list[Passed] = field(default_factory=list)

    @property
    def last(self) -> Passed:
        """The last request."""
        return self.passed[-1]


@contextmanager
def relay(behind: str) -> Iterator[Relay]:
    """Relay to a server while the block runs.

    Args:
        behind: the server's root.

    Yields:
        The relay.
    """
    http = httpx2.Client(trust_env=False, timeout=120)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    made = Relay(f"http://127.0.0.1:{server.server_address[1]}", behind)
    server.relay, server.http = made, http  # type: ignore[attr-defined]  # read by the handler
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        http.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._pass(self.rfile.read(int(self.headers.get("content-length", 0))))

    def do_GET(self) -> None:
        self._pass(b"")

    def _pass(self, content: bytes) -> None:
        server: Any = self.server
        passed = Passed(self.path, json.loads(content) if content else None)
        server.relay.passed.append(passed)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        url = server.relay.behind + self.path
        with server.http.stream(self.command, url, content=content, headers=headers) as answer:
            passed.status = answer.status_code
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP and name.lower() != "content-encoding":
                    self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for piece in answer.iter_bytes():
                    passed.answer += piece
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # leaving the block closes the connection to the server too
                passed.left = True
                self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is printed."""
