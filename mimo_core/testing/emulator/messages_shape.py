"""An `Answer` in Anthropic's shape: one message, or the events of a stream.

Observed of the service: thinking blocks have an empty `signature`, and can come after the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mimo_core.testing.emulator.apply_reply import Answer
from mimo_core.testing.emulator.chat_completions_shape import dump, pieces

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def message(answer: Answer) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    body: dict[str, Any] = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "content": _blocks(answer),
        "model": answer.model,
        "usage": _usage(answer),
        "stop_reason": _stop_reason(answer),
    }
    if answer.stop_sequence is not None:
        body["stop_sequence"] = answer.stop_sequence
    return {**body, **answer.reply.native_extra}


def _stop_reason(answer: Answer) -> str:
    if answer.stop_sequence is not None and answer.finish_reason == "stop":
        return "stop_sequence"
    return _STOP_REASONS.get(answer.finish_reason, answer.finish_reason)


def _usage(answer: Answer) -> dict[str, Any]:
    """Cached tokens are told apart from the other input tokens, as Anthropic does."""
    usage = answer.usage
    details = usage.get("prompt_tokens_details") or {}
    read, created = (details.get(name) or 0 for name in ("cached_tokens", "cache_creation_tokens"))
    counts = {
        "input_tokens": usage["prompt_tokens"] - read - created,
        "output_tokens": usage["completion_tokens"],
    }
    if read or created:
        counts |= {"cache_read_input_tokens": read, "cache_creation_input_tokens": created}
    return counts


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": answer.text}] if answer.text else []
    thinking: list[dict[str, Any]] = []
    # A thinking answer with calls always hands the client something to pass back.
    if answer.reasoning is not None or (answer.thinks and answer.tool_calls):
        signature = answer.reply.signature
        block = {"type": "thinking", "signature": signature, "thinking": answer.reasoning or ""}
        thinking = [block]
    spoken = text + thinking if answer.reply.thinking_after_text else thinking + text
    return spoken + [_tool_use(call.id, call.name, call.arguments) for call in answer.tool_calls]


def _tool_use(id: str, name: str, arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments)
    except ValueError:
        value = {}
    return {
        "type": "tool_use",
        "id": id,
        "name": name,
        "input": value if isinstance(value, dict) else {},
    }


def events(answer: Answer, *, empty: bool = False) -> list[dict[str, Any]]:
    """The events of a stream, in order; `empty` leaves out the content and the reason it ended."""
    usage = _usage(answer)
    start: dict[str, Any] = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": answer.model,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage | {"output_tokens": 0},
    }
    stream: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    if empty:
        return [*stream, {"type": "message_stop"}]
    arguments = iter([call.arguments for call in answer.tool_calls])
    for index, block in enumerate(_blocks(answer)):
        stream.extend(_block_events(answer, index, block, arguments))
    stop = {"stop_reason": _stop_reason(answer), "stop_sequence": answer.stop_sequence}
    stream.append({"type": "message_delta", "delta": stop, "usage": usage})
    if answer.reply.repeat_finish_reason:
        stream.append(stream[-1])
    if answer.reply.usage_on == "never":
        stream[-1] = stream[-1] | {"usage": {"output_tokens": 0}}
    return [*stream, {"type": "message_stop"}]


def _block_events(
    answer: Answer, index: int, block: dict[str, Any], arguments: Iterator[str]
) -> Iterator[dict[str, Any]]:
    """A block's start, its pieces and its stop."""
    reply = answer.reply
    first = ""
    if block["type"] == "tool_use":
        start = block | {"input": {}}
        # The raw string, not the parsed input: a stream can break off in the middle of it.
        deltas = [
            {"type": "input_json_delta", "partial_json": piece}
            for piece in pieces(next(arguments), reply.arguments_size)
        ]
    elif block["type"] == "thinking":
        parts = pieces(block["thinking"], reply.chunk_size)
        if reply.thinking_in_start and parts:
            first = parts.pop(0)
        start = block | {"thinking": first, "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in parts]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        start = block | {"text": ""}
        parts = pieces(block["text"], reply.chunk_size)
        deltas = [{"type": "text_delta", "text": piece} for piece in parts]
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def event(payload: dict[str, Any]) -> bytes:
    """One server-sent event, named after the payload's type; of an odd one without, unnamed."""
    name = f"event: {payload['type']}\n" if "type" in payload else ""
    return name.encode() + b"data: " + dump(payload) + b"\n\n"
