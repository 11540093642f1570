"""Content blocks with media, of every kind LangChain knows, to MiMo's three content parts."""

from __future__ import annotations

from typing import Any

from mimo_core.errors import InvalidRequestError

_PARTS = {"image": "image_url", "audio": "input_audio", "video": "video_url"}
_DEFAULT_TYPES = {"image": "image/jpeg", "audio": "audio/wav", "video": "video/mp4"}
_VIDEO_OPTIONS = ("fps", "media_resolution")


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
