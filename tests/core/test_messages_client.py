"""The messages protocol from end to end, against the emulated service, with both clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mimo_core import (
    AuthenticationError,
    ContentFilterError,
    ContextOverflowError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    UnsupportedInputError,
    collect,
)
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply

PROTOCOLS = ["chat_completions", "messages"]
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "on": {"type": "object"}},
        },
    },
}
CALLS = [
    ("weather", {"city": "Paris", "on": {"day": 1}}, "c1"),
    ("weather", {"city": "Rome"}, "c2"),
]
REPLIES = [
    Reply("Hello, world."),
    Reply("Hello, world.", reasoning="They greet. I greet."),
    Reply("Hello.", reasoning="Hm, hm, hm.", thinking_after_text=True),
    Reply("Hello.", reasoning="Hm, hm, hm.", thinking_in_start=True),
    Reply("I look.", reasoning="Two cities.", tool_calls=CALLS),
    Reply(tool_calls=CALLS[:1]),
    Reply("cut", finish_reason="length"),
    Reply(refusal="No."),
    Reply("x", usage={"prompt_tokens": 90, "prompt_tokens_details": {"cached_tokens": 64}}),
    Reply("x", repeat_finish_reason=True),
]


@pytest.fixture
def request_(hello: dict[str, Any]) -> dict[str, Any]:
    return {**hello, "tools": [WEATHER]}


@pytest.fixture
def messages(connect: Callable[..., Any]) -> Any:
    """A client that speaks the messages protocol."""
    return connect(protocol="messages")


def comparable(response: Mapping[str, Any]) -> Any:
    """What an answer says, without what only one of the protocols tells."""
    (choice,) = response["choices"]
    message = {key: value for key, value in choice["message"].items() if value}
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.pop("tool_calls", [])
    ]
    usage = response["usage"]
    counts = [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return message, calls, choice["finish_reason"], response["model"], counts, cached


@pytest.mark.parametrize("reply", REPLIES)
def test_both_protocols_give_the_same_answer(
    reply: Reply, mimo: FakeMiMo, connect: Callable[..., Any], request_: dict[str, Any]
) -> None:
    clients = [connect(protocol=protocol) for protocol in PROTOCOLS]
    mimo.queue(*[reply] * 4)
    plain = [client.chat(request_) for client in clients]
    streamed = [list(client.stream(request_)) for client in clients]
    answers = [*map(comparable, plain), *(comparable(collect(chunks)) for chunks in streamed)]
    assert answers[1:] == answers[:1] * 3
    for chunks in streamed:
        assert all(len(chunk["choices"]) == 1 for chunk in chunks)
        assert [bool(c["choices"][0].get("finish_reason")) for c in chunks[-2:]] == [False, True]
        assert [bool(c.get("usage")) for c in chunks[-2:]] == [False, True]
    paths = [request.path for request in mimo.requests]
    assert paths == ["/v1/chat/completions", "/v1/messages"] * 2
    assert mimo.requests[1].headers["authorization"].startswith("Bearer sk-")


def test_an_agent_s_turn_with_reasoning_and_pictures(
    mimo: FakeMiMo, messages: Any, request_: dict[str, Any]
) -> None:
    """The emulator refuses a history of calls whose thinking has not come back."""
    mimo.queue(Reply("I look.", reasoning="Two cities.", tool_calls=CALLS), "Sunny.", "Sunny.")
    said = collect(messages.stream(request_))["choices"][0]["message"]
    history = [
        *request_["messages"],
        said,
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "see"}, PNG]},
    ]
    request = {**request_, "model": "mimo-v2.5", "messages": history}
    assert messages.chat(request)["choices"][0]["message"]["content"] == "Sunny."
    sent = mimo.last_request.body["messages"]
    assert sent[1]["content"][0] == {
        "type": "thinking",
        "thinking": "Two cities.",
        "signature": "",
    }
    assert [block["type"] for block in sent[1]["content"]] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert [block["type"] for block in sent[2]["content"]] == ["tool_result"] * 2
    assert sent[2]["content"][1]["content"][1]["type"] == "image"
    assert len(sent) == 3

    # A client that lost the reasoning, or never had it, is not refused either.
    del said["reasoning_content"]
    assert messages.chat(request)["choices"][0]["message"]["content"] == "Sunny."
    assert mimo.last_request.body["messages"][1]["content"][0]["thinking"] == ""


def test_calls_are_repaired_here_too(mimo: FakeMiMo, messages: Any, request_: Any) -> None:
    leaked = "<tool_call><function=weather><parameter=city>Rome</parameter></function></tool_call>"
    encoded = [("weather", {"city": "Rome", "on": '{"day": 1}'}, "c1")]
    mimo.queue(leaked, leaked, Reply(tool_calls=encoded), Reply(tool_calls=encoded))
    expected = [{"city": "Rome"}] * 2 + [{"city": "Rome", "on": {"day": 1}}] * 2
    for number, arguments in enumerate(expected):
        stream = number % 2
        answer = collect(messages.stream(request_)) if stream else messages.chat(request_)
        (choice,) = answer["choices"]
        (call,) = choice["message"]["tool_calls"] or []
        assert json.loads(call["function"]["arguments"]) == arguments
        assert choice["finish_reason"] == "tool_calls"


def test_the_sdk_s_base_url_is_one(mimo: FakeMiMo, connect: Callable[..., Any], hello: Any) -> None:
    client = connect(base_url=mimo.messages_base_url)
    mimo.queue("Hi")
    assert client.chat(hello)["choices"][0]["message"]["content"] == "Hi"
    assert mimo.last_request.path == "/anthropic/v1/messages"
    assert "mimo-v2.5-pro" in client.models()


def test_json_is_asked_for_in_the_system_prompt(mimo: FakeMiMo, messages: Any, hello: Any) -> None:
    messages.chat({**hello, "response_format": {"type": "json_object"}})
    assert "JSON object" in mimo.last_request.text_of("system")


def test_a_speech_model_is_refused_before_it_is_sent(mimo: FakeMiMo, messages: Any) -> None:
    request = {"model": "mimo-v2.5-tts", "messages": [{"role": "assistant", "content": "Hi"}]}
    with pytest.raises(InvalidRequestError, match="use protocol='chat_completions'"):
        messages.chat(request)
    assert mimo.requests == []


# Failures


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("moderation", ContentFilterError),
        ("invalid_key", AuthenticationError),
        ("image_unsupported", UnsupportedInputError),
        ("context_overflow", ContextOverflowError),
        ("rate_limit", RateLimitError),
        ("overloaded", ServerError),
        ("html", InvalidResponseError),
        (
            {"type": "invalid_request_error", "message": "max_tokens: too large"},
            InvalidRequestError,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_refusals(
    error: Any, kind: type[MiMoError], stream: bool, mimo: FakeMiMo, connect: Any, hello: Any
) -> None:
    client = connect(protocol="messages", max_retries=0)
    mimo.queue(Fault(error=error))
    with pytest.raises(kind):
        list(client.stream(hello)) if stream else client.chat(hello)


def test_an_overload_before_the_first_piece_is_tried_again(
    mimo: FakeMiMo, messages: Any, hello: Any, slept: list[float]
) -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    mimo.queue(Fault(error_event=error, after=2), Reply("Hi"))  # after message_start and ping
    assert collect(messages.stream(hello))["choices"][0]["message"]["content"] == "Hi"
    assert len(mimo.requests) == 2
    assert len(slept) == 1


def test_an_error_inside_a_stream(mimo: FakeMiMo, messages: Any, hello: Any) -> None:
    mimo.queue(Fault(error_event="moderation", after=4, reply=Reply("Hello, world.")))
    chunks = messages.stream(hello)
    assert next(chunks)["choices"][0]["delta"]["content"] == "Hello, w"
    with pytest.raises(ContentFilterError, match="considered high risk"):
        next(chunks)
    assert len(mimo.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="mid_stream", after=5, reply="Hello, world."),
        Fault(cut="mid_stream", after=5, reply="Hello, world.", clean=True),
        Fault(cut="mid_stream", after=5, reply="Hello, world.", reset=True),
    ],
)
def test_a_cut_stream_is_no_answer(fault: Fault, mimo: FakeMiMo, messages: Any, hello: Any) -> None:
    mimo.queue(fault)
    with pytest.raises(StreamInterruptedError) as e:
        list(messages.stream(hello))
    assert e.value.partial is not None
    assert e.value.partial["choices"][0]["message"]["content"] == "Hello, world."
    assert e.value.partial["model"] == "mimo-v2.5-pro"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_content_is_none(
    stream: bool, mimo: FakeMiMo, messages: Any, hello: Any
) -> None:
    mimo.queue(Fault(empty_choices=True))
    kind: type[MiMoError] = StreamInterruptedError if stream else InvalidResponseError
    words = "The stream held no answer" if stream else "The answer holds no content"
    with pytest.raises(kind, match=words):
        list(messages.stream(hello)) if stream else messages.chat(hello)


def test_oddly_delivered_streams(mimo: FakeMiMo, messages: Any, hello: Any) -> None:
    reply = Reply("Hello, wörld 😊.", reasoning="Hm.")
    options: list[dict[str, Any]] = [
        {"byte_by_byte": True, "crlf": True},
        {"bom": True, "comments": 3},
        {"cut": "before_done", "clean": True},
    ]
    for option in options:
        mimo.queue(Fault(reply=reply, **option))
        said = collect(messages.stream(hello))["choices"][0]["message"]
        assert (said["content"], said["reasoning_content"]) == ("Hello, wörld 😊.", "Hm.")


def test_an_unstreamed_answer_to_a_streaming_request(
    mimo: FakeMiMo, messages: Any, hello: Any, sample: Callable[[str], Any]
) -> None:
    """LiteLLM's mock responses, for one, come whole."""
    published = sample("cloudsway_messages_memory")
    mimo.queue(Fault(body=published))
    answer = collect(messages.stream(hello))
    assert answer["choices"][0]["message"]["content"] == published["content"][0]["text"]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_last_chunk_does_not_wait_for_the_end_of_the_connection(
    mimo: FakeMiMo, messages: Any, hello: Any
) -> None:
    mimo.queue(Fault(reply="Hi", hang_after=7))  # start, ping, block's three, delta, stop
    chunks = messages.stream(hello)
    while next(chunks)["choices"][0]["finish_reason"] is None:
        pass
    chunks.close()
    assert mimo.wait_for_disconnect()
