"""The emulator's store of files: on the disk, whatever their size, and never twice in memory."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator
from email.message import Message
from email.parser import HeaderParser
from typing import NamedTuple

KEPT = 30 * 86_400
"""Seconds for which a file is kept (vendor's page, quoted September 2026)."""
_IN_MEMORY = 256 * 1024
_PIECE = 64 * 1024
_LONGEST_FIELD = 64 * 1024


class Spool:
    """Bytes that are added at the end and read anywhere; what is large goes to the disk."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (until `__del__`)
        self._lock = threading.Lock()
        self.size = 0
        self.left_out = 0
        """Bytes that came after as many as are kept."""

    def add(self, data: bytes) -> int:
        """Append, and return where it starts."""
        with self._lock:
            self._file.seek(self.size)
            self._file.write(data)
            start, self.size = self.size, self.size + len(data)
        return start

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start` on."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)

    def line(self, start: int, most: int) -> bytes:
        """The bytes from `start` to the end of the line, at most `most`."""
        with self._lock:
            self._file.seek(start)
            return self._file.readline(most)

    def __del__(self) -> None:
        self._file.close()


class Content:
    """Stretches of a `Spool`, one after the other.

    Args:
        spool: where they stand.
        spans: start and length of each.
    """

    def __init__(self, spool: Spool, spans: Iterable[tuple[int, int]]) -> None:
        self._spool = spool
        self.spans = list(spans)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(length for _, length in self.spans)

    def pieces(self) -> Iterator[bytes]:
        """All of it, in pieces for a network."""
        piece = bytearray()
        for start, length in self.spans:
            for at in range(start, start + length, _PIECE):
                piece += self._spool.read(at, min(_PIECE, start + length - at))
                if len(piece) >= _PIECE:
                    yield bytes(piece)
                    piece.clear()
        if piece:
            yield bytes(piece)

    def each(self) -> Iterator[bytes]:
        """Each stretch, which of results is a line."""
        return (self._spool.read(start, length) for start, length in self.spans)

    def lines(self, skip: int = 0) -> Iterator[tuple[bytes, int]]:
        """Each line without its end, and where the next one starts.

        Args:
            skip: bytes that are passed over.
        """
        ((start, length),) = self.spans
        at, end = start + skip, start + length
        while at < end:
            line = self._spool.line(at, end - at)
            at += len(line)
            yield line.rstrip(b"\r\n"), at - start


class Form(NamedTuple):
    """A `multipart/form-data` body."""

    fields: dict[str, str]
    """What is no file."""
    name: str = ""
    """Of the field `file`, the file's name."""
    content: Content | None = None
    """What was uploaded in the field `file`."""


def read_form(spool: Spool, content_type: str) -> Form | None:
    """The fields of a form, or None where it is none.

    Args:
        spool: the body.
        content_type: of the request.
    """
    kind = Message()
    kind["content-type"] = content_type
    boundary = kind.get_boundary()
    if kind.get_content_type() != "multipart/form-data" or not boundary:
        return None
    fields: dict[str, str] = {}
    name, content = "", None
    spans = _parts(spool, b"--" + boundary.encode("latin-1"))
    if spans is None:
        return None
    for start, length in spans:
        head, body = _head(spool, start, length)
        field = head.get_param("name", header="content-disposition")
        if field == "file":
            name = head.get_filename() or ""
            content = Content(spool, [(body, start + length - body)])
        elif isinstance(field, str):
            size = min(start + length - body, _LONGEST_FIELD)
            fields[field] = spool.read(body, size).decode("utf-8", "replace")
    return Form(fields, name, content)


def _parts(spool: Spool, mark: bytes) -> list[tuple[int, int]] | None:
    """Where each part starts, and its length; None where the last one has no end."""
    spans: list[tuple[int, int]] = []
    begun: int | None = None
    at, fresh = 0, True
    while line := spool.line(at, _PIECE):
        at += len(line)
        if fresh and line.startswith(mark):
            rest = line[len(mark) :].strip()
            if begun is not None and rest in (b"", b"--"):
                spans.append((begun, at - len(line) - 2 - begun))
            if rest == b"--":
                return spans
            if rest == b"":
                begun = at
        fresh = line.endswith(b"\n")
    return None


def _head(spool: Spool, start: int, length: int) -> tuple[Message, int]:
    """The headers of a part, and where its body begins."""
    at, head = start, b""
    while at < start + length:
        line = spool.line(at, _PIECE)
        at += len(line)
        head += line
        if not line.strip():
            break
    return HeaderParser().parsestr(head.decode("utf-8", "replace")), at
