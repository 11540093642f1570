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
from mimo_core.files import open_regular
from mimo_core.media import (
    MAX_MEDIA_FILE,
    MEDIA_TYPES,
    PART_KINDS,
    TYPE_OF_ENDING,
    canonical_type,
)
from mimo_core.values import quoted

_PART_TYPES: dict[str, str] = {kind: part for part, kind in PART_KINDS.items()}
# For data of an unknown type: the type that is listed first for its kind.
_DEFAULT_TYPES: dict[str, str] = {m.modality: m.mime_type for m in reversed(MEDIA_TYPES)}
FILE_BLOCKS = frozenset({*_PART_TYPES, *PART_KINDS, "audio_url", "file", "document", "text-plain"})
"""The types of blocks that hold a file, or say where it is."""
_TEXT_TYPES = ("application/json", "application/xml", "application/yaml", "application/x-yaml")
_PDF = "JVBER"  # how one begins in base64
_MAX_HEAD = 300  # characters in which a URL says what it is
_VIDEO_OPTIONS = ("fps", "media_resolution")


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

    Returns:
        LangChain's block of type `image`, `audio` or `video`, with the file as base64.

    Raises:
        MiMoInvalidRequestError: the file cannot be read, is no regular file, is larger than 300
            MB, is of another kind, or has the options without being a video.
    """
    options = {"fps": fps, "media_resolution": media_resolution}
    given = {name: value for name, value in options.items() if value is not None}
    with model_errors():
        return _make_file_block(Path(path), mime_type, given)


def _make_file_block(path: Path, mime_type: str | None, options: dict[str, Any]) -> dict[str, Any]:
    mime_type = mime_type or TYPE_OF_ENDING.get(path.suffix.lower(), "")
    kind = canonical_type(mime_type).partition("/")[0]
    if kind not in _PART_TYPES:
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
        with open_regular(path) as file:
            _check_size(path, os.fstat(file.fileno()).st_size)
            data = encode_file(file)
    except OSError as error:
        raise InvalidRequestError(
            f"The {kind} cannot be read: {error.strerror}: {path}.", param="messages"
        ) from error
    block: dict[str, Any] = {"type": kind, "base64": data, "mime_type": mime_type}
    return {**block, "extras": options} if options else block


def _check_size(path: Path, size: int) -> None:
    if size > MAX_MEDIA_FILE:
        raise InvalidRequestError(
            f"{path.name} has {size / 1024 / 1024:.0f} MB; at most "
            f"{MAX_MEDIA_FILE // 1024 // 1024} are read. Give its URL instead, or a smaller copy.",
            param="messages",
        )


def convert_media_block(block: dict[str, Any]) -> dict[str, Any]:
    """The content part for a block that holds an image, audio, a video or a text file.

    Known are OpenAI's parts, LangChain's v1 blocks (url or base64), Anthropic's `source` form, and
    `file` blocks whose mime type is one of these.

    Args:
        block: with its `type` and its data, in any of these forms.

    Returns:
        A part of type `text`, `image_url`, `input_audio` or `video_url`.

    Raises:
        InvalidRequestError: the block is of a kind that MiMo does not take.
    """
    kind = block.get("type")
    if isinstance(kind, str) and kind in PART_KINDS:
        return _complete_openai_part(block, kind)
    if kind == "audio_url":  # vLLM's and SGLang's; the core gives it the form of the server
        url = block.get("audio_url")
        return _complete_openai_part(
            {"input_audio": {"data": url.get("url") if isinstance(url, Mapping) else url}},
            "input_audio",
        )
    file = _find_file(block)
    if file.is_text:
        return {"type": "text", "text": _decode_text(file)}
    if file.kind not in _PART_TYPES:
        about = ", ".join(filter(None, (file.mime_type, file.name)))
        raise InvalidRequestError(
            f"MiMo does not take a content block of type {quoted(kind)}"
            f"{f' ({about})' if about else ''}; "
            "it takes text, image, audio and video. Of a document, send the text.",
            param="messages",
        )
    return _make_part(file, block)


def describe_unsent_file(block: dict[str, Any]) -> dict[str, Any]:
    """A part of the same kind without the data, for a block that cannot be sent.

    Args:
        block: with its `type`, in any form that `convert_media_block` knows.
    """
    kind = block.get("type")
    if isinstance(kind, str) and kind in PART_KINDS:
        return {"type": kind}
    file = _find_file(block)
    if file.kind in _PART_TYPES:
        return {"type": _PART_TYPES[file.kind]}
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
        """Whether the file can be sent as a text."""
        if self.kind in _PART_TYPES:
            return False
        if self.text is not None:
            return True
        named = self.mime_type.startswith("text/") or self.mime_type in _TEXT_TYPES
        return named and (self.data is not None or (self.url or "").startswith("data:"))


def _find_file(block: dict[str, Any]) -> _File:
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
    url = _take_str(holder.get("url"))
    data = _take_str(holder.get("base64")) or _take_str(holder.get("data"))
    # langchain-core turns OpenAI's input_audio into base64 whatever its data was.
    if data and data.startswith(("data:", "http://", "https://")):
        url, data = data, None
    mime_type = canonical_type(_take_str(holder.get("mime_type")) or "")
    if url and url.startswith("data:") and not mime_type:
        mime_type = canonical_type(url[len("data:") : _MAX_HEAD].partition(",")[0])
    if mime_type == "application/pdf" and data and not data.startswith(_PDF):
        mime_type = "text/plain"  # langchain-core calls each of OpenAI's files a PDF
    kind = _take_str(block.get("type")) or ""
    family = mime_type.partition("/")[0]
    if family in _PART_TYPES and kind not in _PART_TYPES:
        kind = family
    elif kind in _PART_TYPES and mime_type and family != kind:
        kind = "file"  # whatever the block says that it is
    names = (holder.get("filename"), block.get("filename"), block.get("title"), block.get("name"))
    name = next(filter(None, map(_take_str, names)), "")
    return _File(kind, mime_type, name, url, data, _take_str(holder.get("text")))


def _take_str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _decode_text(file: _File) -> str:
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


def _complete_openai_part(block: dict[str, Any], kind: str) -> dict[str, Any]:
    key = "data" if kind == "input_audio" else "url"
    source = block.get(kind)
    if isinstance(source, str):
        source = {key: source}
    part = {"type": kind, kind: source}
    return part | {name: block[name] for name in _VIDEO_OPTIONS if name in block}


def _make_part(file: _File, block: dict[str, Any]) -> dict[str, Any]:
    url = file.url
    if url is None and file.data:
        url = f"data:{file.mime_type or _DEFAULT_TYPES[file.kind]};base64,{file.data}"
    if url is None:
        raise InvalidRequestError(
            f"The {file.kind} block has neither a 'url' nor 'base64'; MiMo has no file store.",
            param="messages",
        )
    part_type = _PART_TYPES[file.kind]
    part: dict[str, Any] = {
        "type": part_type,
        part_type: {"data" if file.kind == "audio" else "url": url},
    }
    if file.kind == "video":
        extras = block.get("extras")
        given = {**(extras if isinstance(extras, Mapping) else {}), **block}
        part |= {name: given[name] for name in _VIDEO_OPTIONS if name in given}
    return part
