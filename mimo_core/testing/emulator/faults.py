"""Failures on demand: `Fault`, and the service's error bodies by name.

A fault says how an answer goes wrong. It composes: `Fault(reply=Reply("…"), cut="mid_stream")`
sends the first half of that reply and closes the connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mimo_core.testing.emulator.reply import Reply

Cut = Literal["before_headers", "before_first_event", "mid_stream", "before_done"]
Body = dict[str, Any] | str
Event = dict[str, Any] | str | bytes
"""An event of a stream: its payload, its data as a text (`"[DONE]"`), or the bytes on the wire."""


def error_body(code: str, message: str, param: str = "", type: str = "") -> dict[str, Any]:
    """An error body as the service writes it.

    Args:
        code: the code as a text, e.g. `"400"`; it can differ from the HTTP status.
        message: what kind of error it is.
        param: what is wrong with the request; MiMo puts the useful sentence here.
        type: e.g. `content_filter`; mostly empty.

    Returns:
        The body: an `error` object with these four fields.
    """
    return {"error": {"code": code, "message": message, "param": param, "type": type}}


REASONING_NOT_PASSED_BACK = error_body(
    "400",
    "Param Incorrect",
    "The reasoning_content in the thinking mode must be passed back to the API.",
)
INVALID_KEY = {
    "error": {
        "message": "Invalid API Key",
        "param": "Please provide valid API Key",
        "code": "401",
        "type": "invalid_key",
    }
}
_HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
_HTML += "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

# invalid_key, moderation, reasoning_not_passed_back, bad_request and image_unsupported are bodies
# that were published; of the others only the status is documented, the wording is this project's.
ERRORS: dict[str, tuple[int, Body]] = {
    "bad_request": (400, error_body("400", "Invalid request parameters", "", "Bad Request")),
    "param_incorrect": (400, error_body("400", "Param Incorrect", "messages must not be empty")),
    "reasoning_not_passed_back": (400, REASONING_NOT_PASSED_BACK),
    "context_overflow": (
        400,
        error_body(
            "400",
            "Param Incorrect",
            "The input exceeds the maximum context length of 1048576 tokens",
        ),
    ),
    "moderation": (
        400,
        error_body(
            "421",
            "Moderation Block",
            "The request was rejected because it was considered high risk",
            "content_filter",
        ),
    ),
    "invalid_key": (401, INVALID_KEY),
    "balance": (402, error_body("402", "Insufficient account balance", "Please top up")),
    "region": (403, error_body("403", "Access denied", "Region not supported or risk control")),
    "not_found": (404, error_body("404", "Not Found")),
    "image_unsupported": (404, error_body("404", "No endpoints found that support image input")),
    "rate_limit": (429, error_body("429", "Too many requests", "Please retry later")),
    "quota": (429, error_body("429", "Too many requests", "Token Plan quota is used up")),
    "server": (500, error_body("500", "Internal Server Error")),
    "overloaded": (503, error_body("503", "Service overloaded", "Please retry later")),
    "bad_gateway": (502, _HTML.format("502 Bad Gateway")),
    "gateway_timeout": (504, _HTML.format("504 Gateway Time-out")),
    "html": (200, _HTML.format("Sign in to the network")),
}


@dataclass(frozen=True)
class Fault:
    """One way in which an answer fails, or arrives oddly.

    With `error`, `status` or `body` the answer is that error. Otherwise it is `reply` (or what
    `respond` or the emulator's default would have said), delivered as the other fields say.

    Raises:
        ValueError: `error` is a name that `ERRORS` does not hold.
    """

    error: str | Mapping[str, Any] | None = None
    """A name of `ERRORS`, or the content of the body's `error` object."""
    status: int | None = None
    body: Mapping[str, Any] | str | bytes | None = None
    """The exact body; with a `content_type` of `text/event-stream` a raw stream."""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | str | None = None
    """The `Retry-After` header: seconds, or an HTTP date as a string."""
    relay: bool = False
    """Wrap the error body once more, as relays do (`error.metadata.raw`)."""
    data_prefix: bool = False
    """For a streaming request, put `data:` before the error body."""

    reply: Reply | str | Mapping[str, Any] | None = None
    """The answer underneath; None gives what an unscripted request would get."""

    latency: float = 0.0
    """Seconds before the headers."""
    first_event_latency: float = 0.0
    """Seconds between the headers (and the comments) and the first event, or the body."""
    comments: int | None = None
    """Number of `: PROCESSING` lines first; None sends one in chat streams and 0 in messages."""
    comment_interval: float = 0.0
    """Seconds after each comment."""
    hang: bool = False
    """Accept the request and stay silent until the emulator stops or the client goes away."""
    hang_after: int | None = None
    """Send this many events (of a plain body: the first half), then stay silent."""

    cut: Cut | None = None
    """Where the connection ends. `before_done` sends everything but the last event."""
    after: int | None = None
    """Events before a `mid_stream` cut or an `error_event`; negative counts from the end.

    Without it half of them are sent.
    """
    clean: bool = False
    """End the body properly at the cut, so that only what is missing tells."""
    reset: bool = False
    """Cut with a TCP reset instead of an end of file."""
    error_event: str | Mapping[str, Any] | None = None
    """An error inside the stream: a name of `ERRORS` or the content of the `error` object.

    Plain answers are not touched by it.
    """
    empty_choices: bool = False
    """Every chunk has `choices: []`; in the messages protocol, no content blocks."""

    edit: Callable[[list[Event]], Sequence[Event]] | None = None
    """Streams: what becomes of the reply's events, in either protocol. It gets the payloads (and
    `"[DONE]"`) in order, and gives what is sent in their place: fewer, others, in another order,
    broken. The other fields then act on these.
    """
    never_ends: bool = False
    """Streams: everything is sent, and the body is not ended; the connection stays open."""
    bare_json: bool = False
    """A streaming request is answered with one JSON body under `text/event-stream`."""

    byte_by_byte: bool = False
    """Each byte of the body is a write, and in a stream an HTTP chunk, of its own."""
    crlf: bool = False
    """Stream lines end in CRLF."""
    bom: bool = False
    """The body begins with a byte order mark."""

    def __post_init__(self) -> None:
        for name in (self.error, self.error_event):
            if isinstance(name, str) and name not in ERRORS:
                raise ValueError(f"no error named {name!r}; there are: {', '.join(ERRORS)}")

    @property
    def is_error(self) -> bool:
        """Whether the answer is an HTTP error (or another body) instead of a reply."""
        return self.error is not None or self.status is not None or self.body is not None

    def http_error(self, *, stream: bool) -> tuple[int, dict[str, str], bytes]:
        """The error as an HTTP response.

        Args:
            stream: whether the request asked for a stream (`data_prefix` acts on these only).

        Returns:
            Status, headers and body.
        """
        status, body = 500, ERRORS["server"][1] if self.body is None else ""
        if isinstance(self.error, str):
            status, body = ERRORS[self.error]
        elif self.error is not None:
            status, body = 400, {"error": dict(self.error)}
        elif self.body is not None:
            status = 200
        raw = _encode(body if self.body is None else self.body)
        status = self.status or status
        if self.relay:
            raw = _encode(_relayed(status, raw.decode("utf-8", "replace")))
        if self.data_prefix and stream:
            raw = b"data:" + raw + b"\n\n"
        headers = {"content-type": self.content_type or _content_type(raw)}
        if self.retry_after is not None:
            headers["retry-after"] = f"{self.retry_after}"
        return status, {**headers, **self.headers}, raw

    def stream_error(self) -> dict[str, Any]:
        """The `error` object of the error event."""
        if isinstance(self.error_event, str):
            body = ERRORS[self.error_event][1]
            return dict(body["error"]) if isinstance(body, dict) else {"message": body}
        return dict(self.error_event or {})


def _encode(body: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(dict(body), ensure_ascii=False).encode()


def _content_type(raw: bytes) -> str:
    if raw.startswith(b"data:"):
        return "text/event-stream"
    return "text/html" if raw.startswith(b"<") else "application/json"


def _relayed(status: int, raw: str) -> dict[str, Any]:
    """The wrapping that OpenRouter-like relays put around a provider's error."""
    return {
        "error": {
            "message": "Provider returned error",
            "code": status,
            "metadata": {"raw": raw, "provider_name": "Xiaomi"},
        }
    }
