"""Edits of a recorded body that keep the breaks which were on the wire where they were."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class Edit(NamedTuple):
    """Bytes `start` to `end` become `text`."""

    start: int
    end: int
    text: bytes


def rewrite(body: bytes, pieces: list[int], edits: Iterable[Edit]) -> tuple[bytes, list[int]]:
    """The edited body and the lengths of its pieces.

    A break inside an edited stretch stays as far from its start as the new text allows. Of edits
    that overlap the first counts.
    """
    out = bytearray()
    moved: list[tuple[int, int, int, int]] = []  # old start, old end, new start, new length
    last = 0
    for start, end, text in sorted(edits):
        if start < last:
            continue
        out += body[last:start]
        moved.append((start, end, len(out), len(text)))
        out += text
        last = end
    out += body[last:]
    return bytes(out), _lengths(list(_moved_breaks(pieces, moved, len(body), len(out))))


def _moved_breaks(
    pieces: list[int], moved: list[tuple[int, int, int, int]], old: int, new: int
) -> Iterator[int]:
    at, shift, index = 0, 0, 0
    for piece in pieces:
        at += piece
        while index < len(moved) and moved[index][1] <= at:
            _, end, start, length = moved[index]
            shift = start + length - end
            index += 1
        if at == old:
            yield new
        elif index < len(moved) and moved[index][0] < at:
            first, _, start, length = moved[index]
            yield start + min(at - first, length)
        else:
            yield at + shift


def _lengths(ends: list[int]) -> list[int]:
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [length for length in lengths if length > 0]


def split(body: bytes, pieces: list[int] | None) -> list[bytes]:
    """The body in the pieces that were on the wire.

    Lengths that do not add up belong to a cassette that was edited by hand; it is then split
    event by event.
    """
    if not pieces or sum(pieces) != len(body):
        pieces = by_event(body) if pieces else [len(body)]
    parts, at = [], 0
    for length in pieces:
        parts.append(body[at : at + length])
        at += length
    return [part for part in parts if part]


def by_event(body: bytes) -> list[int]:
    """The lengths of the server-sent events in a body."""
    ends = [match.end() for match in _EVENT_END.finditer(body)]
    return _lengths([*ends, len(body)])


def json_of(body: Any) -> Any:
    """The JSON in a body, or None where it holds none."""
    if isinstance(body, str | bytes) and body:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return None
    return None


def pretty(payload: Any) -> bytes:
    """JSON as a person reads it in a cassette."""
    try:
        return json.dumps(payload, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(payload, indent=2).encode()
