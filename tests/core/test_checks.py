"""Output checks: what an answer must be, what is asked again, and what it used in all."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from mimo_core.checks import (
    Attempts,
    ForcedCall,
    JSONObject,
    OutputCheck,
    SchemaCheck,
    SingleCall,
    add_usage,
    output_check,
)
from mimo_core.errors import ContentFilterError, OutputCheckError
from mimo_core.types import FunctionCall, Message, ToolCall

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "find", "parameters": SCHEMA}}
USER = {"role": "user", "content": "Hi"}
REQUEST = {"model": "mimo-v2.6-pro", "messages": [USER]}
WHOLE_OBJECT = JSONObject(schema=SCHEMA, validate=SchemaCheck(SCHEMA))


def call(name: str = "find", arguments: str = '{"city": "Paris"}') -> ToolCall:
    function: FunctionCall = {"name": name, "arguments": arguments}
    return {"id": "a", "type": "function", "function": function}


def answer(
    content: str = "", *, finish_reason: str = "stop", tokens: int = 1, **fields: Any
) -> Any:
    message = {"role": "assistant", "content": content, **fields}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    return {"choices": [choice], "usage": {"total_tokens": tokens}}


def problem_of(check: OutputCheck, response: Any) -> str | None:
    return check.problem(response["choices"][0]["message"])


# What an answer must be


@pytest.mark.parametrize(
    ("check", "response", "problem"),
    [
        (ForcedCall(), answer(tool_calls=[call()]), None),
        (ForcedCall(name="find"), answer(tool_calls=[call()]), None),
        (ForcedCall(name="find"), answer(tool_calls=[call("other"), call()]), None),
        (ForcedCall(), answer("Hi"), "the answer does not call one of the tools"),
        (
            ForcedCall(name="find"),
            answer(tool_calls=[call("other")]),
            "the answer does not call the tool 'find'",
        ),
        (
            ForcedCall(name="find", validate=SchemaCheck(SCHEMA)),
            answer(tool_calls=[call(arguments='{"city": 1}')]),
            "$.city: 1 is not of type 'string'",
        ),
        (
            ForcedCall(name="find", validate=SchemaCheck(SCHEMA)),
            answer(tool_calls=[call(arguments='{"city": "P')]),
            "the tool 'find' was called, but its arguments are not JSON",
        ),
        (ForcedCall(), answer(tool_calls=[call(arguments="[1]")]), None),
        (WHOLE_OBJECT, answer('{"city": "Paris"}'), None),
        (WHOLE_OBJECT, answer('Here it is:\n```json\n{"city": "Paris"}\n```\nEnjoy.'), None),
        (WHOLE_OBJECT, answer("```\n{}\n``` or ```\n{}\n```"), "the answer is not JSON"),
        (WHOLE_OBJECT, answer('```json\n{"city": "Paris"}\n```'), None),
        (WHOLE_OBJECT, answer(tool_calls=[call()]), None),
        (WHOLE_OBJECT, answer("{}"), "$: 'city' is a required property"),
        (WHOLE_OBJECT, answer("[1]"), "the answer is JSON, but not an object"),
        (WHOLE_OBJECT, answer("Paris"), "the answer is not JSON"),
        (JSONObject(), answer(""), "the answer is empty"),
        (JSONObject(), answer("{}"), None),
        (SingleCall(), answer(tool_calls=[call(), call()]), "the answer calls more than one tool"),
        (SingleCall(), answer(tool_calls=[call()]), None),
        (SingleCall.beside(ForcedCall()), answer("Hi"), "the answer does not call"),
    ],
)
def test_what_is_wrong_with_an_answer(check: OutputCheck, response: Any, problem: str) -> None:
    found = problem_of(check, response)
    assert found is None if problem is None else problem in str(found)


@pytest.mark.parametrize(
    "check",
    [ForcedCall(name="find", validate=SchemaCheck(SCHEMA)), WHOLE_OBJECT, SingleCall.beside(None)],
)
def test_a_check_is_a_value(check: Any) -> None:
    """It is part of a model: of its pickle, and of the key of LangChain's cache."""
    assert pickle.loads(pickle.dumps(check)) == check
    assert repr(copy.deepcopy(check)) == repr(check)
    with pytest.raises(AttributeError):
        check.max_attempts = 5


# What a request asks for by its own fields


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({}, None),
        ({"tools": [TOOL]}, None),
        ({"tools": [TOOL], "tool_choice": "auto"}, None),
        ({"tools": [TOOL], "tool_choice": "none"}, None),
        ({"tools": [TOOL], "tool_choice": "required"}, ForcedCall()),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "find"}}},
            ForcedCall(name="find"),
        ),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, None),
        ({"response_format": {"type": "json_object"}}, None),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            WHOLE_OBJECT,
        ),
        ({"tools": [TOOL], "parallel_tool_calls": False}, SingleCall()),
        ({"tools": [TOOL], "parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, None),
    ],
)
def test_what_a_request_asks_for(fields: dict[str, Any], check: OutputCheck | None) -> None:
    assert output_check({**REQUEST, **fields}) == check


def test_what_is_not_to_be_enforced() -> None:
    fields = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    assert output_check({**REQUEST, **fields}, enforce=False) is None
    assert output_check({**REQUEST, **fields}, WHOLE_OBJECT, enforce=False) is WHOLE_OBJECT


# Attempts


