"""Where a secret stands in a text, however it is spelled there. In time linear in the text.

A text is looked at in several views: as it is, and with its escapes (JSON's, URLs', HTML's) undone
once, twice and more. Each view is searched without what a secret may be split by (line breaks,
`data:` at their begin, blanks, terminal escapes), in any case, and for the secret's base64 and hex.
What is found in a view is found in the text: each view knows where its characters come from.

Views are texts of one character a byte (UTF-8), so that bodies and texts are searched alike.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

SHORTEST = 8
"""Characters from which on a secret is looked for in other spellings, and inside words."""
_PIECE = 12  # characters of its begin or end that are as good as the whole: texts are cut
_PIECE_OF_BASE64 = 16
_MOST_ESCAPES = 4  # one within the other: JSON in a URL in JSON in HTML

_ESCAPED = re.compile(
    r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|\\([\"'/\\bfnrt])"
    r"|(&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24});)"
)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# Terminal escapes, lines' ends with the next line's `data:`, blanks and control characters, and
# what is invisible: soft hyphen, no-break space, zero width, direction, BOM (as UTF-8).
_BETWEEN = re.compile(
    r"\x1b\[[0-?]{0,32}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)?|"
    r"[\r\n]+(?:data:)?|[\x00-\x20\x7f]+|"
    r"\xc2[\x80-\xa0\xad]|\xe2\x80[\x80-\x8f\xa8-\xaf]|\xe2\x81[\x9f-\xaf]|\xef\xbb\xbf|"
    "[\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]"  # in strings of JSON, decoded
)
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_AS_STANDARD_BASE64 = str.maketrans("-_", "+/")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
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


def bytewise(text: str) -> str:
    """A text as one of one character a byte."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_bytewise(text: str) -> str:
    """The opposite of `bytewise`."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogatepass")


class _View(NamedTuple):
    """A text made from another one by replacing stretches of it."""

    text: str
    starts: list[int]
    """Where the stretches begin, in this text."""
    origins: list[tuple[int, int]]
    """Of each: where it begins below, and how long it is there if it was replaced, else 0."""
    below: _View | None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the lowest text that `start` to `end` come from."""
        view = self
        while view.below is not None:
            start, end = view._origin(start)[0], view._origin(end - 1)[1]
            view = view.below
        return start, end

    def _origin(self, at: int) -> tuple[int, int]:
        number = bisect_right(self.starts, at) - 1
        begin, length = self.origins[number]
        if length:
            return begin, begin + length
        begin += at - self.starts[number]
        return begin, begin + 1


