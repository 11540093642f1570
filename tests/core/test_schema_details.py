"""Schemas and notices: what is asked in words, what breaks a schema, why an answer is empty."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.errors import InvalidRequestError
from mimo_core.notices import empty_reason, thought_anyway
from mimo_core.schemas import (
    parse_object,
    schema_problem,
    violation,
    with_instruction,
)


def call(name: Any = "f", arguments: Any = "{}") -> Any:
    return {"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": "Hi"}


# Schemas


def test_an_instruction_stands_at_the_end_of_the_first_instructions() -> None:
    system = {"role": "system", "content": "A", "name": "x"}
    parts = {"role": "developer", "content": [{"type": "text", "text": "A"}]}
    assert with_instruction([USER, system, system], "B") == [
        USER,
        {**system, "content": "A\n\nB"},
        system,
    ]
    assert with_instruction([parts, USER], "B") == [
        {
            "role": "developer",
            "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        },
        USER,
    ]
    assert with_instruction([USER], "B") == [{"role": "system", "content": "B"}, USER]
    assert parts["content"] == [{"type": "text", "text": "A"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (' {"a": 1}\n', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here:\n```JSON \t\r\n{"a": 1}```\nDone.', {"a": 1}),
        ('```\n{"a": 1}```', {"a": 1}),
        ('{"a": "```\\n```"}', {"a": "```\n```"}),
        ('{"a": "``` x\\n"}', {"a": "``` x\n"}),
    ],
)
def test_the_json_of_an_answer(text: str, value: Any) -> None:
    assert parse_object(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("```\n```", "the answer is empty"),
        ("x", "the answer is not JSON: Expecting value"),
        ("```\n{}\n```\n```\n{}\n```", "the answer is not JSON"),
        ("[" * 100_000, "nested too deeply to be read"),
    ],
)
def test_what_is_no_json_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_object(text)


def test_what_breaks_a_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert violation({"a": "x"}, schema) is None
    assert violation({"a": 1}, schema) == "$.a: 1 is not of type 'string'"
    with pytest.raises(InvalidRequestError, match="The JSON Schema cannot be used: ") as raised:
        violation({}, {"$ref": "#/$defs/" + "x" * 500})
    assert raised.value.param == "response_format"
    assert len(str(raised.value)) == len("The JSON Schema cannot be used: .") + 200


class Hostile(dict[str, Any]):
    """A mapping whose methods raise."""

    def __contains__(self, key: object) -> bool:
        raise KeyError


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({}, None),
        ({"type": "object"}, None),
        ({"type": ["object", "null"]}, None),
        ([], "it is a list, not an object"),
        (None, "it is a NoneType, not an object"),
        (
            {"type": "array"},
            "its type is 'array', and MiMo answers with JSON objects only; wrap it in one",
        ),
        (
            {"type": ["null"]},
            "its type is ['null'], and MiMo answers with JSON objects only; wrap it in one",
        ),
    ],
)
def test_a_schema_that_cannot_ask_for_an_answer(schema: Any, problem: str | None) -> None:
    assert schema_problem(schema) == problem


def test_a_broken_schema_says_where_in_a_line() -> None:
    problem = schema_problem({"properties": {"a": {"type": "x" * 500}}})
    assert problem is not None
    assert problem.startswith("$.properties.a.type: ")
    assert len(problem) == 300
    deep: Any = {}
    for _ in range(5000):
        deep = {"not": deep}
    assert schema_problem(deep) == "it is nested too deeply"
    assert "a value of it raises KeyError" in (schema_problem(Hostile({"type": "object"})) or "")


# Notices


@pytest.mark.parametrize(
    ("message", "reason", "why"),
    [
        ({"content": "x"}, "length", None),
        ({"content": " \n"}, "length", "budget"),
        ({"content": None}, "length", "budget"),
        ({"tool_calls": [call()]}, "length", None),
        ({"audio": {}}, "length", None),
        ({"audio": None}, "length", "budget"),
        ({"reasoning_content": "x"}, "stop", "only_reasoning"),
        ({"reasoning_content": ""}, "stop", None),
        ({"reasoning_content": "x"}, "tool_calls", None),
        ({}, "stop", None),
        ({}, None, None),
    ],
)
def test_why_an_answer_is_empty(message: Any, reason: str | None, why: str | None) -> None:
    assert empty_reason(message, reason) == why


@pytest.mark.parametrize(
    ("request_", "is_off"),
    [
        ({"thinking": {"type": "disabled"}}, True),
        ({"thinking": {"type": "enabled"}}, False),
        ({"thinking": False}, True),
        ({"thinking": True}, False),
        ({"reasoning_effort": "none"}, True),
        ({"reasoning_effort": "low"}, False),
        ({"thinking": True, "reasoning_effort": "none"}, False),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, False),
        ({}, False),
    ],
)
def test_reasoning_though_thinking_was_off(request_: Any, is_off: bool) -> None:
    assert thought_anyway(request_, {"reasoning_content": "x"}) is is_off
    assert thought_anyway(request_, {"reasoning_content": " "}) is False
    assert thought_anyway(request_, {"reasoning_content": None}) is False
    assert thought_anyway(request_, {}) is False
