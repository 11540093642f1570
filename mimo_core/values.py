"""Values of any kind in the text of an error: short, and whatever their own text does."""

from __future__ import annotations

import reprlib

_LONGEST = 80  # characters

_short = reprlib.Repr()
_short.maxlevel = 3
_short.maxstring = _short.maxother = _short.maxlong = _LONGEST


def quoted(value: object, longest: int = _LONGEST) -> str:
    """A value as Python writes it, shortened; its type where it has no text.

    Args:
        value: anything: endless, nested without end, or of a class whose `__repr__` raises.
        longest: characters.

    Returns:
        At most `longest` characters.
    """
    try:
        text = _short.repr(value)
    except Exception:  # a number of more digits than Python writes, a text that cannot be made
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= longest else text[: longest - 1] + "…"
