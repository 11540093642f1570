"""Audio: what the models speak, how long it lasts, what a file is, and its base64. Pure."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from io import BytesIO
from typing import BinaryIO, Literal

from mimo_core.errors import InvalidResponseError
from mimo_core.media import STREAMED_FORMATS

SAMPLE_RATE = 24_000
"""Samples a second of what the models speak; one channel of 16 bit samples."""
BYTES_PER_SECOND = SAMPLE_RATE * 2


def audio_format(data: bytes) -> Literal["wav", "mp3"] | None:
    """What the first bytes of a file say it is, or None where it is neither."""
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[:3] == b"ID3" or _mp3_frame(data, 0) is not None:
        return "mp3"
    return None


def wav_header(size: int | None = None) -> bytes:
    """The 44 bytes that make a WAV file of the models' PCM.

    Args:
        size: bytes of PCM that follow; None where that is not known yet, for a player that reads
            on until the end.
    """
    data = 0xFFFFFFFF - 36 if size is None else size
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", data + 36, b"WAVE"),
        *(b"fmt ", 16, 1, 1, SAMPLE_RATE, BYTES_PER_SECOND, 2, 16),
        *(b"data", data),
    )


def audio_seconds(data: bytes, format: str) -> float | None:
    """The length of audio in seconds, or None where the bytes do not say.

    Args:
        data: the whole file.
        format: `wav`, `mp3`, `pcm` or `pcm16`; PCM is taken as 24 kHz mono.
    """
    if format in STREAMED_FORMATS:
        return len(data) / BYTES_PER_SECOND
    return _wav_seconds(data) if format == "wav" else _mp3_seconds(data)


def _wav_seconds(data: bytes) -> float | None:
    if audio_format(data) != "wav":
        return None
    rate = 0
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt " and position + 12 <= len(data):
            (rate,) = struct.unpack_from("<I", data, position + 8)  # bytes a second
        elif name == b"data" and rate:
            # A streamed file's header may claim more than there is.
            return int(min(size, len(data) - position)) / int(rate)
        position += size + size % 2
    return None


_MP3_RATES = (44_100, 48_000, 32_000)
_MP3_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
)


def _mp3_frame(data: bytes, position: int) -> tuple[int, float] | None:
    """Bytes and seconds of the Layer III frame at `position`, or None where no frame begins."""
    head = data[position : position + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    first = version == 3
    samples = 1152 if first else 576
    hertz = _MP3_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbits = _MP3_KBITS[0 if first else 1][bitrate]
    return samples * kbits * 125 // hertz + (head[2] >> 1 & 1), samples / hertz


def _mp3_seconds(data: bytes) -> float | None:
    position = 0
    if data[:3] == b"ID3" and len(data) >= 10:
        sizes = data[6:10]  # seven bits each
        position = 10 + (sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3])
    seconds = 0.0
    while (frame := _mp3_frame(data, position)) is not None:
        position += frame[0]
        seconds += frame[1]
    return seconds or None


# Base64, a piece at a time: no second copy of a large one

_PIECE = 3 * 4 * 16 * 1024
"""Bytes or characters: whole groups on both sides."""


def encode_file(file: BinaryIO, prefix: str = "") -> str:
    """`prefix` and the base64 of everything that is left in `file`."""
    encoded = BytesIO()
    encoded.write(prefix.encode("ascii"))
    while piece := file.read(_PIECE):
        encoded.write(base64.b64encode(piece))
    return encoded.getvalue().decode("ascii")


class AudioDecoder:
    """Decodes the base64 of a stream, wherever its pieces are cut.

    A piece may end anywhere in the base64, and it may also be a text of its own with its own
    padding: four characters always are up to three bytes, in both cases.
    """

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> bytes:
        """The bytes that `piece` completes; they may end in the middle of a sample."""
        text = self._rest + "".join(piece.split())
        usable = len(text) - len(text) % 4
        self._rest = text[usable:]
        return _decode(text[:usable])

    def close(self) -> bytes:
        """The bytes that are left: those of a text whose padding was left out."""
        rest, self._rest = self._rest, ""
        return _decode(rest + "=" * (-len(rest) % 4))


def decode_audio(text: str) -> bytes:
    """The bytes of a base64, or of several with their padding, one after the other.

    Raises:
        InvalidResponseError: it is not base64.
    """
    decoder = AudioDecoder()
    data = decoder.feed(text)
    rest = decoder.close()
    return data + rest if rest else data


def joined(pieces: list[str]) -> str:
    """The pieces of a stream as one base64."""
    text = "".join(pieces)
    if "=" not in text.rstrip("=\n"):
        return text
    return encode_file(BytesIO(decode_audio(text)))  # padding within: it would end there


def _decode(text: str) -> bytes:
    decoded = BytesIO()
    try:
        for start in range(0, len(text), _PIECE):
            # Padding ends a text: what follows would be dropped in silence if decoded in one go.
            for part in re.findall(r"[^=]*=+|[^=]+", text[start : start + _PIECE]):
                decoded.write(base64.b64decode(part, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidResponseError(
            f"The audio in the answer is not base64: {error}. Send the request again."
        ) from error
    return decoded.getvalue()
