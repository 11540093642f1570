"""Schemas in every form that LangChain's users have them, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_mimo.errors import MiMoInvalidRequestError
from langchain_mimo.tool_choice import wire_tools
from mimo_core.checks import JSONObject, SchemaCheck
from mimo_core.schemas import parse_object, schema_problem, violation
from mimo_core.values import quoted

Schema = dict[str, Any] | type
"""A pydantic class (v2 or v1), a TypedDict, a JSON Schema or an OpenAI tool."""


def titled(schema: Any) -> Any:
    """The schema with a title, by which LangChain tells a JSON Schema from other dicts.

    Args:
        schema: a `Schema`; anything else is given back as it is.
    """
    if isinstance(schema, dict) and "properties" in schema and "title" not in schema:
        return {"title": "answer", **schema}
    return schema


def is_pydantic(schema: Any) -> bool:
    """Whether answers become objects of a pydantic class.

    Args:
        schema: a `Schema`.
    """
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def schema_tool(schema: Any, param: str, *, strict: bool | None = None) -> dict[str, Any]:
    """A schema as a tool in OpenAI's form.

    Args:
        schema: as `titled` gives it.
        param: the argument that it was given as.
        strict: asks the service to follow it exactly.

    Returns:
        `{"type": "function", "function": {"name": …, "parameters": …}}`.

    Raises:
        MiMoInvalidRequestError: it is not a schema.
    """
    [tool] = wire_tools([schema], strict=strict, param=param)
    function = tool.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise MiMoInvalidRequestError(
            f"{param} is not a pydantic class, a TypedDict, a JSON Schema or an OpenAI tool: "
            f"{quoted(schema, 200)}",
            param=param,
        )
    if isinstance(schema, dict):  # a class makes none that is wrong, and is checked by itself
        _check_schema(_given_schema(schema, tool), param)
    return tool


def json_schema_of(tool: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, under the tool's name.

    Args:
        tool: as `schema_tool` gives it.
    """
    return convert_to_json_schema(tool)


def check_wire_format(response_format: Mapping[str, Any]) -> None:
    """Check a `response_format` of type `json_schema` in its form on the wire.

    Args:
        response_format: of a request.

    Raises:
        MiMoInvalidRequestError: it does not hold a JSON Schema.
    """
    described = response_format.get("json_schema")
    if not isinstance(described, Mapping):
        raise MiMoInvalidRequestError(
            "response_format of type 'json_schema' needs "
            "'json_schema': {'name': …, 'schema': {…}}.",
            param="response_format",
        )
    _check_schema(described.get("schema"), "response_format")


def _check_schema(schema: Any, param: str) -> None:
    """Raise where answers could not be checked against this schema."""
    if schema is not None and (problem := schema_problem(schema)):
        raise MiMoInvalidRequestError(
            f"{param} is not a JSON Schema that can be asked for: {problem}", param=param
        )


def _given_schema(schema: dict[str, Any], tool: dict[str, Any]) -> Any:
    """The JSON Schema that a user gave: LangChain's conversion keeps objects only."""
    is_tool = not schema.keys().isdisjoint({"function", "parameters", "input_schema"})
    return tool["function"].get("parameters") if is_tool else schema


@dataclass(frozen=True)
class ClassCheck:
    """Checks objects of a pydantic class: its own validators count, not only its schema.

    A class, not a closure: it can be pickled, and its `repr` is the same in every process.
    """

    json_schema: dict[str, Any]
    pydantic_class: Any

    def __call__(self, value: Any) -> str | None:
        """What is wrong with `value`, in one line; None where it is valid."""
        kind = self.pydantic_class
        try:
            if hasattr(kind, "model_validate"):
                kind.model_validate(value)
            else:
                kind.parse_obj(value)  # pydantic v1
        except ValueError as error:
            return violation(value, self.json_schema) or " ".join(str(error).split())
        return None


def check_for(schema: Any, json_schema: dict[str, Any]) -> SchemaCheck | ClassCheck:
    """The check of an object against its schema.

    Args:
        schema: a `Schema`; a pydantic class's own validators are run too.
        json_schema: the JSON Schema of it.
    """
    return ClassCheck(json_schema, schema) if is_pydantic(schema) else SchemaCheck(json_schema)


def wire_format(json_schema: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    """A request's `response_format` for a JSON Schema.

    Args:
        json_schema: its title becomes the name.
        strict: sent with it, unless it is None.
    """
    name = json_schema.get("title") or "answer"
    described: dict[str, Any] = {"name": name, "schema": json_schema}
    if strict is not None:
        described["strict"] = strict
    return {"type": "json_schema", "json_schema": described}


class ResponseFormat:
    """A schema that was given as `response_format`, as ChatOpenAI takes it.

    Args:
        schema: a `Schema`.

    Raises:
        MiMoInvalidRequestError: `schema` is not a schema.
    """

    def __init__(self, schema: Any) -> None:
        self._schema = titled(schema)
        self._json_schema = json_schema_of(schema_tool(self._schema, "response_format"))

    def on_the_wire(self) -> dict[str, Any]:
        """The request's `response_format`."""
        return wire_format(self._json_schema, None)

    def check(self) -> JSONObject:
        """What an answer must be."""
        validate = check_for(self._schema, self._json_schema)
        return JSONObject(schema=self._json_schema, validate=validate)

    def parse(self, text: str) -> Any:
        """Parse the text of an answer.

        Args:
            text: the whole text.

        Returns:
            The object, or None where the text does not hold one (a tool call, a cut answer).
        """
        try:
            value = parse_object(text)
            if not is_pydantic(self._schema):
                return value if isinstance(value, dict) else None
            kind = cast("Any", self._schema)
            validate = getattr(kind, "model_validate", None) or kind.parse_obj  # pydantic v1
            return validate(value)
        except ValueError:
            return None
