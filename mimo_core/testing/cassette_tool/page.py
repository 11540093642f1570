"""`mimo-cassette html`: a cassette as one page, which asks nothing of any host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template

from mimo_core._version import __version__
from mimo_core.files import replacing
from mimo_core.testing.cassette_tool.exchange import Event, Piece, Recording, StreamView
from mimo_core.testing.cassette_tool.show import delivery_of, end_of
from mimo_core.testing.cassette_tool.words import counted, folded, line, pretty_json, visible
from mimo_core.testing.errors import CassetteError

MADE_BY = '<meta name="generator" content="mimo-cassette'
"""How a page of ours is known, near its beginning."""
_HEAD = 2048
_WIDTH = 1000
"""Units of a time-line; the page stretches them."""
_LEAST = 0.6
"""Units that a piece or an event has at least, so that it is seen."""


class Box(NamedTuple):
    """A piece or an event on a time-line."""

    x: float
    width: float
    title: str
    kind: str
    number: int


class Timeline(NamedTuple):
    """A stream's time-line: pieces above, events below, on one scale.

    Attributes:
        pieces, events: what is drawn.
        unit: what the scale counts: `bytes` or `ms`.
        end: the scale's last number.
        says: one sentence on what the places mean.
    """

    pieces: list[Box]
    events: list[Box]
    unit: str
    end: int
    says: str


def page_of(recording: Recording) -> str:
    """The page of a cassette.

    Args:
        recording: what was loaded.

    Returns:
        HTML, with its style and its script in it. Whatever the cassette holds is text.
    """
    style, script = _resource("page.css"), _resource("page.js")
    page = _template().render(
        recording=recording,
        name=_shown_path(recording.path),
        style=_Trusted(style),
        script=_Trusted(script),
        policy=_policy(style, script),
        version=__version__,
    )
    # A lone surrogate, which JSON can spell, cannot be written.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _template() -> Template:
    # `autoescape` for all: there is no other kind of template here.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"visible": visible, "line": line, "pretty": pretty_json}
    environment.globals |= {
        "counted": counted,
        "delivery_of": delivery_of,
        "end_of": end_of,
        "fold": folded,
        "timeline_of": timeline_of,
    }
    return environment.from_string(_resource("page.html.jinja"))


def _shown_path(path: str) -> str:
    """A page is sent to other people: where a home folder is on this machine is not told."""
    return Path(path).name if Path(path).is_absolute() else path


class _Trusted(str):
    """A text of this package, which stands in the page as it is."""

    def __html__(self) -> str:
        return str(self)


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, and no script or style may run but the two of this package."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _resource(name: str) -> str:
    return files("mimo_core.testing.cassette_tool").joinpath(name).read_text(encoding="utf-8")


def timeline_of(stream: StreamView) -> Timeline:
    """Where the pieces and the events of a stream stand.

    Args:
        stream: with or without recorded times.
    """
    if stream.pieces and stream.pieces[-1].at is not None:
        return _by_time(stream)
    says = (
        "No times were recorded: a place is a position in the stream, in bytes."
        if stream.has_pieces
        else "How the stream was cut was not recorded: it is shown as one piece, by bytes."
    )
    scale = _WIDTH / max(stream.size, 1)
    pieces = [
        _box(piece.start, piece.end, scale, _of_piece(piece, stream.events), "piece", piece.number)
        for piece in stream.pieces
    ]
    events = [
        _box(event.start, event.end, scale, _of_event(event), event.kind, event.number)
        for event in stream.events
    ]
    return Timeline(pieces, events, "bytes", stream.size, says)


def _by_time(stream: StreamView) -> Timeline:
    """A piece stands where it came; the events of one piece share the time until the next."""
    times = [piece.at or 0 for piece in stream.pieces]
    end = max(times[-1], 1)
    ends = [*times[1:], end]
    scale = _WIDTH / end
    pieces = [
        _box(at, at + 2 / scale, scale, f"{_of_piece(piece, stream.events)}; after {at} ms", "", n)
        for n, (piece, at) in enumerate(zip(stream.pieces, times, strict=True), 1)
    ]
    events: list[Box] = []
    for number, (at, until) in enumerate(zip(times, ends, strict=True), 1):
        ended = [event for event in stream.events if event.last == number]
        share = (until - at) / max(len(ended), 1)
        for place, event in enumerate(ended):
            start = at + place * share
            events.append(
                _box(start, start + share, scale, _of_event(event), event.kind, event.number)
            )
    says = (
        "A piece stands where it came, in ms after the request; its events fill the time until the "
        "next piece."
    )
    return Timeline(pieces, events, "ms", end, says)


def _box(start: float, end: float, scale: float, title: str, kind: str, number: int) -> Box:
    width = max((end - start) * scale, _LEAST)
    x = min(start * scale, _WIDTH - width)
    return Box(round(x, 2), round(width, 2), title, kind, number)


def _of_piece(piece: Piece, events: Sequence[Event]) -> str:
    held = [e.number for e in events if e.first <= piece.number <= e.last]
    which = "no event" if not held else f"event {held[0]}"
    if len(held) > 1:
        which = f"events {held[0]} to {held[-1]}"
    return f"piece {piece.number}: {counted(piece.end - piece.start, 'byte')}, {which}"


def _of_event(event: Event) -> str:
    cut = "" if event.first == event.last else f", in pieces {event.first} to {event.last}"
    return f"event {event.number} ({event.kind}{cut}): {line(event.text, 160)}"


def write_page(target: Path, page: str, *, force: bool = False) -> None:
    """Write a page, whole or not at all.

    Args:
        target: the file.
        page: what `page_of` gave.
        force: replace a file that is no page of ours.

    Raises:
        CassetteError: there is such a file, and `force` is not set.
        OSError: the file cannot be written.
    """
    if target.is_dir():
        raise CassetteError(f"{target} is a folder. Name a file with -o.")
    if target.is_file() and not force and not _is_ours(target):
        raise CassetteError(
            f"{target} is not a page that mimo-cassette made, so it is left as it is. "
            "Name another file with -o, or replace it with --force."
        )
    with replacing(target) as file:
        file.write(page.encode())


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return MADE_BY.encode() in file.read(_HEAD)
