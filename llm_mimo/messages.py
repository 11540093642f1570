"""From llm's messages to those of a chat-completions request.

What MiMo needs beyond that shape (reasoning for every call, no media in tool messages, a result
for every call) is added by `mimo_core`. A message is translated by the parts it holds, whatever its
role: the conversation may have begun with another provider's model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import llm
from llm.parts import (
    AttachmentPart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from llm_mimo.attachments import attachment_name, media_part, result_part
from llm_mimo.errors import InputError

_INSTRUCTIONS = ("system", "developer")
_REPLACES_SYSTEM = {"mimo": {"system": "replaced"}}


def system_prompt(prompt: llm.Prompt) -> str:
    """The system prompt of this turn.

    Args:
        prompt: of llm.

    Returns:
        The system prompt given with this turn, else the newest that replaced an earlier one
        (`keep_system_prompt`), else the first of the conversation, else an empty text.
    """
    if prompt.system:
        return str(prompt.system)
    return _current_system_prompt(prompt.messages)


def keep_system_prompt(prompt: llm.Prompt) -> None:
    """Add a new system prompt to the conversation's messages, so that later turns keep it.

    In a conversation that is continued, llm 0.36 uses `-s` for that turn only: no message holds it,
    so that the log and the next turn miss it.

    Args:
        prompt: of llm; its messages are changed in place.
    """
    given = str(prompt.system or "")
    messages = getattr(prompt, "_explicit_messages", None)  # llm has no public name for it
    if not given or not isinstance(messages, list) or _current_system_prompt(messages) == given:
        return
    metadata = _REPLACES_SYSTEM if messages else None
    message = Message("system", [TextPart(given, provider_metadata=metadata)])
    messages.insert(_turn_start(messages), message)


def request_messages(
    prompt: llm.Prompt, video_fields: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The conversation as the messages of a request.

    Args:
        prompt: of llm.
        video_fields: `fps` and `media_resolution`, for every video in the conversation.

    Returns:
        Messages in the shape of chat completions, which the core then adapts to MiMo.

    Raises:
        ModelError: MiMo does not take an attachment of the user's, or it cannot be read.
    """
    messages = list(_translate_conversation(prompt))
    if video_fields:
        for message in messages:
            if isinstance(message["content"], list):
                message["content"] = [
                    _add_to_video(part, video_fields) for part in message["content"]
                ]
    return messages


def has_video(messages: list[dict[str, Any]]) -> bool:
    """Whether the messages of a request hold a video."""
    return any(
        part["type"] == "video_url"
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
    )


def mark_for_cache(messages: list[dict[str, Any]]) -> None:
    """Mark the system prompt and the first user message (which holds llm's fragments) for caching.

    Only the messages protocol has such marks; the core leaves them out of chat completions.

    Args:
        messages: of a request; changed in place.
    """
    for role in ("system", "user"):
        first = next((message for message in messages if message["role"] == role), None)
        if first is not None:
            first["cache_control"] = {"type": "ephemeral"}


def _translate_conversation(prompt: llm.Prompt) -> Iterator[dict[str, Any]]:
    if system := system_prompt(prompt):
        yield {"role": "system", "content": system}
    messages = prompt.messages
    first_system_done = False  # the first system message was sent above, or has been replaced
    for position, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            if first_system_done and not _replaces_system(message):
                yield from _translate_system(message)
            first_system_done = True
        elif message.role == "assistant":
            yield from _translate_assistant(message)
        elif message.role == "tool":
            attachments = _tool_attachments(messages, position + 1)
            yield from _translate_tool(message, attachments)
        elif message.role != "user":
            raise InputError(
                f"Message {position + 1} of the conversation has the role {message.role!r}; "
                "it can be system, user, assistant or tool."
            )
        elif not _holds_tool_attachments(messages, position):
            yield from _translate_results(message)
            yield from _translate_user(message)


def _translate_system(message: Message) -> Iterator[dict[str, Any]]:
    if text := _joined_text(message):
        yield {"role": "system", "content": text}


def _translate_user(message: Message) -> Iterator[dict[str, Any]]:
    """Content that is only text becomes one text; else it is a list of parts."""
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, AttachmentPart) and part.attachment is not None:
            content.append(media_part(part.attachment))
    if content and all(part["type"] == "text" for part in content):
        texts = [part["text"] for part in content if part["text"]]
        yield {"role": "user", "content": "\n".join(texts)}
    elif content:
        yield {"role": "user", "content": content}


def _translate_assistant(message: Message) -> Iterator[dict[str, Any]]:
    # The answer's text already holds what the service found with its own searches
    # (server_executed).
    calls = [
        {
            "id": part.tool_call_id,
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments},
        }
        for part in message.parts
        if isinstance(part, ToolCallPart) and not part.server_executed
    ]
    texts = [text] if (text := _joined_text(message)) else []
    texts += [
        f"[An attachment of the answer, {attachment_name(part.attachment)}, is not repeated here.]"
        for part in message.parts
        if isinstance(part, AttachmentPart) and part.attachment is not None
    ]
    translated: dict[str, Any] = {"role": "assistant", "content": "\n".join(texts)}
    if reasoning := _mimo_reasoning(message):
        translated["reasoning_content"] = "".join(part.text for part in reasoning)
        translated |= _fields_beside_reasoning(reasoning)
    if calls:
        translated["tool_calls"] = calls
    if translated["content"] or len(translated) > 2:
        yield translated
    yield from _translate_results(message)


