"""Output checks, the particulars: who waits, what is asked again and how, what is added up."""

from __future__ import annotations

import json
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
    call_problem,
    output_check,
)
from mimo_core.errors import ContentFilterError, OutputCheckError
from mimo_core.schemas import (
    correction,
    schema_instruction,
)

TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}


SEARCH: Any = {"type": "web_search"}


def call(name: Any = "f", arguments: Any = "{}") -> Any:
    return {"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(content: Any = "", reason: str | None = "stop", **fields: Any) -> Any:
    message = {"role": "assistant", "content": content, **fields}
    return {
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"total_tokens": 1},
    }


# Who waits


@pytest.mark.parametrize(
    ("check", "delta", "given_out", "called", "waits"),
    [
        (ForcedCall(name="f"), {"content": "x"}, False, False, True),
        (ForcedCall(name="f"), {"content": "x"}, True, False, False),
        (ForcedCall(name="f"), {"tool_calls": [call()]}, False, False, False),
        (ForcedCall(name="f"), {"tool_calls": [call("g")]}, False, False, True),
        (ForcedCall(name="f"), {"tool_calls": [call("g"), call()]}, False, False, False),
        (ForcedCall(name="f"), {"tool_calls": [{"index": 0}]}, False, False, True),
        (ForcedCall(), {"tool_calls": [{"index": 0}]}, False, False, False),
        (ForcedCall(), {"tool_calls": None}, False, False, True),
        (JSONObject(), {"content": "x"}, False, False, False),
        (JSONObject(), {"content": ""}, False, False, True),
        (JSONObject(), {"reasoning_content": "x"}, False, False, True),
        (JSONObject(), {"reasoning_content": "x"}, True, False, False),
        (JSONObject(), {"reasoning_content": "x"}, False, True, False),
        (SingleCall(), {"content": "x"}, False, False, False),
        (SingleCall(), {"reasoning_content": "x"}, False, False, True),
        (SingleCall(), {"reasoning_content": "x"}, True, False, False),
        (SingleCall(), {"content": "x"}, True, True, True),
        (SingleCall(other=ForcedCall()), {"content": "x"}, False, False, True),
        (SingleCall(other=ForcedCall()), {"content": "x"}, True, False, False),
        (SingleCall(other=JSONObject()), {"content": "x"}, False, False, False),
        (SingleCall(other=JSONObject()), {"reasoning_content": "x"}, False, True, True),
    ],
)
def test_which_piece_of_a_stream_waits(
    check: OutputCheck, delta: Any, given_out: bool, called: bool, waits: bool
) -> None:
    assert check.holds_back(delta, given_out=given_out, called=called) is waits


# What is wrong with an answer


def refuse(value: Any) -> str | None:
    return None if value == {"a": 1} else f"it is {value!r}"


