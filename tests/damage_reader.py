"""A naive reader of answers: what a careful person would make of the bytes, with no help of ours.

It says `broken` where anything that has to be read cannot be, and else what was said. Where it says
`broken`, nobody may take the answer for whole. It is slow, reads everything at once, and shares no
code with the packages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TEXTS = ("role", "content", "reasoning_content", "reasoning", "error_message")
_GAVE_UP = ("abort", "aborted", "cancelled", "canceled", "error")
_FAILED = ("message", "msg", "detail", "errors", "error_message", "error_msg", "code")


class BrokenError(Exception):
    """The answer cannot be taken for whole."""


@dataclass
class Reading:
    """What an answer says."""

    broken: str = ""
    """Why it is not whole; empty where it is."""
    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    goes_on: bool = False
    """Whether something was said after the finish reason, which was not said again."""
    others: bool = False
    """Whether there is anything beside text, reasoning and calls: audio, sources."""
    unusable: dict[Any, str] = field(default_factory=dict)
    """Arguments that cannot be read, by the index of their block, as long as no others come."""
    calls: dict[Any, list[Any]] = field(default_factory=dict)
    """Pieces `(id, name, arguments)` by their index; by None where they have none."""

    def sure_calls(self) -> list[tuple[str, str]] | None:
        """Names and arguments, where no reader can doubt which piece belongs to which call."""
        found = []
        for index, pieces in self.calls.items():
            ids, names = ({piece[n] for piece in pieces if piece[n]} for n in (0, 1))
            if index is None or not len(ids) == len(names) == 1 or not all(pieces[0][:2]):
                return None
            found.append((names.pop(), "".join(piece[2] for piece in pieces)))
        ids = {piece[0] for pieces in self.calls.values() for piece in pieces if piece[0]}
        return found if len(ids) == len(found) else None


def read(body: bytes, protocol: str, *, streamed: bool) -> Reading:
    """What a body says.

    Args:
        body: of an answer with status 200.
        protocol: `chat_completions` or `messages`.
        streamed: whether it is a stream of events.
    """
    reading = Reading()
    try:
        if not streamed:
            _read_body(_object(_json(body), "the body"), protocol, reading)
        else:
            _read_stream(body, protocol, reading)
        if reading.unusable:
            raise BrokenError(str(reading.unusable))
        if reading.finish_reason is None:
            raise BrokenError("no finish reason")
        if reading.goes_on:
            raise BrokenError("it goes on after its finish reason")
        nothing = not (reading.text or reading.reasoning or reading.calls or reading.others)
        if nothing and reading.finish_reason in ("tool_calls", "tool_use"):
            raise BrokenError("a call was lost")
    except BrokenError as error:
        reading.broken = str(error)
    reading.text, reading.reasoning = whole(reading.text), whole(reading.reasoning)
    return reading


def whole(text: str) -> str:
    """A text whose halves of surrogates are joined, and replaced where one is missing.

    Args:
        text: any.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BrokenError(f"no JSON: {error}") from error


def _of(value: Any, kind: type, what: str) -> Any:
    if value is not None and type(value) is not kind:
        raise BrokenError(f"{what} is {value!r:.30}")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise BrokenError(f"{what} is {value!r:.30}")
    return value


def _read_stream(body: bytes, protocol: str, reading: Reading) -> None:
    lines = re.split(rb"\r\n|\n|\r", body.removeprefix(b"\xef\xbb\xbf"))
    data: list[bytes] = []
    for line in [*lines, b""]:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif line == b"data":
            data.append(b"")
        elif not line and data:
            payload = b"\n".join(data)
            if payload == b"[DONE]":
                return
            event = _object(_json(payload), "an event")
            if event.get("error") or (not event.get("choices") and _says_failure(event)):
                raise BrokenError("an error")
            if (_read_chunk if protocol == "chat_completions" else _read_event)(event, reading):
                return
            data = []


def _read_chunk(chunk: dict[str, Any], reading: Reading) -> None:
    choices = _of(chunk.get("choices"), list, "choices") or []
    if len(choices) > 1:
        raise BrokenError("a second choice")
    for choice in choices:
        _object(choice, "a choice")
        if choice.get("delta") is None and choice.get("message"):
            raise BrokenError("a message in place of a delta")
        _read_choice(choice, "delta", reading)


def _says_failure(event: dict[str, Any]) -> bool:
    if event.get("object") == "error" or event.get("type") == "error":
        return True
    return not isinstance(event.get("type"), str) and any(event.get(name) for name in _FAILED)


def _read_choice(choice: dict[str, Any], holder: str, reading: Reading) -> None:
    _of(choice.get("index"), int, "index")
    message = _object(choice.get(holder) or _of(choice.get(holder), dict, holder) or {}, holder)
    if choice.get("error"):
        raise BrokenError("an error in a choice")
    if not message and choice.get("text"):
        raise BrokenError("a text in place of a message")
    for name in _TEXTS:
        _of(message.get(name), str, name)
    audio = _of(message.get("audio"), dict, "audio") or {}
    said = ("content", "reasoning_content", "reasoning", "tool_calls")
    reading.others = reading.others or any(
        v for k, v in message.items() if k not in ("role", *said)
    )
    more = any(message.get(name) for name in said) or audio.get("data")
    reading.goes_on = reading.goes_on or bool(reading.finish_reason and more)
    for one in _of(message.get("annotations"), list, "annotations") or []:
        _of(_object(one, "an annotation").get("url"), str, "url")
    reading.text += message.get("content") or ""
    reading.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    for call in _of(message.get("tool_calls"), list, "tool_calls") or []:
        _read_call(_object(call, "a call"), reading)
    _end(_of(choice.get("finish_reason"), str, "finish_reason"), reading)


