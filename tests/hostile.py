"""A server that repeats the key it was sent, wherever an answer has a place for it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

Place = Callable[[str], bytes]
"""Makes a whole HTTP answer with a text in it."""


class HostileServer:
    """Answers every request on loopback with `answer`, and closes the connection.

    Attributes:
        answer: the bytes.
        requests: the bytes of what was asked.
    """

    def __init__(self) -> None:
        self.answer = b""
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: Any) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends a waiting accept
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(10)
                self.requests.append(_read_request(connection))
                connection.sendall(self.answer)


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: str, body: str | bytes, kind: str, **headers: str) -> bytes:
    """An HTTP answer."""
    body = body.encode() if isinstance(body, str) else body
    names = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in names.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body


def refusal(body: Any, status: str = "401 Unauthorized", **headers: str) -> bytes:
    """A refusal in JSON."""
    return http(status, json.dumps(body), "application/json", **headers)


def raw_refusal(text: str) -> bytes:
    """A refusal whose JSON holds the text as it is, with whatever escapes it has."""
    return http("400 Bad Request", f'{{"error":{{"message":"bad {text}."}}}}', "application/json")


def stream(*events: Any, **headers: str) -> bytes:
    """A stream of events: texts as they are, anything else as JSON; it ends without an end."""
    texts = [event if isinstance(event, str) else f"data: {json.dumps(event)}" for event in events]
    return http("200 OK", "".join(f"{t}\n\n" for t in texts), "text/event-stream", **headers)


def delta(**fields: Any) -> dict[str, Any]:
    """A chunk of a stream."""
    return {"id": "1", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def pieces(text: str) -> list[str]:
    """The text in about thirty pieces: a key as it is, character by character."""
    size = max(len(text) // 30, 1)
    return [text[at : at + size] for at in range(0, len(text), size)]


IN_BODIES: dict[str, Place] = {
    "message": lambda key: refusal({"error": {"message": f"Bad key {key}", "code": "401"}}),
    "message, unescaped": raw_refusal,
    "param": lambda key: refusal({"error": {"message": "Bad", "param": f"Give {key} not"}}),
    "code": lambda key: refusal({"error": {"message": "Bad", "code": key}}),
    "type": lambda key: refusal({"error": {"message": "Bad", "type": key}}),
    "a field of its own": lambda key: refusal({"error": {"message": "Bad"}, "debug": [key]}),
    "a name of a field": lambda key: refusal({"error": {"message": "Bad"}, key: 1}),
    "the relayed error": lambda key: refusal(
        {"error": {"message": "x", "metadata": {"raw": json.dumps({"error": {"message": key}})}}}
    ),
    "a page": lambda key: http("502 Bad Gateway", f"<html><title>{key}</title>", "text/html"),
    "a page without a title": lambda key: http("200 OK", f"<html><b>{key}</b>", "text/html"),
    "plain text": lambda key: http("500 Server Error", f"trace: {key}\n", "text/plain"),
    "a refusal as event": lambda key: http("429 Slow", f"data:{key}\n\n", "text/event-stream"),
    "an answer that is none": lambda key: http(
        "200 OK", json.dumps({"a": key}), "application/json"
    ),
    "an error after 200": lambda key: http(
        "200 OK", json.dumps({"error": {"message": key}}), "application/json"
    ),
    "a broken body": lambda key: http("200 OK", f'{{"a": "{key}', "application/json"),
    "an event that is no JSON": lambda key: stream(f"data: {key}"),
    "a long event that is no JSON": lambda key: stream(f"data: {'x ' * 34}{key}"),
    "an event of two lines": lambda key: stream(f"data: {key[:9]}\ndata: {key[9:]}"),
    "an error event": lambda key: stream({"error": {"message": f"no {key}", "code": "500"}}),
    "a refusal in pieces": lambda key: stream(
        *(delta(refusal=part) for part in pieces(key)), "data: x"
    ),
    "an event of a wrong type": lambda key: stream(delta(content={key: 1})),
    "a finish reason": lambda key: stream(
        {"choices": [{"delta": {"content": "a"}, "finish_reason": {key: key}}]}
    ),
    "the id of a broken stream": lambda key: stream({**delta(content="a"), "id": key}, "data: x"),
}


def _in_header(name: str) -> Place:
    return lambda key: refusal({"error": {"message": "no"}}, **{name: key})


IN_HEADS: dict[str, Place] = {
    **{name: _in_header(name) for name in ("server", "www-authenticate", "x-whatever")},
    **{name: _in_header(name) for name in ("x-request-id", "request-id", "retry-after")},
    **{name: _in_header(name) for name in ("x-ratelimit-remaining", "set-cookie")},
    "content-encoding": _in_header("content-encoding"),
    "content-type": lambda key: http("200 OK", "{", f"text/event-stream; boundary={key}"),
    "location": lambda key: refusal(
        {}, "302 Found", location=f"https://u:{key}@host/{key}?a={key}"
    ),
    "reason phrase": lambda key: refusal({"error": {"message": "no"}}, f"401 {key}"),
    "broken status line": lambda key: f"HTTP/1.1 four {key}\r\n\r\n".encode(),
    "broken header": lambda key: f"HTTP/1.1 200 OK\r\n bad {key}\r\n\r\n".encode(),
    "broken chunk": lambda key: (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\n\n\n\r\n" + key.encode() + b"\r\n"
    ),
    "header of a stream": lambda key: stream(delta(content="a"), "data: x", x_request_id=key),
}
"""Places that take one line only."""


def fits_a_head(text: str) -> bool:
    """Whether a header can hold this."""
    return not any(char < " " or char == "\x7f" for char in text)
