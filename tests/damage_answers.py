"""Answers as servers send them, made by chance: what the damage is done to."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

DONE = "[DONE]"
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "plan",
            "parameters": {
                "type": "object",
                "properties": {"steps": {"type": "array"}, "city": {"type": "string"}},
            },
        },
    },
]
_WORDS = ["Hel", "lo", " ", "Wörld", "😊", "\n", '"', "\\", "`", "```", "<", "\u2028", "{}", "ja"]
_ARGUMENTS = ['{"city": "Paris"}', "{}", '{"city": "\\ud83d\\ude0a", "steps": [1, {"a": "b"}]}']
_LEAKED = "<tool_call><function=weather><parameter=city>Rome</parameter></function></tool_call>"
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class Said(NamedTuple):
    """What an answer says."""

    reasoning: list[str]
    content: list[str]
    calls: list[tuple[str, str, str]]
    """Id, name, and arguments."""
    finish_reason: str
    usage: dict[str, Any]


def said(rng: random.Random) -> Said:
    """Anything that a model may say.

    Args:
        rng: where chance comes from.
    """
    reasoning = rng.choices(_WORDS, k=rng.choice([0, 0, 1, 3]))
    content = rng.choices(_WORDS, k=rng.choice([0, 1, 3, 6]))
    if rng.random() < 0.05:
        content.append(_LEAKED)
    calls = [
        (f"id_{n}", rng.choice(["weather", "plan"]), rng.choice(_ARGUMENTS))
        for n in range(rng.choice([0, 0, 0, 1, 2]))
    ]
    if not content and not calls:
        content = ["Hi"]
    finish_reason = "tool_calls" if calls else rng.choice(["stop", "stop", "stop", "length"])
    usage: dict[str, Any] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    if rng.random() < 0.3:
        usage = {**usage, "completion_tokens_details": {"reasoning_tokens": 1}}
    return Said(reasoning, content, calls, finish_reason, usage)


def _cut(text: str, rng: random.Random) -> list[str]:
    at = sorted(rng.choices(range(len(text) + 1), k=rng.choice([0, 1, 2])))
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


def events_of(protocol: str, answer: Said, rng: random.Random) -> list[Any]:
    """The events of a stream that says an answer.

    Args:
        protocol: `chat_completions` or `messages`.
        answer: what it says.
        rng: where chance comes from.
    """
    return (_chat_events if protocol == "chat_completions" else _messages_events)(answer, rng)


def body_of(protocol: str, answer: Said, rng: random.Random) -> list[Any]:
    """The one body of an unstreamed answer, in a list.

    Args: as for `events_of`.
    """
    return [(_chat_body if protocol == "chat_completions" else _messages_body)(answer, rng)]


def _chat_events(answer: Said, rng: random.Random) -> list[Any]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "mimo-v2.6-pro"}
    reasoning = rng.choice(["reasoning_content", "reasoning_content", "reasoning"])
    terse, empty = rng.random() < 0.5, rng.choice([None, None, None, ""])
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for text in answer.reasoning:
        deltas.append({reasoning: text} if terse else {"content": None, reasoning: text})
    deltas += [{"content": text} for text in answer.content]
    for index, (id_, name, arguments) in enumerate(answer.calls):
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": id_, "type": "function", "function": function}
        deltas.append({"tool_calls": [call]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in _cut(arguments, rng)
        ]
    if rng.random() < 0.1:
        deltas[0]["annotations"] = [{"type": "url_citation", "url": "http://x", "title": "X"}]
    events: list[Any] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": empty}]}
        for delta in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": answer.finish_reason}
    events.append({**head, "choices": [last]})
    if rng.random() < 0.5:
        events[-1]["usage"] = answer.usage
    else:
        events.append({**head, "choices": [], "usage": answer.usage})
    return [*events, DONE] if rng.random() < 0.8 else events


def _chat_body(answer: Said, rng: random.Random) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.content)}
    if answer.reasoning:
        message[rng.choice(["reasoning_content", "reasoning"])] = "".join(answer.reasoning)
    if answer.calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in answer.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {"id": "c1", "model": "mimo-v2.6-pro", "choices": [choice], "usage": answer.usage}


def _blocks(answer: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.reasoning:
        blocks.append({"type": "thinking", "thinking": "".join(answer.reasoning), "signature": ""})
    if answer.content:
        blocks.append({"type": "text", "text": "".join(answer.content)})
    blocks += [
        {"type": "tool_use", "id": id_, "name": name, "input": json.loads(arguments)}
        for id_, name, arguments in answer.calls
    ]
    return blocks


def _counts() -> dict[str, Any]:
    return {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 0}


def _messages_body(answer: Said, rng: random.Random) -> dict[str, Any]:
    return {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "mimo-v2.6-pro",
        "content": _blocks(answer),
        "stop_reason": _STOPS[answer.finish_reason],
        "usage": _counts(),
    }


def _messages_events(answer: Said, rng: random.Random) -> list[Any]:
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "mimo-v2.6-pro"}
    start: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": _counts()}
    events: list[Any] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(_blocks(answer)):
        kind = block["type"]
        empty = {**block, **({"input": {}} if kind == "tool_use" else {})}
        deltas: list[dict[str, Any]] = []
        if kind == "tool_use":
            arguments = json.dumps(block["input"])
            deltas = [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in _cut(arguments, rng)
            ]
        else:
            name = "text" if kind == "text" else "thinking"
            pieces = answer.content if kind == "text" else answer.reasoning
            empty[name], rest = (pieces[0], pieces[1:]) if rng.random() < 0.2 else ("", pieces)
            deltas = [{"type": f"{name}_delta", name: piece} for piece in rest]
            if kind == "thinking":
                deltas.append({"type": "signature_delta", "signature": "c2ln"})
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        ]
        events.append({"type": "content_block_stop", "index": index})
        if rng.random() < 0.1:
            events.append({"type": "ping"})
    stop = {"stop_reason": _STOPS[answer.finish_reason], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 2}})
    return [*events, {"type": "message_stop"}] if rng.random() < 0.9 else events
