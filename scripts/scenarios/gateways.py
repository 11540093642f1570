"""Scenarios of the messages protocol, of Cloudsway, and of what goes wrong."""

from __future__ import annotations

from typing import Any

from mimo_core.testing import Fault, Reply
from scripts.scenarios.base import (
    CLOUDSWAY,
    GET_WEATHER,
    PRO,
    SYSTEM,
    USAGE,
    WEATHER,
    Scenario,
    asks,
    chat,
    raw,
    stream,
)

HELLO = Reply("Hello! This is a scripted answer.", reasoning="A greeting will do.", usage=USAGE)
ALEX = Reply(
    "You said you work on machine learning (scripted).",
    reasoning="Alex told me before.",
    thinking_after_text=True,
    usage=USAGE,
)
INTRODUCE = {
    "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "please introduce yourself"},
    ],
    "max_completion_tokens": 1024,
}
CACHED = {"cache_control": {"type": "ephemeral"}}
MEMORY: dict[str, Any] = {
    "max_tokens": 128,
    "system": [
        {
            "type": "text",
            "text": "You are a helpful assistant that remembers our conversation.",
            **CACHED,
        }
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "My name is Alex. I work on machine learning.", **CACHED}
            ],
        },
        {"role": "user", "content": "What did I say I work on?"},
    ],
}
GREET = {
    "model": PRO,
    "max_tokens": 256,
    "messages": [{"role": "user", "content": "Say hello."}],
}
TOOL = {
    "name": GET_WEATHER["name"],
    "description": GET_WEATHER["description"],
    "input_schema": GET_WEATHER["parameters"],
}
USE = {
    "type": "tool_use",
    "id": "toolu_000000000000000000000001",
    "name": "get_weather",
    "input": {"city": "Paris"},
}
MESSAGES = "/anthropic/v1/messages"
CHAT = "/v1/chat/completions"
PARIS = {"role": "user", "content": "What is the weather in Paris?"}
RESULT = {"type": "tool_result", "tool_use_id": USE["id"], "content": "18 degrees, light rain"}
LATER = {
    "model": PRO,
    "max_tokens": 512,
    "tools": [TOOL],
    "messages": [
        PARIS,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I call get_weather.", "signature": ""},
                USE,
            ],
        },
        {"role": "user", "content": [RESULT]},
    ],
}
CALLED = {
    "id": "call_000000000000000000000001",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
ANSWERED = {"role": "tool", "tool_call_id": CALLED["id"], "content": "18 degrees, light rain"}


def history(**assistant: Any) -> dict[str, Any]:
    """A request whose history holds a tool call."""
    called = {"role": "assistant", "content": " ", "tool_calls": [CALLED], **assistant}
    return {"model": PRO, "tools": [WEATHER], "messages": [PARIS, called, ANSWERED]}


def with_arguments(arguments: str) -> dict[str, Any]:
    """A history whose tool call was cut."""
    call = {**CALLED, "function": {"name": "get_weather", "arguments": arguments}}
    return history(reasoning_content="I call get_weather.", tool_calls=[call])


REFUSED: tuple[dict[str, Any], ...] = (
    asks("Hello", "mimo-v9"),
    asks("Hello", "MiMo-V2.6-Pro"),
    {"model": PRO, "messages": []},
    asks("Hello", temperature=2),
    asks("Hello", top_p=0),
    asks("Hello", max_completion_tokens=200_000),
    asks("Hello", stop=["a", "b", "c", "d", "e"]),
    asks("Hello", tools=[{"type": "function", "function": {"name": "get weather"}}]),
    asks("Hello", tools=[{"type": "retrieval"}]),
    history(),
    history(content=None, reasoning_content="I call get_weather."),
    {**history(reasoning_content="I call get_weather."), "stream": True, "temperature": 2},
    asks("Hello", f"{PRO}[1m]"),
    asks("Hello", reasoning_effort="max"),
    asks([{"type": "text", "text": ""}]),
    asks([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf,"}}]),
    with_arguments('{"city": "Par'),
)
HALF = Reply("Everything after the middle of this sentence is lost.", usage=USAGE)
LOST = "Say a long sentence."

SCENARIOS = (
    Scenario(
        "messages/plain",
        "Messages protocol at Xiaomi, thinking first.",
        raw((MESSAGES, GREET)),
        [HELLO],
    ),
    Scenario(
        "messages/stream",
        "Messages protocol, streamed.",
        raw((MESSAGES, {**GREET, "stream": True})),
        [HELLO],
    ),
    Scenario(
        "messages/tools",
        "Messages protocol: a tool is used, its result and the thinking go back.",
        raw(
            (
                MESSAGES,
                {"model": PRO, "max_tokens": 512, "tools": [TOOL], "messages": [PARIS]},
            ),
            (MESSAGES, LATER),
        ),
        [
            Reply(
                reasoning="I call get_weather.",
                tool_calls=[("get_weather", {"city": "Paris"}, USE["id"])],
                usage=USAGE,
            ),
            Reply("18 degrees and light rain.", reasoning="The tool has told.", usage=USAGE),
        ],
    ),
    Scenario(
        "cloudsway/chat",
        "Cloudsway's chat completions, on the unified domain and on the endpoint path.",
        raw(
            (CHAT, {"model": CLOUDSWAY, **INTRODUCE}),
            ("/v1/ai/{path}/chat/completions", INTRODUCE),
            bearer=True,
        ),
        [HELLO, HELLO],
        at="cloudsway",
    ),
    Scenario(
        "cloudsway/chat_stream",
        "The same, streamed.",
        raw(
            (CHAT, {"model": CLOUDSWAY, **INTRODUCE, "stream": True}),
            ("/v1/ai/{path}/chat/completions", {**INTRODUCE, "stream": True}),
            bearer=True,
        ),
        [HELLO, HELLO],
        at="cloudsway",
    ),
    Scenario(
        "cloudsway/messages",
        "Cloudsway's messages protocol on both forms of address; thinking after the text.",
        raw(
            ("/v1/messages", {"model": CLOUDSWAY, **MEMORY}),
            ("/{path}/v1/messages", MEMORY),
            bearer=True,
        ),
        [ALEX, ALEX],
        at="cloudsway",
    ),
    Scenario(
        "cloudsway/messages_stream",
        "The same, streamed.",
        raw(
            ("/v1/messages", {"model": CLOUDSWAY, **MEMORY, "stream": True}),
            ("/{path}/v1/messages", {**MEMORY, "stream": True}),
            bearer=True,
        ),
        [ALEX, ALEX],
        at="cloudsway",
    ),
    Scenario(
        "errors/refusals",
        "What the service refuses: ids, ranges, tool names, histories without reasoning or with a "
        "call that was cut, empty texts, files.",
        raw(*((CHAT, body) for body in REFUSED)),
    ),
    Scenario(
        "errors/rate_limit",
        "A 429 with Retry-After, and the second attempt.",
        chat(asks("Say hello.")),
        [Fault("rate_limit", retry_after=0), HELLO],
        at="",
    ),
    Scenario(
        "errors/moderation",
        "The content filter, as an HTTP 400 with the inner code 421.",
        chat(asks("(a question that the filter does not like)")),
        [Fault("moderation")],
        at="",
    ),
    Scenario(
        "errors/error_in_stream",
        "An error event after the answer has begun.",
        stream(asks(LOST)),
        [Fault(reply=HALF, error_event="server")],
        at="",
    ),
    Scenario(
        "errors/stream_cut",
        "A connection that breaks in the middle of a stream.",
        stream(asks(LOST)),
        [Fault(reply=HALF, cut="mid_stream")],
        at="",
    ),
    Scenario(
        "errors/stream_ends_early",
        "A stream that ends properly, but before the answer is complete.",
        stream(asks(LOST)),
        [Fault(reply=HALF, cut="mid_stream", clean=True)],
        at="",
    ),
    Scenario(
        "errors/stream_byte_by_byte",
        "A stream whose every byte comes alone, with CRLF and a byte order mark.",
        stream(asks("Say hi.", thinking=False)),
        [Fault(reply=Reply("Hi 👋", usage=USAGE), byte_by_byte=True, crlf=True, bom=True)],
        at="",
    ),
)
