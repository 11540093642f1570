"""`llm --schema`: JSON mode, the schema in the prompt, and a check of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, Fault, ReceivedRequest, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")

DOG = {"name": "Rex", "age": 3}


def _ask(*arguments: str) -> tuple[str, ...]:
    return ("-m", "mimo", "A dog", "--schema", "name, age int", *arguments)


def _in_json_mode(request: ReceivedRequest) -> bool:
    """Whether JSON is asked for. The messages protocol has no field for it, only the prompt."""
    if request.protocol == "messages":
        return str(request.messages[0]["content"]).count("Return only one JSON object") == 1
    return bool(request.body.get("response_format") == {"type": "json_object"})


def test_a_valid_answer(run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any) -> None:
    mimo.queue(Reply(json=DOG, reasoning="A dog it is."))
    result = run.ok(*_ask("-s", "Be brief", *both))
    assert json.loads(result.stdout) == DOG
    assert _in_json_mode(mimo.last_request)
    system, user = mimo.last_request.messages
    assert system["content"].startswith("Be brief\n\n")
    assert '"age"' in system["content"]
    assert user == {"role": "user", "content": "A dog"}
    row = logged()
    assert json.loads(row["response"]) == DOG
    assert row["schema_json"]["required"] == ["name", "age"]


def test_a_fence_is_taken_off(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply(f"```json\n{json.dumps(DOG)}\n```"))
    assert json.loads(run.ok(*_ask(*both)).stdout) == DOG


@pytest.mark.parametrize("first", ['{"name": "Rex"}', "Rex is three.", ""])
def test_a_violation_is_corrected_once(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], first: str, logged: Any
) -> None:
    mimo.queue(Reply(first, reasoning="Hm."), Reply(json=DOG, reasoning="Ah."))
    result = run.ok(*_ask(*both))
    assert json.loads(result.stdout) == DOG
    *_, answer, correction = mimo.last_request.messages
    assert answer["role"] == "assistant"
    assert answer["content"].strip() == first
    assert answer["reasoning_content"] == "Hm."
    assert "not a valid answer" in correction["content"]
    used = logged()
    assert used["response_json"]["usage"]["prompt_tokens"] == used["input_tokens"]
    assert used["input_tokens"] > 2 * len("A dog")  # both requests count
    assert "Rex is three" not in used["response"]


def test_a_second_violation_is_named(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply(json={"name": "Rex"}), Reply(json={"name": "Rex", "age": "three"}))
    error = run.fails(*_ask(*both))
    assert "$.age: 'three' is not of type 'integer'" in error
    assert len(mimo.requests) == 2


@pytest.mark.parametrize("reason", ["length", "repetition_truncation", "content_filter"])
def test_a_cut_answer_is_not_asked_for_again(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], reason: str
) -> None:
    mimo.queue(Reply('{"name": "Re', finish_reason=reason))
    error = run.fails(*_ask(*both))
    assert "no JSON for the schema" in error
    assert ("-o max_tokens" in error) is (reason == "length")
    assert len(mimo.requests) == 1


def test_a_stream_that_breaks_shows_no_half_object(run: Any, mimo: FakeMiMo, mode: Any) -> None:
    mimo.queue(Fault(reply=Reply(json=DOG, chunk_size=2), cut="mid_stream"))
    result = run(*_ask(*mode))
    assert result.exit_code == 1
    assert result.stdout == ""


def test_with_tools(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    """llm itself drops the schema after the first round of tool calls."""
    calls: list[tuple[Any, ...]] = [("llm_version", {})]
    mimo.queue(
        Reply("Wait.", reasoning="Hm.", tool_calls=calls),
        Reply(tool_calls=calls),
        Reply(json={"name": "Rex"}),
        Reply(json=DOG),
    )
    result = run.ok(*_ask("-T", "llm_version", *both))
    assert result.stdout == f"Wait. {json.dumps(DOG)}\n"
    for request in mimo.requests:
        assert _in_json_mode(request)
        assert '"age"' in request.messages[0]["content"]
    assert mimo.requests[1].messages[2]["content"] == "Wait."


def test_it_ends_with_its_turn(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply(json=DOG))
    run.ok(*_ask("-T", "llm_version"))
    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply("A dog."))
    assert run.ok("-c", "In words?").stdout.strip() == "A dog."
    assert not _in_json_mode(mimo.last_request)


def test_several_objects(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(json={"items": [DOG]}))
    result = run.ok("-m", "mimo", "Dogs", "--schema-multi", "name, age int")
    assert json.loads(result.stdout) == {"items": [DOG]}


@pytest.mark.parametrize("reasoning", [None, "A dog it is."])
def test_a_valid_answer_has_no_note(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], reasoning: str | None
) -> None:
    mimo.queue(Reply(json=DOG, reasoning=reasoning))
    assert "Note" not in run.ok(*_ask(*both)).stderr


def test_only_thoughts_are_no_answer_twice(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply("", reasoning="A dog."), Reply("", reasoning="A dog!"))
    assert "the answer is empty" in run.fails(*_ask(*both))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "array", "items": {}}, "JSON objects only; wrap it in one"),
        ({"type": "string"}, "JSON objects only"),
        ({"type": "objekt"}, "'objekt' is not valid"),
        ({"type": "object", "required": "name"}, "$.required: 'name' is not of type 'array'"),
        ({"properties": 7}, "$.properties: 7 is not of type 'object'"),
    ],
)
def test_a_schema_that_cannot_be_used(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], schema: Any, words: str
) -> None:
    arguments = ("-m", "mimo", "A dog", "--schema", json.dumps(schema))
    error = run.fails(*arguments, *both)
    assert error.startswith("Error: The schema cannot be used: ")
    assert words in error
    assert not mimo.requests


def test_a_schema_that_refers_to_nothing(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    schema = {"type": "object", "properties": {"name": {"$ref": "#/$defs/name"}}}
    mimo.queue(Reply(json=DOG))
    error = run.fails("-m", "mimo", "A dog", "--schema", json.dumps(schema), *both)
    assert "JSON Schema cannot be used" in error or "The schema cannot be used" in error


def test_json_object_without_a_schema(run: Any, mimo: FakeMiMo) -> None:
    run.ok("-m", "mimo", "A dog as JSON", "-o", "json_object", "true")
    assert _in_json_mode(mimo.last_request)
