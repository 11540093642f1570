"""One line that says how far a job is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mimo_core.batches import JobStatus

Progress = bool | Callable[[JobStatus], None]
_ERASE = "\r\x1b[K"


def progress_text(status: JobStatus) -> str:
    """What the line says.

    Args:
        status: of the job.
    """
    running = [batch for batch in status.batches if batch.status is not None]
    at_service = sum(batch.completed or 0 for batch in running if not _is_done(batch.status))
    said = [f"{status.answered + at_service:,} of {status.total:,} answered"]
    said += [
        f"{number:,} {what}"
        for number, what in (
            (status.failed, "failed"),
            (status.unanswered, "not answered"),
            (status.lost, "lost"),
        )
        if number
    ]
    if words := sorted({batch.status or "" for batch in running if not _is_done(batch.status)}):
        said.append(" and ".join(words))
    if status.problem is not None:
        said.append(f"trying again ({status.problem})")
    return ", ".join(said)


def _is_done(status: str | None) -> bool:
    return status in {"completed", "failed", "expired", "cancelled"}


@contextmanager
def shown(
    progress: Progress, path: str, stream: TextIO | None = None, *, every: float = 0.0
) -> Iterator[Callable[[JobStatus], None] | None]:
    """What is to be called with each status.

    Args:
        progress: False for nothing, True for a line, or what the caller wants called.
        path: of the job's file, whose name begins the line.
        stream: where the line goes; default stderr. A terminal's is rewritten; elsewhere a line is
            written when it says something new.
        every: seconds between two lines that are not rewritten.
    """
    if not isinstance(progress, bool):
        yield progress
        return
    stream = stream or sys.stderr
    if not progress or stream is None:  # pythonw has no stderr
        yield None
        return
    rewrites = stream.isatty()
    last, again_at = "", 0.0

    def show(status: JobStatus) -> None:
        nonlocal last, again_at
        text = f"{Path(path).name}: {progress_text(status)}"
        is_due = rewrites or status.has_ended or time.monotonic() >= again_at
        if text == last or not is_due:
            return
        stream.write(f"{_ERASE}{text}" if rewrites else f"{text}\n")
        stream.flush()
        last, again_at = text, time.monotonic() + every

    try:
        yield show
    finally:
        if rewrites and last:
            stream.write("\n")
            stream.flush()
