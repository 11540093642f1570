"""The content parts of request messages: texts and media, checked against what a model takes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from mimo_core.dialects import Dialect
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.gateways import ProtocolName
from mimo_core.media import (
    AUDIO_NAMES,
    MAX_MEDIA_DATA,
    PART_KINDS,
    Modality,
    canonical_type,
    is_taken,
)
from mimo_core.models import MODELS, ModelInfo
from mimo_core.values import quoted

# A single space passes on every backend; null and "" do not.
NO_TEXT = " "
MEDIA_KINDS: dict[str, Modality] = {**PART_KINDS, "audio_url": "audio"}
"""The types of the content parts that are sent; vLLM's and SGLang's `audio_url` among them."""
# OpenAI's `format` of audio, where the MIME type has another name
_AUDIO_FORMATS = {"mp3": "mpeg", "m4a": "mp4"}
_FORMATS = {subtype: format_ for format_, subtype in _AUDIO_FORMATS.items()}
_UNNAMED_IMAGE = "image/jpeg"  # the type of a data URL that does not say it
_MAX_DATA_HEAD = 300  # characters in which a data URL says what it holds


def adapt_part(part: Any, info: ModelInfo, where: str, dialect: Dialect) -> dict[str, Any]:
    """One content part of a user message as MiMo takes it.

    Args:
        part: a part in the shape of chat completions.
        info: the model.
        where: the message, for an error's text, e.g. `messages[3]`.
        dialect: of the server.

    Raises:
        InvalidRequestError: it is not a part that MiMo takes.
        UnsupportedInputError: the model does not take what it holds.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise InvalidRequestError(f"{where}: a text part needs a 'text'.", param="messages")
        return cast("dict[str, Any]", part)
    modality = MEDIA_KINDS.get(kind) if isinstance(kind, str) else None
    if modality is None:
        raise InvalidRequestError(
            f"{where}: MiMo does not take a content part of type {quoted(kind)}; "
            f"it takes text, {', '.join(PART_KINDS)}.",
            param="messages",
        )
    assert kind is not None
    if modality not in info.inputs:
        raise _unsupported(modality, info, where)
    if modality in dialect.without:
        raise UnsupportedInputError(
            f"{where}: this server has no way to take {_a(modality)}; remove it, or use another "
            "server (base_url).",
            param="messages",
        )
    source = part.get(kind)
    if isinstance(source, str):
        part = {**part, kind: {"data" if kind == "input_audio" else "url": source}}
    if modality == "audio":
        return _adapt_audio(_as_input_audio(part), where, dialect)
    holder = part.get(kind)
    if not isinstance(holder, dict) or not isinstance(holder.get("url"), str) or not holder["url"]:
        raise InvalidRequestError(f"{where}: {kind} needs a 'url'.", param="messages")
    if kind == "video_url" and dialect.is_vendors:
        _check_video(part, where)
    url = _sendable(holder["url"], modality, where, dialect)
    return part if url == holder["url"] else {**part, kind: {**holder, "url": url}}


def check_for_messages_protocol(part: dict[str, Any], where: str) -> None:
    """The messages protocol drops sound and video in silence (mimo-api.md, particular 12).

    Args:
        part: an adapted content part of a user message.
        where: the message, for an error's text.

    Raises:
        UnsupportedInputError: it is neither text nor an image.
    """
    if part["type"] in MEDIA_KINDS and part["type"] != "image_url":
        raise UnsupportedInputError(
            f"{where}: {part['type']} is not supported by the messages protocol, which takes "
            "text and images; use protocol='chat_completions' (or its base URL).",
            param="messages",
        )


def check_attachment(
    part: Any, info: ModelInfo, where: str, protocol: ProtocolName, dialect: Dialect
) -> None:
    """Check what a user attached, before the history around it is adapted.

    Args:
        part: a content part in the shape of chat completions.
        info: the model.
        where: the message, for an error's text, e.g. `messages[3]`.
        protocol: on which it will be sent.
        dialect: of the server.

    Raises:
        InvalidRequestError: it is not a part that MiMo takes.
        UnsupportedInputError: the model, or the protocol, does not take what it holds.
    """
    adapted = adapt_part(part, info, where, dialect)
    if protocol == "messages":
        check_for_messages_protocol(adapted, where)


def adapt_result_part(part: Any, info: ModelInfo, where: str, dialect: Dialect) -> dict[str, Any]:
    """One content part of a tool's result.

    A tool decides by itself what it returns, and the result stays in the history: what cannot be
    sent becomes a text that says so, never an error.

    Args:
        part: a text, a part in the shape of chat completions, or anything else.
        info: the model, its `inputs` narrowed down to what the protocol has for results.
        where: the message, for the text.
        dialect: of the server.
    """
    part = as_text_part(part)
    try:
        return adapt_part(part, info, where, dialect)
    except InvalidRequestError:
        return {"type": "text", "text": _left_out(part, info)}


