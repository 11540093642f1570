"""A test run several times by pytest's own means, its fixtures set up anew for each run."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from _pytest.outcomes import Failed
from _pytest.runner import runtestprotocol  # pytest's own support of plugins that run a test again

from mimo_core.testing.fault_report.injection import (
    Kept,
    Traffic,
    comparable,
    kept,
    put_back,
    watched,
)
from mimo_core.testing.fault_report.options import OUTCOME
from mimo_core.testing.fault_report.table import Row
from mimo_core.testing.fault_report.verdicts import Outcome, Raised, Run, judged, raised_by

_OURS = ("mimo_core", "langchain_mimo", "llm_mimo", "httpx", "httpcore")


class StillRunning(Failed):
    """A run was stopped, because it did not end. No application catches it by `Exception`."""


@dataclass
class Notes:
    """What pytest's hooks say of the run that goes on."""

    raised: Raised | None = None
    outcome: Outcome = "passed"
    shown: list[str] = field(default_factory=list)
    logged: bool = False
    is_stopped: bool = False

    def of_report(self, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Note how one phase of a run ended; the first that did not pass counts."""
        self.shown += [report.capstdout, report.capstderr]
        if call.excinfo is None or self.outcome != "passed":
            return
        self.outcome = "skipped" if report.skipped else "failed"
        error = call.excinfo.value
        self.raised = raised_by(error, skips=report.skipped)
        self.is_stopped = isinstance(error, StillRunning)
        self.shown.append(str(report.longrepr))


class _Records(logging.Handler):
    """Takes what an application logs at WARNING or above."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0].startswith(_OURS):
            return
        self._notes.logged = True
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._notes.shown.append(text)


class Repeated:
    """One marked test, run under every fault.

    Args:
        item: the test.
        rows: the faults.
        most: how many of its requests meet each of them.
        limit: seconds from the fault after which a run hangs.
        on_run: told of the notes of the run that begins, and None when it has ended.
    """

    def __init__(
        self,
        item: pytest.Item,
        rows: list[Row],
        *,
        most: int,
        limit: float,
        on_run: Callable[[Notes | None], None],
    ) -> None:
        self._item = item
        self._rows = rows
        self._most = most
        self._limit = limit
        self._on_run = on_run

    def result(self) -> dict[str, Any]:
        """Run the test without a fault and under each, and say what came of it.

        Returns:
            What the report holds of this test, of plain types: it travels between processes.
        """
        item, traffic = self._item, Traffic()
        clean = self._run(traffic)
        held: dict[str, Any] = {"test": item.nodeid, "requests": clean.requests, "runs": []}
        if clean.outcome != "passed":
            return held | {"note": "it does not pass without a fault, so that none was tried"}
        if not clean.requests:
            return held | {"note": "it asks no FakeMiMo anything, so that no fault can be tried"}
        state = kept(traffic)
        for number, (request, said) in enumerate(traffic.asked[: self._most], 1):
            if said is None:  # the test's own fault
                continue
            for row in self._rows:
                if row.applies(request, said):
                    messages = comparable(request.messages)
                    run = self._under(row, number, clean, messages, state)
                    found = judged(run, clean)
                    held["runs"].append(
                        {
                            "fault": row.name,
                            "request": number,
                            "verdict": found.kind,
                            "detail": found.says,
                            "error": found.family,
                            "requests": run.requests,
                            "seconds": round(run.seconds, 3),
                        }
                    )
        return held

    def _under(self, row: Row, number: int, clean: Run, messages: list[Any], state: Kept) -> Run:
        limit = self._limit + 2 * clean.seconds
        with _stopped() as stop_after:
            traffic = Traffic(row, number, limit, messages, on_hit=lambda: stop_after(1.5 * limit))
            run = self._run(traffic, limit)
        put_back(state)
        return run

    def _run(self, traffic: Traffic, limit: float = 0.0) -> Run:
        item, notes = self._item, Notes()
        item.stash[OUTCOME] = None
        records = _Records(notes)
        began = time.monotonic()
        logging.getLogger().addHandler(records)
        self._on_run(notes)
        try:
            with (
                watched(traffic),
                warnings.catch_warnings(record=True) as warned,
                pytest.MonkeyPatch.context() as patch,
            ):
                # The text of the error alone: tracebacks take a second each, and quote the code.
                patch.setattr(item.config.option, "tbstyle", "value")
                # What is above the test stays as it is: a later run needs it too.
                runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
        finally:
            self._on_run(None)
            logging.getLogger().removeHandler(records)
        ended = time.monotonic()
        waits = traffic.row is not None and traffic.row.waits
        outlasted = waits and traffic.hit_at is not None and ended - traffic.hit_at >= limit
        notes.shown += [f"{one.category.__name__}: {one.message}" for one in warned]
        return Run(
            outcome=notes.outcome,
            requests=traffic.requests,
            raised=notes.raised,
            was_hit=traffic.hit_at is not None,
            is_whole=traffic.row is not None and traffic.row.is_whole,
            asked_again=traffic.asked_again,
            is_hung=notes.is_stopped or outlasted,
            errors=[(type(error).__name__, str(error)) for error in traffic.errors],
            shown="\n".join(notes.shown),
            logged=notes.logged,
            result=item.stash[OUTCOME],
            seconds=ended - began,
        )


@contextmanager
def _stopped() -> Iterator[Callable[[float], None]]:
    """A function that stops the main thread some seconds from when it is called.

    It does nothing where there are no signals (Windows, tests in other threads) or where somebody
    else has the alarm (pytest-timeout).
    """
    able = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not able or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield lambda seconds: None
        return

    def stop(number: int, frame: Any) -> None:
        raise StillRunning("it did not end, and was stopped", pytrace=False)

    signal.signal(signal.SIGALRM, stop)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
