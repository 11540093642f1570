"""Base64 of files and of streams, a piece at a time: no second copy of a large one. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from io import BytesIO
from typing import BinaryIO

from mimo_core.errors import InvalidResponseError

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
