"""Requests in the messages protocol's shape."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import InvalidRequestError, UnsupportedInputError
from mimo_core._protocols.messages_request import messages_body
from mimo_core._request.prepare import prepare
from mimo_core.schemas import schema_instruction

USER = {"role": "user", "content": "Hello"}
EPHEMERAL = {"type": "ephemeral"}
PNG = "data:image/png;base64,iVBORw0KGgo="
PNG_PART = {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}
PNG_BLOCK = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
}


def body(*messages: dict[str, Any], model: str = "mimo-v2.5", **fields: Any) -> dict[str, Any]:
    request = {"model": model, "messages": list(messages) or [USER], **fields}
    return messages_body(prepare(request, "messages"))


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def call(id: str, arguments: str = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


# Parameters


def test_the_smallest_request() -> None:
    assert body() == {"model": "mimo-v2.5", "max_tokens": 32_768, "messages": [USER]}


@pytest.mark.parametrize(
    ("model", "fields", "max_tokens"),
    [
        ("mimo-v2.5-pro", {}, 131_072),
        ("mimo-v2.5", {}, 32_768),
        ("mimo-v2-flash", {}, 65_536),
        ("mimo-v2.6-pro", {}, 131_072),  # its default is not published
        ("xiaomi/mimo-v2.5", {}, 32_768),
        ("MaaS_Mimo_V2.5_20260423", {}, 32_768),
        ("somebody-s-finetune", {}, 32_768),  # its window is not known: not the largest
        ("mimo-v2.5", {"max_tokens": 7}, 7),
        ("mimo-v2.5", {"max_completion_tokens": 8}, 8),
        ("mimo-v2.5", {"max_completion_tokens": 8, "max_tokens": 7}, 8),
    ],
)
def test_max_tokens_is_always_sent(model: str, fields: dict[str, int], max_tokens: int) -> None:
    sent = body(model=model, **fields)
    assert (sent["model"], sent["max_tokens"]) == (model, max_tokens)
    assert "max_completion_tokens" not in sent


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
        ({"stop": []}, {}),
        ({"thinking": True}, {"thinking": {"type": "enabled"}}),
        ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
            {"thinking": {"type": "enabled", "budget_tokens": 9}},
        ),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
        ({"reasoning_effort": "none", "thinking": True}, {"thinking": {"type": "enabled"}}),
        ({"stream": True, "stream_options": {"include_usage": True}, "n": 1}, {}),
        ({"frequency_penalty": 0, "presence_penalty": 0.0}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"tool_choice": "required", "parallel_tool_calls": False}, {}),  # no tools
        ({"extra_body": {"top_k": 4}, "metadata": {"a": 1}}, {"top_k": 4, "metadata": {"a": 1}}),
        ({"extra_body": {"cache_control": EPHEMERAL}}, {"cache_control": EPHEMERAL}),
    ],
)
def test_parameters(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    assert body(**fields) == body() | sent


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"model": "other", "asr_options": {"language": "zh"}}, "asr_options"),
        ({"tools": [{"type": "web_search", "limit": 1}]}, "tools"),
        ({"model": "mimo-v2.5-tts", "audio": {"voice": "Mia"}}, "model"),
        ({"model": "mimo-v2.5-asr"}, "model"),
        ({"model": "other", "audio": {"voice": "Mia"}}, "audio"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_what_the_protocol_does_not_have(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError, match="use protocol='chat_completions'") as e:
        body(**fields)
    assert e.value.param == param
    assert "\n" not in str(e.value)


def test_the_format_of_the_answer_is_asked_for_in_words() -> None:
    sent = body(response_format={"type": "json_object"})
    assert "one JSON object" in sent["system"][0]["text"]
    assert "response_format" not in sent
    system = {"role": "system", "content": "Be brief."}
    schema = {"type": "object", "required": ["a"]}
    described = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    sent = body(system, USER, response_format=described)
    assert sent["system"] == [text("Be brief."), text(schema_instruction(schema))]
    # The hosts say it themselves; once is enough.
    system["content"] += f"\n\n{schema_instruction(schema)}"
    assert body(system, USER, response_format=described)["system"] == [text(system["content"])]


def test_tools() -> None:
    marked = {
        "type": "function",
        "cache_control": EPHEMERAL,
        "function": {"name": "g", "strict": True},
    }
    sent = body(tools=[TOOL, marked], tool_choice="auto")
    assert sent["tools"] == [
        {"name": "f", "description": "d", "input_schema": {"type": "object"}},
        {
            "name": "g",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
            "cache_control": EPHEMERAL,
        },
    ]
    assert "tool_choice" not in sent
    inside = {"function": {**TOOL["function"], "cache_control": EPHEMERAL}}
    assert body(tools=[inside])["tools"][0]["cache_control"] == EPHEMERAL


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"type": "tool", "name": "f"},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": True}, None),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: dict[str, Any] | None) -> None:
    assert body(tools=[TOOL], **fields).get("tool_choice") == choice


def test_no_tools_where_none_may_be_called() -> None:
    assert not {"tools", "tool_choice"} & body(tools=[TOOL], tool_choice="none").keys()


# Instructions


def test_instructions_go_before_the_conversation() -> None:
    sent = body(
        {"role": "system", "content": "one"},
        {"role": "developer", "content": [text("two", cache_control=EPHEMERAL), text("three")]},
        USER,
        {"role": "system", "content": "four", "cache_control": EPHEMERAL},
        {"role": "system", "content": " "},
    )
    assert sent["system"] == [
        text("one"),
        text("two", cache_control=EPHEMERAL),
        text("three"),
        text("four", cache_control=EPHEMERAL),
    ]
    assert sent["messages"] == [USER]


def test_instructions_alone_are_no_request() -> None:
    with pytest.raises(InvalidRequestError, match="needs a user message"):
        body({"role": "system", "content": "Be brief."})


def test_instructions_hold_text_only() -> None:
    with pytest.raises(UnsupportedInputError, match=r"messages\[0\]: instructions are text only"):
        body({"role": "system", "content": [PNG_PART]}, USER)


# User messages


def test_consecutive_messages_stay_apart() -> None:
    named = {"role": "user", "content": "again", "name": "Alex"}
    assert body(USER, named)["messages"] == [USER, {"role": "user", "content": "again"}]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        (PNG, PNG_BLOCK["source"]),
        ("https://h/a.png", {"type": "url", "url": "https://h/a.png"}),
        (
            "data:image/svg+xml;charset=utf-8,%3Csvg/%3E",
            {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zy8+"},
        ),
        ("data:;base64,AAAA", {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}),
    ],
)
def test_images(url: str, source: dict[str, Any]) -> None:
    part = {"type": "image_url", "image_url": {"url": url}, "cache_control": EPHEMERAL}
    sent = body({"role": "user", "content": [text("What?"), part]})
    image = {"type": "image", "source": source, "cache_control": EPHEMERAL}
    assert sent["messages"] == [{"role": "user", "content": [text("What?"), image]}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}},
        {"type": "video_url", "video_url": {"url": "https://h/a.mp4"}},
    ],
)
def test_sound_and_video_are_refused_rather_than_lost(part: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedInputError, match="use protocol='chat_completions'") as e:
        body(USER, {"role": "user", "content": [part]})
    assert str(e.value).startswith(f"messages[1]: {part['type']} is not supported")


def test_sound_that_a_tool_returned_is_named_in_a_text() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}}
    asked = {"role": "assistant", "content": " ", "tool_calls": [call("1")]}
    sent = body(USER, asked, {"role": "tool", "tool_call_id": "1", "content": [audio]})
    [result] = sent["messages"][2]["content"]
    [block] = result["content"]
    assert block["text"] == "[The tool returned audio, which mimo-v2.5 cannot be shown here.]"


# Assistant messages, tools and their results


def test_calls_and_results() -> None:
    sent = body(
        USER,
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [call("1", '{"a": {"b": [1]}}'), call("2")],
        },
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": [text("two"), PNG_PART]},
        USER,
    )
    assert sent["messages"] == [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "tool_use", "id": "1", "name": "f", "input": {"a": {"b": [1]}}},
                {"type": "tool_use", "id": "2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "2", "content": [text("two"), PNG_BLOCK]},
            ],
        },
        USER,
    ]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "Hi"}, "Hi"),
        ({"content": None}, " "),
        ({"content": ""}, " "),
        ({"content": "Hi", "reasoning_content": "hm"}, ["hm", "Hi"]),
        ({"content": "", "reasoning_content": "hm"}, ["hm"]),
        ({"content": "\n\n", "tool_calls": [call("1")]}, ["", "f"]),  # thinking is on by default
        ({"content": ["Hi", {"text": " you"}], "reasoning_content": "hm"}, ["hm", "Hi\n you"]),
        ({"content": [text(" ", cache_control=EPHEMERAL)]}, [" "]),
    ],
)
def test_assistant_messages(message: dict[str, Any], content: Any) -> None:
    got = body(message | {"role": "assistant"})["messages"][0]["content"]
    if isinstance(got, list):
        got = [b.get("thinking", b.get("text", b.get("name"))) for b in got]
    assert got == content


def test_a_history_without_thinking_gets_no_thinking_blocks() -> None:
    message = {"role": "assistant", "content": "x", "tool_calls": [call("1")]}
    sent = body(message, thinking=False)["messages"][0]["content"]
    assert [block["type"] for block in sent] == ["text", "tool_use"]


def test_a_signature_goes_back_unchanged() -> None:
    message = {"content": "x", "reasoning_content": "hm", "reasoning_signature": "c2ln"}
    (sent,) = body(message | {"role": "assistant"})["messages"]
    assert sent["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    request = {"model": "mimo-v2.5", "messages": [message | {"role": "assistant"}]}
    assert "reasoning_signature" not in prepare(request)["messages"][0]  # chat completions


@pytest.mark.parametrize(
    "arguments",
    ['{"a": [1, 2', "[1]", "null", '"{}"', '{"a": NaN}', '{"a": 1e999}', "[" * 100_000, "1" * 5000],
)
def test_arguments_that_are_no_object_are_kept_as_they_are(arguments: str) -> None:
    sent = body({"role": "assistant", "content": "", "tool_calls": [call("1", arguments)]})
    assert sent["messages"][0]["content"][-1]["input"] == {"_raw": arguments}


# cache_control


def test_cache_control_is_passed_on_where_it_was_put() -> None:
    mark = {"cache_control": EPHEMERAL}
    sent = body(
        {"role": "user", "content": "whole message", **mark},
        {"role": "user", "content": [text("a"), text("b")], **mark},
        {"role": "assistant", "content": [text("a", **mark), "b"], "reasoning_content": "hm"},
        {"role": "assistant", "content": "x", "tool_calls": [call("2"), call("1")], **mark},
        {"role": "tool", "tool_call_id": "1", "content": "y", **mark},
        {"role": "tool", "tool_call_id": "2", "content": [{"text": "y", **mark}, "z"]},
        {"role": "assistant", "content": "x", **mark},
    )["messages"]
    assert [message["content"] for message in sent] == [
        [text("whole message", **mark)],
        [text("a"), text("b", **mark)],
        [{"type": "thinking", "thinking": "hm", "signature": ""}, text("a", **mark), text("b")],
        [
            {"type": "thinking", "thinking": "", "signature": ""},
            text("x"),
            {"type": "tool_use", "id": "2", "name": "f", "input": {}},
            {"type": "tool_use", "id": "1", "name": "f", "input": {}, **mark},
        ],
        [
            {"type": "tool_result", "tool_use_id": "1", "content": "y", **mark},
            {
                "type": "tool_result",
                "tool_use_id": "2",
                "content": [text("y", **mark), text("z")],
            },
        ],
        [text("x", **mark)],
    ]


def test_the_request_itself_stays_as_it_is() -> None:
    message = {"role": "user", "content": [text("a")], "cache_control": EPHEMERAL}
    request = {"model": "mimo-v2.5", "messages": [message], "tools": [TOOL]}
    before = repr(request)
    messages_body(prepare(request, "messages"))
    assert repr(request) == before
