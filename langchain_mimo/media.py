"""Content blocks with media, of every kind LangChain knows, to MiMo's three content parts."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from langchain_mimo.errors import model_errors
from mimo_core.audio import encode_file
from mimo_core.errors import InvalidRequestError

_PARTS = {"image": "image_url", "audio": "input_audio", "video": "video_url"}
_DEFAULT_TYPES = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4"}
_OPENAI_PARTS = {part: kind for kind, part in _PARTS.items()}
FILE_BLOCKS = frozenset({*_PARTS, *_OPENAI_PARTS, "file", "document", "text-plain"})
"""The types of blocks that hold a file, or say where it is."""
_TEXT_TYPES = ("application/json", "application/xml", "application/yaml", "application/x-yaml")
_PDF = "JVBER"  # how one begins in base64
_MAX_HEAD = 300  # characters in which a URL says what it is
_VIDEO_OPTIONS = ("fps", "media_resolution")
_FILE_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".wmv": "video/x-ms-wmv",
}


def media_block(
    path: str | os.PathLike[str],
    *,
    mime_type: str | None = None,
    fps: float | None = None,
    media_resolution: Literal["default", "max"] | None = None,
) -> dict[str, Any]:
    """A content block (v1) with an image, audio or a video from a file.

    >>> HumanMessage(["What happens?", media_block("clip.mp4", fps=0.5)])

    Args:
        path: the file.
        mime_type: default is what the name's ending says.
        fps: video: frames a second to look at, 0.1 to 10; the service's default is 2.
        media_resolution: video: the resolution to look at it with.

    Raises:
        MiMoInvalidRequestError: the file cannot be read, is of another kind, or has the options
            without being a video.
    """
    options = {"fps": fps, "media_resolution": media_resolution}
    given = {name: value for name, value in options.items() if value is not None}
    with model_errors():
        return _file_block(Path(path), mime_type, given)


def _file_block(path: Path, mime_type: str | None, options: dict[str, Any]) -> dict[str, Any]:
    mime_type = mime_type or _FILE_TYPES.get(path.suffix.lower(), "")
    kind = mime_type.partition("/")[0]
    if kind not in _PARTS:
        raise InvalidRequestError(
            f"{path.name} is {mime_type or 'of an unknown type'}; MiMo takes images, audio and "
            "video. If it is one, say which: mime_type='video/mp4'.",
            param="messages",
        )
    if options and kind != "video":
        raise InvalidRequestError(
            f"{', '.join(options)} is for video, and {path.name} is {mime_type}.", param="messages"
        )
    try:
        with path.open("rb") as file:
            data = encode_file(file)
    except OSError as error:
        raise InvalidRequestError(
            f"The {kind} cannot be read: {error.strerror}: {path}.", param="messages"
        ) from error
    block: dict[str, Any] = {"type": kind, "base64": data, "mime_type": mime_type}
    return {**block, "extras": options} if options else block


def media_part(block: dict[str, Any]) -> dict[str, Any]:
    """The content part for a block that holds an image, audio, a video or a text file.

    Known are OpenAI's parts, LangChain's v1 blocks (url or base64), Anthropic's `source` form, and
    `file` blocks whose mime type is one of these.

    Raises:
        InvalidRequestError: the block is of a kind that MiMo does not take.
    """
    kind = block.get("type")
    if isinstance(kind, str) and kind in _OPENAI_PARTS:
        return _openai_part(block, kind)
    file = _file_in(block)
    if file.is_text:
        return {"type": "text", "text": _text_in(file)}
    if file.kind not in _PARTS:
        about = ", ".join(filter(None, (file.mime_type, file.name)))
        raise InvalidRequestError(
            f"A content block of type {kind!r}{f' ({about})' if about else ''} is none that MiMo "
            "takes; text, image, audio and video are. Of a document, send the text.",
            param="messages",
        )
    return _part(file, block)


def file_unsent(block: dict[str, Any]) -> dict[str, Any]:
    """What is left of a block that cannot be sent: a part of its kind, without its data."""
    kind = block.get("type")
    if isinstance(kind, str) and kind in _OPENAI_PARTS:
        return {"type": kind}
    file = _file_in(block)
    if file.kind in _PARTS:
        return {"type": _PARTS[file.kind]}
    described = {"type": kind, "mime_type": file.mime_type, "filename": file.name}
    return {name: value for name, value in described.items() if value}


class _File(NamedTuple):
    """A file in a block, whichever provider's form it has.

    Attributes:
        kind: image, audio or video where it is one of these, else the block's type.
        data: base64, or None.
    """

    kind: str
    mime_type: str
    name: str
    url: str | None
    data: str | None
    text: str | None

    @property
    def is_text(self) -> bool:
        if self.kind in _PARTS:
            return False
        if self.text is not None:
            return True
        named = self.mime_type.startswith("text/") or self.mime_type in _TEXT_TYPES
        return named and (self.data is not None or (self.url or "").startswith("data:"))


def _file_in(block: dict[str, Any]) -> _File:
    holder = block
    inner, source = block.get("file"), block.get("source")
    if isinstance(inner, Mapping):  # OpenAI's
        holder = {"url": inner.get("file_data"), **inner}
    elif isinstance(source, Mapping):  # Anthropic's
        is_text = source.get("type") == "text"
        holder = {
            **source,
            "mime_type": source.get("media_type"),
            "text": source.get("data") if is_text else None,
        }
    url, data = _str(holder.get("url")), _str(holder.get("base64")) or _str(holder.get("data"))
    # langchain-core turns OpenAI's input_audio into base64 whatever its data was.
    if data and data.startswith(("data:", "http://", "https://")):
        url, data = data, None
    mime_type = (_str(holder.get("mime_type")) or "").lower().partition(";")[0].strip()
    if url and url.startswith("data:"):
        mime_type = mime_type or url[len("data:") : _MAX_HEAD].partition(",")[0].partition(";")[0]
        mime_type = mime_type.lower()
    if mime_type == "application/pdf" and data and not data.startswith(_PDF):
        mime_type = "text/plain"  # langchain-core calls each of OpenAI's files a PDF
    kind = _str(block.get("type")) or ""
    family = mime_type.partition("/")[0]
    if family in _PARTS and kind not in _PARTS:
        kind = family
    elif kind in _PARTS and mime_type and family != kind:
        kind = "file"  # whatever the block says that it is
    names = (holder.get("filename"), block.get("filename"), block.get("title"), block.get("name"))
    name = next(filter(None, map(_str, names)), "")
    return _File(kind, mime_type, name, url, data, _str(holder.get("text")))


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _text_in(file: _File) -> str:
    if file.text is not None:
        return file.text
    data = (file.url or "").partition(";base64,")[2] if file.data is None else file.data
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(
            f"The {file.mime_type} file {file.name}".rstrip()
            + " cannot be read as base64 of UTF-8: send its text as a text block.",
            param="messages",
        ) from error


def _openai_part(block: dict[str, Any], kind: str) -> dict[str, Any]:
    key = "data" if kind == "input_audio" else "url"
    source = block.get(kind)
    if isinstance(source, str):
        source = {key: source}
    part = {"type": kind, kind: source}
    return part | {name: block[name] for name in _VIDEO_OPTIONS if name in block}


def _part(file: _File, block: dict[str, Any]) -> dict[str, Any]:
    url = file.url
    if url is None and file.data:
        url = f"data:{file.mime_type or _DEFAULT_TYPES[file.kind]};base64,{file.data}"
    if url is None:
        raise InvalidRequestError(
            f"The {file.kind} block has neither a 'url' nor 'base64'; MiMo has no file store.",
            param="messages",
        )
    part_type = _PARTS[file.kind]
    part: dict[str, Any] = {
        "type": part_type,
        part_type: {"data" if file.kind == "audio" else "url": url},
    }
    if file.kind == "video":
        extras = block.get("extras")
        given = {**(extras if isinstance(extras, Mapping) else {}), **block}
        part |= {name: given[name] for name in _VIDEO_OPTIONS if name in given}
    return part