def _changed(below: _View, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> _View:
    text = below.text
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    at = length = 0
    for match in pattern.finditer(text):
        begin, end = match.span()
        for piece, origin in ((text[at:begin], (at, 0)), (new(match), (begin, end - begin))):
            if piece:
                pieces.append(piece)
                starts.append(length)
                origins.append(origin)
                length += len(piece)
        at = end
    if not at:
        return below
    return _View("".join([*pieces, text[at:]]), [*starts, length], [*origins, (at, 0)], below)


def _unescaped(match: re.Match[str]) -> str:
    for digits in match.group(1, 2, 3):
        if digits:
            code = int(digits, 16)  # %C3 is a byte of UTF-8, \u00c3 a character
            return chr(code) if match.group(3) or code < 128 else bytewise(chr(code))
    if letter := match.group(4):
        return _LETTERS.get(letter, letter)
    from html import unescape  # its table of entities takes 2 ms

    return bytewise(unescape(match.group(5)))


def _fold(text: str) -> str:
    """The text in lower case, and as long as it was: some letters grow."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _nothing(_match: re.Match[str]) -> str:
    return ""


def _unescaped_views(text: str, *, joined: bool) -> Iterator[_View]:
    """The text, and the text with its escapes undone, as long as there are any.

    Args:
        text: of one character a byte.
        joined: without what a secret, or an escape, may be split by.
    """
    view = _View(text, [], [], None)
    for _ in range(_MOST_ESCAPES + 1):
        if joined:
            view = _changed(view, _BETWEEN, _nothing)
        yield view
        if not ("\\" in view.text or "%" in view.text or "&" in view.text):
            return
        undone = _changed(view, _ESCAPED, _unescaped)
        if undone is view:
            return
        view = undone


class _Needle(NamedTuple):
    text: str
    piece: int
    """How much of its begin or end will do; 0 where only the whole counts."""
    before: bool = False
    """Whether it shares the character before it with its neighbour, as base64 does."""
    after: bool = False

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        whole = self.text
        if not self.piece or len(whole) <= self.piece:
            at = text.find(whole)
            while at >= 0:
                yield at, at + len(whole)
                at = text.find(whole, at + len(whole))
            return
        for part, step in ((whole[: self.piece], 1), (whole[-self.piece :], -1)):
            at = text.find(part)
            while at >= 0:
                start, end = at, at + len(part)
                if step > 0:
                    limit = min(len(text), start + len(whole))
                    while end < limit and text[end] == whole[end - start]:
                        end += 1
                else:
                    limit = max(0, end - len(whole))
                    while start > limit and text[start - 1] == whole[start - 1 - end]:
                        start -= 1
                yield start, end
                at = text.find(part, at + len(part))


def _base64_needles(data: bytes) -> Iterator[_Needle]:
    """The base64 of a secret as it stands within a longer one, after 0, 1 or 2 other bytes."""
    for others in range(3):
        text = b64encode(b"\0" * others + data).decode()
        first, last = -(-others * 8 // 6), (others + len(data)) * 8 // 6
        before, after = others > 0, (others + len(data)) * 8 % 6 > 0
        yield _Needle(text[first:last], _PIECE_OF_BASE64, before, after)


class Finder:
    """Finds the given secrets, and what a pattern says looks like one.

    Args:
        secrets: as they are sent; those below `SHORTEST` characters are left to others.
        pattern: of what looks like a secret.
    """

    def __init__(self, secrets: Iterable[str], pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._folded: set[_Needle] = set()
        self._base64: set[_Needle] = set()
        for secret in secrets:
            spellings = {bytewise(secret)}
            for view in _unescaped_views(bytewise(secret), joined=False):
                spellings.add(view.text)  # a `%41` of its own is undone in the views as well
            for spelling in spellings:
                folded = _fold(_BETWEEN.sub("", spelling))
                if len(folded) < SHORTEST:
                    continue
                piece = 0 if " " in secret else _PIECE  # "Bearer secr" alone says nothing
                self._folded.add(_Needle(folded, piece))
                self._folded.add(_Needle(folded.encode("latin-1").hex(), 0))
                self._folded.add(_Needle(spelling.encode("latin-1").hex(), 0))
                data = spelling.encode("latin-1")
                for variant in {data, data.lower(), data.upper()}:
                    self._base64.update(_base64_needles(variant))

    def find(self, text: str) -> list[Found]:
        """Every stretch of a bytewise text that spells a secret; they may overlap."""
        return [*self._in_one(text), *self._in_pieces(text)]

    def _in_one(self, text: str) -> Iterator[Found]:
        for view in _unescaped_views(text, joined=False):
            for match in self._pattern.finditer(view.text):
                yield Found(*view.place(*match.span()), "like")
        if not self._folded:
            return
        for view in _unescaped_views(text, joined=True):
            folded = _fold(view.text)
            for needle in self._folded:
                for span in needle.spans(folded):
                    yield Found(*view.place(*span), "known")
            standard = view.text.translate(_AS_STANDARD_BASE64)
            for needle in self._base64:
                for start, end in needle.spans(standard):
                    before = needle.before and standard[max(start - 1, 0)] in _BASE64
                    after = needle.after and standard[end : end + 1] in _BASE64
                    wider = view.place(max(start - before, 0), end + after)
                    yield Found(*wider, "base64")

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
