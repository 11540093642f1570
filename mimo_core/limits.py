"""The most that a server may send. No honest answer reaches the defaults; each can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mimo_core.errors import InvalidRequestError
from mimo_core.values import quoted

_MB = 2**20


class Limits(NamedTuple):
    """What is read of a server that sends without end, before an error says so.

    >>> MiMoClient(limits=Limits(answer=2**30))
    """

    event: int = 64 * _MB
    """Bytes of one event of a stream. (Ten minutes of speech in one event are 38 MB.)"""
    answer: int = 512 * _MB
    """Bytes of a whole answer, streamed or not; of a compressed one, before and after."""
    error: int = 64 * 1024
    """Bytes of a refusal that are read; what follows is left."""
    waiting: float = 600.0
    """Seconds in which a stream may send comments and no event."""
    body: int = 64 * _MB
    """Bytes of an answer that is not streamed: it is parsed at once, and may take thirty times its
    size in memory."""


def limits_from(given: Limits | Mapping[str, Any] | None) -> Limits:
    """The limits that a caller gave, checked.

    Args:
        given: whole, as a dict of the ones that differ, or None for the defaults.

    Raises:
        InvalidRequestError: a name or a value is not what it should be.
    """
    if given is None:
        return Limits()
    fields = given._asdict() if isinstance(given, Limits) else given
    if not isinstance(fields, Mapping) or fields.keys() - set(Limits._fields):
        raise InvalidRequestError(
            f"limits is {quoted(given)}; it can be Limits(…) or a dict with "
            f"{', '.join(Limits._fields)}.",
            param="limits",
        )
    for name, value in fields.items():
        kind = int | float if name == "waiting" else int
        if isinstance(value, bool) or not isinstance(value, kind) or not value > 0:
            raise InvalidRequestError(
                f"limits: {name} is {quoted(value)}; it must be a number above 0.", param="limits"
            )
    return Limits(**fields)


def size_text(count: int) -> str:
    """A number of bytes for an error's text.

    Args:
        count: bytes.
    """
    return f"{count / _MB:.0f} MB" if count >= _MB else f"{count / 1024:.0f} kB"
