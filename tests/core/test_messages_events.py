"""Streams of the messages protocol, in the inner shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core import (
    InvalidRequestError,
    MiMoError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    collect,
)
from mimo_core._http.errors import error_in_answer
from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.decode import StreamDecoder
from mimo_core._response.repair import ToolCallRepair
from mimo_core._response.stage import Stage
from mimo_core.checks import call_problem

TEXT = {"type": "text", "text": "Hi"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": ""}
TOOL_USE = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}


def answer(*content: Any, **fields: Any) -> Any:
    return response_of({"content": list(content), "stop_reason": "end_turn", **fields})


def message(*content: Any, **fields: Any) -> Any:
    return answer(*content, **fields)["choices"][0]["message"]


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def decode(*events: Any, tools: list[dict[str, Any]] | None = None) -> list[Any]:
    """The chunks that a client gives out for these events, answering a request with `tools`."""
    decoder = StreamDecoder(
        EventTranslator(),
        lambda event: error_in_answer(event, {}, key=None, hints=None),
        ToolCallRepair(tools) if tools else None,
    )
    chunks = []
    for event in events:
        data = f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n".encode()
        chunks += decoder.feed(data)
    ended = decoder.stage in (Stage.COMPLETE, Stage.FAILED)
    assert ended or events[-1].get("type") != "message_stop"
    return chunks + decoder.close()


def start(**usage: int) -> dict[str, Any]:
    return {
        "type": "message_start",
        "message": {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "mimo-v2.5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage or {"input_tokens": 3, "output_tokens": 0},
        },
    }


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def closed(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str | None = "end_turn", **usage: int) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 9}}


STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def test_a_stream_keeps_the_promises_of_a_chunk() -> None:
    chunks = decode(
        start(),
        PING,
        opened(0, type="thinking", thinking="Let", signature=""),
        piece(0, type="thinking_delta", thinking=" me see"),
        piece(0, type="signature_delta", signature=""),
        closed(0),
        opened(1, type="text", text=""),
        piece(1, type="text_delta", text="Hi"),
        closed(1),
        end(),
        STOP,
    )
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "reasoning_content": "Let"},
        {"reasoning_content": " me see"},
        {"content": "Hi"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 3 + ["stop"]
    assert [chunk.get("usage") for chunk in chunks] == [None] * 3 + [
        {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    ]
    for chunk in chunks:
        assert (chunk["id"], chunk["model"], chunk["object"]) == (
            "m1",
            "mimo-v2.5",
            "chat.completion.chunk",
        )


def test_calls_in_pieces_whole_and_without_arguments() -> None:
    events = [
        start(),
        opened(0, type="text", text="I"),
        piece(0, type="text_delta", text=" look."),
        closed(0),
        opened(3, type="tool_use", id="1", name="f", input={}),
        piece(3, type="input_json_delta", partial_json=""),
        piece(3, type="input_json_delta", partial_json='{"a":'),
        piece(3, type="input_json_delta", partial_json=" 1}"),
        closed(3),
        opened(4, type="tool_use", id="2", name="g", input={"b": 2}),
        closed(4),
        opened(5, type="tool_use", id="3", name="h", input={}),
        closed(5),
        end("tool_use"),
        STOP,
    ]
    response = collect(decode(*events, tools=[tool("h")]))
    assert response["choices"][0]["finish_reason"] == "tool_calls"
    assert response["choices"][0]["message"] == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": '{"b": 2}'}},
            {"id": "3", "type": "function", "function": {"name": "h", "arguments": "{}"}},
        ],
    }


CALL = opened(1, type="tool_use", id="c", name="delete_files", input={})
WHICH = piece(1, type="input_json_delta", partial_json='{"pattern": "*.tmp"}')


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([CALL, {**WHICH, "index": 2}, closed(1)], "block 2, which is not an open"),
        ([opened(1, type="tool_use", id="c", name="f", input={"a": 1})], "1 was not closed"),
        ([end("tool_use"), CALL], "begins after the answer's end"),
        ([CALL, {k: v for k, v in WHICH.items() if k != "index"}, closed(1)], "block None, which"),
        ([CALL, closed(1), WHICH], "block 1, which is not an open"),
        ([CALL, CALL, WHICH, closed(1)], "two content blocks share the index 1"),
        ([opened(1, type="text", text=""), WHICH, closed(1)], "block 1, which is not an open"),
        ([CALL], "the tool call in block 1 was not closed"),
    ],
)
def test_arguments_that_belong_to_no_open_call_break_the_stream(
    events: list[Any], reason: str
) -> None:
    """To drop them would leave a call without arguments, which a host would run."""
    with pytest.raises(StreamInterruptedError, match=reason):
        decode(start(), *events, end("tool_use"), STOP, tools=[tool("delete_files")])


@pytest.mark.parametrize("stop_reason", ["max_tokens", "content_filter", "repetition_truncation"])
@pytest.mark.parametrize("tail", [[], [closed(1)]], ids=["open", "closed"])
def test_a_call_that_was_cut_before_its_arguments_has_none(
    stop_reason: str, tail: list[Any]
) -> None:
    chunks = decode(start(), CALL, *tail, end(stop_reason), STOP, tools=[tool("delete_files")])
    [call] = collect(chunks)["choices"][0]["message"]["tool_calls"] or []
    assert call["function"]["arguments"] == ""
    assert call_problem(call) == "its arguments did not arrive"


@pytest.mark.parametrize("stop_reason", ["max_tokens", "content_filter", "repetition_truncation"])
def test_unstreamed_the_last_call_of_a_cut_answer_is_not_whole(stop_reason: str) -> None:
    block = {"type": "tool_use", "id": "c", "name": "delete_files", "input": {}}
    response = response_of({"content": [block], "stop_reason": stop_reason})
    assert response is not None
    [call] = response["choices"][0]["message"]["tool_calls"] or []
    assert call_problem(call)


def test_what_is_not_known_is_ignored() -> None:
    chunks = decode(
        start(),
        {"type": "content_block_flush", "index": 0},
        opened(0, type="server_tool_use", id="s", name="web_search", input={}),
        piece(0, type="input_json_delta", partial_json='{"q'),
        closed(0),
        opened(1, type="text", text=""),
        piece(1, type="citations_delta", citation={}),
        piece(1, type="signature_delta", signature="x"),
        piece(1, type="text_delta", text="Hi"),
        {"no": "type"},
        end(),
        STOP,
    )
    assert collect(chunks)["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}


def test_a_signature_comes_whole_and_once() -> None:
    thinking = [
        opened(0, type="thinking", thinking="hm", signature="c2"),
        piece(0, type="signature_delta", signature="ln"),
        closed(0),
    ]
    response = collect(decode(start(), *thinking, end(), end(), STOP))
    assert response["choices"][0]["message"]["reasoning_signature"] == "c2ln"
    response = collect(decode(start(), *thinking, *thinking, end(), STOP))
    assert response["choices"][0]["message"] == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "hmhm",
    }


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"input_tokens": 3, "output_tokens": 1}, {"output_tokens": 9}),
        ({"input_tokens": 3, "output_tokens": 1}, {"input_tokens": 3, "output_tokens": 9}),
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 3, "output_tokens": 9}),
        ({"input_tokens": 3, "output_tokens": 9}, {"input_tokens": 0, "output_tokens": 0}),
    ],
)
def test_cumulative_usage_counts_once(first: Any, last: Any) -> None:
    chunks = decode(start(**first), opened(0, **TEXT), end(None, **last), end(**last), STOP)
    usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    assert [chunk.get("usage") for chunk in chunks] == [None, usage]


def test_usage_alone_ends_nothing() -> None:
    chunks = decode(
        start(),
        opened(0, type="tool_use", id="1", name="f", input={}),
        end(None, output_tokens=1),
        piece(0, type="input_json_delta", partial_json='{"a": 1}'),
        closed(0),
        end("tool_use"),
        STOP,
    )
    (call,) = collect(chunks)["choices"][0]["message"]["tool_calls"] or []
    assert call["function"]["arguments"] == '{"a": 1}'


def test_a_stop_sequence_is_named() -> None:
    met = {"stop_reason": "stop_sequence", "stop_sequence": "x"}
    chunks = decode(start(), opened(0, **TEXT), end() | {"delta": met}, STOP)
    whole: Any = collect(chunks)
    assert chunks[-1]["stop_sequence"] == whole["stop_sequence"] == "x"


def test_nothing_after_the_end_counts() -> None:
    chunks = decode(start(), opened(0, **TEXT), end(), STOP, {"type": "error", "error": {"a": 1}})
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_that_only_lacks_its_last_event_is_complete() -> None:
    assert (
        collect(decode(start(), opened(0, **TEXT), end()))["choices"][0]["finish_reason"] == "stop"
    )


@pytest.mark.parametrize(
    ("events", "partial"),
    [
        ([start()], None),
        ([start(), PING, STOP], None),
        ([start(), opened(0, **TEXT), STOP], "Hi"),
        ([start(), opened(0, **TEXT), piece(0, type="text_delta", text="!")], "Hi!"),
        ([start(), opened(0, **TEXT), {"type": "content_block_delta"}], "Hi"),
        ([{"type": "error"}], None),
    ],
)
def test_what_is_no_complete_stream(events: list[Any], partial: str | None) -> None:
    with pytest.raises(StreamInterruptedError) as e:
        decode(*events)
    got = e.value.partial
    assert (got and got["choices"][0]["message"]["content"]) == partial
    if got is not None:
        assert got["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}


@pytest.mark.parametrize(
    ("type", "kind", "status"),
    [
        ("overloaded_error", ServerError, 503),
        ("api_error", ServerError, 500),
        ("rate_limit_error", RateLimitError, 429),
        ("invalid_request_error", InvalidRequestError, 400),
        ("something_else", ServerError, None),
    ],
)
def test_error_events(type: str, kind: type[MiMoError], status: int | None) -> None:
    error = {"type": "error", "error": {"type": type, "message": "Sorry"}}
    with pytest.raises(kind, match=r"^Sorry") as e:
        decode(start(), opened(0, **TEXT), error)
    assert e.value.status == status


@pytest.mark.parametrize(
    "odd",
    [
        {"type": None, "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"index": 0, "content_block": TEXT},
        {"type": 5, "delta": {"stop_reason": "end_turn"}},
        {"type": "error"},
        {"type": "error", "error": None},
        opened(1, **{**TEXT, "type": None}),
        piece(0, type=None, text="lo"),
        piece(0, type="text_delta", text={}),
        piece(0, type="text_delta", text=0),
        piece(0, type="thinking_delta", thinking=False),
        end(0),  # type: ignore[arg-type]  # what the wire may say
        end(["end_turn"]),  # type: ignore[arg-type]
    ],
)
def test_what_an_event_does_not_say_is_no_silence(odd: dict[str, Any]) -> None:
    with pytest.raises(StreamInterruptedError) as raised:
        decode(start(), opened(0, **TEXT), odd, closed(0), end(), {"type": "message_stop"})
    assert raised.value.partial is not None


@pytest.mark.parametrize("partial_json", [0, {}, {"a": 1}, ["a"], False])
def test_pieces_of_arguments_that_are_no_text(partial_json: Any) -> None:
    delta = piece(0, type="input_json_delta", partial_json=partial_json)
    call = opened(0, **{**TOOL_USE, "input": {}})
    with pytest.raises(StreamInterruptedError, match="partial_json"):
        decode(start(), call, delta, closed(0), end("tool_use"), {"type": "message_stop"})


@pytest.mark.parametrize("input", [["a"], 5, True])
def test_arguments_that_can_be_none(input: Any) -> None:
    call = opened(0, **{**TOOL_USE, "input": input})
    with pytest.raises(StreamInterruptedError, match="'input' of a tool call is"):
        decode(start(), call, closed(0), end("tool_use"), {"type": "message_stop"})


def test_counts_that_are_none_are_not_counted() -> None:
    chunks = decode(start(input_tokens=True), opened(0, **TEXT), closed(0), end(output_tokens=-2))
    assert chunks[-1]["usage"] is None


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"type": "text", "text": {}}, "the 'text' of a content block is an object, not a text"),
        ({"type": "text", "text": None}, "the 'text' of a content block is null"),
        ({"type": "text"}, "the 'text' of a content block is null"),
        ({"type": "thinking", "thinking": 0}, "the 'thinking' of a content block is a number"),
        ({"type": "thinking", "thinking": ["hm"]}, "the 'thinking' of a content block is a list"),
        ({"type": "thinking", "signature": "s"}, "the 'thinking' of a content block is null"),
        ({"type": "thinking", "thinking": "", "signature": 5}, "'signature' .* is a number"),
        ({"type": "tool_use", "name": "f", "input": [1]}, "the 'input' of a tool call is a list"),
        (5, "a content block is a number, not an object"),
        (["x"], "a content block is a list, not an object"),
        ("and the rest", "a content block is a text, not an object"),
        (None, "a content block is null, not an object"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_no_block_of_a_whole_answer_is_left_out(block: Any, says: str, place: int) -> None:
    """What it was to say would be missing, and nothing would tell."""
    blocks = [TEXT]
    blocks.insert(place, block)
    with pytest.raises(ContradictionError, match=says):
        message(*blocks)


@pytest.mark.parametrize("type", [None, 5, ["text"], ""])
def test_a_block_that_does_not_say_what_it_is(type: Any) -> None:
    with pytest.raises(ContradictionError, match="a content block is of the type"):
        answer(TEXT, {"type": type, "text": "lo"})
