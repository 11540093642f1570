"""`with_structured_output`: what to bind, and how to parse what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.base import OutputParserLike
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.runnables import AddableDict, Runnable, RunnableGenerator, RunnableMap
from langchain_core.utils.function_calling import (
    convert_to_json_schema,
    convert_to_openai_tool,
)
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_mimo.errors import MiMoContentFilterError, MiMoInvalidRequestError
from langchain_mimo.requirements import ForcedCall, Requirement, SchemaCheck, ValidObject
from mimo_core.structured import JSON_OBJECT

if TYPE_CHECKING:
    from langchain_mimo.chat_models import ChatMiMo

Method = Literal["json_mode", "function_calling", "json_schema"]
Schema = dict[str, Any] | type


def structured_runnable(
    model: ChatMiMo,
    schema: Schema | None,
    method: Method,
    *,
    include_raw: bool,
    strict: bool | None,
    max_attempts: int,
    **kwargs: Any,
) -> Runnable[LanguageModelInput, Any]:
    """The model bound to `schema` and its parser. Arguments as for `with_structured_output`."""
    if isinstance(schema, dict) and "properties" in schema and "title" not in schema:
        schema = {"title": "answer", **schema}  # LangChain takes a JSON Schema for one by its title
    if schema is None and method != "json_mode":
        raise MiMoInvalidRequestError(f"method {method!r} needs a schema.", param="schema")
    if not isinstance(max_attempts, int) or max_attempts < 1:
        raise MiMoInvalidRequestError(
            f"max_attempts is {max_attempts!r}; it must be 1 or more.", param="max_attempts"
        )
    kwargs["ls_structured_output_format"] = {
        "kwargs": {"method": method},
        "schema": schema and convert_to_openai_tool(schema),
    }
    # invoke() has to be able to ask again, inside a streamed graph too; stream() streams anyway
    kwargs["stream"] = False
    requirement: Requirement
    parser: OutputParserLike[Any]
    if method == "function_calling":
        tool = cast("Schema", schema)
        function = convert_to_openai_tool(tool)["function"]
        requirement = ForcedCall(
            function["name"],
            _check(tool, function.get("parameters") or {}),
            streams=not _is_pydantic(tool),
        )
        bound = model.bind_tools(
            [tool], tool_choice=function["name"], strict=strict, requirement=requirement, **kwargs
        )
        parser = _tool_parser(tool, function["name"])
    elif method in ("json_mode", "json_schema"):
        requirement = _valid_object(schema)
        response_format = JSON_OBJECT
        if method == "json_schema":
            response_format = _json_schema(cast("Schema", schema), strict)
        bound = model.bind(response_format=response_format, requirement=requirement, **kwargs)
        parser = _parser(schema)
    else:
        raise MiMoInvalidRequestError(
            f"method is {method!r}; it can be 'json_mode', 'function_calling' or 'json_schema'.",
            param="method",
        )
    requirement.max_attempts = max_attempts
    requirement.lenient = include_raw
    return _with_raw(bound, parser) if include_raw else bound | parser


def _tool_parser(schema: Schema, name: str) -> OutputParserLike[Any]:
    if _is_pydantic(schema):
        return PydanticToolsParser(tools=[cast("Any", schema)], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _valid_object(schema: Schema | None) -> ValidObject:
    if schema is None:
        return ValidObject(None)
    json_schema = convert_to_json_schema(schema)
    # A pydantic object is given out whole, so nothing is lost by checking it first.
    return ValidObject(json_schema, _check(schema, json_schema), streams=not _is_pydantic(schema))


def _check(schema: Schema, json_schema: dict[str, Any]) -> SchemaCheck:
    return SchemaCheck(json_schema, schema if _is_pydantic(schema) else None)


def _json_schema(schema: Schema, strict: bool | None) -> dict[str, Any]:
    json_schema: Mapping[str, Any] = convert_to_json_schema(schema, strict=strict)
    name = json_schema.get("title") or "answer"
    described: dict[str, Any] = {"name": name, "schema": json_schema}
    if strict is not None:
        described["strict"] = strict
    return {"type": "json_schema", "json_schema": described}


def _parser(schema: Schema | None) -> OutputParserLike[Any]:
    if schema is not None and _is_pydantic(schema):
        return PydanticOutputParser(pydantic_object=cast("Any", schema))
    return JsonOutputParser()


def _is_pydantic(schema: Schema) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _with_raw(
    bound: Runnable[LanguageModelInput, Any], parser: OutputParserLike[Any]
) -> Runnable[LanguageModelInput, Any]:
    """LangChain's `include_raw` form: `raw`, `parsed` and `parsing_error`."""
    outcome = _Outcome(parser)
    add: Runnable[Any, Any] = RunnableGenerator(outcome.after, outcome.aafter)
    return RunnableMap(raw=bound) | add


@dataclass(frozen=True)
class _Outcome:
    """Lets `raw` through and adds what the parser makes of it. LangChain's usual `with_fallbacks`
    would raise in a stream, where it only covers what fails before the first piece."""

    parser: OutputParserLike[Any]

    def after(self, pieces: Iterator[dict[str, Any]]) -> Iterator[AddableDict]:
        seen = []
        for piece in pieces:
            seen.append(piece["raw"])
            yield AddableDict(piece)
        yield self.of(seen)

    async def aafter(self, pieces: AsyncIterator[dict[str, Any]]) -> AsyncIterator[AddableDict]:
        seen = []
        async for piece in pieces:
            seen.append(piece["raw"])
            yield AddableDict(piece)
        yield self.of(seen)

    def of(self, seen: list[Any]) -> AddableDict:
        message = add_ai_message_chunks(*seen) if len(seen) > 1 else seen[0]
        try:
            parsed = self.parser.invoke(_unless_wrong(message))
        except Exception as error:
            return AddableDict(parsed=None, parsing_error=error)
        return AddableDict(parsed=parsed, parsing_error=None)


def _unless_wrong(message: AIMessage) -> AIMessage:
    error = message.response_metadata.get("structured_output_error")
    if error and message.additional_kwargs.get("refusal"):
        raise MiMoContentFilterError(error)
    if error:
        raise OutputParserException(error, llm_output=message.text)
    return message
