"""The other side of every benchmark: pre-built bytes over a socket, as cheaply as Python can.

The model's name in a request says what to send: `KIND-COUNT-MODE`, e.g. `text-2000-burst`.

KIND    text, reasoning, tools8, tools1000 (fragments of 8 and 1,000 characters), plain (unstreamed)
COUNT   how many events
MODE    burst: all at once (the client reads one event at a time, see worker.py)
        events: a write for each event     blocks: cut anew into 16 KiB HTTP chunks
        paced: a write for each event, 1 ms apart       steady: 20 ms apart, 50 tokens a second
        swift: a write for each event, 250 µs apart

`GET /connections` is answered with the number of connections that were accepted before its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import socket
import ssl
import threading
import time
from functools import lru_cache

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"x-padding: %s\r\n\r\n"
)
PACES = {"paced": 0.001, "steady": 0.02, "swift": 0.00025}  # seconds between two events
BASE = {"id": "bench", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


def _chunk(delta: dict[str, object], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return json.dumps({**BASE, "choices": [choice]}, separators=(",", ":")).encode()


def _deltas(kind: str, count: int) -> list[dict[str, object]]:
    if kind == "text":
        return [{"content": f"word{i % 1000:03d} "} for i in range(count)]
    if kind == "reasoning":
        return [
            {"content": None, "reasoning_content": f"word{i % 1000:03d} "} for i in range(count)
        ]
    size = int(kind.removeprefix("tools"))
    opening = {"name": "write", "arguments": '{"text": "'}
    deltas: list[dict[str, object]] = [
        {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": opening}]}
    ]
    deltas += [
        {"tool_calls": [{"index": 0, "function": {"arguments": "x" * size}}]}
        for _ in range(count - 2)
    ]
    return [*deltas, {"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}]


@lru_cache
def events(kind: str, count: int) -> tuple[bytes, ...]:
    """The events of one stream, as they are framed by SSE."""
    payloads = [_chunk(delta) for delta in _deltas(kind, count)]
    payloads.append(_chunk({}, "tool_calls" if kind.startswith("tools") else "stop"))
    payloads.append(json.dumps({**BASE, "choices": [], "usage": USAGE}).encode())
    payloads.append(b"[DONE]")
    return tuple(b"data: " + payload + b"\n\n" for payload in payloads)


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def frame_size(kind: str) -> int:
    """Bytes of one event on the wire, HTTP framing included."""
    return len(_framed(events(kind, 3)[1]))


@lru_cache
def head(kind: str) -> bytes:
    """A response head of whole frames, so that reads of one frame each stay in step with events."""
    return HEAD % (b"x" * (-(len(HEAD) - len("%s")) % frame_size(kind)))


@lru_cache
def writes(kind: str, count: int, mode: str) -> tuple[bytes, ...]:
    """What to write, one after the other, after the head."""
    if mode == "blocks":
        whole = b"".join(events(kind, count))
        blocks = [whole[i : i + 16384] for i in range(0, len(whole), 16384)]
        return (b"".join(_framed(block) for block in blocks) + b"0\r\n\r\n",)
    framed = [_framed(event) for event in events(kind, count)]
    if mode == "burst":
        return (b"".join(framed) + b"0\r\n\r\n",)
    return (*framed, b"0\r\n\r\n")


@lru_cache
def plain_answer() -> bytes:
    """An unstreamed answer of about 1 KB."""
    message = {"role": "assistant", "content": "word " * 150}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = json.dumps(
        {**BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _count(number: int) -> bytes:
    body = b"%d" % number
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def _pause(mode: str, start: float, number: int) -> None:
    """Until the event after `number` is due. A sleep lasts 60 µs longer than it was asked for;
    only the short pace would feel it, so that one keeps to a timetable."""
    pace = PACES[mode]
    late = time.perf_counter() - start - number * pace if mode == "swift" else 0.0
    if late < pace:
        time.sleep(pace - late)


def _serve(connection: socket.socket, before: int) -> None:
    """Answer one connection's requests; `before` is how many connections came before it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    try:
        while True:
            while b"\r\n\r\n" not in buffer:
                if not (data := connection.recv(65536)):
                    return
                buffer += data
            asked, _, buffer = buffer.partition(b"\r\n\r\n")
            if asked.startswith(b"GET /connections"):
                connection.sendall(_count(before))
                continue
            stated = re.search(rb"content-length: (\d+)", asked, re.I)
            length = int(stated[1]) if stated else 0
            while len(buffer) < length:
                buffer += connection.recv(65536)
            body, buffer = buffer[:length], buffer[length:]
            kind, count, mode = json.loads(body)["model"].split("-")
            if kind == "plain":
                connection.sendall(plain_answer())
                continue
            connection.sendall(head(kind))
            start = time.perf_counter()
            for number, data in enumerate(writes(kind, int(count), mode)):
                connection.sendall(data)
                if mode in PACES:
                    _pause(mode, start, number)
    except (OSError, ssl.SSLError):
        return
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    context = None
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments.tls)
    print(listener.getsockname()[1], flush=True)
    for before in itertools.count():
        connection, _ = listener.accept()
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        threading.Thread(target=_serve, args=(connection, before), daemon=True).start()


if __name__ == "__main__":
    main()
