"""Where a secret stands in a text, however it is spelled there. In time linear in the text.

A text is looked at in several views (`views`): as it is, and with its escapes (JSON's, URLs',
HTML's) undone once, twice and more. Each view is searched without what a secret may be split by, in
any case, and for the secret's base64 and hex. Any twelve characters in a row are as good as the
whole. What is found in a view is found in the text: each view knows where its characters come from.

Texts are of one character a byte (UTF-8), so that bodies and texts are searched alike.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Literal, NamedTuple

from mimo_core._spellings.views import (
    BETWEEN,
    BETWEEN_ON_TERMINALS,
    CONTROL,
    View,
    changed,
    fold,
    nothing,
    views,
)
from mimo_core._spellings.views import bytewise as bytewise
from mimo_core._spellings.views import from_bytewise as from_bytewise

SHORTEST = 8
"""Characters from which on a secret is looked for in other spellings, and inside words."""
_PIECE = 12  # characters of it in a row that are as good as the whole: texts are cut
_PIECE_OF_BASE64 = 15  # whole characters that twelve bytes make at any alignment
_PIECE_OF_HEX = 2 * _PIECE
_AS_STANDARD_BASE64 = str.maketrans("-_", "+/")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_NO_HEX = re.compile(r"0[xX]|[^0-9a-fA-F]+")
_ALL_BUT_HEX = str.maketrans(
    "", "", "".join(map(chr, range(128))).translate(str.maketrans("", "", "0123456789abcdef"))
)
_STRINGS = re.compile(r'"((?:[^"\\]|\\.)*+)"')
# The characters of a JSON string, as they are spelled: a pair of surrogates is one.
_CHARACTERS = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.S)
_EVENTS = re.compile(r"(?<![^\r\n])data:[^\r\n]*+(?:(?:\r\n|\r|\n)data:[^\r\n]*+)*+")
_LINE_END = re.compile(r"\r\n|\r|\n")

Kind = Literal["known", "like", "base64", "piece"]


class Found(NamedTuple):
    """A stretch that must not be shown."""

    start: int
    end: int
    kind: Kind
    """`known`: one of the given secrets. `like`: the pattern's. `base64`: part of such a text.
    `piece`: characters of a string in an event, whose other pieces are in other events."""


class _Pieces:
    """Texts of which each piece of a size is found, wherever it was cut out.

    A text that is searched is looked at in steps of half that size, which no such piece escapes, so
    the work does not grow with what is looked for.

    Args:
        size: characters of a piece.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._step = (size + 1) // 2
        self._texts: list[tuple[str, bool, bool]] = []
        self._halves: set[str] = set()
        self._wholes: set[tuple[str, bool, bool]] = set()

    def add(
        self, text: str, *, before: bool = False, after: bool = False, whole: bool = False
    ) -> None:
        """Look for this text too.

        Args:
            text: if it is shorter than a piece, the whole of it counts alone.
            before: whether it shares the character before it with its neighbour, as base64 does.
            after: the same of the character after it.
            whole: whether its pieces do not count.
        """
        if whole or len(text) < self._size:
            self._wholes.add((text, before, after))
            return
        step = self._step
        self._texts.append((text, before, after))
        self._halves.update([text[at : at + step] for at in range(len(text) - step + 1)])

    @cached_property
    def _pieces(self) -> dict[str, tuple[bool, bool]]:
        """Each piece, and whether the characters beside it are shared: made when half of one is
        found, for mostly none is."""
        pieces: dict[str, tuple[bool, bool]] = {}
        for text, before, after in self._texts:
            last = len(text) - self._size
            for at in range(last + 1):
                piece = text[at : at + self._size]
                known = pieces.get(piece, (False, False))
                pieces[piece] = (known[0] or at > 0 or before, known[1] or at < last or after)
        return pieces

    def spans(self, text: str) -> Iterator[tuple[int, int, bool, bool]]:
        """Where they stand: begin and end, and whether the characters beside them are shared."""
        for whole, before, after in self._wholes:
            at = text.find(whole)
            while at >= 0:
                yield at, at + len(whole), before, after
                at = text.find(whole, at + len(whole))
        step, size, halves = self._step, self._size, self._halves
        if not halves:
            return
        ends = len(text) - step + 1
        start = end = -1
        before = after = False
        for half in [at for at in range(0, ends, step) if text[at : at + step] in halves]:
            for at in range(max(half - step + 1, 0), half + 1):
                if shared := self._pieces.get(text[at : at + size]):
                    if at > end:
                        if end >= 0:
                            yield start, end, before, after
                        start, before = at, shared[0]
                    end, after = at + size, shared[1]
        if end >= 0:
            yield start, end, before, after


