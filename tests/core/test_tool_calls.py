"""Tool calls that the models write wrongly, and what becomes of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core._response.accumulate import collect
from mimo_core._response.normalise import ChunkNormaliser
from mimo_core._response.repair import ToolCallRepair
from mimo_core.checks import call_problem
from mimo_core.types import ChatChunk, FunctionCall, Message

SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer"},
                "filter": {"oneOf": [{"$ref": "#/$defs/Filter"}, {"type": "null"}]},
            },
            "$defs": {"Filter": {"type": "object", "properties": {"year": {"type": "integer"}}}},
        },
    },
}
PLAIN = {
    "type": "function",
    "function": {
        "name": "plain",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}
LEAK = (
    "Let me look.\n<tool_call>\n<function=search>\n<parameter=query>\n42\n</parameter>\n"
    '<parameter=limit>3</parameter><parameter=filter>{"year": 2026}</parameter>\n'
    "</function>\n</tool_call>"
)


def arguments(call: Any) -> Any:
    return json.loads(call["function"]["arguments"])


def test_a_call_written_as_text_becomes_a_call_with_arguments_of_the_schemas_types() -> None:
    message = ToolCallRepair([SEARCH]).message(
        {"role": "assistant", "content": LEAK, "tool_calls": None}, "tool_calls"
    )
    assert message["content"] == "Let me look."
    [call] = message["tool_calls"] or []
    assert call["function"]["name"] == "search"
    assert arguments(call) == {"query": "42", "limit": 3, "filter": {"year": 2026}}
    assert call["id"]


def test_text_about_tool_calls_stays_text() -> None:
    text = "Write <tool_call><function=other></function></tool_call> to call it."
    assert ToolCallRepair([SEARCH]).split(text, "stop") == (text, [])


@pytest.mark.parametrize(
    ("given_arguments", "expected"),
    [
        ('{"filter": "{\\"year\\": 2026}"}', {"filter": {"year": 2026}}),
        ('{"query": "{\\"year\\": 2026}"}', {"query": '{"year": 2026}'}),  # a string is wanted
        ('"{\\"query\\": \\"x\\"}"', {"query": "x"}),  # all of it encoded twice
        ('{"filter": "not json"}', {"filter": "not json"}),
        ('{"unknown": "{}"}', {"unknown": "{}"}),
    ],
)
def test_an_object_written_as_a_json_string_is_decoded_where_the_schema_wants_an_object(
    given_arguments: str, expected: dict[str, Any]
) -> None:
    assert json.loads(ToolCallRepair([SEARCH]).arguments("search", given_arguments)) == expected


def test_what_needs_no_repair_stays_the_same_text() -> None:
    repair = ToolCallRepair([SEARCH])
    for text in ('{ "query":"x" }', '{"query": "cut', ""):
        assert repair.arguments("search", text) == text


def chunks_of(pieces: list[Message]) -> list[ChatChunk]:
    """What a consumer sees of these deltas, with both tools offered."""
    normaliser = ChunkNormaliser(ToolCallRepair([SEARCH, PLAIN]))
    out: list[ChatChunk] = []
    for delta in pieces:
        normaliser.add(
            {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}, out
        )
    normaliser.add({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}, out)
    return out + normaliser.end(said=True)


@given(st.lists(st.integers(0, len(LEAK)), max_size=12))
def test_a_leaked_call_is_found_in_a_stream_wherever_it_is_cut(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(LEAK)]
    pieces = [LEAK[a:b] for a, b in itertools.pairwise(bounds)]
    chunks = chunks_of([{"content": piece} for piece in pieces])
    message = collect(chunks)["choices"][0]["message"]
    assert message["content"] == "Let me look.\n"
    [call] = message["tool_calls"] or []
    assert arguments(call)["limit"] == 3
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@given(
    st.text(alphabet="<tol_ca>f x", min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_no_text_is_lost_or_moved_by_holding_it_back(text: str, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds)]
    message = collect(chunks_of([{"content": piece} for piece in pieces]))["choices"][0]["message"]
    assert message["content"] == text


def test_arguments_are_held_back_only_for_tools_that_take_objects() -> None:
    def call(index: int, name: str | None, text: str) -> Message:
        function: FunctionCall = {"arguments": text}
        if name:
            function["name"] = name
        return {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}

    chunks = chunks_of(
        [
            call(0, "plain", '{"te'),
            call(0, None, 'xt": "x"}'),
            call(1, "search", '{"filter": "{\\"ye'),
            call(1, None, 'ar\\": 1}"}'),
        ]
    )
    seen = [c["choices"][0]["delta"].get("tool_calls") for c in chunks]
    assert [s[0]["function"]["arguments"] for s in seen[:2] if s] == ['{"te', 'xt": "x"}']
    first, second = collect(chunks)["choices"][0]["message"]["tool_calls"] or []
    assert arguments(first) == {"text": "x"}
    assert arguments(second) == {"filter": {"year": 1}}


def test_calls_without_an_index_are_numbered() -> None:
    chunks = chunks_of(
        [
            {"tool_calls": [{"id": "a", "function": {"name": "plain", "arguments": "{"}}]},
            {"tool_calls": [{"function": {"arguments": "}"}}]},
            {"tool_calls": [{"id": "b", "function": {"name": "plain", "arguments": "{}"}}]},
        ]
    )
    calls = collect(chunks)["choices"][0]["message"]["tool_calls"] or []
    assert [(c["id"], c["function"]["arguments"]) for c in calls] == [("a", "{}"), ("b", "{}")]


# Which calls may be run


NO_ARGUMENTS = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
REQUIRED = {
    "type": "function",
    "function": {
        "name": "delete_files",
        "parameters": {
            "type": "object",
            "properties": {"pattern": {"type": "string"}},
            "required": ["pattern"],
        },
    },
}


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ({"name": "f", "arguments": '{"a": 1}'}, None),
        ({"name": "f", "arguments": "{}"}, None),
        ({"name": "f", "arguments": '{"a": "two\nlines"}'}, None),
        ({"name": "f", "arguments": ""}, "did not arrive"),
        ({"name": "f"}, "did not arrive"),
        ({"name": "f", "arguments": '{"a": 1'}, "not JSON"),
        ({"name": "f", "arguments": "{}{}"}, "not JSON"),
        ({"name": "f", "arguments": "[" * 100_000}, "not JSON"),
        ({"name": "f", "arguments": "[1]"}, "not a JSON object"),
        ({"name": "f", "arguments": "null"}, "not a JSON object"),
        ({"name": "", "arguments": "{}"}, "does not name a tool"),
        ({"arguments": "{}"}, "does not name a tool"),
    ],
)
def test_only_a_call_with_a_whole_object_may_be_run(function: Any, problem: str | None) -> None:
    found = call_problem({"id": "1", "type": "function", "function": function})
    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("name", "finish_reason", "arguments"),
    [
        ("now", "tool_calls", "{}"),
        ("now", "stop", "{}"),
        ("now", "length", ""),
        ("now", "content_filter", ""),
        ("now", "repetition_truncation", ""),
        ("now", "something_new", ""),
        ("delete_files", "tool_calls", ""),
        ("not_offered", "tool_calls", ""),
    ],
)
def test_empty_arguments_are_an_object_only_where_they_can_mean_one(
    name: str, finish_reason: str, arguments: str, streamed: bool, text: str
) -> None:
    repair = ToolCallRepair([NO_ARGUMENTS, REQUIRED])
    call: Any = {"id": "1", "type": "function", "function": {"name": name, "arguments": text}}
    if streamed:
        normaliser = ChunkNormaliser(repair)
        chunks: list[ChatChunk] = []
        for delta, reason in (({"tool_calls": [{**call, "index": 0}]}, None), ({}, finish_reason)):
            choice: Any = {"index": 0, "delta": delta, "finish_reason": reason}
            normaliser.add({"choices": [choice]}, chunks)
        message = collect(chunks + normaliser.end(said=True))["choices"][0]["message"]
    else:
        message = repair.message({"role": "assistant", "tool_calls": [call]}, finish_reason)
    [found] = message["tool_calls"] or []
    assert found["function"]["arguments"].strip() == arguments
    assert (call_problem(found) is None) == bool(arguments)
