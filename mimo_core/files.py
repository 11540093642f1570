"""Files of the user's: read only where they are files, replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read it, and refuse at once whatever else stands at `path`.

    To open a named pipe waits for its writer, and to read a device may never end.

    Args:
        path: the file, or a symbolic link to it.

    Returns:
        The file, to be closed by the caller; `os.fstat` of it tells its size before it is read.

    Raises:
        OSError: it cannot be read, or is a directory, a pipe, a socket or a device.
    """
    try:
        _refuse_what_is_no_file(os.stat(path), path)
        # Without waiting: a pipe may have taken the file's place since.
        file = os.fdopen(os.open(path, _READ_WITHOUT_WAITING), "rb")
    except ValueError as error:  # a NUL byte, or a character that no file name can hold
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fspath(path)) from error
    try:
        _refuse_what_is_no_file(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


_READ_WITHOUT_WAITING = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)  # Windows
)


def _refuse_what_is_no_file(found: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))


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
