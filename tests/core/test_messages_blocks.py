"""Answers and events of the messages protocol, block by block."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._protocols import protocol_for
from mimo_core._protocols.chat_completions import ChatCompletions
from mimo_core._protocols.messages import Messages
from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._response.accumulate import ContradictionError
from mimo_core.errors import InvalidResponseError
from mimo_core.gateways import Endpoint

USER: Any = {"role": "user", "content": "Hi"}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def use(id_: str = "a") -> Any:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {"x": 1}}


def thought(words: str, signature: str = "") -> Any:
    return {"type": "thinking", "thinking": words, "signature": signature}


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
        {"type": "new"},
        text("b"),
        {"type": "text", "text": ""},
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


def test_what_both_protocols_have_stays_for_the_gate() -> None:
    call = {"type": "tool_use", "id": 5, "name": ["f"], "input": {}}
    (given,) = answer(call)["choices"][0]["message"]["tool_calls"]
    assert (given["id"], given["function"]["name"]) == (5, ["f"])


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
        ([start(text(""), 1), delta("text_delta", 1, text="")], "max_tokens", '{"y": 2'),
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
        ([delta("text_delta", text=None)], "a piece of content is None, not a text"),
        ([delta("text_delta")], "a piece of content is None, not a text"),
        ([delta("thinking_delta", text="x")], "a piece of reasoning_content is None, not a text"),
        ([OPEN, delta("input_json_delta")], "partial_json is None, not a text"),
        ([start(thought("r")), delta("signature_delta", signature=5)], "signature is 5, not a"),
        ([start(thought("r", 5))], "the 'signature' of a content block is a number"),  # type: ignore[arg-type]  # on purpose
        ([start({"type": "text", "text": 5})], "the 'text' of a content block is a number"),
        ([{"type": "message_start", "message": {"content": [text("x")]}}], "its start holds a"),
        ([{"type": "message_start", "message": {"content": [use()]}}], "its start holds a part"),
        ([start(use(), 1.0)], "the index of a content block is a number, not a whole number"),
        ([start(use(), True)], "the index of a content block is true or false"),
        ([OPEN, delta("input_json_delta", "0", partial_json="{")], "the index .* is a text"),
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


def test_arguments_that_came_with_their_call_are_given_out_once() -> None:
    chunks = translated(OPEN, stop(), ended("tool_use"), ended("tool_use"))
    assert chunks.count((arguments(0, '{"y": 2}'), None)) == 1


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
    payload: Any = {"choices": [{"message": {}}]}
    assert ChatCompletions().response(payload) is payload
    with pytest.raises(InvalidResponseError, match="cannot be read: a content block is of the"):
        Messages().response({"content": [{"type": 5}]})
    assert Messages().response({"content": [text("x")]}) is not None
