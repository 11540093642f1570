"""From llm's messages to those of a chat-completions request.

What MiMo asks beyond that shape (reasoning where there is none, media out of tool messages, calls
without results) is `mimo_core`'s to do. So a message is translated by the parts it holds, whatever
its role: a conversation can be any other provider's.
"""

from __future__ import annotations

from collections.abc import Iterator
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

from llm_mimo.attachments import described, media_part, result_part
from llm_mimo.errors import InputError

_INSTRUCTIONS = ("system", "developer")
_SETS_SYSTEM = {"mimo": {"system": "replaced"}}


def system_prompt(prompt: llm.Prompt) -> str:
    """The system prompt that holds for this turn; empty where there is none.

    It is the newest of: the one given with this turn, those that took an earlier one's place
    (`keep_system_prompt`), and the first one.
    """
    if prompt.system:
        return str(prompt.system)
    return _held_system(prompt.messages)


def keep_system_prompt(prompt: llm.Prompt) -> None:
    """Put a new system prompt into the conversation, so that it holds from now on.

    llm gives a `-s` in a conversation that goes on to that turn alone: it is in no message, and so
    neither in the log nor in the next turn (llm 0.36).
    """
    given = str(prompt.system or "")
    messages = getattr(prompt, "_explicit_messages", None)  # llm has no public name for it
    if not given or not isinstance(messages, list) or _held_system(messages) == given:
        return
    metadata = _SETS_SYSTEM if messages else None
    message = Message("system", [TextPart(given, provider_metadata=metadata)])
    messages.insert(_begin_of_turn(messages), message)


