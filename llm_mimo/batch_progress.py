"""How far a job of batches is, on stderr while somebody waits for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from llm_mimo.errors import BATCHES, for_the_shell, shown
from mimo_core.batches import ENDED, JobStatus

_HEARTBEAT = 600.0  # seconds after which a line says that nothing has changed


@contextmanager
def job_progress(total: int) -> Iterator[Callable[[JobStatus], None]]:
    """Show how far a job of batches is: a bar in a terminal, else a line where something changed.

    Args:
        total: its prompts.

    Yields:
        What is called after each look at the service.
    """
    if not sys.stderr.isatty():
        yield _JobLines().show
        return
    with click.progressbar(length=total, label="Answers", file=sys.stderr, show_eta=False) as bar:

        def show(status: JobStatus) -> None:
            bar.label = "Answers" if status.problem is None else "Answers (service not reached)"
            bar.update(done_of(status) - bar.pos)

        yield show


class _JobLines:
    """Lines for a log file."""

    def __init__(self) -> None:
        self._said = ""
        self._at = 0.0

    def show(self, status: JobStatus) -> None:
        """Say where the job stands, if that is news, or after ten minutes."""
        line = f"{done_of(status):,} of {status.total:,} done"
        if status.problem is not None:
            why = shown(for_the_shell(str(status.problem), BATCHES))
            line += f"; the last look at the service failed and is repeated: {why}"
        if line == self._said and time.monotonic() - self._at < _HEARTBEAT:
            return
        self._said, self._at = line, time.monotonic()
        click.echo(line, err=True)


def done_of(status: JobStatus) -> int:
    """The prompts that are done with, those included whose results were not fetched yet.

    Args:
        status: of the job.
    """
    running = (batch for batch in status.batches if batch.status not in ENDED)
    counted = sum(
        min(batch.requests, (batch.completed or 0) + (batch.failed or 0)) for batch in running
    )
    return min(status.total, status.total - status.waiting - status.sent + counted)