def _end(reason: str | None, reading: Reading) -> None:
    if reason and reason.lower() in _GAVE_UP:
        raise BrokenError(f"the server gave up: {reason}")
    if reason and reason.strip().lower() not in ("", "null", "none"):
        reading.finish_reason, reading.goes_on = reason, False


def _read_call(call: dict[str, Any], reading: Reading) -> None:
    function = _of(call.get("function"), dict, "function") or {}
    arguments = function.get("arguments")
    if type(arguments) is dict:
        arguments = json.dumps(arguments)
    index = _of(call.get("index"), int, "a call's index")
    id_, name = _of(call.get("id"), str, "id"), _of(function.get("name"), str, "name")
    _of(call.get("type"), str, "a call's type")
    piece = (id_, name, _of(arguments, str, "arguments") or "")
    reading.calls.setdefault(index, []).append(piece)


def _read_event(event: dict[str, Any], reading: Reading) -> bool:
    kind = event.get("type")
    if type(kind) is not str:
        if any(event.get(name) for name in ("delta", "content_block", "message")):
            raise BrokenError("an event without a type")
        return False
    if kind == "error":
        raise BrokenError("an error event")
    if kind == "message_start":
        content = _object(event.get("message"), "message").get("content")
        for block in _of(content or None, list, "content") or ():
            block = _object(block, "a block")
            if block.get("text") or block.get("thinking") or block.get("type") == "tool_use":
                raise BrokenError("a message that starts with a part of the answer")
    elif kind == "content_block_start":
        block = _object(event.get("content_block"), "content_block")
        _of(event.get("index"), int, "index")
        _read_block(block, reading, event.get("index"), starts=True)
    elif kind == "content_block_delta":
        delta = _object(event.get("delta"), "delta")
        if type(delta.get("type")) is not str:
            raise BrokenError("a delta without a type")
        if delta["type"] == "text_delta":
            text = _text(delta, "text")
            reading.text += text
            reading.goes_on = reading.goes_on or bool(reading.finish_reason and text)
        elif delta["type"] == "thinking_delta":
            text = _text(delta, "thinking")
            reading.reasoning += text
            reading.goes_on = reading.goes_on or bool(reading.finish_reason and text)
        elif delta["type"] == "input_json_delta":
            piece = _text(delta, "partial_json")
            index = event.get("index")
            calls = reading.calls.get(index) if isinstance(index, int) else None
            if calls and piece:
                id_, name, start = calls[0]
                given = "" if len(calls) == 1 else start  # what streams replaces what was given
                reading.unusable.pop(index, None)
                calls[0] = (id_, name, given)
                calls.append((None, None, piece))
    elif kind == "message_delta":
        delta = _of(event.get("delta"), dict, "delta") or {}
        _end(_of(delta.get("stop_reason"), str, "stop_reason"), reading)
    return kind == "message_stop"


def _text(holder: dict[str, Any], name: str) -> str:
    """A text that has to be there."""
    if type(text := holder.get(name)) is not str:
        raise BrokenError(f"{name} is {text!r:.30}")
    return text


def _read_block(
    block: dict[str, Any], reading: Reading, index: Any, *, starts: bool = False
) -> None:
    kind = block.get("type")
    if type(kind) is not str or not kind:
        raise BrokenError("a block without a type")
    if kind in ("text", "thinking"):
        # The start of a block may leave it to the pieces.
        text = _of(block.get(kind), str, kind) or "" if starts else _text(block, kind)
        reading.goes_on = reading.goes_on or bool(reading.finish_reason and text)
        if kind == "text":
            reading.text += text
        else:
            reading.reasoning += text
            _of(block.get("signature"), str, "signature")
    elif kind == "tool_use":
        given = block.get("input")
        if given and type(given) not in (str, dict):  # an empty list is PHP's empty object
            reading.unusable[index] = f"input is {given!r:.30}"
        id_, name = _of(block.get("id"), str, "id"), _of(block.get("name"), str, "name")
        if index in reading.calls:
            raise BrokenError("two calls at one index")
        reading.calls[index] = [(id_, name, json.dumps(given) if given else "")]


def _read_body(payload: dict[str, Any], protocol: str, reading: Reading) -> None:
    if payload.get("error"):
        raise BrokenError("an error")
    if protocol == "chat_completions":
        choices = _of(payload.get("choices"), list, "choices")
        choice = _object(choices[0] if choices else None, "the choice")
        _object(choice.get("message"), "message")
        _read_choice(choice, "message", reading)
        # Each entry of a whole answer is a call of its own, whatever its index.
        calls = [call for pieces in reading.calls.values() for call in pieces]
        reading.calls = {n: [call] for n, call in enumerate(calls)}
        return
    blocks = _of(payload.get("content"), list, "content")
    if not blocks and not payload.get("stop_reason"):
        raise BrokenError("no content")
    for index, block in enumerate(blocks or []):
        _read_block(_object(block, "a block"), reading, index)
    _end(_of(payload.get("stop_reason"), str, "stop_reason"), reading)
