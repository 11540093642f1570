"""Answers and stream events of the messages protocol, in the inner shape.

Seen of the service: the thinking block can come after the text, its `signature` is empty, and
`content_block_start` can hold the beginning of a block. Unknown blocks and events are ignored.
"""

from __future__ import annotations

import json
from typing import Any, cast

from mimo_core._response.accumulate import ContradictionError, response_from
from mimo_core._response.ending import reason_said
from mimo_core._response.gate import check_block, check_index, check_input, readable_count
from mimo_core.types import (
    COMPLETE_REASONS,
    ChatChunk,
    ChatResponse,
    FunctionCall,
    Message,
    ToolCall,
    Usage,
)

# `refusal` and `content_filter` are possible, not documented. Unknown reasons pass through.
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
}
_CARRIERS = frozenset({"message", "content_block", "delta"})  # what events carry
_TRANSLATED = frozenset({"type", "role", "content", "stop_reason", "usage", "object"})
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def response_of(payload: dict[str, Any]) -> ChatResponse | None:
    """A whole answer in the inner shape, or None where `payload` is not an answer.

    A field of a wrong type in what both protocols have stays in it: the gate says which.

    Raises:
        ContradictionError: a block is not what it says. None is left out: what it was to say is
            not known.
    """
    content = payload.get("content")
    if not isinstance(content, list) or not (content or payload.get("stop_reason")):
        return None
    usage = _Counts()
    usage.add(payload.get("usage"))
    for block in content:
        check_block(block, starts=False)
    message = _message(content)
    finish_reason = _finish_reason(payload.get("stop_reason"))
    if finish_reason not in COMPLETE_REASONS and _ends_with_a_call(content):
        _cut_last_call(message)
    return response_from(message, finish_reason, usage.usage(), _envelope(payload))


def _message(blocks: list[dict[str, Any]]) -> Message:
    thinking = [block for block in blocks if block.get("type") == "thinking"]
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    texts = [block["text"] for block in blocks if block.get("type") == "text"]
    message: Message = {"role": "assistant", "content": "".join(texts)}
    if reasoning := "".join(block["thinking"] for block in thinking):
        message["reasoning_content"] = reasoning
    if signature := _one_signature([block.get("signature") for block in thinking]):
        message["reasoning_signature"] = signature
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_call(block: dict[str, Any]) -> ToolCall:
    function: FunctionCall = {
        "name": block.get("name"),
        "arguments": _arguments(block.get("input")),
    }
    return {"id": block.get("id"), "type": "function", "function": function}


def _ends_with_a_call(blocks: list[dict[str, Any]]) -> bool:
    """Whether the last thing said was a call. (Servers were seen to put the thinking last.)"""
    said = [
        b for b in blocks if b["type"] == "tool_use" or (b["type"] == "text" and b["text"].strip())
    ]
    return bool(said) and said[-1]["type"] == "tool_use"


def _cut_last_call(message: Message) -> None:
    """The answer was cut, so the server may have completed the `input` of its last call. As cut
    text it is what chat completions give there, and no host runs it."""
    call = (message.get("tool_calls") or [])[-1]
    call["function"]["arguments"] = call["function"]["arguments"].removesuffix("}")


def _arguments(value: Any) -> str:
    """An `input` as a text. Raises `ContradictionError` where it is none."""
    check_input(value)
    return json.dumps(value, ensure_ascii=False) if value or isinstance(value, dict) else ""


def _one_signature(signatures: list[Any]) -> str | None:
    """The signature of the reasoning; of several signed pieces none signs the whole."""
    return signatures[0] if len(signatures) == 1 and isinstance(signatures[0], str) else None


def _finish_reason(stop_reason: Any) -> str | None:
    """In the inner words; None where it is not said. Raises `ContradictionError`."""
    if stop_reason is None:
        return None
    return _FINISH_REASONS.get(_checked(stop_reason, "stop_reason"), reason_said(stop_reason))


def _envelope(message: dict[str, Any]) -> dict[str, Any]:
    """`id`, `model` and what a gateway adds; `stop_sequence` where one was met."""
    return {k: v for k, v in message.items() if k not in _TRANSLATED and v is not None}


