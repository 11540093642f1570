"""Every spelling of tools and `tool_choice` that LangChain's callers use, as the API has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_mimo.errors import MiMoInvalidRequestError
from mimo_core.values import quoted

_WORDS = "'auto', 'none', 'any', a tool's name or {'type': 'function', 'function': {'name': …}}"


def wire_tools(
    tools: Any, *, strict: bool | None = None, param: str = "tools"
) -> list[dict[str, Any]]:
    """Tools in OpenAI's form.

    Args:
        tools: functions, pydantic classes, `BaseTool`s, JSON Schemas, OpenAI's dicts (flat ones of
            the Responses API too), or dicts of other types, which stay as they are.
        strict: asks the service to follow the tools' schemas exactly.
        param: the argument that they were given as.

    Returns:
        A dict for each tool.

    Raises:
        MiMoInvalidRequestError: one is not a tool.
    """
    if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Sequence):
        raise MiMoInvalidRequestError(
            f"tools must be a list of tools, not of type {type(tools).__name__}.", param="tools"
        )
    if not isinstance(strict, bool | None):
        raise MiMoInvalidRequestError(
            f"strict is {quoted(strict)}; it must be true or false.", param="strict"
        )
    return [_convert_tool(tool, strict, param) for tool in tools]


def _convert_tool(tool: Any, strict: bool | None, param: str) -> dict[str, Any]:
    if isinstance(tool, dict) and isinstance(tool.get("type"), str) and not _is_schema(tool):
        if "input_schema" not in tool and (tool["type"] != "function" or "function" in tool):
            return tool  # a tool of the service's own, or one that is in its form already
        tool = {name: value for name, value in tool.items() if name != "type"}
    try:
        return convert_to_openai_tool(tool, strict=strict)
    except Exception as error:  # whatever pydantic, a signature or a docstring makes of it
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        name = getattr(tool, "name", None) or getattr(tool, "__name__", type(tool).__name__)
        raise MiMoInvalidRequestError(
            f"{param}: {str(name)[:80]!r} cannot be described by a JSON Schema: {reason}",
            param=param,
        ) from error


def _is_schema(tool: dict[str, Any]) -> bool:
    """Whether this is a JSON Schema, whose `type` is not a tool's."""
    return "title" in tool or tool["type"] == "object"


def choose_tool(choice: Any, tools: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a `tool_choice` sets in a request.

    Args:
        choice: `"auto"`, `"none"`, `"any"` / `"required"` / True, a tool's name, OpenAI's or
            Anthropic's dict (`allowed_tools` too), or None / False for not set.
        tools: the tools in OpenAI's form.

    Returns:
        `tool_choice` as it goes over the wire, where it is set; `tools`, where only some are
        allowed; `parallel_tool_calls`, where the choice says so.

    Raises:
        MiMoInvalidRequestError: it names a tool that is not among `tools`, or is not a choice.
    """
    if choice is None or choice is False:
        return {}
    if not isinstance(choice, dict):
        return {"tool_choice": _convert_choice(choice, tools)}
    set_ = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    if choice.get("type") in ("auto", "any", "none", "required"):
        return set_ | {"tool_choice": _convert_choice(choice["type"], tools)}
    if choice.get("type") == "allowed_tools":
        return set_ | _choose_allowed_tools(choice, tools)
    name = _find_name(choice)
    if name is None:
        raise MiMoInvalidRequestError(
            f"tool_choice is {quoted(choice)}; it can be {_WORDS}.", param="tool_choice"
        )
    return set_ | {"tool_choice": _convert_choice(name, tools)}


def _choose_allowed_tools(
    choice: dict[str, Any], tools: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """OpenAI's `allowed_tools`, nested as in chat completions or flat as in the Responses API."""
    allowed = choice.get("allowed_tools", choice)
    named = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(named, list | tuple):
        raise MiMoInvalidRequestError(
            f"tool_choice is {quoted(choice)}; 'allowed_tools' needs a 'mode' and a list of "
            "'tools'.",
            param="tool_choice",
        )
    names = [_find_name(one) for one in named]
    for name in names:
        _convert_choice(name, tools)  # for its check
    kept = [tool for tool in tools if _find_name(tool) in names]
    return {"tools": kept, "tool_choice": _convert_choice(allowed.get("mode") or "auto", kept)}


def _convert_choice(choice: Any, tools: Sequence[dict[str, Any]]) -> dict[str, Any] | str:
    if choice is True:
        return "required"
    if not isinstance(choice, str):
        raise MiMoInvalidRequestError(
            f"tool_choice is {quoted(choice)}; it can be {_WORDS}.", param="tool_choice"
        )
    if choice in ("any", "required"):
        return "required"
    if choice in ("auto", "none"):
        return str(choice)
    names = [_find_name(tool) for tool in tools if "function" in tool]
    if choice == "web_search" and any(tool.get("type") == "web_search" for tool in tools):
        return "auto"  # forced by the tool's own force_search
    if choice not in names:
        raise MiMoInvalidRequestError(
            f"tool_choice names {choice[:80]!r}, which is not among the tools: "
            f"{', '.join(map(str, names)) or '(the list is empty)'}.",
            param="tool_choice",
        )
    return {"type": "function", "function": {"name": choice}}


def _find_name(tool: Any) -> Any:
    """The name in a tool, or in what refers to one."""
    if not isinstance(tool, dict):
        return tool
    function = tool.get("function")
    name = (function if isinstance(function, dict) else tool).get("name")
    return name or ("web_search" if tool.get("type") == "web_search" else None)
