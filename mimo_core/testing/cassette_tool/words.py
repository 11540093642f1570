"""Texts for people: nothing in them can command a terminal, and long ones are folded."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_LAID_OUT = frozenset("\n\t\u200c\u200d\ufe0e\ufe0f\u3000\xa0")
"""Signs that are not printable to Python, and that texts of people need."""
_KILO, _MEGA = 1024, 1024 * 1024


class Folded(NamedTuple):
    """A text that may lack its end."""

    text: str
    left_out: int
    """How many characters were left out."""


def visible(text: str) -> str:
    r"""A text in which control characters, escapes and marks that turn the direction are spelled
    out (`\x1b`, `\u202e`); line breaks and tabs stay.

    Args:
        text: from a cassette, which anybody may have written.
    """
    plain = text.replace("\r\n", "\n")
    if plain.isprintable():
        return plain
    return "".join(
        sign if sign in _LAID_OUT or sign.isprintable() else _spelled(sign) for sign in plain
    )


def line(text: str, longest: int = 200) -> str:
    """A text in one line, shortened at its end.

    Args:
        text: any.
        longest: characters.
    """
    short = " ".join(visible(text).split())
    return short if len(short) <= longest else short[: longest - 1] + "…"


def folded(text: str, characters: int = 800, lines: int = 14) -> Folded:
    """The beginning of a long text; a text that is hardly longer is left whole.

    Args:
        text: any.
        characters: how many are shown at most.
        lines: how many are shown at most.
    """
    kept = "\n".join(text.split("\n")[:lines])[:characters].rstrip()
    left_out = len(text) - len(kept)
    return Folded(text, 0) if left_out < characters // 8 else Folded(kept, left_out)


def size(count: int) -> str:
    """A number of bytes.

    Args:
        count: bytes.
    """
    if count >= _MEGA:
        return f"{count / _MEGA:.1f} MB"
    return f"{count / _KILO:.0f} kB" if count >= _KILO else counted(count, "byte")


def counted(count: int, what: str) -> str:
    """`1 piece`, `2 pieces`: a number of things.

    Args:
        count: how many.
        what: one of them.
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def short_json(value: Any) -> str:
    """A value in one line, as JSON; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pretty_json(text: str) -> str:
    """JSON as a person reads it; a text that is none, as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