class _Counts:
    """The usage of one answer.

    A stream reports it in `message_start` and again, cumulatively, in `message_delta`, where some
    counts may be missing or 0: what was said last counts. (vLLM counts the cached tokens among the
    input at first, and beside it at the end.)
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, usage: Any) -> None:
        for name in _COUNTS if isinstance(usage, dict) else ():
            if (count := readable_count(usage.get(name))) is not None:
                self._counts[name] = count or self._counts.get(name, 0)

    def usage(self) -> Usage | None:
        """In the inner shape, where the prompt's tokens include those of the cache."""
        counts = self._counts
        if not counts:
            return None
        read = counts.get("cache_read_input_tokens", 0)
        created = counts.get("cache_creation_input_tokens", 0)
        prompt = counts.get("input_tokens", 0) + read + created
        completion = counts.get("output_tokens", 0)
        usage: Usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        if len(counts.keys() & set(_COUNTS[2:])):
            details = {"cached_tokens": read, "cache_creation_tokens": created}
            usage["prompt_tokens_details"] = details
        return usage


def _checked(piece: Any, what: str) -> Any:
    """A piece that is a text. No server is known that sends a piece without one."""
    if not isinstance(piece, str):
        raise ContradictionError(f"{what} is {piece!r:.40}, not a text")
    return piece


def _check_nothing_said(content: Any) -> None:
    """What stands in the start of a message would be lost: its blocks come as events."""
    for block in content or ():
        if block.get("text") or block.get("thinking") or block.get("type") == "tool_use":
            raise ContradictionError("its start holds a part of the answer already")


class _OpenCall:
    """A tool call that is not over: whose block is open, or whose arguments stood in its start."""

    __slots__ = ("index", "input", "streamed")

    def __init__(self, index: int, given: Any) -> None:
        self.index = index
        self.input = given
        self.streamed = False  # whether a piece of its arguments has come


