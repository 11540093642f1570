"""Connections below httpx2: network backends for httpcore2 that read more cheaply than its own.

`asyncio_protocol.py` receives, `asyncio_streams.py` speaks TCP and TLS over it and
`asyncio_backend.py` connects; `socket_backend.py` is for blocking calls. Pool, HTTP and exceptions
stay httpcore2's.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

LARGEST_HEAD = 2**20
"""Bytes from a request to its answer's head. One head is at most 100 kB (h11), but any number of
interim answers (1xx) may stand before it, and each of them ends a silence."""


def pool_options(context: ssl.SSLContext, limits: httpx2.Limits) -> dict[str, Any]:
    """What httpx2's transports give to httpcore2's connection pools."""
    return {
        "ssl_context": context,
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
    }


def has_unasked(connection: Any) -> bool:
    """Whether an idle connection of httpcore2's holds bytes that came after its last answer.

    httpcore2 keeps them, and would give them to the next caller as the answer to another request.
    (The names are its own; `tests/core/test_unasked_answers.py` would notice other ones.)
    """
    http: Any = getattr(connection, "_connection", None)
    state = getattr(http, "_h11_state", None)
    return state is not None and http.is_idle() and bool(state.trailing_data[0])


class HeadBudget:
    """What a connection may still receive before the head of an answer; without limit after it."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: int | None = None

    def begin(self) -> None:
        """A request is being sent."""
        self._left = LARGEST_HEAD

    def end(self) -> None:
        """The head has arrived."""
        self._left = None

    def spend(self, count: int) -> None:
        """So many bytes have arrived.

        Raises:
            ConnectionError: they are too many.
        """
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                raise ConnectionError("it sends interim answers (1xx) and no other")


def head_arrived(response: httpx2.Response) -> httpx2.Response:
    """Let a response's connection send as much as its body takes."""
    stream = response.extensions.get("network_stream")
    if (head := getattr(stream, "head", None)) is not None:
        head.end()
    return response


def shorter(timeout: float | None, limit: float) -> float:
    """The shorter of a read's timeout, where it has one, and a limit on all of them; seconds."""
    return limit if timeout is None else min(timeout, limit)
