"""Every spelling of `tool_choice` that LangChain's callers use, as the one the API has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_mimo.errors import MiMoInvalidRequestError


def wire_tool_choice(
    choice: dict[str, Any] | str | bool | None, tools: Sequence[dict[str, Any]]
) -> dict[str, Any] | str | None:
    """`tool_choice` as it goes over the wire.

    Args:
        choice: `"auto"`, `"none"`, `"any"` / `"required"` / True, a tool's name, OpenAI's or
            Anthropic's dict, or None / False for not set.
        tools: the tools in OpenAI's form.

    Raises:
        MiMoInvalidRequestError: it names a tool that is not among `tools`.
    """
    if choice is None or choice is False:
        return None
    if choice is True or choice in ("any", "required"):
        return "required"
    if choice in ("auto", "none"):
        return choice
    if isinstance(choice, dict):
        if choice.get("type") in ("auto", "any", "none", "required"):
            return wire_tool_choice(choice["type"], tools)
        name = (choice.get("function") or choice).get("name")
    else:
        name = choice
    names = [tool["function"]["name"] for tool in tools if "function" in tool]
    if name == "web_search" and any(tool.get("type") == "web_search" for tool in tools):
        return "auto"  # forced by the tool's own force_search
    if name not in names:
        raise MiMoInvalidRequestError(
            f"tool_choice names {name!r}, which is not among the tools: {', '.join(names)}.",
            param="tool_choice",
        )
    return {"type": "function", "function": {"name": name}}
