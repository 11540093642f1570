"""From llm's messages to those of a chat-completions request.

What MiMo asks beyond that shape (reasoning where there is none, media out of tool messages) is
`mimo_core`'s to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from llm.parts import (
    AttachmentPart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from mimo_core.models import Modality, ModelInfo

if TYPE_CHECKING:
    import llm

# Kind of input -> MIME type as it is sent -> its other spellings, among them puremagic's, which is
# what llm recognises files with.
_TYPES: dict[Modality, dict[str, tuple[str, ...]]] = {
    "image": {
        "image/jpeg": ("image/jpg",),
        "image/png": (),
        "image/gif": (),
        "image/webp": (),
        "image/bmp": ("image/x-ms-bmp",),
    },
    "audio": {
        "audio/wav": ("audio/x-wav", "audio/wave", "audio/vnd.wave"),
        "audio/mpeg": ("audio/mp3",),
        "audio/flac": ("audio/x-flac",),
        "audio/mp4": ("audio/m4a", "audio/x-m4a"),
        "audio/ogg": ("application/ogg",),
    },
    "video": {
        "video/mp4": (),
        "video/quicktime": (),
        "video/x-msvideo": ("video/avi",),
        "video/x-ms-wmv": (),
    },
}
_SPELLINGS: dict[str, tuple[Modality, str]] = {
    spelling: (modality, sent)
    for modality, types in _TYPES.items()
    for sent, others in types.items()
    for spelling in (sent, *others)
}


def attachment_types(info: ModelInfo, only: Iterable[str] = ()) -> frozenset[str]:
    """The MIME types that a model takes, in every spelling; `only` narrows them down."""
    return frozenset(
        spelling
        for spelling, (modality, sent) in _SPELLINGS.items()
        if modality in info.inputs and (not only or sent in only)
    )


def system_prompt(prompt: llm.Prompt) -> str:
    """The system prompt that holds for this turn; empty where there is none.

    A new `-s` is in `prompt.system` only; on later turns the old one is in the messages only.
    """
    if prompt.system:
        return str(prompt.system)
    first = next((message for message in prompt.messages if message.role == "system"), None)
    return _text(first) if first else ""


def request_messages(
    prompt: llm.Prompt, video_fields: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The conversation as the messages of a request.

    Args:
        video_fields: `fps` and `media_resolution`, for every video in it.
    """
    return list(_Translation(video_fields or {}).messages(prompt))


def mark_for_cache(messages: list[dict[str, Any]]) -> None:
    """Marks the system prompt and the first message of the user, where fragments are, as what the
    messages protocol is to cache. On chat completions the marks are left out."""
    for role in ("system", "user"):
        first = next((message for message in messages if message["role"] == role), None)
        if first is not None:
            first["cache_control"] = {"type": "ephemeral"}


class _Translation:
    """Translates one conversation."""

    def __init__(self, video_fields: dict[str, Any]) -> None:
        self._video_fields = video_fields
        # Conversations of other providers may lack ids: calls and results then pair up in order.
        self._call_ids = (f"call_{number}" for number in count())
        self._result_ids = (f"call_{number}" for number in count())

    def messages(self, prompt: llm.Prompt) -> Iterator[dict[str, Any]]:
        system = system_prompt(prompt)
        if system:
            yield {"role": "system", "content": system}
        replaced = False  # the conversation's first system message, by the one that holds now
        for message in prompt.messages:
            if message.role == "system":
                if replaced:
                    yield {"role": "system", "content": _text(message)}
                replaced = True
            elif message.role == "assistant":
                yield from self._assistant(message)
            elif message.role == "tool":
                yield from self._tool(message)
            elif content := self._content(message.parts):
                yield {"role": "user", "content": content}

    def _assistant(self, message: Message) -> Iterator[dict[str, Any]]:
        # Searches that the service ran itself (server_executed) are in the answer's text already.
        calls = [
            {
                "id": part.tool_call_id or next(self._call_ids),
                "type": "function",
                "function": {
                    "name": part.name,
                    "arguments": json.dumps(part.arguments, ensure_ascii=False),
                },
            }
            for part in message.parts
            if isinstance(part, ToolCallPart) and not part.server_executed
        ]
        translated: dict[str, Any] = {"role": "assistant", "content": _text(message)}
        if own := _own_reasoning(message):
            translated["reasoning_content"] = "".join(part.text for part in own)
            translated |= _signature(own)
        if calls:
            translated["tool_calls"] = calls
        if translated["content"] or len(translated) > 2:
            yield translated

    def _tool(self, message: Message) -> Iterator[dict[str, Any]]:
        for part in message.parts:
            if not isinstance(part, ToolResultPart) or part.server_executed:
                continue
            content: str | list[dict[str, Any]] = part.output
            if part.attachments:
                content = [
                    {"type": "text", "text": part.output},
                    *(self._media(attachment) for attachment in part.attachments),
                ]
            yield {
                "role": "tool",
                "tool_call_id": part.tool_call_id or next(self._result_ids),
                "content": content,
            }

    def _content(self, parts: list[Any]) -> str | list[dict[str, Any]]:
        """A text where it is nothing but text, else a list of parts."""
        content: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, TextPart) and part.text:
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, AttachmentPart) and part.attachment is not None:
                content.append(self._media(part.attachment))
        if all(part["type"] == "text" for part in content):
            return "\n".join(part["text"] for part in content)
        return content

    def _media(self, attachment: llm.Attachment) -> dict[str, Any]:
        modality, url = media_url(attachment)
        if modality == "audio":
            return {"type": "input_audio", "input_audio": {"data": url}}
        part = {"type": f"{modality}_url", f"{modality}_url": {"url": url}}
        return part | self._video_fields if modality == "video" else part


def media_url(attachment: llm.Attachment) -> tuple[Modality, str]:
    """The kind of an attachment, and its URL: its own, or a data URL with its bytes.

    Raises:
        ValueError: it is of a type that no MiMo model takes.
    """
    given = str(attachment.resolve_type() or "").partition(";")[0].strip().lower()
    if given not in _SPELLINGS:
        raise ValueError(
            f"MiMo does not take attachments of type {given or 'unknown'!r}. If it is another "
            "type than that, say which: --at PATH TYPE."
        )
    modality, sent = _SPELLINGS[given]
    if attachment.url:
        return modality, attachment.url
    return modality, f"data:{sent};base64,{attachment.base64_content()}"


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


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
        if signature := ((part.provider_metadata or {}).get("mimo") or {}).get("signature"):
            return {"reasoning_signature": signature}
    return {}
