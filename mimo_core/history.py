"""The messages of a request, adapted to what MiMo's backends accept.

What they refuse was observed (December 2025 to October 2026), not documented; each adaptation
passes on every backend seen so far.
"""

from __future__ import annotations

import json
from typing import Any

from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.models import MODELS, Modality, ModelInfo

# A single space passes on every backend; null and "" do not.
_NO_TEXT = " "
_MEDIA: dict[str, Modality] = {
    "image_url": "image",
    "input_audio": "audio",
    "video_url": "video",
}
_AUDIO_TYPES = {"mp3": "mpeg"}


def adapt_messages(
    messages: Any, info: ModelInfo, *, thinks: bool, blocks: bool = False
) -> list[dict[str, Any]]:
    """The history as MiMo takes it; the given messages stay as they are.

    - An assistant message with tool calls carries `reasoning_content` while the model thinks: its
      own, or an empty one where the history has none. A history without it is refused.
    - An assistant message always has a `content`, and tool-call arguments are JSON texts.
    - A tool message's content is one text; media in it move into a user message after the run of
      tool messages.
    - Audio as raw base64 with a `format` becomes a data URL.

    With `blocks`, for the messages protocol, tool messages keep their parts and media, and
    assistant messages the parts that are marked with `cache_control`. Otherwise a mark on a whole
    message is left out; one on a part of a system or user message stays, for relays that read it.

    Raises:
        InvalidRequestError: there is no message, or one that is none.
        UnsupportedInputError: media that the model does not take, anywhere in the history: the
            service would refuse every later turn too.
    """
    if not isinstance(messages, list | tuple) or not messages:
        raise InvalidRequestError(
            "messages is empty; a request needs at least one message.", param="messages"
        )
    adapted: list[dict[str, Any]] = []
    from_tools: list[dict[str, Any]] = []
    for position, given in enumerate(messages):
        message = given if blocks else _unmarked(given)
        role = message.get("role") if isinstance(message, dict) else None
        if from_tools and role != "tool":
            adapted.append({"role": "user", "content": from_tools})
            from_tools = []
        where = f"messages[{position}]"
        if role == "user":
            adapted.append(_user(message, info, where))
        elif role == "assistant":
            adapted.append(_assistant(message, where, thinks=thinks, blocks=blocks))
        elif role == "tool":
            adapted.append(_tool(message, None if blocks else from_tools, info, where))
        elif role in ("system", "developer"):
            adapted.append(_user(message, info, where))
        else:
            raise InvalidRequestError(
                f"{where}: role is {role!r}; it can be system, developer, user, assistant or tool.",
                param="messages",
            )
    if from_tools:
        adapted.append({"role": "user", "content": from_tools})
    return adapted


def _user(message: dict[str, Any], info: ModelInfo, where: str) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str):
        return message
    _require_content(message, where)
    return {**message, "content": [_part(part, info, where) for part in content or ()]}


def _assistant(
    message: dict[str, Any], where: str, *, thinks: bool, blocks: bool
) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list | tuple):
        raise InvalidRequestError(f"{where}: tool_calls must be a list.", param="messages")
    adapted = {k: v for k, v in message.items() if v is not None and k != "tool_calls"}
    content = message.get("content")
    adapted["content"] = _text_of(content, where) or _NO_TEXT
    if not blocks:
        adapted.pop("reasoning_signature", None)  # of the messages protocol
    elif isinstance(content, list) and any(_is_marked(part) for part in content):
        adapted["content"] = [_text_part(part) for part in content]
    if calls:
        adapted["tool_calls"] = [_tool_call(call, where) for call in calls]
        if thinks:
            adapted.setdefault("reasoning_content", "")
    return adapted