@pytest.mark.parametrize(
    ("check", "fields", "was_cut", "problem"),
    [
        (ForcedCall(name="f"), {"tool_calls": [call()]}, False, None),
        (ForcedCall(name="f"), {"tool_calls": [call(arguments="")]}, False, None),
        (
            ForcedCall(name="f"),
            {"tool_calls": [call(arguments="")]},
            True,
            "the tool 'f' was called, but its arguments did not arrive",
        ),
        (ForcedCall(name="f"), {"tool_calls": [call()]}, True, None),
        (ForcedCall(), {"tool_calls": []}, False, "the answer does not call one of the tools"),
        (
            ForcedCall(name="f"),
            {"tool_calls": [{}]},
            False,
            "the answer does not call the tool 'f'",
        ),
        (ForcedCall(), {"tool_calls": [{}]}, False, None),
        (
            ForcedCall(validate=refuse),
            {"tool_calls": [call(arguments="[1]")]},
            False,
            "one of the tools was called, but its arguments are not a JSON object",
        ),
        (ForcedCall(validate=refuse), {"tool_calls": [call(arguments='{"a": 1}')]}, False, None),
        (ForcedCall(validate=refuse), {"tool_calls": [call()]}, False, "it is {}"),
        (
            ForcedCall(validate=refuse),
            {"tool_calls": [call(arguments='{"a": "\n"}')]},
            False,
            "it is {'a': '\\n'}",
        ),
        (JSONObject(), {"content": "{}"}, False, None),
        (JSONObject(), {"content": None}, False, "the answer is empty"),
        (JSONObject(), {"content": "[]"}, False, "the answer is JSON, but not an object"),
        (JSONObject(validate=refuse), {"content": "{}"}, False, "it is {}"),
        (JSONObject(validate=refuse), {"content": '{"a": 1}'}, False, None),
        (JSONObject(), {"content": "x", "tool_calls": [call()]}, False, None),
        (SingleCall(), {"tool_calls": [call()]}, False, None),
        (SingleCall(), {"tool_calls": [call()] * 2}, False, "the answer calls more than one tool"),
        (SingleCall(), {}, False, None),
        (
            SingleCall(other=JSONObject()),
            {"content": "[]"},
            False,
            "the answer is JSON, but not an object",
        ),
        (
            SingleCall(other=ForcedCall()),
            {"tool_calls": [call(arguments="{")]},
            True,
            "one of the tools was called, but its arguments are not JSON (Expecting property name "
            "enclosed in double quotes: line 1 column 2 (char 1))",
        ),
    ],
)
def test_what_is_wrong(check: OutputCheck, fields: Any, was_cut: bool, problem: str | None) -> None:
    assert check.problem(fields, was_cut=was_cut) == problem


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (ForcedCall(name="f"), "That was not what is needed: P. Call the tool 'f' now."),
        (ForcedCall(), "That was not what is needed: P. Call one of the tools now."),
        (JSONObject(), correction("P")),
        (SingleCall(), "That was not what is needed: P. Call only the first one now."),
        (SingleCall(other=JSONObject()), correction("P")),
    ],
)
def test_what_the_next_request_says(check: OutputCheck, text: str) -> None:
    assert check.correction("P") == text


def test_too_many_calls_are_corrected_as_such_whatever_else_is_asked() -> None:
    check = SingleCall(other=JSONObject())
    problem: Any = check.problem({"tool_calls": [call(), call()]})
    assert check.correction(problem).endswith("Call only the first one now.")
    assert "That was not a valid answer: P. Return" in correction("P")


def test_what_the_first_request_says() -> None:
    one = "Call at most one tool in an answer, and wait for its result."
    assert ForcedCall(name="f").instruction() == "Answer by calling the tool 'f', not with text."
    assert JSONObject().instruction() == ""
    assert JSONObject(schema={"a": 1}).instruction() == schema_instruction({"a": 1})
    assert SingleCall().instruction() == one
    assert SingleCall(other=JSONObject()).instruction() == one
    forced = SingleCall(other=ForcedCall()).instruction()
    assert forced == f"{ForcedCall().instruction()}\n\n{one}"


def test_a_single_call_takes_over_the_other_check_s_settings() -> None:
    other = ForcedCall(streams=False, max_attempts=5, raises=False)
    check = SingleCall.beside(other)
    assert (check.other, check.streams, check.max_attempts, check.raises) == (
        other,
        False,
        5,
        False,
    )
    assert SingleCall.beside(None) == SingleCall()
    assert (SingleCall().streams, SingleCall().max_attempts, SingleCall().raises) == (True, 2, True)


# The attempts

USER = {"role": "user", "content": "Hi"}


def attempts(check: OutputCheck | None) -> Attempts:
    return Attempts({"model": "m", "messages": [USER]}, check)


def test_without_a_check_everything_is_accepted_as_it_is() -> None:
    tries = attempts(None)
    assert tries.request == {"model": "m", "messages": [USER]}
    assert tries.streams
    assert tries.accepts(answer("x"))
    assert tries.usage == {"total_tokens": 1}
    assert tries.failure is None
    assert not attempts(JSONObject(streams=False)).streams
    assert attempts(JSONObject()).streams


