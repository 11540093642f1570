"""Structured output: asking for a schema, reading the answer, saying what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core import InvalidRequestError, UnsupportedInputError, prepare
from mimo_core.schemas import (
    correction,
    parse_object,
    schema_instruction,
    schema_problem,
    violation,
    with_instruction,
)

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "description": "der Größe nach"}},
    "required": ["name"],
}


def test_the_instruction_holds_the_schema_as_it_is() -> None:
    text = schema_instruction(SCHEMA)
    assert json.dumps(SCHEMA, ensure_ascii=False, separators=(",", ":")) in text
    assert "JSON" in text  # the vendor asks for the word in the prompt


def test_the_instruction_goes_to_the_end_of_the_system_message() -> None:
    user = {"role": "user", "content": "Hi"}
    plain: list[dict[str, Any]] = [{"role": "system", "content": "Be kind."}, user]
    parts: list[dict[str, Any]] = [
        user,
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        user,
    ]
    before = json.dumps([plain, parts])

    assert with_instruction(plain, "X")[0]["content"] == "Be kind.\n\nX"
    assert with_instruction(plain, "X")[1:] == [user]
    assert with_instruction(parts, "X")[1]["content"][-1] == {"type": "text", "text": "X"}
    assert with_instruction([user], "X") == [{"role": "system", "content": "X"}, user]
    assert json.dumps([plain, parts]) == before


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1}',
        ' \n{"a":1}\n ',
        '```json\n{"a":1}\n```',
        '```\n{"a":1}```',
        ' ```JSON \r\n{"a":1}\r\n``` ',
        '{"a":1}' + " " * 100_000,  # a backend that pads with whitespace
    ],
)
def test_json_with_or_without_a_fence(text: str) -> None:
    assert parse_object(text) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the answer is empty"),
        (" \n ", "the answer is empty"),
        ('{"a":', "the answer is not JSON: "),
        ("```json\n", "the answer is not JSON: "),
        ("```json\n" + " \n" * 200_000 + "x", "the answer is not JSON: "),  # and fast
        ("Sure! {}", "the answer is not JSON: "),
    ],
)
def test_what_is_no_json(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_object(text)


def test_the_violation_says_where_and_what() -> None:
    assert violation({"name": "Bo"}, SCHEMA) is None
    assert violation({"name": 3}, SCHEMA) == "$.name: 3 is not of type 'string'"
    assert "'name' is a required property" in (violation({}, SCHEMA) or "")
    assert "$.name: 3" in correction(violation({"name": 3}, SCHEMA) or "")


@pytest.mark.parametrize("protocol", ["chat_completions", "messages"])
@pytest.mark.parametrize("first", [[], [{"role": "system", "content": "Be kind."}]])
def test_an_instruction_does_not_move_the_numbers_of_the_messages(
    protocol: Any, first: list[dict[str, Any]]
) -> None:
    """Errors name a message by the number that its writer knows it by."""
    sound = {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}}
    history = [*first, {"role": "user", "content": [sound]}]
    request = {"model": "mimo-v2.5-pro", "messages": with_instruction(history, "JSON only.")}
    with pytest.raises(UnsupportedInputError, match=rf"messages\[{len(first)}\]"):
        prepare(request, protocol)
    request["model"] = "mimo-v2.6-pro"
    if protocol == "messages":
        with pytest.raises(UnsupportedInputError, match=rf"messages\[{len(first)}\].*use protocol"):
            prepare(request, protocol)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "object"}, None),
        ({}, None),  # whatever it is, it can be an object
        ({"type": ["object", "null"]}, None),
        ({"type": "array"}, "its type is 'array', and MiMo answers with JSON objects only"),
        ({"type": ["string", "null"]}, "its type is ['string', 'null'], and MiMo"),
        ([], "it is a list, not an object"),
        ({"type": 5}, "$.type: 5 is not valid under any of the given schemas"),
        (nested(3000), "it is nested too deeply"),
        ({"type": Unspeakable()}, "it cannot be checked: a value of it raises RuntimeError"),
    ],
    ids=["object", "any", "nullable", "array", "text", "list", "wrong", "deep", "unspeakable"],
)
def test_a_schema_that_cannot_ask_for_an_answer(schema: Any, problem: str | None) -> None:
    found = schema_problem(schema)
    assert found == problem if problem is None else (found or "").startswith(problem)


def test_a_schema_that_cannot_be_used_is_the_requests_fault() -> None:
    broken = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}
    with pytest.raises(
        InvalidRequestError, match=r"JSON Schema cannot be used: .*nowhere"
    ) as caught:
        violation({"a": 1}, broken)
    assert caught.value.param == "response_format"
