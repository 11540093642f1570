"""Files of the user's, replaced whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends without an error.

    It is written beside `path` and renamed. On an error it is removed, and what stood at `path`
    stays. A `path` that is not a regular file (`/dev/stdout`, a named pipe) is written directly.

    Args:
        path: the file to replace or make. A symbolic link stays, and what it points to is replaced.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, _mode_for(target))
        os.replace(beside, target)
    except BaseException:  # also Ctrl-C: nothing half written stays
        with suppress(OSError):  # the error that matters is on its way already
            os.unlink(beside)
        raise


def _mode_for(target: Path) -> int:
    """The permissions of the file that is replaced, or those that a new file gets."""
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