def test_an_instruction_is_added_only_where_there_is_one() -> None:
    assert attempts(JSONObject()).request["messages"] == [USER]
    assert attempts(ForcedCall()).request["messages"][0]["role"] == "system"


def test_an_answer_that_will_do_is_accepted() -> None:
    tries = attempts(JSONObject())
    assert tries.accepts(answer("{}"))
    assert tries.failure is None


def test_what_is_asked_again_holds_the_answer_and_the_correction() -> None:
    tries = attempts(ForcedCall(name="f"))
    reply = answer(
        " x ",
        tool_calls=[call("g", '{"b": 1}'), {}],
        reasoning_content="r",
        reasoning_signature="s",
        reasoning_details=[{"text": "r"}],
    )
    before = json.dumps(reply)
    first = tries.request["messages"]
    assert tries.accepts(reply) is False
    assert tries.request["model"] == "m"
    assert tries.request["messages"] == [
        *first,
        {
            "role": "assistant",
            "content": 'x \ng({"b": 1})\nNone(None)',
            "reasoning_content": "r",
            "reasoning_signature": "s",
            "reasoning_details": [{"text": "r"}],
        },
        {
            "role": "user",
            "content": ForcedCall(name="f").correction("the answer does not call the tool 'f'"),
        },
    ]
    assert json.dumps(reply) == before
    assert tries.accepts(answer(tool_calls=[call()], reason="tool_calls"))
    assert tries.usage == {"total_tokens": 2}


def test_of_an_answer_without_text_the_next_request_holds_an_empty_one() -> None:
    tries = attempts(JSONObject())
    tries.accepts(answer(None, reasoning_content=""))
    assert tries.request["messages"][1] == {"role": "assistant", "content": ""}


def test_the_last_attempt_fails() -> None:
    tries = attempts(JSONObject(max_attempts=2))
    assert tries.accepts(answer("x")) is False
    with pytest.raises(OutputCheckError) as raised:
        tries.accepts(answer("[]"))
    error = raised.value
    assert str(error) == (
        "MiMo's answer is not what was asked for, after 2 attempts: the answer is JSON, but not an "
        "object."
    )
    assert (error.attempts, error.problem) == (2, "the answer is JSON, but not an object")
    assert error.answer == answer("[]")
    assert tries.failure is error


def test_one_attempt_is_not_several() -> None:
    with pytest.raises(OutputCheckError, match="after 1 attempt: "):
        attempts(JSONObject(max_attempts=1)).accepts(answer("[]"))


def test_what_was_given_out_is_not_asked_again() -> None:
    tries = attempts(JSONObject())
    with pytest.raises(OutputCheckError, match=r"not asked again, because part of it was streamed"):
        tries.accepts(answer("[]"), given_out=True)
    last = attempts(JSONObject(max_attempts=1))
    with pytest.raises(OutputCheckError) as raised:
        last.accepts(answer("[]"), given_out=True)
    assert "not asked again" not in str(raised.value)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("length", "The answer was cut (length): max_tokens was reached"),
        ("repetition_truncation", "The answer was cut (repetition_truncation): the model repeated"),
    ],
)
def test_an_answer_that_was_cut_is_not_asked_again(reason: str, words: str) -> None:
    with pytest.raises(OutputCheckError) as raised:
        attempts(JSONObject()).accepts(answer("{", reason))
    assert str(raised.value).startswith(words)
    assert "(not asked again" not in str(raised.value)


def test_what_the_filter_withheld_is_the_filter_s_error() -> None:
    tries = attempts(JSONObject(max_attempts=1))
    with pytest.raises(ContentFilterError, match="withheld the answer"):
        tries.accepts(answer("", "content_filter"))


def test_a_check_that_does_not_raise_says_why_an_answer_will_not_do() -> None:
    tries = attempts(JSONObject(max_attempts=1, raises=False))
    assert tries.accepts(answer("x")) is True
    assert isinstance(tries.failure, OutputCheckError)
    assert tries.accepts(answer("{}")) is True
    assert tries.failure is None


