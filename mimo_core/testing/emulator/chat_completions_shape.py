"""An `Answer` in chat-completions shape: one body, or the chunks of a stream.

The shapes are those of the vendor's published bodies: calls have no `index` outside streams, a
field that has no value is null rather than absent where a sample shows it so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from mimo_core.testing.emulator.apply_reply import Answer

# Made once: `json.dumps` would make one for each event of a stream, which is a third of its time.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def completion(answer: Answer) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    choice: dict[str, Any] = {
        "finish_reason": answer.finish_reason,
        "index": 0,
        "message": _message(answer),
    }
    return {
        "id": answer.id,
        "choices": [choice | _native(answer)],
        "created": answer.created,
        "model": answer.model,
        "object": "chat.completion",
        "usage": None if answer.reply.usage_on == "never" else answer.usage,
    }


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "content": answer.text,
        "role": "assistant",
        "tool_calls": [_call(call.id, call.name, call.arguments) for call in answer.tool_calls]
        or None,
    }
    # With thinking off, the field is null for a model that does not think by default, else absent.
    if answer.thinks or (answer.info.thinking and not answer.info.thinking_default):
        # A thinking answer with calls always hands the client something to pass back.
        empty = "" if answer.thinks and answer.tool_calls else None
        message["reasoning_content"] = answer.reasoning if answer.reasoning is not None else empty
    if answer.info.kind == "asr":
        message |= {"audio": None, "audio_tokens": []}
    if answer.audio is not None:
        message["audio"] = _audio(answer, answer.audio)
    if answer.final_text_preview is not None:
        message["final_text_preview"] = answer.final_text_preview
    return message | _search(answer)


def _call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "function": {"arguments": arguments, "name": name}, "type": "function"}


def _audio(answer: Answer, data: bytes) -> dict[str, Any]:
    return {
        "id": f"audio_{answer.id[-24:]}",
        "data": base64.b64encode(data).decode(),
        "expires_at": None,
        "transcript": None,
    }


def _search(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if answer.reply.annotations:
        found["annotations"] = [dict(annotation) for annotation in answer.reply.annotations]
    if answer.reply.error_message is not None:
        found["error_message"] = answer.reply.error_message
    return found


def _native(answer: Answer) -> dict[str, Any]:
    native = {"native_finish_reason": answer.finish_reason} if answer.is_cloudsway else {}
    return {**native, **answer.reply.native_extra}


def chunks(answer: Answer) -> list[dict[str, Any]]:
    """The chunks of a stream, in order, without the `[DONE]` that ends it."""
    reply = answer.reply
    deltas = list(_deltas(answer))
    finish = _chunk(answer, _EMPTY, answer.finish_reason)
    finish["choices"][0] |= _native(answer)
    stream = [_chunk(answer, delta) for delta in deltas]
    if reply.repeat_finish_reason and len(stream) > 1:
        last = _chunk(answer, deltas[-1], answer.finish_reason)
        stream[-1:] = [finish, last]
    else:
        stream.append(finish)
    if reply.usage_on == "finish":
        stream[-1]["usage"] = answer.usage
    elif reply.usage_on == "every":
        _count_up(stream, answer.usage)
    if reply.usage_on in ("last", "every"):
        stream.append(_chunk(answer, {}) | {"choices": [], "usage": answer.usage})
    return stream


_EMPTY: dict[str, Any] = {"content": "", "tool_calls": None, "reasoning_content": None}


def _chunk(answer: Answer, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": answer.id,
        "choices": [{"delta": delta, "finish_reason": finish, "index": 0}],
        "created": answer.created,
        "model": answer.model,
        "object": "chat.completion.chunk",
        "usage": None,
    }


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    reply = answer.reply
    # The sources of a web search come all at once, in the first packet.
    yield {"role": "assistant", **_EMPTY, **_search(answer)}
    for piece in pieces(answer.reasoning or "", reply.chunk_size):
        yield {"content": None, "tool_calls": None, "reasoning_content": piece}
    for piece in pieces(answer.text, reply.chunk_size):
        yield {"content": piece, "tool_calls": None, "reasoning_content": None}
    for index, call in enumerate(answer.tool_calls):
        first = {"name": call.name, "arguments": ""}
        yield _fragment({"index": index, "id": call.id, "type": "function", "function": first})
        for count, piece in enumerate(pieces(call.arguments, reply.arguments_size)):
            # Both forms have been seen, so each stream has both.
            if count % 2:
                yield _fragment({"index": index, "function": {"arguments": piece}})
            else:
                later = {"name": None, "arguments": piece}
                yield _fragment({"index": index, "id": None, "type": "function", "function": later})
    yield from _audio_deltas(answer)


def _fragment(call: dict[str, Any]) -> dict[str, Any]:
    return {"content": None, "tool_calls": [call], "reasoning_content": None}


def _audio_deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    data, size = answer.audio or b"", answer.reply.audio_size
    for start in range(0, len(data), size):
        delta: dict[str, Any] = {**_EMPTY, "audio": _audio(answer, data[start : start + size])}
        if start == 0 and answer.final_text_preview is not None:
            delta["final_text_preview"] = answer.final_text_preview
        yield delta


def pieces(text: str, size: int) -> list[str]:
    """The text in pieces of `size` characters; none for an empty text."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def _count_up(stream: list[dict[str, Any]], usage: dict[str, Any]) -> None:
    """Put a growing usage on every chunk; the last one has the whole of it."""
    total = usage["completion_tokens"]
    for number, chunk in enumerate(stream, 1):
        so_far = total * number // len(stream)
        prompt = usage["prompt_tokens"]
        chunk["usage"] = usage | {"completion_tokens": so_far, "total_tokens": prompt + so_far}


def event(payload: dict[str, Any]) -> bytes:
    """One server-sent event that holds a JSON payload."""
    return b"data: " + dump(payload) + b"\n\n"


def dump(payload: Any) -> bytes:
    """JSON as the service writes it: UTF-8, and escapes only for what UTF-8 cannot hold."""
    try:
        return _encode(payload).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(payload).encode()
