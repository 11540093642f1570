"""The body of a request as it is sent: JSON, whose large media are read from where they are.

A recording of 10 MB would otherwise be in memory as a text, as part of the JSON text, as part of
its bytes, and once more for each write to the socket.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from os import urandom
from typing import Any

from mimo_core.errors import InvalidRequestError

LARGE = 256 * 1024
"""Characters from which on a text is sent from where it is."""
_PIECE = 64 * 1024
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class LargeBody:
    """A body in pieces of 64 kB. It can be sent again, and by both kinds of client.

    (Its length has to be in the headers: httpx would send it chunked.)
    """

    def __init__(self, parts: list[str | bytes]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            for start in range(0, len(part), _PIECE):
                piece = part[start : start + _PIECE]
                yield piece.encode("ascii") if isinstance(piece, str) else piece

    def asynchronous(self) -> AsyncBody:
        """The same for an asynchronous client."""
        return AsyncBody(self)


class AsyncBody:
    """`LargeBody`, asynchronously: httpx tells the two apart by their iterators."""

    def __init__(self, body: LargeBody) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            yield piece


def encode_body(body: dict[str, Any]) -> bytes | LargeBody:
    """The JSON of a request.

    Raises:
        InvalidRequestError: it holds what JSON cannot.
    """
    large: list[str] = []
    mark = urandom(16).hex()
    try:
        data = _json(_with_marks(body, large, mark))
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error) if not isinstance(error, RecursionError) else "it is nested too deeply"
        where = _find_culprit(body)
        raise InvalidRequestError(f"{where} is not JSON: {reason}.", param=where) from error
    if not large:
        return data
    parts: list[str | bytes] = []
    for number, piece in enumerate(re.split(rf"{mark}-(\d+)".encode(), data)):
        parts.append(large[int(piece)] if number % 2 else piece)
    return LargeBody(parts)


def _find_culprit(body: dict[str, Any]) -> str:
    """The field that is not JSON; of a message, its number and its field."""
    for name, value in body.items():
        if _is_json(value):
            continue
        for number, message in enumerate(value if name == "messages" else ()):
            for key, inner in message.items():
                if not _is_json(inner):
                    return f"messages[{number}].{key}"
        return str(name)
    return "The request"


def _is_json(value: Any) -> bool:
    try:
        _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _with_marks(body: dict[str, Any], large: list[str], mark: str) -> dict[str, Any]:
    """The body with its large media set aside; most bodies cannot hold any."""
    messages = body.get("messages") or ()
    if any(isinstance(message.get("content"), list) for message in messages):
        messages = [
            {**message, "content": _set_aside(message["content"], large, mark)}
            if isinstance(message.get("content"), list)
            else message
            for message in messages
        ]
        body = {**body, "messages": messages}
    if isinstance(body.get("audio"), dict):  # the sample of a voice
        body = {**body, "audio": _set_aside(body["audio"], large, mark)}
    return body


def _set_aside(value: Any, large: list[str], mark: str) -> Any:
    """`value` with marks in the place of large texts that JSON would leave as they are."""
    if isinstance(value, str):
        if len(value) < LARGE or not _is_plain(value):
            return value
        large.append(value)
        return f"{mark}-{len(large) - 1}"
    if isinstance(value, dict):
        return {key: _set_aside(item, large, mark) for key, item in value.items()}
    if isinstance(value, list):
        return [_set_aside(item, large, mark) for item in value]
    return value


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _json(body: dict[str, Any]) -> bytes:
    text = _ENCODER.encode(body)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half an emoji somewhere: escaped, it can at least be sent
        return json.dumps(body, separators=(",", ":")).encode()
