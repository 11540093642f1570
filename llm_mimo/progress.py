"""Progress on stderr for commands that take long."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

import click

QUIET = 3.0  # seconds before anything is shown


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
