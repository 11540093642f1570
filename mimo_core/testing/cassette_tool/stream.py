"""A stream as it was delivered: its pieces, and the events that they held."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from mimo_core._protocols.chat_completions import ChatCompletions
from mimo_core._protocols.messages import Messages
from mimo_core._response.decode import parse_json
from mimo_core._response.sse import SSEParser
from mimo_core.testing.cassette_tool.exchange import Event, Piece, StreamView
from mimo_core.testing.cassette_tool.interaction import Interaction
from mimo_core.testing.cassettes.edits import by_event, split

DONE = b"[DONE]"
Describe = Callable[[bytes], tuple[str, str]]


class _Block(NamedTuple):
    """The bytes between two blank lines, and the payload that they hold."""

    start: int
    end: int
    payload: bytes | None


def stream_of(one: Interaction, protocol: str) -> StreamView:
    """What the connection delivered, and what it meant.

    Args:
        one: an interaction whose answer is a stream.
        protocol: as `questions.protocol_of` names it.
    """
    lengths = [len(part) for part in split(one.body, one.pieces or None)]
    ends = list(accumulate(lengths))
    times = one.times if len(one.times) == len(ends) else []
    pieces = tuple(
        Piece(number, end - length, end, times[number - 1] if times else None)
        for number, (length, end) in enumerate(zip(lengths, ends, strict=True), 1)
    )
    return StreamView(pieces, tuple(_events(one.body, ends, protocol)), len(one.body), _told(one))


def _told(one: Interaction) -> bool:
    return bool(one.pieces)


def _events(body: bytes, ends: list[int], protocol: str) -> Iterator[Event]:
    describe = describer(protocol)
    first = 0
    for number, block in enumerate(_blocks(body), 1):
        while first < len(ends) - 1 and ends[first] <= block.start:
            first += 1
        last = first
        while last < len(ends) - 1 and ends[last] < block.end:
            last += 1
        raw = body[block.start : block.end] if block.payload is None else block.payload
        kind, text = ("comment", _text(raw)) if block.payload is None else describe(raw)
        yield Event(number, block.start, block.end, first + 1, last + 1, kind, text, _text(raw))


def _blocks(body: bytes) -> Iterator[_Block]:
    at = 0
    for length in by_event(body):
        block = body[at : at + length]
        parser = SSEParser()
        payloads = parser.feed(block) + parser.close()
        if block.strip():
            yield _Block(at, at + length, b"\n".join(payloads) if payloads else None)
        at += length


def payloads_of(body: bytes) -> list[bytes]:
    """The payloads of the events in a body."""
    return [block.payload for block in _blocks(body) if block.payload is not None]


def describer(protocol: str) -> Describe:
    """What tells of an event, in the order of the stream, its kind and what it adds.

    Args:
        protocol: as `questions.protocol_of` names it.
    """
    translate = (Messages() if protocol == "messages" else ChatCompletions()).translator()

    def describe(payload: bytes) -> tuple[str, str]:
        if payload == DONE:
            return "end", "[DONE]"
        try:
            event = parse_json(payload)
        except ValueError:
            return "error", "not JSON"
        if not isinstance(event, dict):
            return "error", "not an object"
        if event.get("error"):
            return "error", json.dumps(event["error"], ensure_ascii=False)
        if translate is None:
            return _of_chunk(event)
        return _of_translated(event, translate)

    return describe


def _of_translated(event: dict[str, Any], translate: Any) -> tuple[str, str]:
    name = str(event.get("type") or "")
    try:
        chunks = translate(event)
    except Exception as error:  # whatever a hostile event does to it, the others are shown
        return "error", str(error) or type(error).__name__
    if chunks is None:
        return "end", name
    found = [_of_chunk(chunk) for chunk in chunks]
    told = [(kind, text) for kind, text in found if kind not in ("usage", "other")]
    kind, text = (told or [one for one in found if one[1]] or [("other", name)])[0]
    return kind, text


def _of_chunk(chunk: dict[str, Any]) -> tuple[str, str]:
    """The kind of a chunk and what it adds; the first thing counts that a reader looks for."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    choice = choice if isinstance(choice, dict) else {}
    delta = choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    for name, kind in (
        ("content", "text"),
        ("reasoning_content", "reasoning"),
        ("reasoning", "reasoning"),
    ):
        if isinstance(text := delta.get(name), str) and text:
            return kind, text
    if calls := delta.get("tool_calls"):
        return "call", _of_calls(calls)
    if isinstance(audio := delta.get("audio"), dict):
        return "audio", f"{len(str(audio.get('data') or ''))} characters of base64"
    if reason := choice.get("finish_reason"):
        return "end", str(reason)
    if isinstance(usage := chunk.get("usage"), dict):
        return "usage", ", ".join(f"{k} {v}" for k, v in usage.items() if isinstance(v, int))
    return "other", ", ".join(str(name) for name in delta)


def _of_calls(calls: Any) -> str:
    texts = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            texts.append(f"{function.get('name') or ''}{function.get('arguments') or ''}")
    return " ".join(texts)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip("\r\n")
