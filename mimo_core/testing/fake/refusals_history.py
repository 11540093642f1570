"""What the service refuses in `messages`: content, media, calls and their reasoning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimo_core.models import Modality, ModelInfo
from mimo_core.testing.fake.faults import error_body
from mimo_core.testing.fake.policy import Policy, Refusal, param_incorrect, published

TEXT_NOT_SET = "`text` is not set"
_ROLES = ("developer", "system", "user", "assistant", "tool")
# Content part -> the modality it is, and the field that holds its URL.
_MEDIA: dict[str, tuple[Modality, str]] = {
    "image_url": ("image", "url"),
    "input_audio": ("audio", "data"),
    "video_url": ("video", "url"),
}


def messages_refusal(messages: Any) -> Refusal | None:
    """No messages, or what is none."""
    if not isinstance(messages, list) or not messages:
        return param_incorrect("messages must not be empty")
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            return param_incorrect(f"messages.role must be one of {', '.join(_ROLES)}")
        content = message.get("content")
        if isinstance(content, list) and not all(isinstance(part, dict) for part in content):
            return param_incorrect("messages.content must hold objects with a type")
    return None


def history_refusal(request: dict[str, Any], info: ModelInfo, policy: Policy) -> Refusal | None:
    """The rules for a chat model's history."""
    messages = request["messages"]
    if refusal := _modality_refusal(messages, info):
        return refusal
    for message in messages:
        if refusal := _CONTENT_RULES[message["role"]](message, policy):
            return refusal
    if refusal := _calls_refusal(messages):
        return refusal
    thinks = info.thinks(request.get("thinking"), request.get("reasoning_effort"))
    return _reasoning_refusal(messages) if thinks and policy.require_reasoning else None


def _modality_refusal(messages: list[dict[str, Any]], info: ModelInfo) -> Refusal | None:
    """Media that the model does not take, on whichever turn: it stays in the history."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            modality, _ = _MEDIA.get(part.get("type", ""), ("text", ""))
            if modality not in info.inputs:
                message_text = f"No endpoints found that support {modality} input"
                return 404, error_body("404", message_text)
    return None


def _instruction_refusal(message: dict[str, Any], policy: Policy) -> Refusal | None:
    content = message.get("content")
    if isinstance(content, str):
        return None
    return None if _is_text_list(content) else param_incorrect(TEXT_NOT_SET)


def _user_refusal(message: dict[str, Any], policy: Policy) -> Refusal | None:
    content = message.get("content")
    if isinstance(content, str):
        return None
    if not isinstance(content, list) or not content:
        return param_incorrect(TEXT_NOT_SET)
    for part in content:
        refusal = None if _is_text(part) else _media_refusal(part)
        if refusal is not None:
            return refusal
    return None


def _media_refusal(part: dict[str, Any]) -> Refusal | None:
    kind = part.get("type")
    if kind not in _MEDIA:
        return param_incorrect(TEXT_NOT_SET if kind == "text" else f"unknown content type {kind}")
    name = _MEDIA[kind][1]
    holder = part.get(kind)
    url = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://", "data:")):
        return param_incorrect(f"{kind}.{name} must be a URL or a data URL")
    fps = part.get("fps")
    if fps is not None and not (isinstance(fps, (int, float)) and 0.1 <= fps <= 10):
        return param_incorrect("fps must be between 0.1 and 10.0")
    if part.get("media_resolution") not in (None, "default", "max"):
        return param_incorrect("media_resolution must be one of default, max")
    return None


def _assistant_refusal(message: dict[str, Any], policy: Policy) -> Refusal | None:
    """Content must be there, also beside calls; a single space is enough."""
    content = message.get("content")
    if content == "" and not policy.refuse_empty_content:
        return None
    if isinstance(content, str) and content:
        return None
    if _is_text_list(content) and any(part["text"] for part in content or ()):
        return None
    return param_incorrect(TEXT_NOT_SET)


def _tool_refusal(message: dict[str, Any], policy: Policy) -> Refusal | None:
    """A string only: lists of text parts are documented, but lists were seen to be refused."""
    return None if isinstance(message.get("content"), str) else param_incorrect(TEXT_NOT_SET)


_CONTENT_RULES: dict[str, Callable[[dict[str, Any], Policy], Refusal | None]] = {
    "developer": _instruction_refusal,
    "system": _instruction_refusal,
    "user": _user_refusal,
    "assistant": _assistant_refusal,
    "tool": _tool_refusal,
}


def _calls_refusal(messages: list[dict[str, Any]]) -> Refusal | None:
    """Each call is answered by one tool message, before anything else is said."""
    pending: list[Any] = []
    for message in messages:
        if message["role"] == "tool":
            id = message.get("tool_call_id")
            if id not in pending:
                return param_incorrect(f"tool_call_id {id} answers no tool call")
            pending.remove(id)
            continue
        if pending:
            return _unanswered(pending)
        calls = message.get("tool_calls") if message["role"] == "assistant" else None
        for call in calls or ():
            if not _is_call(call):
                return param_incorrect("tool_calls must have id, type and function")
            pending.append(call["id"])
    return _unanswered(pending) if pending else None


def _unanswered(ids: list[Any]) -> Refusal:
    listed = ", ".join(map(str, ids))
    return param_incorrect(f"tool_calls must be followed by tool messages for: {listed}")


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(call.get("id"), str)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )


def _reasoning_refusal(messages: list[dict[str, Any]]) -> Refusal | None:
    """Thinking mode: a message with calls carries its reasoning, be it empty."""
    for message in messages:
        if message.get("tool_calls") and not isinstance(message.get("reasoning_content"), str):
            return published("reasoning_not_passed_back")
    return None


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type") == "text" and isinstance(part.get("text"), str)


def _is_text_list(content: Any) -> bool:
    return isinstance(content, list) and bool(content) and all(_is_text(part) for part in content)