def request_messages(
    prompt: llm.Prompt, video_fields: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The conversation as the messages of a request.

    Args:
        prompt: of llm.
        video_fields: `fps` and `media_resolution`, for every video in it.

    Returns:
        Messages in the shape of chat completions, for the core to adapt.

    Raises:
        ModelError: an attachment of the user's is of a kind that MiMo does not take.
    """
    messages = list(_translated(prompt))
    if video_fields:
        for message in messages:
            if isinstance(message["content"], list):
                message["content"] = [_with(part, video_fields) for part in message["content"]]
    return messages


def has_video(messages: list[dict[str, Any]]) -> bool:
    """Whether there is a video in the messages of a request."""
    return any(
        part["type"] == "video_url"
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
    )


def mark_for_cache(messages: list[dict[str, Any]]) -> None:
    """Marks the system prompt and the first message of the user, where fragments are, as what the
    messages protocol is to cache. On chat completions the marks are left out.

    Args:
        messages: of a request; changed in place.
    """
    for role in ("system", "user"):
        first = next((message for message in messages if message["role"] == role), None)
        if first is not None:
            first["cache_control"] = {"type": "ephemeral"}


def _translated(prompt: llm.Prompt) -> Iterator[dict[str, Any]]:
    if system := system_prompt(prompt):
        yield {"role": "system", "content": system}
    messages = prompt.messages
    said = False  # the first system message, by the one that holds now
    for position, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            if said and not _sets_system(message):
                yield from _instruction(message)
            said = True
        elif message.role == "assistant":
            yield from _assistant(message)
        elif message.role == "tool":
            yield from _tool(message, _of_tools(messages, position + 1))
        elif message.role != "user":
            raise InputError(
                f"Message {position + 1} of the conversation has the role {message.role!r}; "
                "it can be system, user, assistant or tool."
            )
        elif not _is_of_tools(messages, position):
            yield from _results(message)
            yield from _user(message)


def _instruction(message: Message) -> Iterator[dict[str, Any]]:
    if text := _text(message):
        yield {"role": "system", "content": text}


def _user(message: Message) -> Iterator[dict[str, Any]]:
    """A text where it is nothing but text, else a list of parts."""
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, AttachmentPart) and part.attachment is not None:
            content.append(media_part(part.attachment))
    if content and all(part["type"] == "text" for part in content):
        yield {"role": "user", "content": "\n".join(filter(None, map(_text_in, content)))}
    elif content:
        yield {"role": "user", "content": content}


def _assistant(message: Message) -> Iterator[dict[str, Any]]:
    # Searches that the service ran itself (server_executed) are in the answer's text already.
    calls = [
        {
            "id": part.tool_call_id,
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments},
        }
        for part in message.parts
        if isinstance(part, ToolCallPart) and not part.server_executed
    ]
    texts = [_text(message)] if _text(message) else []
    texts += [
        f"[An attachment of the answer, {described(part.attachment)}, is not repeated here.]"
        for part in message.parts
        if isinstance(part, AttachmentPart) and part.attachment is not None
    ]
    translated: dict[str, Any] = {"role": "assistant", "content": "\n".join(texts)}
    if own := _own_reasoning(message):
        translated["reasoning_content"] = "".join(part.text for part in own)
        translated |= _signature(own)
    if calls:
        translated["tool_calls"] = calls
    if translated["content"] or len(translated) > 2:
        yield translated
    yield from _results(message)


def _tool(message: Message, attachments: list[llm.Attachment]) -> Iterator[dict[str, Any]]:
    """The results of tools. llm puts what they attached, of all of them, into a user message."""
    results = list(_results(message))
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
    yield from _user(message)


def _results(message: Message) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if not isinstance(part, ToolResultPart) or part.server_executed:
            continue
        content: Any = part.output
        if part.attachments:
            content = [_as_part(part.output), *map(result_part, part.attachments)]
        yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": content}


def _of_tools(messages: list[Message], position: int) -> list[llm.Attachment]:
    """The attachments of tools, where the message at `position` holds them."""
    if not _is_of_tools(messages, position):
        return []
    parts = messages[position].parts
    attachments = [part.attachment for part in parts if isinstance(part, AttachmentPart)]
    return [attachment for attachment in attachments if attachment is not None]


def _is_of_tools(messages: list[Message], position: int) -> bool:
    """Whether the message at `position` is how llm passes on what tools attached: a user message
    without a word behind the results."""
    if not 0 < position < len(messages) or messages[position - 1].role != "tool":
        return False
    message = messages[position]
    return message.role == "user" and all(
        isinstance(part, AttachmentPart) and part.attachment is not None for part in message.parts
    )


def _held_system(messages: list[Message]) -> str:
    """The newest that took an earlier one's place, else the first."""
    given = [message for message in messages if message.role in _INSTRUCTIONS]
    newest = [message for message in given if _sets_system(message)][-1:] or given[:1]
    return _text(newest[0]) if newest else ""


def _sets_system(message: Message) -> bool:
    return message.role in _INSTRUCTIONS and any(
        isinstance(part, TextPart) and part.provider_metadata == _SETS_SYSTEM
        for part in message.parts
    )


def _begin_of_turn(messages: list[Message]) -> int:
    """Where the messages begin that were added for this turn: after the last answer and what
    belongs to it."""
    at = len(messages)
    while at and messages[at - 1].role == "user" and not _is_of_tools(messages, at - 1):
        at -= 1
    return at


def _text(message: Message) -> str:
    return "".join(part.text or "" for part in message.parts if isinstance(part, TextPart))


def _text_in(part: dict[str, Any]) -> str:
    return part["text"] or ""


def _as_part(part: Any) -> dict[str, Any]:
    return part if isinstance(part, dict) else {"type": "text", "text": str(part)}


def _with(part: Any, video_fields: dict[str, Any]) -> Any:
    return part | video_fields if part["type"] == "video_url" else part


def _own_reasoning(message: Message) -> list[ReasoningPart]:
    """The reasoning as it was received: MiMo wants it back, complete.

    Reasoning of another provider, in a conversation that was begun with it, stays out.
    """
    return [
        part
        for part in message.parts
        if isinstance(part, ReasoningPart)
        and not part.redacted
        and (not part.provider_metadata or "mimo" in part.provider_metadata)
    ]


def _signature(reasoning: list[ReasoningPart]) -> dict[str, Any]:
    """What a relay on the messages protocol signed the reasoning with; MiMo signs nothing."""
    for part in reasoning:
        own = (part.provider_metadata or {}).get("mimo")
        if isinstance(own, dict) and (signature := own.get("signature")):
            return {"reasoning_signature": signature}
    return {}
