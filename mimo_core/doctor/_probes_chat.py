"""The probes of chat completions: requests, thinking, tools, structured output, streams."""

from __future__ import annotations

import json
from typing import Any

from mimo_core.doctor._framing import finish_count, first_chunk, reasoning_fields, usage_place
from mimo_core.doctor._probe import Answered, Asked, Probe, Seen, be_whole, chat, short

COUNT = " ".join(map(str, range(1, 61)))
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city, now.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
NAMED = {"type": "function", "function": {"name": "get_weather"}}
SAYS_CALL: dict[str, Any] = {"tool_calls": [("get_weather", {"city": "Paris"})]}
SAYS_REASONS: dict[str, Any] = {"text": "51", "reasoning": "17 times 3 is 51."}
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}


def _limit(answered: Answered) -> dict[str, Seen]:
    tokens = answered.usage.get("completion_tokens")
    note = f"{tokens} tokens of 16" if tokens is not None else ""
    return {"request.limit": Seen(f"finish_reason {answered.finish_reason}", note)}


def _thinking(answered: Answered) -> dict[str, Seen]:
    fields = reasoning_fields(answered.wire.message)
    given = answered.message.get("reasoning_content")
    thinks = Seen("thinks") if given else Seen("does not think", there=False)
    if fields and not given:
        thinks = Seen("thinks, and this library does not show it")
    field = Seen(" and ".join(fields))
    if not fields:
        in_text = "<think>" in str(answered.message.get("content"))
        field = Seen("in the text, as <think>") if in_text else Seen("nowhere", there=False)
    details = answered.usage.get("completion_tokens_details") or {}
    count = details.get("reasoning_tokens")
    counted = Seen("counted", f"{count} tokens") if count else Seen("not counted", there=False)
    return {"thinking.default": thinks, "thinking.field": field, "usage.reasoning": counted}


def _thinks(fact: str) -> Any:
    """A reader of whether the answer holds reasoning, under the id of this fact."""

    def read(answered: Answered) -> dict[str, Seen]:
        given = reasoning_fields(answered.wire.message) or reasoning_fields(dict(answered.message))
        return {fact: Seen("thinks anyway" if given else "does not think")}

    return read


def called(answered: Answered) -> Seen:
    """Whether the answer calls the tool, with arguments that are JSON."""
    calls = answered.message.get("tool_calls") or []
    if not calls:
        be_whole(answered)
        text = str(answered.message.get("content"))
        as_text = "<tool_call>" in text
        return Seen("written as text" if as_text else "not called", there=as_text)
    try:
        arguments = json.loads(calls[0]["function"]["arguments"])
    except (KeyError, ValueError):
        return Seen("called, with broken arguments")
    if not isinstance(arguments, dict) or "city" not in arguments:
        return Seen("called, without its argument")
    if answered.finish_reason != "tool_calls":
        return Seen(f"called, finish_reason {answered.finish_reason}")
    return Seen("called")


def _named(answered: Answered) -> dict[str, Seen]:
    is_called = bool(answered.message.get("tool_calls"))
    if not is_called:
        be_whole(answered)
    return {"tool_choice.named": Seen("honoured" if is_called else "ignored")}


def _tool_in_a_stream(answered: Answered) -> dict[str, Seen]:
    fragments = sum(1 for delta in answered.framing.deltas if delta.get("tool_calls"))
    seen = called(answered)
    note = f"{fragments} fragment{'s' * (fragments != 1)}" if fragments else ""
    return {"tools.stream": Seen(seen.value, note, seen.there)}


def _tool_result(answered: Answered) -> dict[str, Seen]:
    return {"tools.result": Seen("answered")}


def _json_object(answered: Answered) -> dict[str, Seen]:
    value = _json(answered)
    return {"json.object": Seen("a JSON object" if isinstance(value, dict) else "another text")}


def _json_schema(answered: Answered) -> dict[str, Seen]:
    value = _json(answered)
    keeps = isinstance(value, dict) and value.keys() == {"count"} and type(value["count"]) is int
    return {"json.schema": Seen("enforced" if keeps else "accepted, not enforced")}


def _json(answered: Answered) -> Any:
    try:
        return json.loads(answered.message.get("content") or "")
    except ValueError:
        be_whole(answered)
        return None


def _stream(answered: Answered) -> dict[str, Seen]:
    found = answered.framing
    if not found.events:
        content_type = answered.wire.headers.get("content-type", "no content-type")
        whole = Seen("no stream", f"one body, {content_type}", there=False)
        return dict.fromkeys(_STREAM_FACTS, whole)
    comments = Seen("before the first chunk", f"{found.comments}")
    if not found.comments:
        later = found.later_comments
        comments = Seen("later only", f"{later}") if later else Seen("none", there=False)
    return {
        "stream.comments": comments,
        "stream.first": Seen(first_chunk(found)),
        "stream.finish": Seen(finish_count(found)),
        "stream.usage": Seen(usage_place(found), there=usage_place(found) != "nowhere"),
        "stream.end": Seen("[DONE]" if found.done else "without [DONE]"),
        **_speed(answered, found.text_times()),
    }


