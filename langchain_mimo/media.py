"""Content blocks with media, of every kind LangChain knows, to MiMo's three content parts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from langchain_mimo.errors import model_errors
from mimo_core.base64_audio import encode_file
from mimo_core.errors import InvalidRequestError

_PARTS = {"image": "image_url", "audio": "input_audio", "video": "video_url"}
_DEFAULT_TYPES = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4"}
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
    """The content part for a block that holds an image, audio or a video.

    Known are OpenAI's parts, LangChain's v1 blocks (url or base64), Anthropic's `source` form, and
    `file` blocks whose mime type is one of the three.

    Raises:
        InvalidRequestError: the block is of a kind that MiMo does not take.
    """
    kind = block.get("type")
    if kind in ("image_url", "input_audio", "video_url"):
        return _openai_part(block, kind)
    mime_type = block.get("mime_type") or ""
    if kind == "file":
        kind = mime_type.partition("/")[0]
        if kind == "text" and isinstance(block.get("text"), str):
            return {"type": "text", "text": block["text"]}
    if kind not in _PARTS:
        raise InvalidRequestError(
            f"A content block of type {block.get('type')!r}"
            f"{f' ({mime_type})' if mime_type else ''} is none that MiMo takes; "
            "text, image, audio and video are.",
            param="messages",
        )
    return _part(kind, _url(block, kind), block)


def _openai_part(block: dict[str, Any], kind: str) -> dict[str, Any]:
    key = "data" if kind == "input_audio" else "url"
    source = block.get(kind)
    if isinstance(source, str):
        source = {key: source}
    part = {"type": kind, kind: source}
    return part | {name: block[name] for name in _VIDEO_OPTIONS if name in block}


def _part(kind: str, url: str, block: dict[str, Any]) -> dict[str, Any]:
    part_type = _PARTS[kind]
    part: dict[str, Any] = {
        "type": part_type,
        part_type: {"data" if kind == "audio" else "url": url},
    }
    if kind == "video":
        given = {**(block.get("extras") or {}), **block}
        part |= {name: given[name] for name in _VIDEO_OPTIONS if name in given}
    return part


def _url(block: dict[str, Any], kind: str) -> str:
    """The block's source as a URL or data URL."""
    source = block.get("source")
    if isinstance(source, dict):  # Anthropic's form
        block = {
            "url": source.get("url"),
            "base64": source.get("data"),
            "mime_type": source.get("media_type"),
        }
    if isinstance(url := block.get("url"), str):
        return url
    data = block.get("base64") or block.get("data")
    if not isinstance(data, str) or not data:
        raise InvalidRequestError(
            f"The {kind} block has neither a 'url' nor 'base64'; MiMo has no file store.",
            param="messages",
        )
    # langchain-core turns OpenAI's input_audio into base64 whatever its data was.
    if data.startswith(("data:", "http://", "https://")):
        return data
    return f"data:{block.get('mime_type') or _DEFAULT_TYPES[kind]};base64,{data}"