def _tool_call(call: Any, where: str) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not function.get("name") or not call.get("id"):
        raise InvalidRequestError(
            f"{where}: a tool call needs an id and a function with a name.", param="messages"
        )
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        try:
            arguments = json.dumps(arguments or {}, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InvalidRequestError(
                f"{where}: the arguments of {function['name']} are not JSON: {error}.",
                param="messages",
            ) from error
    return {
        "id": call["id"],
        "type": call.get("type") or "function",
        "function": {"name": function["name"], "arguments": arguments or "{}"},
    }


def _tool(
    message: dict[str, Any], media: list[dict[str, Any]] | None, info: ModelInfo, where: str
) -> dict[str, Any]:
    """A tool message; its media go into `media`, or stay in it where that is None."""
    content = message.get("content")
    call_id = message.get("tool_call_id")
    if not call_id:
        raise InvalidRequestError(
            f"{where}: a tool message needs a tool_call_id.", param="messages"
        )
    if isinstance(content, str):
        return message if content else {**message, "content": _NO_TEXT}
    if content is not None:
        _require_content(message, where)
    if media is None:
        kept = [_part(_text_part(part), info, where) for part in content or ()]
        return {**message, "content": kept or _NO_TEXT}
    texts, parts = [], []
    for part in content or ():
        if isinstance(part, dict) and part.get("type") in _MEDIA:
            parts.append(_part(part, info, where))
        else:
            texts.append(part)
    if parts:
        media.append({"type": "text", "text": f"Output of the tool call {call_id}:"})
        media.extend(parts)
    text = _text_of(texts, where) or (
        "The output follows in the next user message." if parts else _NO_TEXT
    )
    return {**message, "content": text}


def _is_marked(part: Any) -> bool:
    return isinstance(part, dict) and "cache_control" in part


def _unmarked(message: Any) -> Any:
    if not _is_marked(message):
        return message
    return {key: value for key, value in message.items() if key != "cache_control"}


def _text_part(part: Any) -> Any:
    """A part that is a mere text, or does not say that it is one, as a text part."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, dict) and "type" not in part and "text" in part:
        return {**part, "type": "text"}
    return part


def _part(part: Any, info: ModelInfo, where: str) -> dict[str, Any]:
    """One content part of a user message, checked against what the model takes."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return part  # type: ignore[no-any-return]
    modality = _MEDIA.get(kind or "")
    if kind == "text":
        raise InvalidRequestError(f"{where}: a text part needs a 'text'.", param="messages")
    if modality is None:
        raise InvalidRequestError(
            f"{where}: a content part of type {kind!r} is none that MiMo takes; "
            f"text, {', '.join(_MEDIA)} are.",
            param="messages",
        )
    if modality not in info.inputs:
        raise _unsupported(modality, info, where)
    assert kind is not None
    source = part.get(kind)
    if isinstance(source, str):
        part = {**part, kind: {"data" if kind == "input_audio" else "url": source}}
    if kind == "input_audio":
        return _audio_part(part, where)
    if not isinstance(part.get(kind), dict) or not part[kind].get("url"):
        raise InvalidRequestError(f"{where}: {kind} needs a 'url'.", param="messages")
    if kind == "video_url":
        _check_video(part, where)
    return part  # type: ignore[no-any-return]


def _audio_part(part: dict[str, Any], where: str) -> dict[str, Any]:
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    if not isinstance(audio, dict) or not isinstance(data, str) or not data:
        raise InvalidRequestError(f"{where}: input_audio needs 'data'.", param="messages")
    if data.startswith(("data:", "http://", "https://")):
        if "format" not in audio:
            return part
    else:  # OpenAI's form: raw base64 with a format
        format_ = audio.get("format") or "wav"
        data = f"data:audio/{_AUDIO_TYPES.get(format_, format_)};base64,{data}"
    rest = {key: value for key, value in audio.items() if key != "format"}
    return {**part, "input_audio": {**rest, "data": data}}


def _check_video(part: dict[str, Any], where: str) -> None:
    fps = part.get("fps")
    if fps is not None and not (
        isinstance(fps, int | float) and not isinstance(fps, bool) and 0.1 <= fps <= 10
    ):
        raise InvalidRequestError(
            f"{where}: fps is {fps!r}; it must be from 0.1 to 10 frames a second.", param="messages"
        )
    resolution = part.get("media_resolution")
    if resolution not in (None, "default", "max"):
        raise InvalidRequestError(
            f"{where}: media_resolution is {resolution!r}; it can be 'default' or 'max'.",
            param="messages",
        )


def _unsupported(modality: Modality, info: ModelInfo, where: str) -> UnsupportedInputError:
    able = [m.id for m in MODELS.values() if m.kind == info.kind == "chat" and modality in m.inputs]
    advice = f"Use {', '.join(able)}, or remove it from the history" if able else "Remove it"
    return UnsupportedInputError(
        f"{info.id} does not take {modality} input, and {where} holds some. {advice}.",
        param="messages",
    )


def _require_content(message: dict[str, Any], where: str) -> None:
    if not isinstance(message.get("content"), str | list | tuple):
        raise InvalidRequestError(
            f"{where}: content must be a text or a list of parts.", param="messages"
        )


def _text_of(content: Any, where: str) -> str:
    """A text, or the texts of a list of parts, as one text."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list | tuple):
        raise InvalidRequestError(
            f"{where}: content must be a text or a list of parts.", param="messages"
        )
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            raise InvalidRequestError(
                f"{where}: only text parts can stand here, not {part!r:.80}.", param="messages"
            )
        texts.append(text)
    return "\n".join(texts) if len(texts) > 1 else "".join(texts)