# Which check a request asks for

SCHEMA = {"type": "object", "required": ["a"]}
FORMAT = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("request_", "enforce", "check"),
    [
        ({}, True, None),
        (
            {"response_format": FORMAT},
            False,
            JSONObject(schema=SCHEMA, validate=SchemaCheck(SCHEMA)),
        ),
        ({"response_format": {"type": "json_object"}}, True, None),
        (
            {"response_format": {"type": "json_schema"}},
            True,
            JSONObject(schema={}, validate=SchemaCheck({})),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            True,
            JSONObject(schema={}, validate=SchemaCheck({})),
        ),
        ({"tools": [TOOL], "tool_choice": "required"}, True, ForcedCall()),
        ({"tools": [TOOL], "tool_choice": "required"}, False, None),
        ({"tools": [SEARCH], "tool_choice": "required"}, True, None),
        ({"tools": [SEARCH, TOOL], "tool_choice": "required"}, True, ForcedCall()),
        ({"tools": [TOOL], "tool_choice": NAMED}, True, ForcedCall(name="f")),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, True, ForcedCall()),
        ({"tools": [TOOL], "tool_choice": "auto"}, True, None),
        ({"tools": [TOOL], "tool_choice": "none"}, True, None),
        ({"tools": [TOOL]}, True, None),
        ({"tools": [TOOL], "parallel_tool_calls": False}, True, SingleCall()),
        ({"tools": [TOOL], "parallel_tool_calls": False}, False, None),
        ({"tools": [TOOL], "parallel_tool_calls": None}, True, None),
        ({"tools": [SEARCH], "parallel_tool_calls": False}, True, None),
        ({"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False}, True, None),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            True,
            SingleCall(other=ForcedCall()),
        ),
    ],
)
def test_which_check_the_fields_ask_for(request_: Any, enforce: bool, check: Any) -> None:
    assert output_check(request_, enforce=enforce) == check


def test_a_check_that_is_there_already_counts() -> None:
    given = JSONObject(max_attempts=7)
    request = {"tools": [TOOL], "tool_choice": "required"}
    assert output_check(request, given) is given
    both = output_check({**request, "parallel_tool_calls": False}, given)
    assert both == SingleCall.beside(given)


# What is added up


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 3, "b": 3}),
        ({"a": None}, {"a": 2}, {"a": 2}),
        ({"a": 1.5}, {"a": 0.5}, {"a": 2.0}),
        ({"d": {"x": 1}}, {"d": {"x": 2, "y": 1}}, {"d": {"x": 3, "y": 1}}),
        ({"d": None}, {"d": {"x": 2}}, {"d": {"x": 2}}),
        ({"a": 1}, {"d": {"x": 2}}, {"a": 1, "d": {"x": 2}}),
        ({"t": "x"}, {"t": "y", "u": "z"}, {"t": "x", "u": "z"}),
    ],
)
def test_two_usages(left: Any, right: Any, total: Any) -> None:
    before = json.dumps([left, right])
    assert add_usage(left, right) == total
    assert json.dumps([left, right]) == before
    assert add_usage({}, right) is not right


@pytest.mark.parametrize(
    ("one", "problem"),
    [
        ({}, "it does not name a tool"),
        ({"function": None}, "it does not name a tool"),
        (call(""), "it does not name a tool"),
        (call(arguments=""), "its arguments did not arrive"),
        (call(arguments=None), "its arguments did not arrive"),
        (call(arguments="[]"), "its arguments are not a JSON object"),
        (call(arguments='{"a": "\n"}'), None),
        (call(), None),
    ],
)
def test_whether_a_call_may_be_run(one: Any, problem: str | None) -> None:
    assert call_problem(one) == problem
    assert "its arguments are not JSON (" in (call_problem(call(arguments="{")) or "")
    assert "its arguments are not JSON (" in (call_problem(call(arguments="[" * 100_000)) or "")
