"""The views of a text in which a secret is looked for: its escapes undone, what splits it left out.

Texts are of one character a byte (UTF-8), so that bodies and texts are looked at alike.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

_MOST_ESCAPES = 4  # kinds one within the other: JSON in a URL in JSON in HTML

# A backslash, a percent sign or an ampersand may itself be escaped any number of times.
_ESCAPED = re.compile(
    r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|u\{0{0,16}([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})"
    r"|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|([\"'/abefnrtv]))?"
    r"|%(?:25)*(?:u00)?([0-9a-fA-F]{2})"
    r"|&(?:amp;)*(#0*+[0-9]{1,7};?|#[xX]0*+[0-9a-fA-F]{1,6};?|[A-Za-z]{2,24};)"
)
_LETTERS = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
# Blanks, control characters, lines' ends with the next line's `data:`, and all that is not ASCII:
# a key is, and what is invisible (zero width, variation selectors, tags) never.
BETWEEN = re.compile(r"[^\x21-\x7e]+(?:(?<=[\r\n])data:)?")
CONTROL = re.compile("\x1b|\xc2\x9b|(?<![\x80-\xff])\x9b")
# The same, and terminal escapes whole, in UTF-16 too: their text may hold a key, or split one.
BETWEEN_ON_TERMINALS = re.compile(
    r"(?:\x1b\0?\[|\xc2\x9b|(?<![\x80-\xff])\x9b)[\x000-?]{0,64}[\0 -/]{0,16}[@-~]"
    r"|\x1b\0?[\]PX^_][^\x07\x1b]{0,512}(?:\x07|\x1b\0?\\)?"
    r"|\x1b[\0 -/]{0,8}[0-~]"
    r"|[^\x1b\x21-\x7e\x9b]+(?:(?<=[\r\n])data:)?|[\x1b\x9b]"
)
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def bytewise(text: str) -> str:
    """A text as one of one character a byte."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_bytewise(text: str) -> str:
    """The opposite of `bytewise`."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogatepass")


class View(NamedTuple):
    """A text made from another one by replacing stretches of it."""

    text: str
    starts: list[int]
    """Where the stretches begin, in this text."""
    origins: list[tuple[int, int]]
    """Of each: where it begins below, and how long it is there if it was replaced, else 0."""
    below: View | None

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


def changed(below: View, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> View:
    """A view with what a pattern matches replaced; the same one where it matches nowhere."""
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
    return View("".join([*pieces, text[at:]]), [*starts, length], [*origins, (at, 0)], below)


def _unescaped(match: re.Match[str]) -> str:
    *characters, byte, octal, letter, of_url, entity = match.groups()
    if digits := next(filter(None, characters), None):
        code = int(digits, 16)
        return bytewise(chr(code)) if code < 0x110000 else match[0]
    if byte or of_url:  # `\xc3` may be a character as well: a key is ASCII
        return chr(int(byte or of_url, 16))
    if octal:
        return chr(int(octal, 8))
    if entity:
        from html import unescape  # its table of entities takes 2 ms

        return bytewise(unescape(f"&{entity}"))
    return _LETTERS.get(letter, letter) if letter else "\\"


def fold(text: str) -> str:
    """The text in lower case, and as long as it was: some letters grow."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def nothing(_match: re.Match[str]) -> str:
    """What takes the place of a match that is left out."""
    return ""


def views(text: str, between: re.Pattern[str] | None = None) -> Iterator[tuple[View, View]]:
    """The text, and the text with its escapes undone, as long as there are any.

    Args:
        text: of one character a byte.
        between: what a secret, or an escape, may be split by.

    Returns:
        Pairs: with what stands between, and without.
    """
    view = View(text, [], [], None)
    for _ in range(_MOST_ESCAPES + 1):
        joined = view if between is None else changed(view, between, nothing)
        yield view, joined
        if not ("\\" in joined.text or "%" in joined.text or "&" in joined.text):
            return
        view = changed(joined, _ESCAPED, _unescaped)
        if view.text == joined.text:
            return