_STREAM_FACTS = (
    *("stream.comments", "stream.first", "stream.finish", "stream.usage", "stream.end"),
    *("speed.first_token", "speed.tokens"),
)


def _speed(answered: Answered, times: list[float]) -> dict[str, Seen]:
    """The two measurements; of an answer of one piece there is only the first."""
    if not times:
        none = Seen("no text to measure", there=False)
        return {"speed.first_token": none, "speed.tokens": none}
    tokens = answered.usage.get("completion_tokens") or len(times)
    took = times[-1] - times[0]
    rate = f"{(tokens - 1) / took:.0f} tokens a second" if took > 0.05 else "too short to measure"
    counted = f"{tokens} tokens" if answered.usage else "by pieces of text, without usage"
    thought = any(reasoning_fields(delta) for delta in answered.framing.deltas)
    return {
        "speed.first_token": Seen(
            f"{times[0] - answered.wire.sent:.2f} s", "it thought first" if thought else ""
        ),
        "speed.tokens": Seen(rate, counted),
    }


def _thinking_in_a_stream(answered: Answered) -> dict[str, Seen]:
    deltas = answered.framing.deltas
    fields = list(dict.fromkeys(name for delta in deltas for name in reasoning_fields(delta)))
    if not fields:
        return {"stream.reasoning": Seen("nowhere", there=False)}
    first_text = next((i for i, delta in enumerate(deltas) if delta.get("content")), len(deltas))
    late = any(reasoning_fields(delta) for delta in deltas[first_text:])
    value = " and ".join(fields) + (", also after the text" if late else "")
    return {"stream.reasoning": Seen(value)}


def _with_result(asked: Asked, prompt: str) -> dict[str, Any]:
    call = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    return {
        "model": asked.model,
        "max_completion_tokens": 16,
        "thinking": False,
        "tools": [WEATHER],
        "messages": [
            {"role": "user", "content": prompt},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees, light rain"},
        ],
    }


def _unknown_field(answered: Answered) -> dict[str, Seen]:
    return {"request.unknown_field": Seen("ignored")}


CHAT_PROBES = (
    Probe(
        "limit",
        "Count from 1 to 60, in digits.",
        short(16),
        _limit,
        says={"text": COUNT},
    ),
    Probe(
        "unknown field",
        "Reply with the word ping.",
        short(extra_body={"a_field_that_does_not_exist": True}),
        _unknown_field,
    ),
    Probe(
        "thinking",
        "What is 17 times 3? Answer with the number.",
        chat(max_completion_tokens=64),
        _thinking,
        says=SAYS_REASONS,
    ),
    Probe(
        "thinking off",
        "What is 17 times 3? The number only.",
        short(),
        _thinks("thinking.off"),
        says=SAYS_REASONS,
    ),
    Probe(
        "effort none",
        "What is 17 times 3? Just the number.",
        chat(reasoning_effort="none", max_completion_tokens=16),
        _thinks("thinking.effort_none"),
        says=SAYS_REASONS,
    ),
    Probe(
        "tool",
        "What is the weather in Paris? Call the tool.",
        short(64, tools=[WEATHER]),
        lambda answered: {"tools.call": called(answered)},
        says=SAYS_CALL,
    ),
    Probe(
        "tool in a stream",
        "What is the weather in Paris now? Call the tool.",
        short(64, tools=[WEATHER]),
        _tool_in_a_stream,
        "stream",
        says=SAYS_CALL,
    ),
    Probe(
        "tool result",
        "What is the weather in Paris today?",
        _with_result,
        _tool_result,
        says={"text": "18 degrees and light rain."},
    ),
    Probe(
        "named tool",
        "Say hello. Do not call a tool.",
        short(32, tools=[WEATHER], tool_choice=NAMED),
        _named,
        says={"text": "Hello."},
    ),
    Probe(
        "json object",
        'Answer with this JSON object: {"colour": "blue"}',
        short(32, response_format={"type": "json_object"}),
        _json_object,
        says={"text": '{"colour": "blue"}'},
    ),
    Probe(
        "json schema",
        'Answer with exactly this JSON object and nothing else: {"colour": "red"}',
        short(
            32,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "counted", "schema": SCHEMA, "strict": True},
            },
        ),
        _json_schema,
        says={"text": '{"colour": "red"}'},
    ),
    Probe(
        "stream",
        "Count from 1 to 60, in digits, with spaces.",
        short(64),
        _stream,
        "stream",
        says={"text": COUNT},
    ),
    Probe(
        "thinking in a stream",
        "What is 19 times 3? Answer with the number.",
        chat(max_completion_tokens=64),
        _thinking_in_a_stream,
        "stream",
        says={"text": "57", "reasoning": "19 times 3 is 57."},
    ),
)
