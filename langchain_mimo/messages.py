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

from langchain_mimo.fast_chunks import PROVIDER
from langchain_mimo.media import media_part
from mimo_core.errors import InvalidRequestError

_ROLES = {"human": "user", "ai": "assistant"}
# The last two are the Responses API's.
_TEXT_BLOCKS = ("text", "text-plain", "input_text", "output_text")
_RESULT_BLOCKS = (
    *_TEXT_BLOCKS,
    *("image", "audio", "video", "file", "image_url", "input_audio", "video_url"),
    *("json", "non_standard", "document"),
)


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
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    for message in messages:
        if isinstance(message, AIMessage):
            request.append(_assistant(message, answered, pass_back_reasoning))
        elif isinstance(message, ToolMessage):
            request.append(_tool(message))
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
        found = message.additional_kwargs.get(key)
        if isinstance(found, dict):  # OpenAI's Responses API, v0: an item with summaries
            found = "".join(_reasoning_texts([{"type": "reasoning", **found}]))
        if isinstance(found, str) and found:
            return found
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
    return [_part(block) for block in content] or ""


def _part(block: str | dict[str, Any]) -> dict[str, Any]:
    """One block of a system, human or tool message as a content part."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    part = _unmarked_part(block)
    return {**part, "cache_control": mark} if (mark := _cache_mark(block)) else part


def _cache_mark(block: str | dict[str, Any]) -> Any:
    """Anthropic's `cache_control`; LangChain's v1 blocks have it in their `extras`."""
    if isinstance(block, str):
        return None
    extras = block.get("extras")
    return block.get("cache_control") or (
        extras.get("cache_control") if isinstance(extras, dict) else None
    )


def _unmarked_part(block: dict[str, Any]) -> dict[str, Any]:
    kind = block.get("type")
    if kind in _TEXT_BLOCKS and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    if kind == "non_standard" and isinstance(block.get("value"), dict):
        return _part(block["value"])
    if kind == "json" and "json" in block:
        return {"type": "text", "text": json.dumps(block["json"], ensure_ascii=False)}
    source = block.get("source")
    if kind == "document" and isinstance(source, dict) and source.get("type") == "text":
        return {"type": "text", "text": source.get("data") or ""}  # Anthropic's
    return media_part(block)


def _tool(message: ToolMessage) -> dict[str, Any]:
    content: Any = message.content
    if isinstance(content, list):
        content = [_part(_readable(block)) for block in content]
    if not content and message.status == "error":
        content = "The tool failed without a message."
    return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content or ""}


def _readable(block: str | dict[str, Any]) -> str | dict[str, Any]:
    """A block of a tool's result; what is neither text nor a file is data, so its JSON is."""
    if isinstance(block, str) or block.get("type") in _RESULT_BLOCKS:
        return block
    return json.dumps(block, ensure_ascii=False, default=str)


def _assistant(message: AIMessage, answered: set[str], pass_back_reasoning: bool) -> dict[str, Any]:
    request = _named(message, {"role": "assistant", "content": _assistant_text(message)})
    if pass_back_reasoning and (reasoning := reasoning_of(message)):
        request["reasoning_content"] = reasoning
        if signature := message.additional_kwargs.get("reasoning_signature"):
            request["reasoning_signature"] = signature
    # Its text goes along as one, so a mark is the message's own: what is cached ends there.
    blocks = message.content if isinstance(message.content, list) else ()
    if marks := [mark for block in blocks if (mark := _cache_mark(block))]:
        request["cache_control"] = marks[-1]
    if calls := _tool_calls(message, answered):
        request["tool_calls"] = calls
    return request


def _assistant_text(message: AIMessage) -> str:
    """What was said. Blocks that are not text are other fields' matter, or another provider's."""
    if isinstance(message.content, str):
        return message.content or _foreign_refusal(message)
    texts = []
    for block in message.content:
        if isinstance(block, str):
            texts.append(block)
        elif block.get("type") in _TEXT_BLOCKS:
            texts.append(block.get("text") or "")
    return "".join(texts) or _foreign_refusal(message)


def _foreign_refusal(message: AIMessage) -> str:
    """Another model's words of refusal. (Where MiMo's filter withheld an answer, they are ours.)"""
    if message.response_metadata.get("model_provider") == PROVIDER:
        return ""
    blocks = [b for b in message.content if isinstance(b, dict) and b.get("type") == "refusal"]
    found = [block.get("refusal") for block in blocks] or [message.additional_kwargs.get("refusal")]
    return "".join(text for text in found if isinstance(text, str))


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
        elif block.get("type") == "reasoning_content":  # Bedrock's Converse API
            yield (block.get("reasoning_content") or {}).get("text") or ""


def _tool_calls(message: AIMessage, answered: set[str]) -> list[dict[str, Any]]:
    """The calls, each once. An invalid one that no tool message answers is left out: an agent ends
    there, and a call without an answer would make every later turn fail."""
    calls = [_call(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    for invalid in message.invalid_tool_calls:
        if invalid["id"] in answered:
            calls.append(_call(invalid["id"], invalid["name"], invalid["args"] or "{}"))
    known = {call["id"] for call in calls}
    for block in message.content if isinstance(message.content, list) else ():
        if not isinstance(block, dict) or block.get("type") not in ("tool_use", "tool_call"):
            continue
        if block.get("id") not in known:
            args = block.get("input" if block["type"] == "tool_use" else "args")
            calls.append(_call(block.get("id"), block.get("name"), args or {}))
    return calls


def _call(id_: str | None, name: str | None, args: Any) -> dict[str, Any]:
    arguments = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
