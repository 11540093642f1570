"""What only the messages protocol refuses: blocks and parameters in Anthropic's shape.

Everything else is decided on the request in chat-completions shape, which
`messages_translation.to_chat` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimo_core.testing.emulator.policy import Policy, Rejection, param_incorrect

# Blocks that the service was seen to drop in silence: sound, video and documents.
DROPPED = frozenset({"audio", "input_audio", "video", "video_url", "document", "file"})
_NOT_SET = "`text` is not set"
_BLOCKS = {
    "user": frozenset({"text", "image", "tool_result"}),
    "assistant": frozenset({"text", "thinking", "tool_use"}),
    "tool_result": frozenset({"text", "image"}),
}
_THINKING = ("enabled", "disabled", "adaptive")
_CHOICES = ("auto", "any", "tool", "none")
# What chat completions call it: here the service would not read it.
_ELSEWHERE = (
    *(
        "max_completion_tokens",
        "stop",
        "response_format",
        "reasoning_effort",
        "stream_options",
        "n",
    ),
    *("parallel_tool_calls", "frequency_penalty", "presence_penalty", "audio", "asr_options"),
)


def shape_rejection(body: Any, policy: Policy | None = None) -> Rejection | None:
    """A missing `max_tokens`, blocks that are malformed or empty, tools without a name."""
    if not isinstance(body, dict):
        return None
    if body.get("max_tokens") is None:
        return param_incorrect("max_tokens missing", "max_tokens is not set")
    return next(filter(None, _checks(body, policy or Policy())), None)


def _checks(body: Mapping[str, Any], policy: Policy) -> Iterator[Rejection | None]:
    yield _parameters_rejection(body)
    yield _tools_rejection(body.get("tools"))
    yield _system_rejection(body.get("system"))
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            said = "messages.role must be one of user, assistant"
            yield param_incorrect("messages role", said)
            return
        yield _content_rejection(message.get("content"), message["role"], policy)


def _parameters_rejection(body: Mapping[str, Any]) -> Rejection | None:
    thinking, choice = body.get("thinking"), body.get("tool_choice")
    if thinking is not None and not _is_one_of(thinking, _THINKING):
        said = f"thinking.type must be one of {', '.join(_THINKING)}"
        return param_incorrect("messages thinking", said)
    named = not isinstance(choice, dict) or choice.get("type") != "tool" or choice.get("name")
    if choice is not None and not (_is_one_of(choice, _CHOICES) and named):
        said = f"tool_choice.type must be one of {', '.join(_CHOICES)}, and a tool has a name"
        return param_incorrect("messages tool choice", said)
    stops = body.get("stop_sequences")
    if not isinstance(stops, list | None):
        return param_incorrect("stop", "stop_sequences must be a list of strings")
    for name in _ELSEWHERE:
        if body.get(name) is not None:
            said = f"{name} is not a parameter of the messages protocol"
            return param_incorrect("messages parameters", said)
    return None


def _tools_rejection(tools: Any) -> Rejection | None:
    """Functions with a schema: neither those of chat completions nor tools that a server runs."""
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict) or tool.get("type") not in (None, "custom"):
            return param_incorrect("messages tools", "tools.type must be custom")
        if not isinstance(tool.get("name"), str) or not isinstance(tool.get("input_schema"), dict):
            said = "tools must have a name and an input_schema, which is an object"
            return param_incorrect("messages tools", said)
    return None


def _is_one_of(value: Any, types: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and value.get("type") in types


def _system_rejection(system: Any) -> Rejection | None:
    if system is None or (isinstance(system, str) and system):
        return None
    if system in ("", []):
        return param_incorrect("empty text", _NOT_SET)
    if not isinstance(system, list) or not all(_is_one_of(block, ("text",)) for block in system):
        return param_incorrect("messages content", "system must be a text or text blocks")
    return next(filter(None, map(_block_rejection, system)), None)


def _content_rejection(content: Any, where: str, policy: Policy) -> Rejection | None:
    """Of a message or, where `where` says so, of a tool's result."""
    if isinstance(content, str):
        return None  # whether it may be empty is decided for both protocols at once
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return param_incorrect("messages content", "`content` is not set")
    if not content and where != "tool_result":
        return param_incorrect("empty text", _NOT_SET)
    results = [block.get("type") == "tool_result" for block in content]
    if results != sorted(results, reverse=True):
        said = "tool_result blocks must come before all others of their message"
        return param_incorrect("messages order", said)
    for block in content:
        kind = str(block.get("type"))
        if kind in DROPPED:
            if not policy.drops_media:
                return param_incorrect("messages media", f"{kind} blocks are not supported")
            continue
        if kind not in _BLOCKS[where]:
            return param_incorrect("messages block", f"unknown block {kind} in {where}")
        if rejection := _block_rejection(block):
            return rejection
        result = block.get("content") if kind == "tool_result" else None
        if result is not None and (found := _content_rejection(result, "tool_result", policy)):
            return found
    return None


def _block_rejection(block: Mapping[str, Any]) -> Rejection | None:
    kind = block["type"]
    if kind == "text" and not (isinstance(block.get("text"), str) and block["text"]):
        return param_incorrect("empty text", _NOT_SET)
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        return param_incorrect("messages tool input", "tool_use.input must be an object")
    if kind == "thinking" and not (
        isinstance(block.get("thinking"), str) and isinstance(block.get("signature"), str)
    ):
        said = "a thinking block needs thinking and signature"
        return param_incorrect("messages thinking block", said)
    if kind == "image" and not isinstance(block.get("source"), dict):
        return param_incorrect("media URL", "image.source must be an object")
    return None
