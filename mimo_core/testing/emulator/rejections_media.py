"""What the service refuses of images, sound, video and files in a chat model's history."""

from __future__ import annotations

from typing import Any

from mimo_core.models import Modality, ModelInfo
from mimo_core.testing.emulator.faults import error_body
from mimo_core.testing.emulator.policy import Rejection, param_incorrect

# Content part -> the modality it is, and the field that holds its URL.
MEDIA: dict[str, tuple[Modality, str]] = {
    "image_url": ("image", "url"),
    "input_audio": ("audio", "data"),
    "video_url": ("video", "url"),
}
# What other APIs call a document; the wording of the rejection is the service's.
FILES = frozenset({"file", "input_file", "file_url", "document", "pdf"})
MAX_DATA = 50 * 1024 * 1024  # bytes of sound or video, before base64
_AUDIO = frozenset(
    {"mpeg", "mp3", "wav", "x-wav", "wave", "vnd.wave", "flac", "x-flac"}
    | {"mp4", "m4a", "x-m4a", "ogg", "opus", "vorbis"}
)


def modality_rejection(messages: list[dict[str, Any]], info: ModelInfo) -> Rejection | None:
    """Media that the model does not take, on whichever turn: it stays in the history."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            modality, _ = MEDIA.get(part["type"], ("text", ""))
            if modality not in info.inputs:
                said = f"No endpoints found that support {modality} input"
                return Rejection("media for a text model", 404, error_body("404", said))
    return None


def media_rejection(part: dict[str, Any]) -> Rejection | None:
    """A part of a user message that is not a text."""
    kind = part["type"]
    if kind in FILES:
        return param_incorrect("file part", "file type is not supported")
    if kind not in MEDIA:
        return param_incorrect("part type", f"unknown content type {kind}")
    modality, name = MEDIA[kind]
    holder = part.get(kind)
    url = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://", "data:")):
        return param_incorrect("media URL", f"{kind}.{name} must be a URL or a data URL")
    if url.startswith("data:") and (rejection := _data_rejection(url, modality, f"{kind}.{name}")):
        return rejection
    return _video_rejection(part)


def _data_rejection(url: str, modality: Modality, field: str) -> Rejection | None:
    head, comma, data = url[5:].partition(",")
    type, *options = head.lower().split(";")
    if type == "application/pdf":
        return param_incorrect("file part", "file type is not supported")
    if not comma or not data or "base64" not in options:
        return param_incorrect("media URL", f"{field} must be a data URL with base64")
    family, _, subtype = type.partition("/")
    if family != modality or not subtype or (modality == "audio" and subtype not in _AUDIO):
        return param_incorrect("media type", f"{field}: {type or 'no type'} is not supported")
    if modality != "image" and len(data) * 3 // 4 > MAX_DATA:
        return param_incorrect("media size", f"{field} must not be larger than 50 MB")
    return None


def _video_rejection(part: dict[str, Any]) -> Rejection | None:
    fps = part.get("fps")
    if fps is not None and not (
        isinstance(fps, int | float) and not isinstance(fps, bool) and 0.1 <= fps <= 10
    ):
        return param_incorrect("video fps", "fps must be between 0.1 and 10.0")
    if part.get("media_resolution") not in (None, "default", "max"):
        return param_incorrect("video resolution", "media_resolution must be one of default, max")
    return None
