"""What a request's body means: without what cannot change the answer.

What the same source gives under Python 3.11 to 3.13, pydantic 2.12.0 and 2.14.4, langchain-core
1.7.0 and 1.8.3 was compared on 28 November 2026. Without meaning differed the indentation of
docstrings and the order of an object's names, and these two are ignored. pydantic's `title` and
`additionalProperties` came out alike; its `pattern` of a Decimal and the `description` of a
dataclass did not, and the model reads them, so that they stay differences.
"""

from __future__ import annotations

import inspect
from typing import Any

# The keywords of JSON Schema that hold schemas. What stands in others (`default`, `const`, `enum`,
# `examples`) is data, and a `description` in there is somebody's value.
_ONE = (
    "items",
    "additionalProperties",
    "additionalItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
)
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def meaning_of(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a chat or messages request without what does not change the answer.

    Args:
        body: the parsed body. It is not changed.

    Returns:
        A new dict without nulls, `stream: false` and `stream_options`, in which the descriptions of
        tools and schemas are indented as `inspect.cleandoc` does, and reasoning has one name.
    """
    kept = {name: value for name, value in body.items() if value is not None}
    kept.pop("stream_options", None)  # the service sends usage either way
    if kept.get("stream") is False:
        del kept["stream"]
    if isinstance(kept.get("messages"), list):
        kept["messages"] = [_message(message) for message in kept["messages"]]
    if isinstance(kept.get("tools"), list):
        kept["tools"] = [_tool(tool) for tool in kept["tools"]]
    form = kept.get("response_format")
    if isinstance(form, dict) and isinstance(form.get("json_schema"), dict):
        kept["response_format"] = {**form, "json_schema": _described(form["json_schema"])}
    return kept


def meaning_of_upload(form: dict[str, Any]) -> dict[str, Any]:
    """The fields of an upload (`uploads.readable`), with the meaning of each line's request.

    Args:
        form: the fields. It is not changed.
    """
    lines = form.get("file")
    if not isinstance(lines, list):
        return form
    return {**form, "file": [_line(line) for line in lines]}


def _line(line: Any) -> Any:
    if isinstance(line, dict) and isinstance(line.get("body"), dict):
        return {**line, "body": meaning_of(line["body"])}
    return line


def _message(message: Any) -> Any:
    """A message whose reasoning stands under one name: servers differ in it, or take several."""
    if not isinstance(message, dict) or "reasoning" not in message:
        return message
    said = {name: value for name, value in message.items() if name != "reasoning"}
    if said.get("reasoning_content") in (None, message["reasoning"]):
        return {**said, "reasoning_content": message["reasoning"]}
    return message


def _tool(tool: Any) -> Any:
    """A tool of either protocol."""
    if not isinstance(tool, dict):
        return tool
    if isinstance(tool.get("function"), dict):
        return {**tool, "function": _described(tool["function"])}
    return _described(tool)


def _described(holder: dict[str, Any]) -> dict[str, Any]:
    """A name, a description and a schema, as a tool and a `json_schema` have them."""
    clean = _cleaned_description(holder)
    for name in ("parameters", "input_schema", "schema"):
        if name in clean:
            clean[name] = _schema(clean[name])
    return clean


def _schema(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    clean = _cleaned_description(schema)
    for keywords, inside in ((_ONE, _schema), (_SEVERAL, _each), (_NAMED, _of_each_name)):
        for name in keywords:
            if name in clean:
                clean[name] = inside(clean[name])
    return clean


def _each(schemas: Any) -> Any:
    return [_schema(one) for one in schemas] if isinstance(schemas, list) else schemas


def _of_each_name(schemas: Any) -> Any:
    if not isinstance(schemas, dict):
        return schemas
    return {name: _schema(schema) for name, schema in schemas.items()}


def _cleaned_description(holder: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(text := holder.get("description"), str):
        return dict(holder)
    # Of a line of nothing but spaces each Python keeps another number of them.
    lines = (line if line.strip(" \t") else "" for line in text.split("\n"))
    return {**holder, "description": inspect.cleandoc("\n".join(lines))}


def essence_of(body: dict[str, Any], mode: str) -> dict[str, Any]:
    """What counts of a body where the published request is not the user's.

    Args:
        body: the parsed body.
        mode: `question` or `model`, of a cassette's provenance.
    """
    essence = {"model": body.get("model"), "stream": bool(body.get("stream"))}
    if mode == "question":
        essence["last user message"] = _last_question(body.get("messages"))
    return essence


def _last_question(messages: Any) -> str:
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content")).strip()
    return ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
