"""LangChain messages to request messages, in the shape of `POST /chat/completions`.

Every shape a history can hold is taken: text, v0 and v1 content blocks, OpenAI's and Anthropic's
parts, and what other providers' classes left behind. What MiMo's backends refuse (empty contents,
media in tool messages, missing reasoning) is adapted afterwards by `mimo_core.prepare`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_mimo.media import media_part
from mimo_core.errors import InvalidRequestError

_ROLES = {"human": "user", "ai": "assistant"}


def to_request_messages(
    messages: Sequence[BaseMessage], *, pass_back_reasoning: bool = True
) -> list[dict[str, Any]]:
    """The request messages for a LangChain history.

    Args:
        messages: as LangChain hands them to a chat model.
        pass_back_reasoning: whether earlier reasoning goes along. MiMo refuses tool-call histories
            without it; off, the core sends an empty one instead.

    Raises:
        InvalidRequestError: a message or block that MiMo has no form for.
    """
    request: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, AIMessage):
            request.append(_assistant(message, pass_back_reasoning))
        elif isinstance(message, ToolMessage):
            content = _content(message.content)
            request.append(
                {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
            )
        elif isinstance(message, HumanMessage):
            request.extend(_user(message, "user"))
        elif isinstance(message, SystemMessage):
            role = message.additional_kwargs.get("__openai_role__", "system")
            request.append(_named(message, {"role": role, "content": _content(message.content)}))
        elif isinstance(message, ChatMessage):
            request.extend(_user(message, _ROLES.get(message.role, message.role)))
        else:
            raise InvalidRequestError(
                f"MiMo has no role for a {type(message).__name__}.", param="messages"
            )
    return request


def reasoning_of(message: AIMessage) -> str:
    """The reasoning of an assistant message, from wherever its provider's class put it, once."""
    for key in ("reasoning_content", "reasoning"):
        if isinstance(text := message.additional_kwargs.get(key), str) and text:
            return text
    return "".join(_reasoning_texts(message.content))


def _named(message: BaseMessage, request: dict[str, Any]) -> dict[str, Any]:
    if message.name:
        request["name"] = message.name
    return request


def _user(message: BaseMessage, role: str) -> Iterable[dict[str, Any]]:
    """A human message; Anthropic's `tool_result` blocks in it become tool messages before it."""
    if isinstance(message.content, str):
        return [_named(message, {"role": role, "content": message.content})]
    results: list[dict[str, Any]] = []
    blocks: list[str | dict[str, Any]] = []
    for block in message.content:
        if isinstance(block, dict) and block.get("type") == "tool_result":
            content = _content(block.get("content") or "")
            results.append(
                {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}
            )
        else:
            blocks.append(block)
    if blocks or not results:
        results.append(_named(message, {"role": role, "content": _content(blocks)}))
    return results


def _content(content: str | list[Any]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = [part for block in content if (part := _part(block)) is not None]
    return parts or ""


def _part(block: str | dict[str, Any]) -> dict[str, Any] | None:
    """One block of a system, human or tool message as a content part."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    kind = block.get("type")
    if kind in ("text", "text-plain") and isinstance(block.get("text"), str):
        part = {"type": "text", "text": block["text"]}
        if "cache_control" in block:
            part["cache_control"] = block["cache_control"]
        return part
    if kind == "non_standard" and isinstance(block.get("value"), dict):
        return _part(block["value"])
    if kind == "json" and "json" in block:
        return {"type": "text", "text": json.dumps(block["json"], ensure_ascii=False)}
    return media_part(block)


def _assistant(message: AIMessage, pass_back_reasoning: bool) -> dict[str, Any]:
    request = _named(message, {"role": "assistant", "content": _assistant_text(message.content)})
    if pass_back_reasoning and (reasoning := reasoning_of(message)):
        request["reasoning_content"] = reasoning
    if calls := _tool_calls(message):
        request["tool_calls"] = calls
    return request


def _assistant_text(content: str | list[Any]) -> str:
    """What was said. Blocks that are not text are other fields' matter, or another provider's."""
    if isinstance(content, str):
        return content
    texts = []
    for block in content:
        if isinstance(block, str):
            texts.append(block)
        elif block.get("type") in ("text", "text-plain"):
            texts.append(block.get("text") or "")
        elif block.get("type") == "refusal":
            texts.append(block.get("refusal") or "")
    return "".join(texts)


def _reasoning_texts(content: str | list[Any]) -> Iterable[str]:
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        if block.get("type") == "reasoning":
            if text := block.get("reasoning"):
                yield text
            else:  # OpenAI's Responses API: summaries
                yield from (part.get("text", "") for part in block.get("summary") or ())
        elif block.get("type") == "thinking":
            yield block.get("thinking") or ""


def _tool_calls(message: AIMessage) -> list[dict[str, Any]]:
    calls = {
        call["id"]: _call(call["id"], call["name"], call["args"]) for call in message.tool_calls
    }
    for invalid in message.invalid_tool_calls:
        calls.setdefault(
            invalid["id"], _call(invalid["id"], invalid["name"], invalid["args"] or "{}")
        )
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, dict) and block.get("type") in ("tool_use", "tool_call"):
            args = block.get("input" if block["type"] == "tool_use" else "args")
            calls.setdefault(block.get("id"), _call(block.get("id"), block.get("name"), args or {}))
    return list(calls.values())


def _call(id_: str | None, name: str | None, args: Any) -> dict[str, Any]:
    arguments = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
