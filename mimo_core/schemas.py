"""Answers to a JSON Schema on a service that promises JSON, but not your keys.

`response_format: {"type": "json_object"}` guarantees JSON only: the schema belongs into the prompt
and the answer is validated here (vendor's page on structured outputs, 22 June 2026).
"""

from __future__ import annotations

import json
import re
from typing import Any

from mimo_core.errors import InvalidRequestError
from mimo_core.types import InsertedMessage

JSON_OBJECT: dict[str, Any] = {"type": "json_object"}

JSON_ONLY = "Return only one JSON object, without explanations, comments or Markdown."
_FENCE = re.compile(r"```[a-zA-Z]*[ \t\r]*\n")


def schema_instruction(schema: dict[str, Any]) -> str:
    """The sentences that ask for an answer to this JSON Schema."""
    return (
        f"{JSON_ONLY} It must be valid against this JSON Schema:\n"
        f"{json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}\n"
        "Fill in null for what is unknown where the schema allows it."
    )


def with_instruction(messages: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """A copy of request messages whose system message ends with `text`."""
    for position, message in enumerate(messages):
        if message.get("role") in ("system", "developer"):
            content = message["content"]
            if isinstance(content, str):
                content = f"{content}\n\n{text}"
            else:
                content = [*content, {"type": "text", "text": text}]
            return [
                *messages[:position],
                {**message, "content": content},
                *messages[position + 1 :],
            ]
    return [InsertedMessage(role="system", content=text), *messages]


def parse_object(text: str) -> Any:
    """The JSON value in an answer. Raises `ValueError` that says where it stops being JSON."""
    text = text.strip()
    if text.count("```") == 2 and (opening := _FENCE.search(text)):  # one block, and maybe prose
        text = text[opening.end() : text.rindex("```")]
    if not text:
        raise ValueError("the answer is empty")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the answer is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("the answer is JSON that is nested too deeply to be read") from error


def violation(value: Any, schema: dict[str, Any]) -> str | None:
    """What is wrong with `value` under `schema`, in one line, or None where nothing is.

    Raises:
        InvalidRequestError: the schema is broken, or refers to something that it does not hold.
    """
    from jsonschema import exceptions, validators

    kind = validators.validator_for(schema)
    try:
        error = exceptions.best_match(kind(schema).iter_errors(value))
    except Exception as cause:  # what jsonschema raises on a broken schema has many names
        reason = " ".join(str(cause).split())[:200] or type(cause).__name__
        raise InvalidRequestError(
            f"The JSON Schema cannot be used: {reason}.", param="response_format"
        ) from cause
    if error is None:
        return None
    return f"{error.json_path}: {error.message}"


def schema_problem(schema: Any) -> str | None:
    """Why a JSON Schema cannot ask for an answer, in one line, or None where it can.

    Args:
        schema: what a user gave. Its answers have to be objects: `json_object` gives nothing else.
    """
    from jsonschema import exceptions, validators

    if not isinstance(schema, dict):
        return f"it is a {type(schema).__name__}, not an object"
    try:
        validators.validator_for(schema).check_schema(schema)
    except exceptions.SchemaError as error:
        return f"{error.json_path}: {error.message}"[:300]
    except RecursionError:
        return "it is nested too deeply"
    except Exception as error:  # of a value's own methods
        return f"it cannot be checked: a value of it raises {type(error).__name__}"
    kinds = schema.get("type", "object")
    if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
        return f"its type is {kinds!r}, and MiMo answers with JSON objects only; wrap it in one"
    return None


def correction(problem: str) -> str:
    """The user message that asks for another attempt after `problem`."""
    return (
        f"That was not a valid answer: {problem}. "
        "Return the corrected JSON object only, complete, without explanations."
    )
