"""Requests on the messages protocol, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._protocols.messages_events import EventTranslator
from mimo_core._protocols.messages_request import messages_body
from mimo_core.dialects import OLLAMA, SELF_HOSTED, XIAOMI
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.schemas import JSON_ONLY, schema_instruction

USER: Any = {"role": "user", "content": "Hi"}


FUNCTION: Any = {"name": "f", "parameters": {"type": "object"}}


TOOL: Any = {"type": "function", "function": FUNCTION}


MARK: Any = {"cache_control": {"type": "ephemeral"}}


def body(*messages: Any, dialect: Any = XIAOMI, **fields: Any) -> Any:
    request = {"model": "mimo-v2.6-pro", "messages": list(messages) or [USER], **fields}
    return messages_body(request, dialect)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def translated(*events: Any) -> list[Any]:
    """The chunks of some events, without their envelope."""
    translator = EventTranslator()
    chunks = []
    for event in events:
        chunks += translator(event) or []
    return [
        (c["choices"][0]["delta"], c["choices"][0]["finish_reason"]) if c["choices"] else c["usage"]
        for c in chunks
    ]


def arguments(index: int, piece: str) -> Any:
    return {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


# Requests


def test_fields_are_renamed_dropped_or_kept() -> None:
    sent = body(
        max_tokens=5, stop=["a"], stream=True, stream_options={}, n=1, temperature=0.5, own=1
    )
    assert sent == {
        "model": "mimo-v2.6-pro",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
        "stop_sequences": ["a"],
        "temperature": 0.5,
        "own": 1,
    }
    assert body(stop="a")["stop_sequences"] == ["a"]
    assert body(stop=("a", "b"))["stop_sequences"] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, 6),
        ({"model": "mimo-v2.6-pro"}, 131_072),
        ({"model": "mimo-v2-flash"}, 65_536),
        ({"model": "new"}, 32_768),
    ],
)
def test_the_limit_of_tokens_is_always_there(fields: Any, tokens: int) -> None:
    assert body(**fields)["max_tokens"] == tokens


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "mimo-v2.5-tts"}, "model"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"asr_options": {"language": "en"}}, "asr_options"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -0.5}, "presence_penalty"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
    ],
)
def test_what_this_protocol_has_not(fields: Any, param: str) -> None:
    with pytest.raises(
        InvalidRequestError, match="not supported by the messages protocol"
    ) as raised:
        body(**fields)
    assert raised.value.param == param


def test_a_penalty_of_nothing_is_left_out() -> None:
    assert not body(frequency_penalty=0, presence_penalty=0.0).keys() & {
        "frequency_penalty",
        "presence_penalty",
    }


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("format_", "instruction"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JSON_ONLY),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, schema_instruction(SCHEMA)),
    ],
)
def test_a_format_is_asked_for_in_words(format_: Any, instruction: str | None) -> None:
    expected = None if instruction is None else [text(instruction)]
    assert body(response_format=format_).get("system") == expected
    if instruction is not None:  # once
        asked = {"role": "system", "content": f"X\n{instruction}"}
        assert body(asked, USER, response_format=format_)["system"] == [text(f"X\n{instruction}")]
        other = {"role": "system", "content": "X"}
        assert body(other, USER, response_format=format_)["system"] == [
            text("X"),
            text(instruction),
        ]


@pytest.mark.parametrize(
    ("dialect", "fields", "sent"),
    [
        (XIAOMI, {"thinking": {"type": "enabled"}}, {"thinking": {"type": "enabled"}}),
        (XIAOMI, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (XIAOMI, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (XIAOMI, {"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}),
        (XIAOMI, {"thinking": {"type": "x"}}, {"thinking": {"type": "x"}}),
        (XIAOMI, {}, {}),
        (SELF_HOSTED, {"thinking": {"type": "x"}}, {"thinking": {"type": "x"}}),
        (SELF_HOSTED, {"thinking": {"type": "enabled"}}, {"thinking": {"type": "adaptive"}}),
        (SELF_HOSTED, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (
            SELF_HOSTED,
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        ),
        (OLLAMA, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (
            OLLAMA,
            {"thinking": {"type": "enabled"}, "max_tokens": 10_000},
            {"thinking": {"type": "enabled", "budget_tokens": 5000}},
        ),
        (
            OLLAMA,
            {"reasoning_effort": "low", "max_tokens": 10_000},
            {"thinking": {"type": "enabled", "budget_tokens": 2500}},
        ),
        (
            OLLAMA,
            {"reasoning_effort": "high", "max_tokens": 10_000},
            {"thinking": {"type": "enabled", "budget_tokens": 7500}},
        ),
        (
            OLLAMA,
            {"thinking": {"type": "enabled"}, "max_tokens": 1025},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        (
            OLLAMA,
            {"thinking": {"type": "enabled", "budget_tokens": 7}, "max_tokens": 10},
            {"thinking": {"type": "enabled", "budget_tokens": 7}},
        ),
    ],
)
def test_thinking(dialect: Any, fields: Any, sent: Any) -> None:
    translated = body(dialect=dialect, **fields)
    assert ({"thinking": translated["thinking"]} if "thinking" in translated else {}) == sent
    assert "reasoning_effort" not in translated
    if dialect is not SELF_HOSTED or (fields.get("thinking") or {}).get("type") == "x":
        assert "chat_template_kwargs" not in translated


def test_the_template_s_argument_beside_adaptive_thinking() -> None:
    on = body(dialect=SELF_HOSTED, thinking={"type": "enabled"})["chat_template_kwargs"]
    off = body(dialect=SELF_HOSTED, thinking={"type": "disabled"})["chat_template_kwargs"]
    assert on["enable_thinking"] is True
    assert off["enable_thinking"] is False
    own = {"enable_thinking": 5, "x": 1}
    both = body(dialect=SELF_HOSTED, thinking={"type": "enabled"}, chat_template_kwargs=own)
    assert both["chat_template_kwargs"].items() >= own.items()


def test_a_budget_needs_room() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"max_tokens is 1024; .* more than 1024"
    ) as raised:
        body(dialect=OLLAMA, thinking={"type": "enabled"}, max_tokens=1024)
    assert raised.value.param == "max_tokens"


def test_tools() -> None:
    full = {**FUNCTION, "description": "D", "strict": True}
    assert body(tools=[{**TOOL, **MARK}, {"type": "function", "function": {**full, **MARK}}])[
        "tools"
    ] == [
        {"name": "f", "input_schema": {"type": "object"}, **MARK},
        {
            "name": "f",
            "input_schema": {"type": "object"},
            "description": "D",
            "strict": True,
            **MARK,
        },
    ]
    empty = {**FUNCTION, "description": "", "strict": False}
    assert body(tools=[{"type": "function", "function": empty}])["tools"] == [
        {"name": "f", "input_schema": {"type": "object"}}
    ]
    assert "tools" not in body(tools=[])


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, None),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"function": {"name": "f"}}}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"name": "f"}}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"function": "f"}}, None),
        ({"tool_choice": {}}, None),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_the_choice_of_a_tool(fields: Any, choice: Any) -> None:
    assert body(tools=[TOOL], **fields).get("tool_choice") == choice
    assert "tool_choice" not in body(**fields)


def call(id_: str = "a", arguments: str = '{"x": 1}') -> Any:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}


def use(id_: str = "a") -> Any:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {"x": 1}}


def thought(words: str, signature: str = "") -> Any:
    return {"type": "thinking", "thinking": words, "signature": signature}


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "x"}, "x"),
        ({"content": "x", **MARK}, [text("x", **MARK)]),
        ({"content": "x", "reasoning_content": "r"}, [thought("r"), text("x")]),
        (
            {"content": "x", "reasoning_content": "r", "reasoning_signature": "s"},
            [thought("r", "s"), text("x")],
        ),
        ({"content": " ", "reasoning_content": "r"}, [thought("r")]),
        ({"content": " ", "reasoning_content": ""}, [thought("")]),
        ({"content": " ", "tool_calls": [call()]}, [use()]),
        ({"content": "x", "tool_calls": [call(), call("b")]}, [text("x"), use(), use("b")]),
        ({"content": "x", "tool_calls": [call()], **MARK}, [text("x"), {**use(), **MARK}]),
        ({"content": [text("x", **MARK), text(" ")]}, [text("x", **MARK)]),
        ({"content": [text(" ")]}, [text(" ")]),
        (
            {"content": " ", "reasoning_content": "r", "tool_calls": [call()]},
            [thought("r"), use()],
        ),
    ],
)
def test_an_assistant_message(message: Any, content: Any) -> None:
    sent = body(USER, {"role": "assistant", **message})["messages"]
    assert sent[1] == {"role": "assistant", "content": content}


def image(url: str) -> Any:
    return {"type": "image_url", "image_url": {"url": url}}


def test_a_user_s_message() -> None:
    parts = [
        text("x", **MARK),
        image("https://example.org/a.png"),
        image("data:image/png;base64,AAAA"),
        {**image("data:image/png;x=y;base64,AA,A"), **MARK},
    ]
    (sent,) = body({"role": "user", "content": parts})["messages"]
    assert sent["content"] == [
        text("x", **MARK),
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "AA,A"},
            **MARK,
        },
    ]
    marked = body({"role": "user", "content": [text("x"), text("y")], **MARK})["messages"]
    assert marked[0]["content"] == [text("x"), text("y", **MARK)]
    assert body({"role": "user", "content": []})["messages"][0]["content"] == []


def test_instructions_stand_before_everything() -> None:
    sent = body(
        {"role": "system", "content": "A"},
        USER,
        {"role": "developer", "content": [text("B"), text(" ")]},
        {"role": "system", "content": " "},
    )
    assert sent["system"] == [text("A"), text("B")]
    assert sent["messages"] == [USER]
    assert "system" not in body(USER)
    with pytest.raises(
        UnsupportedInputError, match=r"messages\[1\]: instructions are text"
    ) as raised:
        body(USER, {"role": "system", "content": [image("https://example.org/a.png")]})
    assert raised.value.param == "messages"
    with pytest.raises(InvalidRequestError, match="holds instructions only") as only:
        body({"role": "system", "content": "A"})
    assert only.value.param == "messages"


def test_results_that_follow_each_other_are_one_message() -> None:
    def result(id_: str, content: Any = "x", **more: Any) -> Any:
        return {"role": "tool", "tool_call_id": id_, "content": content, **more}

    talk = {"role": "assistant", "content": "x", "tool_calls": [call()]}
    sent = body(USER, talk, result("a", **MARK), result("b", [text("y")]), talk, result("c"))
    blocks = [message["content"] for message in sent["messages"]]
    assert [message["role"] for message in sent["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert blocks[2] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "x", **MARK},
        {"type": "tool_result", "tool_use_id": "b", "content": [text("y")]},
    ]
    assert blocks[4] == [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]
    apart = body(USER, talk, result("a"), USER, result("b"))["messages"]
    assert len(apart) == 5
