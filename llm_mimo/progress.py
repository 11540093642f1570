"""Progress on stderr for commands that take long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from mimo_core.batches import JobStatus

QUIET = 3.0  # seconds before anything is shown
_HEARTBEAT = 600.0  # seconds after which a line says that nothing has changed


class Progress:
    """Shows on stderr how long a block has been running: every second in a terminal, else once."""

    def __init__(self, what: str) -> None:
        """
        Args:
            what: what the block does, e.g. "Speaking".
        """
        self._what = what
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._shown = 0
        self.detail = ""
        """Shown beside the time, e.g. how much has arrived."""

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._shown:  # clear the line
            click.echo("\r" + " " * self._shown + "\r", nl=False, err=True)

    def _run(self) -> None:
        if self._done.wait(QUIET):
            return
        if not sys.stderr.isatty():
            click.echo(f"{self._what}, this takes a while…", err=True)
            return
        while True:
            seconds = time.monotonic() - self._started
            line = f"{self._what}… {seconds:.0f} s {self.detail}".rstrip()
            click.echo("\r" + line.ljust(self._shown), nl=False, err=True)
            self._shown = max(self._shown, len(line))
            if self._done.wait(1):
                return


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
        from llm_mimo.errors import for_the_shell, shown

        line = f"{done_of(status):,} of {status.total:,} done"
        if status.problem is not None:
            why = shown(for_the_shell(str(status.problem)))
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
    from mimo_core.batches import ENDED

    running = (batch for batch in status.batches if batch.status not in ENDED)
    counted = sum(
        min(batch.requests, (batch.completed or 0) + (batch.failed or 0)) for batch in running
    )
    return min(status.total, status.total - status.waiting - status.sent + counted)
