"""Large base64 in bodies: named by its hash in requests, shortened in responses.

A request only has to be told from another one, so the hash will do. A response has to stay an
answer that can be played, by vcrpy alone too, so its sound is cut short: a WAV keeps a header that
tells its new length, everything else keeps its first bytes, with the same remainder when divided
by six, so that it splits samples and base64 groups as the original did.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from mimo_core.testing.cassettes.edits import Edit

LARGE = 1024
"""Characters of base64 from which on a payload counts as large."""
KEPT_BYTES = 744
"""The most bytes kept of a response's payload; as base64 these are below `LARGE`."""

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]|\\/){%d,}={0,2}" % LARGE)
_NAMED = re.compile(r"\[(\d+) bytes, sha256 ([0-9a-f]{64})\]")


class Shortened(NamedTuple):
    """What `shorten` did to a body."""

    edits: list[Edit]
    note: str
    """Empty where nothing was large."""


def name_large(body: bytes) -> bytes:
    """A request's body with `[N bytes, sha256 …]` in the place of each large payload."""

    def name(match: re.Match[bytes]) -> bytes:
        return label(_decoded(match.group())).encode()

    return _BASE64.sub(name, body)


def label(data: bytes) -> str:
    """What stands for these bytes in a recorded request."""
    return f"[{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}]"


def restore_large(text: str, known: dict[str, bytes]) -> str:
    """The recorded text with the payloads that `known` holds under their label put back."""

    def payload(match: re.Match[str]) -> str:
        data = known.get(match.group())
        return match.group() if data is None else base64.b64encode(data).decode()

    return _NAMED.sub(payload, text)


def shorten(body: bytes) -> Shortened:
    """The edits that shorten a response's large payloads, and a note on what they were."""
    edits, before, after, digest = [], 0, 0, hashlib.sha256()
    for match in _BASE64.finditer(body):
        data = _decoded(match.group())
        kept = _shortened(data)
        edits.append(Edit(*match.span(), base64.b64encode(kept)))
        digest.update(data)
        before, after = before + len(data), after + len(kept)
    if not edits:
        return Shortened([], "")
    return Shortened(
        edits,
        f"{len(edits)} base64 payload(s) shortened from {before} to {after} bytes in all; "
        f"sha256 of what was there: {digest.hexdigest()}",
    )


def _decoded(text: bytes) -> bytes:
    plain = text.replace(b"\\/", b"/").rstrip(b"=")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:  # pragma: no cover  # the pattern lets only base64 through
        return text


def _shortened(data: bytes) -> bytes:
    start = data.find(b"data", 12)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and 0 < start < KEPT_BYTES - 64:
        header, sound = data[: start + 4], data[start + 8 :]
        sound = sound[: (KEPT_BYTES - len(header) - 4) // 8 * 8]
        size = (len(header) + len(sound) - 4).to_bytes(4, "little")
        return b"RIFF" + size + header[8:] + len(sound).to_bytes(4, "little") + sound
    return data[: KEPT_BYTES - (KEPT_BYTES - len(data)) % 6]