def _left_out(part: Any, info: ModelInfo) -> str:
    """What stands in the place of a part that was left out."""
    kind = str(part.get("type") or "unknown") if isinstance(part, dict) else type(part).__name__
    modality = MEDIA_KINDS.get(kind)
    if modality is not None and modality not in info.inputs:
        return f"[The tool returned {_a(modality)}, which {info.id} cannot be shown here.]"
    if modality is not None:
        return f"[The tool returned {_a(modality)} that cannot be sent.]"
    described = part if isinstance(part, dict) else {}
    about = [str(described[name]) for name in ("filename", "mime_type") if described.get(name)]
    details = f" ({', '.join(about)})" if about else ""
    return f"[The tool returned a part of type {quoted(kind)}{details}, which MiMo does not take.]"


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
                f"{where}: only text parts can stand here, not {quoted(part)}.", param="messages"
            )
        texts.append(text)
    return "\n".join(texts) if len(texts) > 1 else "".join(texts)


def _as_input_audio(part: dict[str, Any]) -> dict[str, Any]:
    """A part of sound as OpenAI and MiMo have it, for one that came as vLLM's `audio_url`."""
    if part["type"] != "audio_url":
        return part
    holder = part.get("audio_url")
    url = holder.get("url") if isinstance(holder, dict) else None
    rest = {name: value for name, value in part.items() if name != "audio_url"}
    return {**rest, "type": "input_audio", "input_audio": {"data": url}}


def _adapt_audio(part: dict[str, Any], where: str, dialect: Dialect) -> dict[str, Any]:
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    if not isinstance(audio, dict) or not isinstance(data, str) or not data:
        raise InvalidRequestError(f"{where}: input_audio needs 'data'.", param="messages")
    if ":" not in data:  # OpenAI's form: raw base64 with a format
        format_ = str(audio.get("format") or "wav")
        data = f"data:audio/{_AUDIO_FORMATS.get(format_, format_)};base64,{data}"
    data = _sendable(data, "audio", where, dialect)
    if dialect.audio == "base64":
        return _adapt_audio_to_base64(part, data)
    if data == audio["data"] and "format" not in audio:
        return part
    rest = {key: value for key, value in audio.items() if key != "format"}
    return {**part, "input_audio": {**rest, "data": data}}


def _adapt_audio_to_base64(part: dict[str, Any], url: str) -> dict[str, Any]:
    rest = {name: value for name, value in part.items() if name not in ("type", "input_audio")}
    if not url.startswith("data:"):
        return {"type": "audio_url", "audio_url": {"url": url}, **rest}
    head, _, data = url.partition(",")
    subtype = canonical_type(head.removeprefix("data:")).partition("/")[2]
    format_ = _FORMATS.get(subtype, subtype)
    return {"type": "input_audio", "input_audio": {"data": data, "format": format_}, **rest}


def _sendable(url: str, modality: Modality, where: str, dialect: Dialect) -> str:
    """A medium's address as the service takes it: http(s), or a data URL with base64.

    Raises:
        InvalidRequestError: it is neither, or it is too long.
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
    if not is_taken(type_, modality, by_vendor=dialect.is_vendors):
        only = f": it takes {AUDIO_NAMES}" if modality == "audio" else ""
        raise UnsupportedInputError(
            f"{where}: MiMo does not take {type_[:60] or 'data without a type'!r} as "
            f"{_a(modality)}{only}.",
            param="messages",
        )
    if not type_.startswith(f"{modality}/"):  # application/ogg
        type_ = canonical_type(type_)
        url = f"data:{';'.join((type_, *options))}{url[comma:]}"
    if "base64" not in options:  # the other form of a data URL
        data = b64encode(unquote_to_bytes(url[comma + 1 :])).decode()
        url = f"data:{type_};base64,{data}"
    if dialect.is_vendors and modality != "image" and len(url) > MAX_MEDIA_DATA + _MAX_DATA_HEAD:
        raise InvalidRequestError(
            f"{where}: {_a(modality)} has {len(url) / 2**20:.0f} MB of base64 and may have "
            f"{MAX_MEDIA_DATA / 2**20:.0f}; give it by URL, or make it smaller.",
            param="messages",
        )
    return url


def _check_video(part: dict[str, Any], where: str) -> None:
    fps = part.get("fps")
    if fps is not None and not (
        isinstance(fps, int | float) and not isinstance(fps, bool) and 0.1 <= fps <= 10
    ):
        raise InvalidRequestError(
            f"{where}: fps is {quoted(fps)}; it must be from 0.1 to 10 frames a second.",
            param="messages",
        )
    resolution = part.get("media_resolution")
    if resolution not in (None, "default", "max"):
        raise InvalidRequestError(
            f"{where}: media_resolution is {quoted(resolution)}; it can be 'default' or 'max'.",
            param="messages",
        )


def _unsupported(modality: Modality, info: ModelInfo, where: str) -> UnsupportedInputError:
    able = [m.id for m in MODELS.values() if m.kind == info.kind == "chat" and modality in m.inputs]
    advice = f"Use {', '.join(able)}, or remove it from the history" if able else "Remove it"
    return UnsupportedInputError(
        f"{info.id} does not take {modality} input, and {where} holds some. {advice}.",
        param="messages",
    )
