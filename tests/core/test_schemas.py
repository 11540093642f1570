"""Structured output: asking for a schema, reading the answer, saying what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core import UnsupportedInputError, prepare
from mimo_core.schemas import (
    correction,
    parse_object,
    schema_instruction,
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
