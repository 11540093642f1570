"""The content parts of request messages: texts and media, checked against what a model takes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.gateways import ProtocolName
from mimo_core.media import AUDIO_NAMES, PART_KINDS, Modality, canonical_type, is_taken
from mimo_core.models import MODELS, ModelInfo

# A single space passes on every backend; null and "" do not.
NO_TEXT = " "
_AUDIO_FORMATS = {"mp3": "mpeg"}  # OpenAI's `format`, where the MIME type has another name
_UNNAMED_IMAGE = "image/jpeg"  # the type of a data URL that does not say it
_MAX_DATA_HEAD = 300  # characters in which a data URL says what it holds


def adapt_part(part: Any, info: ModelInfo, where: str) -> dict[str, Any]:
    """One content part of a user message as MiMo takes it.

    Args:
        part: a part in the shape of chat completions.
        info: the model.
        where: the message, for an error's text, e.g. `messages[3]`.

    Raises:
        InvalidRequestError: it is not a part that MiMo takes.
        UnsupportedInputError: the model does not take what it holds.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise InvalidRequestError(f"{where}: a text part needs a 'text'.", param="messages")
        return cast("dict[str, Any]", part)
    modality = PART_KINDS.get(kind) if isinstance(kind, str) else None
    if modality is None:
        raise InvalidRequestError(
            f"{where}: MiMo does not take a content part of type {kind!r}; "
            f"it takes text, {', '.join(PART_KINDS)}.",
            param="messages",
        )
    assert kind is not None
    if modality not in info.inputs:
        raise _unsupported(modality, info, where)
    source = part.get(kind)
    if isinstance(source, str):
        part = {**part, kind: {"data" if kind == "input_audio" else "url": source}}
    if kind == "input_audio":
        return _adapt_audio(part, where)
    holder = part.get(kind)
    if not isinstance(holder, dict) or not isinstance(holder.get("url"), str) or not holder["url"]:
        raise InvalidRequestError(f"{where}: {kind} needs a 'url'.", param="messages")
    if kind == "video_url":
        _check_video(part, where)
    url = _sendable(holder["url"], modality, where)
    return part if url == holder["url"] else {**part, kind: {**holder, "url": url}}


def check_for_messages_protocol(part: dict[str, Any], where: str) -> None:
    """The messages protocol drops sound and video in silence (mimo-api.md, particular 12).

    Args:
        part: an adapted content part of a user message.
        where: the message, for an error's text.

    Raises:
        UnsupportedInputError: it is neither text nor an image.
    """
    if part["type"] in PART_KINDS and part["type"] != "image_url":
        raise UnsupportedInputError(
            f"{where}: {part['type']} is not supported by the messages protocol, which takes "
            "text and images; use protocol='chat_completions' (or its base URL).",
            param="messages",
        )


def check_attachment(part: Any, info: ModelInfo, where: str, protocol: ProtocolName) -> None:
    """Check what a user attached, before the history around it is adapted.

    Args:
        part: a content part in the shape of chat completions.
        info: the model.
        where: the message, for an error's text, e.g. `messages[3]`.
        protocol: on which it will be sent.

    Raises:
        InvalidRequestError: it is not a part that MiMo takes.
        UnsupportedInputError: the model, or the protocol, does not take what it holds.
    """
    adapted = adapt_part(part, info, where)
    if protocol == "messages":
        check_for_messages_protocol(adapted, where)


def adapt_result_part(part: Any, info: ModelInfo, where: str) -> dict[str, Any]:
    """One content part of a tool's result.

    A tool decides by itself what it returns, and the result stays in the history: what cannot be
    sent becomes a text that says so, never an error.

    Args:
        part: a text, a part in the shape of chat completions, or anything else.
        info: the model, its `inputs` narrowed down to what the protocol has for results.
        where: the message, for the text.
    """
    part = as_text_part(part)
    try:
        return adapt_part(part, info, where)
    except InvalidRequestError:
        return {"type": "text", "text": _left_out(part, info)}