class EventTranslator:
    """Translates the events of one stream. A call gives the chunks of an event, or None for the
    event that ends the answer."""

    __slots__ = (
        "_calls",
        "_counts",
        "_ends_with_call",
        "_envelope",
        "_given",
        "_ignored",
        "_in_call",
        "_is_over",
        "_role",
        "_signatures",
    )

    def __init__(self) -> None:
        self._envelope: dict[str, Any] = {"object": "chat.completion.chunk"}
        self._counts = _Counts()
        self._role = True  # not said yet
        self._calls = 0
        self._in_call: dict[Any, _OpenCall] = {}  # by the block's index
        self._given: list[_OpenCall] = []  # calls whose arguments came whole, with their start
        self._is_over = False  # a reason for the end has come
        self._ends_with_call = False  # no text has come since the last call began
        self._ignored: set[Any] = set()  # indices of open blocks that we do not know
        self._signatures: list[list[str]] = []  # the pieces of each thinking block's

    def __call__(self, event: dict[str, Any]) -> list[ChatChunk] | None:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event["delta"], event.get("index"))
        if kind == "content_block_start":
            return self._start(event["content_block"], event.get("index"))
        if kind == "content_block_stop":
            return self._close_call(event.get("index"))
        if kind == "message_delta":
            return self._end(event)
        if kind == "message_start":
            message = event["message"]
            _check_nothing_said(message.get("content"))
            self._counts.add(message.get("usage"))
            self._envelope |= _envelope(message)
            # No piece of an answer yet: what fails now can still be tried again.
            return [self._count()]
        if kind == "message_stop":
            return None
        if kind == "error" or not (isinstance(kind, str) or _CARRIERS.isdisjoint(event)):
            raise ContradictionError(f"an event is of the type {kind!r:.40}")
        return []  # a ping, or one that nobody foresaw

    def _start(self, block: dict[str, Any], index: Any) -> list[ChatChunk]:
        check_index(index)
        check_block(block, starts=True)
        kind = block["type"]
        if index in self._in_call:
            raise ContradictionError(f"two content blocks share the index {index!r}")
        self._ignored.discard(index)
        if kind == "tool_use":
            call: ToolCall = {
                "index": self._calls,
                "id": block.get("id"),
                "type": "function",
                "function": {"name": block.get("name"), "arguments": ""},
            }
            if self._is_over:
                raise ContradictionError("a tool call begins after the answer's end")
            self._in_call[index] = _OpenCall(self._calls, block.get("input"))
            self._calls += 1
            self._ends_with_call = True
            return [self._chunk({"tool_calls": [call]})]
        if kind == "thinking":
            self._signatures.append([block.get("signature") or ""])
            return self._text("reasoning_content", block.get("thinking") or "")
        if kind == "text":
            return self._text("content", block.get("text") or "")
        self._ignored.add(index)
        return []

    def _delta(self, delta: dict[str, Any], index: Any) -> list[ChatChunk]:
        kind = delta.get("type")
        if kind == "text_delta":
            if self._ends_with_call:
                self._ends_with_call = not str(delta.get("text")).strip()
            return self._text("content", delta.get("text"))
        if kind == "thinking_delta":
            return self._text("reasoning_content", delta.get("thinking"))
        if kind == "signature_delta" and self._signatures:
            self._signatures[-1].append(_checked(delta.get("signature") or "", "signature"))
        if kind == "input_json_delta":
            return self._add_arguments(index, delta.get("partial_json"))
        if not isinstance(kind, str):
            raise ContradictionError(f"a delta is of the type {kind!r:.40}")
        return []

    def _add_arguments(self, index: Any, piece: Any) -> list[ChatChunk]:
        """A piece of a call's arguments. One that belongs to no open call may not be dropped: what
        is left would look like a call without arguments."""
        check_index(index)
        if not _checked(piece, "partial_json"):
            return []
        if call := self._in_call.get(index):
            call.streamed = True
            return [self._arguments(call, piece)]
        if index in self._ignored:
            return []
        raise ContradictionError(
            f"arguments came for the content block {index!r}, which is not an open tool call"
        )

    def _close_call(self, index: Any) -> list[ChatChunk]:
        """Arguments that did not come in pieces stood in the block's start, or the call has none.

        Whether they are all of them, the end of the answer tells.
        """
        call = self._in_call.pop(index, None)
        if call is not None and not call.streamed and call.input:
            self._given.append(call)
        return []

    def _give_whole_arguments(self, finish_reason: str) -> list[ChatChunk]:
        """The arguments that came with their calls. Those of the last call of an answer that was
        cut may be what could be saved of them: they are given out as cut text."""
        chunks = []
        for call in self._given:
            arguments = _arguments(call.input)
            is_last = self._ends_with_call and call.index == self._calls - 1
            if is_last and finish_reason not in COMPLETE_REASONS:
                arguments = arguments.removesuffix("}")
            chunks.append(self._arguments(call, arguments))
        self._given = []
        return chunks

    def _check_closed(self) -> None:
        """A block that was never closed may lack its arguments; those that came tell themselves."""
        for index, call in self._in_call.items():
            if not call.streamed:
                raise ContradictionError(f"the tool call in block {index!r} was not closed")

    def _end(self, event: dict[str, Any]) -> list[ChatChunk]:
        delta = event.get("delta") or {}
        self._counts.add(event.get("usage"))
        self._envelope |= _envelope(delta)
        reason = _finish_reason(delta.get("stop_reason"))
        if reason is None:
            return [self._count()]
        self._is_over = True
        if reason in COMPLETE_REASONS:
            self._check_closed()
        chunks = self._give_whole_arguments(reason)
        signatures = ["".join(pieces) for pieces in self._signatures]
        signature, self._signatures = _one_signature(signatures), []
        if signature:
            chunks.append(self._chunk({"reasoning_signature": signature}))
        return [*chunks, self._chunk({}, reason), self._count()]

    def _count(self) -> ChatChunk:
        counted = {**self._envelope, "choices": [], "usage": self._counts.usage()}
        return cast("ChatChunk", counted)

    def _arguments(self, call: _OpenCall, piece: str) -> ChatChunk:
        return self._chunk(
            {"tool_calls": [{"index": call.index, "function": {"arguments": piece}}]}
        )

    def _text(self, name: str, text: Any) -> list[ChatChunk]:
        if text:  # of a wrong type: the gate says so
            return [self._chunk(cast("Message", {name: text}))]
        return [] if text == "" else [_checked(text, f"a piece of {name}")]

    def _chunk(self, delta: Message, finish_reason: str | None = None) -> ChatChunk:
        if self._role and delta:
            delta = {"role": "assistant", **delta}
            self._role = False
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return cast("ChatChunk", {**self._envelope, "choices": [choice]})