def test_nothing_to_check() -> None:
    attempts = Attempts(REQUEST, None)
    assert attempts.request is REQUEST
    assert attempts.streams
    assert attempts.accepts(answer("Hi", tokens=3))
    assert attempts.usage == {"total_tokens": 3}


def test_a_violation_goes_back_once_with_the_reasoning() -> None:
    attempts = Attempts(REQUEST, WHOLE_OBJECT)
    system, user = attempts.request["messages"]
    assert json.dumps(SCHEMA, separators=(",", ":")) in system["content"]
    assert user == USER
    first = answer("{}", tokens=3, reasoning_content="Hm.")
    before = copy.deepcopy(first)
    assert not attempts.accepts(first)
    assert first == before
    again = attempts.request["messages"]
    assert again[:2] == [system, user]
    assert again[2] == {"role": "assistant", "content": "{}", "reasoning_content": "Hm."}
    assert "$: 'city' is a required property" in again[3]["content"]
    assert attempts.accepts(answer('{"city": "Paris"}', tokens=4))
    assert attempts.usage == {"total_tokens": 7}
    assert attempts.failure is None
    assert REQUEST["messages"] == [USER]


def test_calls_that_are_asked_for_again_are_told_in_words() -> None:
    attempts = Attempts(REQUEST, ForcedCall(name="find"))
    assert not attempts.accepts(answer("So:", tool_calls=[call("other")]))
    repeated, correction = attempts.request["messages"][-2:]
    assert repeated == {"role": "assistant", "content": 'So:\nother({"city": "Paris"})'}
    assert "Call the tool 'find' now." in correction["content"]


def test_the_last_attempt() -> None:
    attempts = Attempts(REQUEST, WHOLE_OBJECT)
    assert not attempts.accepts(answer("no"))
    with pytest.raises(OutputCheckError, match="after 2 attempts: the answer is not JSON") as e:
        attempts.accepts(answer("no again"))
    assert e.value.attempts == 2
    assert e.value.problem.startswith("the answer is not JSON")
    assert e.value.answer == answer("no again")
    copied = pickle.loads(pickle.dumps(e.value))
    assert (str(copied), copied.answer) == (str(e.value), e.value.answer)


def test_an_answer_that_will_not_do_can_be_wanted_all_the_same() -> None:
    attempts = Attempts(REQUEST, JSONObject(max_attempts=1, raises=False))
    assert attempts.accepts(answer("no"))
    assert "after 1 attempt: the answer is not JSON" in str(attempts.failure)


@pytest.mark.parametrize(
    ("finish_reason", "said"),
    [
        ("length", "The answer was cut (length): max_tokens was reached"),
        ("repetition_truncation", "the model repeated itself"),
    ],
)
def test_what_was_cut_is_not_asked_for_again(finish_reason: str, said: str) -> None:
    with pytest.raises(OutputCheckError) as e:
        Attempts(REQUEST, JSONObject()).accepts(answer("{", finish_reason=finish_reason))
    assert said in str(e.value)


def test_a_forced_call_that_was_cut_is_an_error() -> None:
    """An agent would ask for it again and again, and each answer would be cut."""
    cut = answer(tool_calls=[call(arguments='{"city": "P')], finish_reason="length")
    with pytest.raises(OutputCheckError, match=r"The answer was cut \(length\)"):
        Attempts(REQUEST, ForcedCall()).accepts(cut)
    whole = answer(tool_calls=[call()], finish_reason="length")
    assert Attempts(REQUEST, ForcedCall()).accepts(whole)


def test_what_the_filter_withheld() -> None:
    with pytest.raises(ContentFilterError, match="withheld the answer"):
        Attempts(REQUEST, JSONObject()).accepts(answer("", finish_reason="content_filter"))


def test_what_was_cut_and_is_fine_will_do() -> None:
    assert Attempts(REQUEST, JSONObject()).accepts(answer("{}", finish_reason="length"))


def test_what_was_given_out_is_not_taken_back() -> None:
    with pytest.raises(OutputCheckError, match="part of it was streamed"):
        Attempts(REQUEST, JSONObject()).accepts(answer("no"), given_out=True)


# Streams


def held(check: OutputCheck, *deltas: Message) -> list[bool]:
    """Which pieces wait."""
    given_out, called, waiting = False, False, []
    for delta in deltas:
        called = called or bool(delta.get("tool_calls"))
        waits = check.holds_back(delta, given_out=given_out, called=called)
        given_out = given_out or not waits
        waiting.append(waits)
    return waiting


def test_which_pieces_of_a_stream_wait() -> None:
    text: Message = {"content": "A"}
    thought: Message = {"reasoning_content": "Hm."}
    find: Message = {"tool_calls": [call()]}
    other: Message = {"tool_calls": [call("other")]}
    assert held(ForcedCall(name="find"), thought, text, other, find, text) == [
        *(True, True, True),
        *(False, False),
    ]
    assert held(WHOLE_OBJECT, thought, text, thought) == [True, False, False]
    assert held(WHOLE_OBJECT, thought, find) == [True, False]
    assert held(SingleCall(), thought, text, find, find) == [True, False, True, True]


def test_usage_adds_up_with_its_details() -> None:
    first = {"total_tokens": 3, "details": {"a": 1}, "note": "x", "none": None}
    second = {"total_tokens": 4, "details": {"a": 1, "b": 2}, "note": "y"}
    total = {"total_tokens": 7, "details": {"a": 2, "b": 2}, "note": "x", "none": None}
    assert add_usage(first, second) == total