def _translate_tool(
    message: Message, attachments: list[llm.Attachment]
) -> Iterator[dict[str, Any]]:
    """The results of tools, the last one with the attachments of all of them."""
    results = list(_translate_results(message))
    if attachments and results:
        last = results[-1]
        intro = "What the tools attached, in order:" if len(results) > 1 else ""
        given = last["content"] if isinstance(last["content"], list) else [last["content"]]
        last["content"] = [*given, *([intro] if intro else []), *map(result_part, attachments)]
        last["content"] = [_as_part(part) for part in last["content"]]
    yield from results
    if attachments and not results:
        parts = [result_part(attachment) for attachment in attachments]
        yield {"role": "tool", "tool_call_id": None, "content": parts}
    yield from _translate_user(message)


def _translate_results(message: Message) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if not isinstance(part, ToolResultPart) or part.server_executed:
            continue
        content: Any = part.output
        if part.attachments:
            content = [_as_part(part.output), *map(result_part, part.attachments)]
        yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": content}


def _tool_attachments(messages: list[Message], position: int) -> list[llm.Attachment]:
    """The attachments in the message at `position` if tools returned them; else an empty list."""
    if not _holds_tool_attachments(messages, position):
        return []
    parts = messages[position].parts
    attachments = [part.attachment for part in parts if isinstance(part, AttachmentPart)]
    return [attachment for attachment in attachments if attachment is not None]


def _holds_tool_attachments(messages: list[Message], position: int) -> bool:
    """Whether the message at `position` holds what tools attached.

    llm passes it on as a user message of attachments only, right after the tools' results.
    """
    if not 0 < position < len(messages) or messages[position - 1].role != "tool":
        return False
    message = messages[position]
    return message.role == "user" and all(
        isinstance(part, AttachmentPart) and part.attachment is not None for part in message.parts
    )


def _current_system_prompt(messages: list[Message]) -> str:
    """The newest system prompt that replaced an earlier one, else the first, else an empty text."""
    given = [message for message in messages if message.role in _INSTRUCTIONS]
    current = [message for message in given if _replaces_system(message)][-1:] or given[:1]
    return _joined_text(current[0]) if current else ""


def _replaces_system(message: Message) -> bool:
    return message.role in _INSTRUCTIONS and any(
        isinstance(part, TextPart) and part.provider_metadata == _REPLACES_SYSTEM
        for part in message.parts
    )


def _turn_start(messages: list[Message]) -> int:
    """The position of this turn's first message: after the last answer and its tools' results."""
    at = len(messages)
    while at and messages[at - 1].role == "user" and not _holds_tool_attachments(messages, at - 1):
        at -= 1
    return at


def _joined_text(message: Message) -> str:
    return "".join(part.text or "" for part in message.parts if isinstance(part, TextPart))


def _as_part(part: Any) -> dict[str, Any]:
    return part if isinstance(part, dict) else {"type": "text", "text": str(part)}


def _add_to_video(part: Any, video_fields: dict[str, Any]) -> Any:
    return part | video_fields if part["type"] == "video_url" else part


def _mimo_reasoning(message: Message) -> list[ReasoningPart]:
    """MiMo's reasoning as it was received: the service wants all of it back.

    Another provider's reasoning, in a conversation that began there, is left out.
    """
    return [
        part
        for part in message.parts
        if isinstance(part, ReasoningPart)
        and not part.redacted
        and (not part.provider_metadata or "mimo" in part.provider_metadata)
    ]


# What servers give beside reasoning and want back: field of the message -> key of llm's metadata.
_BESIDE_REASONING = {"reasoning_signature": "signature", "reasoning_details": "details"}


def kept_beside_reasoning(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a server gave beside the reasoning and wants back: a relay's signature on the messages
    protocol, OpenRouter's details. MiMo gives neither.

    Args:
        message: of an answer.

    Returns:
        For `provider_metadata["mimo"]` of a reasoning part; empty where there is nothing.
    """
    return {key: message[name] for name, key in _BESIDE_REASONING.items() if message.get(name)}


def _fields_beside_reasoning(reasoning: list[ReasoningPart]) -> dict[str, Any]:
    """The same, as fields of the message that goes back."""
    fields: dict[str, Any] = {}
    for part in reasoning:
        metadata = (part.provider_metadata or {}).get("mimo")
        if isinstance(metadata, dict):
            fields |= {n: metadata[k] for n, k in _BESIDE_REASONING.items() if metadata.get(k)}
    return fields
