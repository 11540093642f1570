"""The messages protocol, block by block: how requests, answers and events are translated."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._protocols import protocol_for
from mimo_core._protocols.chat_completions import ChatCompletions
from mimo_core._protocols.messages import Messages
from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._protocols.messages_request import messages_body
from mimo_core._response.accumulate import ContradictionError
from mimo_core.dialects import OLLAMA, SELF_HOSTED, XIAOMI
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.gateways import Endpoint
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


# Whole answers


def answer(*blocks: Any, reason: Any = "end_turn", **more: Any) -> Any:
    return response_of({"id": "1", "content": list(blocks), "stop_reason": reason, **more})


@pytest.mark.parametrize("payload", [{}, {"content": "x"}, {"content": []}, {"content": None}])
def test_what_is_no_answer(payload: Any) -> None:
    assert response_of(payload) is None


def test_an_answer_without_a_block_has_a_reason() -> None:
    response = answer()
    assert response["choices"][0]["message"] == {"role": "assistant", "content": ""}
    assert answer(text("x"), reason=None)["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("new", "new"),
    ],
)
def test_why_an_answer_ended(reason: str, finish_reason: str) -> None:
    assert answer(text("x"), reason=reason)["choices"][0]["finish_reason"] == finish_reason


def test_the_blocks_of_an_answer() -> None:
    response = answer(
        text("a"),
        thought("r1", "s"),
        "no block",
        {"type": "new"},
        text("b"),
        {"type": "text", "text": None},
        thought("r2"),
        {"type": "tool_use", "id": "i", "name": "f", "input": {"é": 1}},
        {"type": "tool_use", "id": "j", "name": "g", "input": {}},
        {"type": "tool_use", "id": "k", "name": "h"},
        reason="tool_use",
        model="m",
    )
    message = response["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("ab", "r1r2")
    assert [c["function"] for c in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"é": 1}'},
        {"name": "g", "arguments": "{}"},
        {"name": "h", "arguments": ""},
    ]
    assert [(c["id"], c["type"]) for c in message["tool_calls"]] == [
        ("i", "function"),
        ("j", "function"),
        ("k", "function"),
    ]
    assert (response["id"], response["model"]) == ("1", "m")
    for name in ("content", "stop_reason", "type"):
        assert name not in response


def test_a_field_of_a_wrong_type_stays_for_the_gate() -> None:
    message = answer({"type": "text", "text": 5}, {"type": "thinking", "thinking": []})["choices"][
        0
    ]
    assert message["message"]["content"] == 5
    assert message["message"]["reasoning_content"] == []
    with pytest.raises(TypeError, match="does not say what it is"):
        answer(text("x"), {"type": 5})


@pytest.mark.parametrize(
    ("reason", "blocks", "arguments"),
    [
        ("max_tokens", [use()], '{"x": 1'),
        ("max_tokens", [use(), thought("r")], '{"x": 1'),
        ("max_tokens", [use(), text(" ")], '{"x": 1'),
        ("max_tokens", [use(), text("x")], '{"x": 1}'),
        ("tool_use", [use()], '{"x": 1}'),
        ("end_turn", [use()], '{"x": 1}'),
    ],
)
def test_the_last_call_of_an_answer_that_was_cut(reason: str, blocks: Any, arguments: str) -> None:
    message = answer(*blocks, reason=reason)["choices"][0]["message"]
    assert message["tool_calls"][-1]["function"]["arguments"] == arguments


@pytest.mark.parametrize(
    ("given", "usage"),
    [
        (None, None),
        ({}, None),
        ("x", None),
        ({"input_tokens": 1, "output_tokens": 2}, (1, 2, 3, None)),
        ({"output_tokens": 2}, (0, 2, 2, None)),
        ({"input_tokens": "x", "output_tokens": 2}, (0, 2, 2, None)),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 4},
            (5, 2, 7, {"cached_tokens": 4, "cache_creation_tokens": 0}),
        ),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 8},
            (9, 2, 11, {"cached_tokens": 0, "cache_creation_tokens": 8}),
        ),
        (
            {"cache_read_input_tokens": 0},
            (0, 0, 0, {"cached_tokens": 0, "cache_creation_tokens": 0}),
        ),
    ],
)
def test_the_counts(given: Any, usage: Any) -> None:
    counted = answer(text("x"), usage=given)["usage"]
    if usage is None:
        assert counted is None
        return
    prompt, completion, total, details = usage
    expected = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    if details is not None:
        expected["prompt_tokens_details"] = details
    assert counted == expected


# Events


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


def start(block: Any, index: Any = 0) -> Any:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(kind: Any, index: Any = 0, **fields: Any) -> Any:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: Any = 0) -> Any:
    return {"type": "content_block_stop", "index": index}


def ended(reason: Any = "end_turn", **more: Any) -> Any:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, **more}


def test_the_events_of_an_answer() -> None:
    chunks = translated(
        {
            "type": "message_start",
            "message": {"id": "1", "model": "m", "usage": {"input_tokens": 1}},
        },
        {"type": "ping"},
        start(thought("r")),
        delta("thinking_delta", thinking="s"),
        delta("signature_delta", signature="x"),
        delta("signature_delta", signature="y"),
        stop(),
        start(text("a"), 1),
        delta("text_delta", 1, text="b"),
        delta("text_delta", 1, text=""),
        delta("text_delta", 1, text=None),
        stop(1),
        ended(usage={"output_tokens": 2}),
    )
    assert chunks == [
        {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
        ({"role": "assistant", "reasoning_content": "r"}, None),
        ({"reasoning_content": "s"}, None),
        ({"content": "a"}, None),
        ({"content": "b"}, None),
        ({"reasoning_signature": "xy"}, None),
        ({}, "stop"),
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    ]
    assert EventTranslator()({"type": "message_stop"}) is None


def test_the_envelope_of_the_chunks() -> None:
    translator = EventTranslator()
    translator({"type": "message_start", "message": {"id": "1", "model": "m", "content": []}})
    (chunk,) = translator(start(text("a"))) or []
    assert {key: value for key, value in chunk.items() if key != "choices"} == {
        "object": "chat.completion.chunk",
        "id": "1",
        "model": "m",
    }
    assert chunk["choices"][0]["index"] == 0


def opening(index: int, id_: str) -> Any:
    function = {"name": "f", "arguments": ""}
    return {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": function}]}


def arguments(index: int, piece: str) -> Any:
    return {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def test_the_calls_of_a_stream() -> None:
    chunks = translated(
        start({"type": "tool_use", "id": "a", "name": "f", "input": {}}, 3),
        delta("input_json_delta", 3, partial_json=""),
        delta("input_json_delta", 3, partial_json=None),
        delta("input_json_delta", 3, partial_json='{"x"'),
        delta("input_json_delta", 3, partial_json=": 1}"),
        stop(3),
        start({"type": "tool_use", "id": "b", "name": "f", "input": {"y": 2}}, 3),
        stop(3),
        ended("tool_use"),
    )
    assert chunks == [
        ({"role": "assistant", **opening(0, "a")}, None),
        (arguments(0, '{"x"'), None),
        (arguments(0, ": 1}"), None),
        (opening(1, "b"), None),
        (arguments(1, '{"y": 2}'), None),
        ({}, "tool_calls"),
        None,
    ]


@pytest.mark.parametrize(
    ("events", "reason", "given"),
    [
        ([], "tool_use", '{"y": 2}'),
        ([], "max_tokens", '{"y": 2'),
        ([start(text(""), 1), delta("text_delta", 1, text="x")], "max_tokens", '{"y": 2}'),
        ([start(text(""), 1), delta("text_delta", 1, text=" ")], "max_tokens", '{"y": 2'),
        ([start(text(""), 1), delta("text_delta", 1)], "max_tokens", '{"y": 2'),
    ],
)
def test_arguments_that_came_with_their_call(events: Any, reason: str, given: str) -> None:
    block = {"type": "tool_use", "id": "b", "name": "f", "input": {"y": 2}}
    chunks = translated(start(block), stop(), *events, ended(reason))
    assert (arguments(0, given), None) in chunks


def test_of_two_calls_only_the_last_may_have_been_cut() -> None:
    def block(id_: str) -> Any:
        return {"type": "tool_use", "id": id_, "name": "f", "input": {"y": 2}}

    chunks = translated(start(block("a")), stop(), start(block("b")), stop(), ended("max_tokens"))
    assert chunks[2:4] == [(arguments(0, '{"y": 2}'), None), (arguments(1, '{"y": 2'), None)]


OPEN = start({"type": "tool_use", "id": "a", "name": "f", "input": {"y": 2}})


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([OPEN, start(text("x"))], "two content blocks share the index 0"),
        ([OPEN, ended("tool_use")], "the tool call in block 0 was not closed"),
        ([start(text("x")), ended(), OPEN], "a tool call begins after the answer's end"),
        (
            [delta("input_json_delta", 7, partial_json="{")],
            "block 7, which is not an open tool call",
        ),
        ([OPEN, delta("input_json_delta", partial_json=5)], "partial_json is 5, not a text"),
        ([start({"type": 5})], "a content block is of the type 5"),
        ([start({})], "a content block is of the type None"),
        ([delta(5)], "a delta is of the type 5"),
        ([{"type": "error"}], "an event is of the type 'error'"),
        ([{"type": None, "delta": {}}], "an event is of the type None"),
        ([{"message": {}}], "an event is of the type None"),
        (
            [OPEN, stop(), stop(), delta("input_json_delta", partial_json="{")],
            "not an open tool call",
        ),
    ],
)
def test_what_contradicts_itself(events: Any, says: str) -> None:
    with pytest.raises(ContradictionError, match=says):
        translated(*events)


def test_what_is_passed_over() -> None:
    assert translated({"type": "new"}, {"type": "new", "delta": {}}, {}, {"x": 1}, stop(9)) == []
    assert (
        translated(
            start({"type": "new"}), delta("input_json_delta", partial_json="x"), delta("new")
        )
        == []
    )
    assert translated(delta("signature_delta", signature="x"), ended(None)) == [None]
    # An index is free again where another block begins on it.
    with pytest.raises(ContradictionError, match="not an open tool call"):
        translated(
            start({"type": "new"}), start(text("x")), delta("input_json_delta", partial_json="x")
        )


def test_a_call_that_was_not_closed_but_came_in_pieces_or_was_cut() -> None:
    streamed = [OPEN, delta("input_json_delta", partial_json="{}")]
    assert (arguments(0, "{}"), None) in translated(*streamed, ended("tool_use"))
    assert ({}, "length") in translated(OPEN, ended("max_tokens"))


def test_the_end_may_come_twice() -> None:
    chunks = translated(
        start(thought("r", "s")),
        {"type": "message_delta", "delta": None, "usage": {"output_tokens": 1}},
        ended(),
        ended("max_tokens"),
    )
    assert [c for c in chunks if isinstance(c, tuple)] == [
        ({"role": "assistant", "reasoning_content": "r"}, None),
        ({"reasoning_signature": "s"}, None),
        ({}, "stop"),
        ({}, "length"),
    ]


# The protocols


def endpoint(protocol: Any, base_url: str = "xiaomi") -> Endpoint:
    return Endpoint.resolve("sk-x", base_url, protocol, environ={})


def test_which_protocol_an_endpoint_asks_for() -> None:
    chat, messages = endpoint("chat_completions"), endpoint("messages")
    assert isinstance(protocol_for(chat), ChatCompletions)
    assert isinstance(protocol_for(messages), Messages)
    assert protocol_for(chat).url(chat) == "https://api.xiaomimimo.com/v1/chat/completions"
    assert protocol_for(messages).url(messages).endswith("/v1/messages")
    assert protocol_for(chat).headers() == {}
    assert protocol_for(messages).headers() == {"anthropic-version": "2023-06-01"}
    assert protocol_for(chat).translator() is None
    assert isinstance(protocol_for(messages).translator(), EventTranslator)


def test_usage_is_asked_for_where_it_does_not_come_by_itself() -> None:
    chat, here, there = ChatCompletions(), endpoint(None), endpoint(None, "vllm")
    assert chat.body({"a": 1}, here, stream=True) == {"a": 1, "stream": True}
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    assert chat.body({}, there, stream=True) == asked
    own = {"stream_options": {"include_usage": False}}
    assert chat.body(own, there, stream=True) == {"stream": True, **own}
    assert chat.body(own, there, stream=False) == {"stream": False}
    assert Messages().body({"model": "m", "messages": [USER]}, there, stream=True)["stream"] is True


@pytest.mark.parametrize(
    "payload",
    [{}, {"choices": {}}, {"choices": []}, {"choices": ["x"]}, {"choices": [{"message": "x"}]}],
)
def test_what_is_no_answer_of_chat_completions(payload: Any) -> None:
    assert ChatCompletions().response(payload) is None


def test_what_is_an_answer() -> None:
    payload = {"choices": [{"message": {}}]}
    assert ChatCompletions().response(payload) is payload
    assert Messages().response({"content": [{"type": 5}]}) is None
    assert Messages().response({"content": [text("x")]}) is not None
