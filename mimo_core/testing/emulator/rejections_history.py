"""What the service refuses in `messages`: content, calls and their reasoning."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from mimo_core.models import ModelInfo
from mimo_core.testing.emulator.policy import Policy, Rejection, param_incorrect, published
from mimo_core.testing.emulator.rejections_media import MEDIA, media_rejection, modality_rejection

TEXT_NOT_SET = "`text` is not set"
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES = ("developer", "system", "user", "assistant", "tool")
_INSTRUCTIONS = ("developer", "system")


def messages_rejection(messages: Any) -> Rejection | None:
    """`messages` is empty, or an element is not a message."""
    if not isinstance(messages, list) or not messages:
        return param_incorrect("no messages", "messages must not be empty")
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            return param_incorrect("role", f"messages.role must be one of {', '.join(_ROLES)}")
        content = message.get("content")
        if isinstance(content, list) and not all(_has_type(part) for part in content):
            return param_incorrect("part shape", "messages.content must hold objects with a type")
        if not isinstance(message.get("name", ""), str | None):
            return param_incorrect("message name", "messages.name must be a string")
        if not isinstance(message.get("reasoning_content"), str | None):
            said = "messages.reasoning_content must be a string"
            return param_incorrect("reasoning type", said)
    return None


def _has_type(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def history_rejection(request: dict[str, Any], info: ModelInfo, policy: Policy) -> Rejection | None:
    """The rules for a chat model's history."""
    messages = request["messages"]
    if rejection := modality_rejection(messages, info):
        return rejection
    for message in messages:
        if rejection := _CONTENT_RULES[message["role"]](message, policy):
            return rejection
    if rejection := _calls_rejection(messages):
        return rejection
    thinks = info.thinks(request.get("thinking"), request.get("reasoning_effort"))
    return _reasoning_rejection(messages) if thinks and policy.require_reasoning else None


# Content


def _instruction_rejection(message: dict[str, Any], policy: Policy) -> Rejection | None:
    content = message.get("content")
    if isinstance(content, list) and any(part["type"] in MEDIA for part in content):
        return param_incorrect("media in instructions", TEXT_NOT_SET)
    return _user_rejection(message, policy)


def _user_rejection(message: dict[str, Any], policy: Policy) -> Rejection | None:
    """A text or parts; no text of either is empty."""
    content = message.get("content")
    if isinstance(content, str) and content:
        return None
    if not isinstance(content, list) or not content:
        return param_incorrect("empty text", TEXT_NOT_SET)
    for part in content:
        rejection = _text_rejection(part) if part["type"] == "text" else media_rejection(part)
        if rejection is not None:
            return rejection
    return None


def _text_rejection(part: dict[str, Any]) -> Rejection | None:
    text = part.get("text")
    if isinstance(text, str) and text:
        return None
    return param_incorrect("empty text", TEXT_NOT_SET)


def _assistant_rejection(message: dict[str, Any], policy: Policy) -> Rejection | None:
    """Content must be there, also beside calls; a single space is enough."""
    content = message.get("content")
    if content == "" and not policy.refuse_empty_content:
        return None
    if isinstance(content, str) and content:
        return None
    if isinstance(content, list) and content:
        others = [part for part in content if part["type"] != "text"]
        if not others:
            return next(filter(None, map(_text_rejection, content)), None)
    return param_incorrect("assistant content", TEXT_NOT_SET)


def _tool_rejection(message: dict[str, Any], policy: Policy) -> Rejection | None:
    """A string only: lists of text parts are documented, but lists were seen to be refused."""
    content = message.get("content")
    if not isinstance(content, str):
        return param_incorrect("tool content", TEXT_NOT_SET)
    return None if content else param_incorrect("tool content empty", TEXT_NOT_SET)


_CONTENT_RULES: dict[str, Callable[[dict[str, Any], Policy], Rejection | None]] = {
    "developer": _instruction_rejection,
    "system": _instruction_rejection,
    "user": _user_rejection,
    "assistant": _assistant_rejection,
    "tool": _tool_rejection,
}


# Calls, their results, and the reasoning that comes with them


def _calls_rejection(messages: list[dict[str, Any]]) -> Rejection | None:
    """Each call is whole, and answered by one tool message before anything else is said."""
    pending: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            id = message.get("tool_call_id")
            if id not in pending:
                said = f"tool_call_id {id} answers no tool call"
                return param_incorrect("result without call", said)
            pending.remove(id)
            continue
        if pending:
            return _unanswered(pending)
        calls = message.get("tool_calls")
        if calls is not None and (message["role"] != "assistant" or not isinstance(calls, list)):
            said = "tool_calls must be a list, of an assistant message"
            return param_incorrect("tool call shape", said)
        for call in calls or ():
            if rejection := _call_rejection(call, pending):
                return rejection
            pending.append(call["id"])
    return _unanswered(pending) if pending else None


def _unanswered(ids: list[str]) -> Rejection:
    said = f"tool_calls must be followed by tool messages for: {', '.join(ids)}"
    return param_incorrect("call without result", said)


def _call_rejection(call: Any, pending: list[str]) -> Rejection | None:
    """A call of a history: whole, well named, with arguments that are a JSON object."""
    function = call.get("function") if isinstance(call, dict) else None
    given = function if isinstance(function, dict) else {}
    name, arguments = given.get("name"), given.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, str) or not _is_identified(call):
        return param_incorrect("tool call shape", "tool_calls must have id, type and function")
    if not TOOL_NAME.fullmatch(name):
        said = f"tool_calls.function.name must match {TOOL_NAME.pattern}"
        return param_incorrect("tool call name", said)
    if not _is_object_text(arguments):
        said = "tool_calls.function.arguments must be the text of a JSON object"
        return param_incorrect("tool call arguments", said)
    if call["id"] in pending:
        return param_incorrect("tool call id", f"two tool_calls have the id {call['id']}")
    return None


def _is_object_text(arguments: str) -> bool:
    """Judged apart from the core's own rule: the emulator is what that one is tested against."""
    try:
        value = json.loads(arguments, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _number(digits: str) -> float:
    """A number that JSON has: neither `NaN` nor one that is too large for a float."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is not JSON")
    return number


def _is_identified(call: dict[str, Any]) -> bool:
    id = call.get("id")
    return isinstance(id, str) and bool(id) and call.get("type") == "function"


def _reasoning_rejection(messages: list[dict[str, Any]]) -> Rejection | None:
    """Thinking mode: a message with calls carries its reasoning, be it empty."""
    for message in messages:
        if message.get("tool_calls") and not isinstance(message.get("reasoning_content"), str):
            return published("reasoning", "reasoning_not_passed_back")
    return None
