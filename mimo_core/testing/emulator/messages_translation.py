"""Requests in Anthropic's shape, translated to chat completions' shape.

Pure functions. What is refused and what is answered is then decided once, for both protocols.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mimo_core.testing.emulator.received import content_text
from mimo_core.testing.emulator.rejections_messages import DROPPED
from mimo_core.testing.emulator.rejections_messages import shape_rejection as shape_rejection

# Parameters that mean the same in both protocols, by their names here and there.
_SAME = {
    "model": "model",
    "max_tokens": "max_completion_tokens",
    "stop_sequences": "stop",
    "temperature": "temperature",
    "top_p": "top_p",
    "thinking": "thinking",
    "stream": "stream",
}


def to_chat(body: Mapping[str, Any], *, drops_media: bool = False) -> dict[str, Any]:
    """The request in chat-completions shape.

    Args:
        body: one that `shape_rejection` lets through.
        drops_media: leave out sound, video and documents, as the service does.
    """
    if drops_media:
        body = _without_media(body)
    request = {there: body[here] for here, there in _SAME.items() if body.get(here) is not None}
    messages: list[dict[str, Any]] = []
    if body.get("system"):
        messages.append({"role": "system", "content": content_text(body["system"])})
    for message in body.get("messages") or ():
        if message["role"] == "assistant":
            messages.append(_assistant(message["content"]))
        else:
            messages.extend(_user(message["content"]))
    request["messages"] = messages
    if body.get("tools") is not None:
        request["tools"] = [_tool(tool) for tool in body["tools"]]
    return request | _tool_choice(body.get("tool_choice") or {})


def _without_media(body: Mapping[str, Any]) -> dict[str, Any]:
    messages = []
    for message in body.get("messages") or ():
        content = message["content"]
        if isinstance(content, list):
            content = [block for block in content if block.get("type") not in DROPPED]
        messages.append({**message, "content": content})
    return {**body, "messages": messages}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {key: tool[key] for key in ("name", "description", "strict") if key in tool}
    return {"type": "function", "function": function | {"parameters": tool.get("input_schema")}}


def _tool_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    kind = choice.get("type")
    if kind == "tool":
        fields["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif kind is not None:
        fields["tool_choice"] = "required" if kind == "any" else kind
    if choice.get("disable_parallel_tool_use"):
        fields["parallel_tool_calls"] = False
    return fields


def _assistant(content: str | list[dict[str, Any]]) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    # This shape has no place for text beside calls, so a message of calls alone is accepted.
    message: dict[str, Any] = {"role": "assistant", "content": content_text(content) or " "}
    thinking = [block for block in content if block.get("type") == "thinking"]
    if thinking:
        message["reasoning_content"] = "".join(block.get("thinking") or "" for block in thinking)
        if signature := "".join(block.get("signature") or "" for block in thinking):
            message["reasoning_signature"] = signature
    calls = [_call(block) for block in content if block.get("type") == "tool_use"]
    return message | ({"tool_calls": calls} if calls else {})


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def _user(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tool results become tool messages; their images follow in a user message."""
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    messages: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for block in content:
        if block.get("type") != "tool_result":
            parts.append(_part(block))
            continue
        result = block.get("content") or ""
        inner = result if isinstance(result, list) else []
        others = [block for block in inner if block.get("type") != "text"]
        text = content_text(result) or (" " if others else "")
        messages.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text})
        parts.extend(map(_part, others))
    if parts:
        messages.append({"role": "user", "content": parts})
    return messages


def _part(block: Mapping[str, Any]) -> dict[str, Any]:
    if block.get("type") == "image":
        source = block.get("source") or {}
        url = source.get("url")
        if source.get("type") == "base64":
            url = f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    return {key: value for key, value in block.items() if key != "cache_control"}
