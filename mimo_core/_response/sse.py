"""Server-sent events: bytes in, event payloads out.

A push parser of the standard's line rules (https://html.spec.whatwg.org/multipage/server-sent-events.html),
without I/O. It reads `data` only: neither protocol needs `event`, `id` or `retry`, because every
payload says itself what it is.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """An event that does not end, or not for a very long time."""


class SSEParser:
    """Splits a byte stream into the payloads of its events, in linear time.

    Right on any cut of the stream into pieces, on LF, CR LF and CR line ends, comments, a BOM,
    `data:` without a space and payloads of several lines. U+2028 and its like do not end a line.
    """

    __slots__ = (
        "_after_cr",
        "_between_events",
        "_data",
        "_head",
        "_held",
        "_largest",
        "_started",
    )

    def __init__(self, largest: int | None = None) -> None:
        """
        Args:
            largest: the most bytes that may be held of one event; None for any number.
        """
        self._largest = largest
        self._held = 0  # bytes in `_head` and `_data`, at least
        self._between_events = False  # nothing is held: the next byte begins an event
        self._started = False
        self._after_cr = False  # the last piece ended in CR: an LF that follows belongs to it
        self._head: list[bytes] = []  # pieces of a line whose end has not come yet
        self._data: list[bytes] = []  # data lines of an event whose blank line has not come yet

    def feed(self, piece: bytes) -> list[bytes]:
        """The payloads of the events that `piece` completes, in order.

        Raises:
            EventTooLargeError: what is held of an event is more than may be.
        """
        if (
            self._between_events
            and piece[-2:] == b"\n\n"
            and piece[:6] == b"data: "
            and piece.find(b"\n") == len(piece) - 2
            and b"\r" not in piece
        ):
            return [piece[6:-2]]  # the usual read: one event, whole
        events = self._feed(piece)
        self._between_events = (
            self._started and not self._head and not self._data and not self._after_cr
        )
        if events or self._between_events:
            self._held = sum(map(len, self._head)) + sum(map(len, self._data))
        else:
            self._held += len(piece)
        if self._largest is not None and self._held > self._largest:
            raise EventTooLargeError
        return events

    def _feed(self, piece: bytes) -> list[bytes]:
        if not self._started:
            piece = self._skip_bom(piece)
        if self._after_cr or b"\r" in piece:
            piece = self._to_lf(piece)
        lines = piece.split(b"\n")
        rest = lines.pop()
        if not lines:
            if rest:
                self._head.append(rest)
            return []
        if self._head:
            lines[0] = b"".join(self._head) + lines[0]
            self._head.clear()
        if rest:
            self._head.append(rest)
        return self._events(lines)

    def close(self) -> list[bytes]:
        """The last event, where the stream ended without the blank line after it."""
        rest = b"".join(self._head)
        self._head.clear()
        self._between_events = False
        return self._events([rest, b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if data:
                    events.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
            elif line == b"data":
                data.append(b"")
        return events

    def _skip_bom(self, piece: bytes) -> bytes:
        head = b"".join(self._head) + piece
        self._head.clear()
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head.append(head)  # may still turn out to be a BOM
            return b""
        self._started = True
        return head.removeprefix(_BOM)

    def _to_lf(self, piece: bytes) -> bytes:
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        if piece.endswith(b"\r"):
            self._after_cr = True
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