def _add_base64(pieces: _Pieces, data: bytes, *, whole: bool) -> None:
    """The base64 of a secret as it stands within a longer one, after 0, 1 or 2 other bytes."""
    for others in range(3):
        text = b64encode(b"\0" * others + data).decode()
        first, last = -(-others * 8 // 6), (others + len(data)) * 8 // 6
        before, after = others > 0, (others + len(data)) * 8 % 6 > 0
        pieces.add(text[first:last], before=before, after=after, whole=whole)


class Finder:
    """Finds the given secrets, and what a pattern says looks like one.

    Args:
        secrets: as they are sent; those below `SHORTEST` characters are left to others.
        pattern: of what looks like a secret.
    """

    def __init__(self, secrets: Iterable[str], pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._knows = False
        self._as_they_are: set[str] = set()
        self._folded = _Pieces(_PIECE)
        self._base64 = _Pieces(_PIECE_OF_BASE64)
        self._hex = _Pieces(_PIECE_OF_HEX)
        for secret in secrets:
            self._knows = True
            # A `%41` of its own is undone in the views as well.
            spellings = {bytewise(secret), *(view.text for view, _ in views(bytewise(secret)))}
            for spelling in spellings:
                self._add(spelling, whole=" " in secret)  # "Bearer secr" alone says nothing

    def _add(self, spelling: str, *, whole: bool) -> None:
        joined = fold(BETWEEN.sub("", spelling))
        if len(joined) >= SHORTEST:
            self._folded.add(joined, whole=whole)
        if len(joined) < SHORTEST or not spelling.isascii():
            self._as_they_are.add(fold(spelling))
        data = spelling.encode("latin-1")
        for variant in {data, data.lower(), data.upper()}:
            self._hex.add(variant.hex(), whole=whole)
            _add_base64(self._base64, variant, whole=whole)

    def find(self, text: str) -> list[Found]:
        """Every stretch of a bytewise text that spells a secret; they may overlap."""
        return [*self._in_one(text), *self._in_pieces(text)]

    def _in_one(self, text: str) -> Iterator[Found]:
        for view, _ in views(text):
            for match in self._pattern.finditer(view.text):
                yield Found(*view.place(*match.span()), "like")
            for whole in self._as_they_are:
                for match in re.finditer(re.escape(whole), fold(view.text)):
                    yield Found(*view.place(*match.span()), "known")
        if not self._knows:
            return
        on_terminals = False
        for view, joined in views(text, BETWEEN):
            on_terminals = on_terminals or CONTROL.search(view.text) is not None
            yield from self._in_view(joined)
        if on_terminals:
            for _, joined in views(text, BETWEEN_ON_TERMINALS):
                yield from self._in_view(joined)

    def _in_view(self, view: View) -> Iterator[Found]:
        folded = fold(view.text)
        for start, end, _, _ in self._folded.spans(folded):
            yield Found(*view.place(start, end), "known")
        standard = view.text.translate(_AS_STANDARD_BASE64)
        for start, end, before, after in self._base64.spans(standard):
            first = start - (before and standard[max(start - 1, 0)] in _BASE64)
            last = end + (after and standard[end : end + 1] in _BASE64)
            yield Found(*view.place(max(first, 0), last), "base64")
        # Hex may have anything between its digits: `73:6b`, `0x73, 0x6b`.
        digits = folded.replace("0x", "").translate(_ALL_BUT_HEX)
        if next(self._hex.spans(digits), None):
            hexadecimal = changed(view, _NO_HEX, nothing)
            for start, end, _, _ in self._hex.spans(fold(hexadecimal.text)):
                yield Found(*hexadecimal.place(start, end), "known")

    def _in_pieces(self, text: str) -> Iterator[Found]:
        """Secrets whose pieces stand in several events of a stream."""
        if "data:" not in text:
            return
        events = [_Event(text, match) for match in _EVENTS.finditer(text)]
        fields: dict[str, list[tuple[str, _Event]]] = {}  # by path: the pieces
        for event in events:
            for path, piece in _leaves(event.payload):
                fields.setdefault(path, []).append((piece, event))
        for pieces in fields.values():
            if len(pieces) > 1:
                self._find_in_field(pieces)
        for event in events:
            yield from event.masked()

    def _find_in_field(self, pieces: list[tuple[str, _Event]]) -> None:
        starts, length = [], 0
        for piece, _ in pieces:
            starts.append(length)
            length += len(piece)
        for start, end in merged(self._in_one("".join(piece for piece, _ in pieces))):
            number = bisect_right(starts, start) - 1
            while number < len(pieces) and starts[number] < end:
                piece, event = pieces[number]
                first = max(0, start - starts[number])
                last = min(len(piece), end - starts[number])
                if first < last and last - first < end - start:  # else it was found in one
                    event.mask(piece, first, last)
                number += 1


class _Event:
    """An event of a stream, and which characters of its strings are to be masked."""

    def __init__(self, text: str, match: re.Match[str]) -> None:
        self._text = text
        self._span = match.span()
        lines = _LINE_END.split(match.group())
        self.payload = _json("\n".join(line[5:].removeprefix(" ") for line in lines))
        self._masks: dict[str, set[tuple[int, int]]] = {}

    def mask(self, string: str, first: int, last: int) -> None:
        """Note that the characters `first` to `last` of the strings that are `string` go."""
        self._masks.setdefault(string, set()).add((first, last))

    def masked(self) -> Iterator[Found]:
        """The noted characters, each as it is spelled."""
        if not self._masks:
            return
        for literal in _STRINGS.finditer(self._text, *self._span):
            masks = self._masks.get(_json(literal.group()) or "")
            if masks:
                spelled = _CHARACTERS.finditer(self._text, *literal.span(1))
                characters = [character.span() for character in spelled]
                for first, last in masks:
                    for span in characters[first:last]:
                        yield Found(*span, "piece")


def merged(found: Iterable[Found]) -> Iterator[tuple[int, int]]:
    """The stretches that what was found covers, in order."""
    start = end = -1
    for one in sorted(found):
        if one.start > end:
            if end >= 0:
                yield start, end
            start = one.start
        end = max(end, one.end)
    if end >= 0:
        yield start, end


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _leaves(payload: Any) -> Iterator[tuple[str, str]]:
    """The texts of an event, each with the path to it: pieces of a longer one stand at one path."""
    waiting = [("", payload)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            waiting += [(f"{path}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                place = inner.get("index", number) if isinstance(inner, dict) else number
                waiting.append((f"{path}[{place}]", inner))
