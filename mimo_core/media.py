"""What media MiMo takes and gives: the kinds of parts, MIME types, formats, languages. Data only.

Sources: mimo-api.md, particulars 10 to 12, and the vendor's pages on images, audio, video and
speech (June 2026). The emulator has tables of its own: it is what these are tested against.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, NamedTuple

Modality = Literal["text", "image", "audio", "video"]

PART_KINDS: dict[str, Modality] = {
    "image_url": "image",
    "input_audio": "audio",
    "video_url": "video",
}
"""The `type` of a content part that holds a medium, to what it holds."""


class MediaType(NamedTuple):
    """One type of file."""

    mime_type: str
    modality: Modality
    endings: tuple[str, ...] = ()
    """Of file names, with the dot."""
    spellings: tuple[str, ...] = ()
    """Other MIME types for the same."""


MEDIA_TYPES: tuple[MediaType, ...] = (
    MediaType("image/jpeg", "image", (".jpg", ".jpeg"), ("image/jpg",)),
    MediaType("image/png", "image", (".png",)),
    MediaType("image/gif", "image", (".gif",)),
    MediaType("image/webp", "image", (".webp",)),
    MediaType("image/bmp", "image", (".bmp",), ("image/x-ms-bmp",)),
    MediaType("audio/wav", "audio", (".wav",), ("audio/x-wav", "audio/wave", "audio/vnd.wave")),
    MediaType("audio/mpeg", "audio", (".mp3",), ("audio/mp3",)),
    MediaType("audio/flac", "audio", (".flac",), ("audio/x-flac",)),
    MediaType("audio/mp4", "audio", (".m4a",), ("audio/m4a", "audio/x-m4a")),
    MediaType("audio/ogg", "audio", (".ogg",), ("application/ogg", "audio/opus", "audio/vorbis")),
    MediaType("video/mp4", "video", (".mp4",)),
    MediaType("video/quicktime", "video", (".mov",)),
    MediaType("video/x-msvideo", "video", (".avi",), ("video/avi",)),
    MediaType("video/x-ms-wmv", "video", (".wmv",)),
)
"""What the service documents that it reads."""

TYPE_OF_ENDING = MappingProxyType(
    {ending: media.mime_type for media in MEDIA_TYPES for ending in media.endings}
)
"""The MIME type of a file whose name ends like this, in lower case."""

AUDIO_NAMES = "MP3, WAV, FLAC, M4A and OGG"
"""The documented kinds of sound, for a sentence."""

RECORDING_TYPES = ("audio/wav", "audio/mpeg")
"""What a recording to transcribe, and the reference audio of a voice, may be."""
MAX_RECORDING = 10 * 1024 * 1024
"""The most characters of base64 that one may have."""

MAX_MEDIA_DATA = 50 * 1024 * 1024
"""The most characters of base64 that sound or a video may have at Xiaomi; by URL they may be larger
(100 and 300 MB). No limit of images is published."""

MAX_MEDIA_FILE = 300 * 1024 * 1024
"""The most bytes of a file that is read into a request, at any server: the largest medium of which
any limit is published (a video by URL, mimo-api.md, particular 12)."""

LANGUAGES = ("auto", "zh", "en")
"""What can be transcribed; `auto` finds out."""

SPEECH_FORMATS: dict[str, str] = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "pcm": "audio/pcm",
    "pcm16": "audio/pcm",
}
"""`audio.format` of the speech models, to its MIME type. `pcm` and `pcm16` are the same:
little-endian 16 bit samples without a header."""
STREAMED_FORMATS = ("pcm", "pcm16")
"""The formats that are spoken piece by piece; the others need the whole file."""


def canonical_type(mime_type: str) -> str:
    """The usual spelling of a MIME type, in lower case and without parameters.

    Args:
        mime_type: e.g. `audio/x-wav` or `image/JPG; quality=5`.

    Returns:
        One of `MEDIA_TYPES` where it is one of theirs, else the type itself.
    """
    plain = mime_type.split(";", 1)[0].strip().lower()
    return _CANONICAL.get(plain, plain)


def is_taken(mime_type: str, modality: Modality, *, by_vendor: bool = True) -> bool:
    """Whether data of this type can be sent as this kind of medium.

    Types of sound are checked, for the service lists them; of images and videos other types than
    those of the table are let through: a server may take more than is documented.

    Args:
        mime_type: in any spelling.
        modality: the kind of medium.
        by_vendor: whether Xiaomi's list of types of sound holds.
    """
    plain = canonical_type(mime_type)
    if modality == "audio" and by_vendor:
        return _MODALITY.get(plain) == "audio"
    family, _, subtype = plain.partition("/")
    return family == modality and bool(subtype)


_CANONICAL = {
    spelling: media.mime_type
    for media in MEDIA_TYPES
    for spelling in (media.mime_type, *media.spellings)
}
_MODALITY = {media.mime_type: media.modality for media in MEDIA_TYPES}
