"""The body of an upload: a form with one file, read piece by piece while it is sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Protocol

from mimo_core._request.body import LargeBody
from mimo_core.errors import InvalidRequestError
from mimo_core.files import open_regular

MAX_FILE = 128_000_000
"""Bytes of one input file: the vendor's page says 128 MB (quoted September 2026)."""
_PIECE = 64 * 1024


class Source(Protocol):
    """What is uploaded. It can be read again, for a further attempt."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class FileSource:
    """A file, opened anew each time it is read.

    Raises:
        InvalidRequestError: it cannot be read, or is empty.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        try:
            with open_regular(path) as file:
                self._size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise InvalidRequestError(
                f"The batch file {os.fspath(path)} cannot be read: {error.strerror}.", param="file"
            ) from error

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        with open_regular(self._path) as file:
            while piece := file.read(_PIECE):
                yield piece


class UploadBody(LargeBody):
    """A `multipart/form-data` body of the fields `purpose=batch` and `file`.

    Attributes:
        content_type: with its boundary, which the same file gets each time.
    """

    def __init__(self, source: Source, name: str) -> None:
        """
        Args:
            source: the lines, as bytes.
            name: of the file, as the service lists it.

        Raises:
            InvalidRequestError: the file is empty or larger than may be, or its name is none.
        """
        size = len(source)
        if not 0 < size <= MAX_FILE:
            raise InvalidRequestError(
                f"A batch file has 1 byte to {MAX_FILE // 10**6} MB; {name} has {size} bytes. "
                "Split it over several batches.",
                param="file",
            )
        if not name.isprintable() or not name or '"' in name or "\\" in name:
            raise InvalidRequestError("The name of a batch file holds no quotes.", param="name")
        mark = f"mimo-{hashlib.sha256(f'{name} {size}'.encode()).hexdigest()[:32]}"
        self._source, self._mark = source, mark.encode()
        self.content_type = f"multipart/form-data; boundary={mark}"
        self._before = (
            f'--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        self._after = f"\r\n--{mark}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._before) + len(self._source) + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        yield from _without(self._mark, self._source)
        yield self._after


def _without(mark: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as they are. A file that holds the boundary would end the form early."""
    last = b""
    for piece in pieces:
        seen = last + piece
        if mark in seen:
            raise InvalidRequestError("The file holds its own boundary: rename it.", param="file")
        last = seen[-len(mark) :]
        yield piece