def _left_out(part: Any, info: ModelInfo) -> str:
    """What stands in the place of a part that was left out."""
    kind = str(part.get("type") or "unknown") if isinstance(part, dict) else type(part).__name__
    modality = PART_KINDS.get(kind)
    if modality is not None and modality not in info.inputs:
        return f"[The tool returned {_a(modality)}, which {info.id} cannot be shown here.]"
    if modality is not None:
        return f"[The tool returned {_a(modality)} that cannot be sent.]"
    described = part if isinstance(part, dict) else {}
    about = [str(described[name]) for name in ("filename", "mime_type") if described.get(name)]
    details = f" ({', '.join(about)})" if about else ""
    return f"[The tool returned a part of type {kind!r}{details}, which MiMo does not take.]"


def _a(modality: Modality) -> str:
    return {"image": "an image", "audio": "audio", "video": "a video"}.get(modality, modality)


def as_text_part(part: Any) -> Any:
    """A part that is a mere text, or does not say that it is one, as a text part."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, dict) and "type" not in part and "text" in part:
        return {**part, "type": "text"}
    return part


def without_empty_texts(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts without the texts that hold nothing, which the service refuses ("`text` is not
    set"); a single space where nothing is left."""
    kept = [part for part in parts if part["type"] != "text" or part["text"]]
    return kept or [{"type": "text", "text": NO_TEXT}]


def text_of(content: Any, where: str) -> str:
    """A text, or the texts of a list of parts, as one text.

    Raises:
        InvalidRequestError: it holds something that is not text.
    """
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


def _adapt_audio(part: dict[str, Any], where: str) -> dict[str, Any]:
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    if not isinstance(audio, dict) or not isinstance(data, str) or not data:
        raise InvalidRequestError(f"{where}: input_audio needs 'data'.", param="messages")
    if ":" not in data:  # OpenAI's form: raw base64 with a format
        format_ = str(audio.get("format") or "wav")
        data = f"data:audio/{_AUDIO_FORMATS.get(format_, format_)};base64,{data}"
    data = _sendable(data, "audio", where)
    if data == audio["data"] and "format" not in audio:
        return part
    rest = {key: value for key, value in audio.items() if key != "format"}
    return {**part, "input_audio": {**rest, "data": data}}


def _sendable(url: str, modality: Modality, where: str) -> str:
    """A medium's address as the service takes it: http(s), or a data URL with base64.

    Raises:
        InvalidRequestError: it is neither.
        UnsupportedInputError: a data URL of another kind of data.
    """
    if url.startswith(("http://", "https://")):
        return url
    comma = url.find(",", 0, _MAX_DATA_HEAD)
    if not url.startswith("data:") or comma < 0 or comma == len(url) - 1:
        raise InvalidRequestError(
            f"{where}: {_a(modality)} must be an http(s) URL or a data URL "
            f"(data:{modality}/…;base64,…), not {url[:40]!r}.",
            param="messages",
        )
    head = url[len("data:") : comma]
    type_, *options = head.lower().split(";")
    if not type_ and modality == "image":
        url = f"data:{_UNNAMED_IMAGE};base64{url[comma:]}" if "base64" in options else url
        type_ = _UNNAMED_IMAGE
    if not is_taken(type_, modality):
        only = f": it takes {AUDIO_NAMES}" if modality == "audio" else ""
        raise UnsupportedInputError(
            f"{where}: MiMo does not take {type_[:60] or 'data without a type'!r} as "
            f"{_a(modality)}{only}.",
            param="messages",
        )
    if not type_.startswith(f"{modality}/"):  # application/ogg
        type_ = canonical_type(type_)
        url = f"data:{';'.join((type_, *options))}{url[comma:]}"
    if "base64" in options:
        return url
    data = b64encode(unquote_to_bytes(url[comma + 1 :])).decode()  # the other form of a data URL
    return f"data:{type_};base64,{data}"


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
