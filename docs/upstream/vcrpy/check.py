"""Streams of httpx and httpx2 through a cassette: recorded as they arrive, replayed as they came.

    python check.py hand_through httpx2 httpx    a chunk is there before the next one is sent
    python check.py chunks httpx2 httpx          a replay has the breaks of the recording

Each runs with the libraries that are named, blocking and with asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import importlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import vcr

EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: \xe4\xbd\xa0\n\n"]
PATIENCE = 2.0  # s in which a chunk that was sent has to arrive


class Server(BaseHTTPRequestHandler):
    """A stream of events, each after the client has said that it has the one before."""

    protocol_version = "HTTP/1.1"
    next_event = threading.Semaphore(0)
    waited_in_vain = False

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/json":
            body = gzip.compress(b'{"a": 1}')
            self.send_header("content-type", "application/json")
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for number, event in enumerate(EVENTS):
                if number and not self.waited_in_vain:
                    type(self).waited_in_vain = not self.next_event.acquire(timeout=PATIENCE)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            while self.path == "/endless" and not self.next_event.acquire(timeout=0.1):
                self.wfile.write(b"2\r\n:\n\r\n")
            self.wfile.write(b"0\r\n\r\n")


def read(httpx: ModuleType, url: str, count: int) -> list[bytes]:
    """The chunks of a stream; the reader goes away after `count`."""
    chunks = []
    with httpx.Client(trust_env=False) as client, client.stream("GET", url) as response:
        for chunk in response.iter_raw():
            chunks.append(chunk)
            Server.next_event.release()
            if len(chunks) == count:
                break
    return chunks


async def aread(httpx: ModuleType, url: str, count: int) -> list[bytes]:
    chunks = []
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
        async for chunk in response.aiter_raw():
            chunks.append(chunk)
            Server.next_event.release()
            if len(chunks) == count:
                break
    return chunks


def read_both_ways(httpx: ModuleType, url: str, count: int = 99) -> Iterator[tuple[str, Any]]:
    yield "blocking", lambda: read(httpx, url, count)
    yield "asyncio", lambda: asyncio.run(aread(httpx, url, count))


def hand_through(httpx: ModuleType, url: str, folder: Path) -> list[str]:
    wrong = []
    for way, call in read_both_ways(httpx, url):
        Server.waited_in_vain, Server.next_event = False, threading.Semaphore(0)
        path = str(folder / f"{way}.yaml")
        with vcr.use_cassette(path):
            chunks = call()
        if Server.waited_in_vain:
            return [f"{way}: a chunk came with the one after it"]  # so does all that follows
        with vcr.use_cassette(path, record_mode="none") as cassette:
            again = call()
        if not b"".join(chunks) == b"".join(again) == b"".join(EVENTS) or cassette.play_count != 1:
            wrong.append(f"{way}: recorded and replayed it is {again}")
    for way, call in read_both_ways(httpx, url + "endless", count=2):
        Server.next_event = threading.Semaphore(0)
        path = str(folder / f"endless {way}.yaml")
        done = threading.Event()

        def recorded(call: Any = call, path: str = path, done: threading.Event = done) -> None:
            with vcr.use_cassette(path):
                call()
            done.set()

        threading.Thread(target=recorded, daemon=True).start()
        if not done.wait(PATIENCE):
            wrong.append(f"{way}: a stream without an end is never handed on")
            Server.next_event.release(99)  # lets it end
            done.wait(10)
    return wrong + ordinary(httpx, url, folder)


def ordinary(httpx: ModuleType, url: str, folder: Path) -> list[str]:
    """What has to stay as it is: answers that are read whole, compressed, or made by a mock."""
    wrong = []
    mock = httpx.MockTransport(lambda _: httpx.Response(200, json={"a": 1}))
    for name, options in (
        ("gzip", {}),
        ("decoded", {"decode_compressed_response": True}),
        ("mock", {}),
    ):
        transport = mock if name == "mock" else None
        for mode in ("once", "none"):
            path = str(folder / f"{name}.yaml")
            with (
                vcr.use_cassette(path, record_mode=mode, **options) as cassette,
                httpx.Client(trust_env=False, transport=transport) as client,
            ):
                answer = client.get(url + "json").json()
            if answer != {"a": 1} or len(cassette) != 1:
                wrong.append(f"{name}, {mode}: {answer}, {len(cassette)} in the cassette")
    return wrong


def chunks(httpx: ModuleType, url: str, folder: Path) -> list[str]:
    wrong = []
    for serializer in ("yaml", "json"):
        path = str(folder / f"chunks.{serializer}")
        Server.next_event = threading.Semaphore(9)
        with vcr.use_cassette(path, serializer=serializer):
            read(httpx, url, 99)
        for way, call in read_both_ways(httpx, url):
            with vcr.use_cassette(path, serializer=serializer, record_mode="none"):
                again = call()
            if again != EVENTS:
                wrong.append(f"{serializer}, {way}: replayed as {again}")
    # A filter may change the body: then the lengths say nothing any more.
    with vcr.use_cassette(path, serializer="json", record_mode="none") as cassette:
        cassette.responses[0]["body"]["string"] += b"data: more\n\n"
        if b"".join(read(httpx, url, 99)) != b"".join(EVENTS) + b"data: more\n\n":
            wrong.append("a body that was changed is not replayed whole")
    return wrong + ordinary(httpx, url, folder)


def problems(check: Any, libraries: list[str]) -> list[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    found = []
    try:
        for name in libraries:
            httpx = importlib.import_module(name)
            with tempfile.TemporaryDirectory() as folder:
                url = f"http://127.0.0.1:{server.server_address[1]}/"
                found += [f"{name}, {problem}" for problem in check(httpx, url, Path(folder))]
    finally:
        server.shutdown()
        server.server_close()
    return found


if __name__ == "__main__":
    found = problems({"hand_through": hand_through, "chunks": chunks}[sys.argv[1]], sys.argv[2:])
    print("; ".join(found) or f"as it should be, with vcrpy {vcr.__version__}")
    raise SystemExit(1 if found else 0)
