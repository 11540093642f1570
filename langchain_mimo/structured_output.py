"""`with_structured_output`: what to bind, and how to parse what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypedDict, TypeVar, cast, get_args

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

from langchain_mimo.chat_models import ChatMiMo
from langchain_mimo.errors import MiMoContentFilterError, MiMoInvalidRequestError
from langchain_mimo.schemas import (
    Schema,
    check_for,
    is_pydantic,
    json_schema_of,
    schema_tool,
    titled,
    wire_format,
)
from langchain_mimo.tool_choice import choose_tool, wire_tools
from mimo_core.checks import ForcedCall, JSONObject, OutputCheck
from mimo_core.schemas import JSON_OBJECT
from mimo_core.values import quoted

Method = Literal["json_mode", "function_calling", "json_schema"]
Parsed = TypeVar("Parsed")


class RawAndParsed(TypedDict, Generic[Parsed]):
    """What `with_structured_output(schema, include_raw=True)` answers with.

    `invoke` and `batch` give all three keys; a piece of `stream` has those that are known by then.
    """

    raw: AIMessage
    """The model's message; in a stream, a chunk of it."""
    parsed: Parsed | None
    """The object, or None where the answer is not one."""
    parsing_error: Exception | None
    """Why it is not one."""


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
    """Bind the model to a schema, and put the parser of its answers behind it.

    Args:
        model: the model.
        schema, method and the others: as for `ChatMiMo.with_structured_output`.

    Returns:
        A runnable that answers with an object, or with the three fields of `include_raw`.

    Raises:
        MiMoInvalidRequestError: one of the arguments is not what it should be.
    """
    schema = titled(schema)
    if not isinstance(method, str) or method not in get_args(Method):
        raise MiMoInvalidRequestError(
            f"method is {quoted(method)}; it can be 'json_mode', 'function_calling' or "
            "'json_schema'.",
            param="method",
        )
    if schema is None and method != "json_mode":
        raise MiMoInvalidRequestError(f"method {method!r} needs a schema.", param="schema")
    if not isinstance(max_attempts, int) or max_attempts < 1:
        raise MiMoInvalidRequestError(
            f"max_attempts is {quoted(max_attempts)}; it must be 1 or more.", param="max_attempts"
        )
    if not isinstance(include_raw, bool):
        raise MiMoInvalidRequestError(
            f"include_raw is {quoted(include_raw)}; it must be true or false.", param="include_raw"
        )
    tool = None if schema is None else schema_tool(schema, "schema")
    kwargs["ls_structured_output_format"] = {"kwargs": {"method": method}, "schema": tool}
    # invoke() has to be able to ask again, inside a streamed graph too; stream() streams anyway
    kwargs["stream"] = False
    # A pydantic object is given out whole, so nothing is lost by checking it first.
    options: dict[str, Any] = {
        "streams": not is_pydantic(schema),
        "max_attempts": max_attempts,
        "raises": not include_raw,
    }
    check: OutputCheck
    parser: OutputParserLike[Any]
    if method == "function_calling":
        check, parser = _check_forced_call(schema, cast("Any", tool), options)
        kwargs |= _force_schema_tool(schema, strict, kwargs.pop("tools", None))
    else:
        check, parser = _check_json_object(schema, tool, options), _make_json_parser(schema)
        kwargs["response_format"] = JSON_OBJECT
        if method == "json_schema":
            described = schema_tool(schema, "schema", strict=strict)
            kwargs["response_format"] = wire_format(json_schema_of(described), strict)
        if "tools" in kwargs:  # ChatOpenAI's: they may be called on the way to the answer
            kwargs["tools"] = wire_tools(kwargs["tools"], strict=strict)
    bound = model.with_check(check).bind(**kwargs)
    return _add_raw(bound, parser) if include_raw else bound | parser


def _check_forced_call(
    schema: Any, tool: dict[str, Any], options: dict[str, Any]
) -> tuple[OutputCheck, OutputParserLike[Any]]:
    function = tool["function"]
    validate = check_for(schema, function.get("parameters") or {})
    check = ForcedCall(name=function["name"], validate=validate, **options)
    return check, _make_tool_parser(schema, function["name"])


def _force_schema_tool(schema: Any, strict: bool | None, others: Any) -> dict[str, Any]:
    if others:
        raise MiMoInvalidRequestError(
            "method 'function_calling' forces the call of the schema, so further tools are never "
            "called: leave tools out, or use method='json_schema'.",
            param="tools",
        )
    tools = wire_tools([schema], strict=strict)
    return {"tools": tools} | choose_tool(tools[0]["function"]["name"], tools)


def _make_tool_parser(schema: Schema, name: str) -> OutputParserLike[Any]:
    if is_pydantic(schema):
        return PydanticToolsParser(tools=[cast("Any", schema)], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _check_json_object(
    schema: Any, tool: dict[str, Any] | None, options: dict[str, Any]
) -> JSONObject:
    if tool is None:
        return JSONObject(**{**options, "streams": True})
    json_schema = json_schema_of(tool)
    return JSONObject(schema=json_schema, validate=check_for(schema, json_schema), **options)


def _make_json_parser(schema: Schema | None) -> OutputParserLike[Any]:
    if schema is not None and is_pydantic(schema):
        return PydanticOutputParser(pydantic_object=cast("Any", schema))
    return JsonOutputParser()


def _add_raw(
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
        """The pieces of a stream, and `parsed` and `parsing_error` after the last one."""
        seen = []
        for piece in pieces:
            seen.append(piece["raw"])
            yield AddableDict(piece)
        yield self.of(seen)

    async def aafter(self, pieces: AsyncIterator[dict[str, Any]]) -> AsyncIterator[AddableDict]:
        """`after` for asynchronous streams."""
        seen = []
        async for piece in pieces:
            seen.append(piece["raw"])
            yield AddableDict(piece)
        yield self.of(seen)

    def of(self, seen: list[Any]) -> AddableDict:
        """`parsed` and `parsing_error` for the message that these chunks add up to."""
        message = add_ai_message_chunks(*seen) if len(seen) > 1 else seen[0]
        try:
            parsed = self.parser.invoke(_raise_failure(message))
        except Exception as error:
            return AddableDict(parsed=None, parsing_error=error)
        return AddableDict(parsed=parsed, parsing_error=None)


def _raise_failure(message: AIMessage) -> AIMessage:
    error = message.response_metadata.get("structured_output_error")
    if error and message.additional_kwargs.get("refusal"):
        raise MiMoContentFilterError(error)
    if error:
        raise OutputParserException(error, llm_output=message.text)
    return message
