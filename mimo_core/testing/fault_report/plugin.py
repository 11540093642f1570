"""The hooks of `pytest --mimo-faults`: runs tests, gathers, prints, writes, fails."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mimo_core.files import replacing
from mimo_core.testing.fault_report.options import MARKER
from mimo_core.testing.fault_report.runs import Notes, Repeated
from mimo_core.testing.fault_report.summary import as_json, counts, lines
from mimo_core.testing.fault_report.table import Row, chosen
from mimo_core.testing.fault_report.verdicts import KINDS

_ATTRIBUTE = "mimo_faults"  # of the last report of a marked test, whichever process it is made in


class FaultReport:
    """The plugin. In a worker of pytest-xdist it runs tests, in the main process it reports."""

    def __init__(self, config: pytest.Config) -> None:
        """
        Raises:
            pytest.UsageError: an option has no sense.
        """
        self._config = config
        self._most: int = config.getoption("--mimo-faults-requests")
        self._limit: float = config.getoption("--mimo-faults-limit")
        self._failing = _verdicts(config.getoption("--mimo-faults-fail"))
        self._notes: Notes | None = None
        self._tests: list[dict[str, Any]] = []
        self._is_worker = hasattr(config, "workerinput")
        if self._most < 1 or self._limit <= 0:
            raise pytest.UsageError(
                "--mimo-faults-requests and --mimo-faults-limit must be above 0"
            )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse marks that ask for what there is not, before anything runs."""
        for item in items:
            if (mark := item.get_closest_marker(MARKER)) is not None:
                _rows(item, mark)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        """Run a marked test under its faults, and then as usual."""
        mark = item.get_closest_marker(MARKER)
        if mark is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        found = self._repeated(item, _rows(item, mark))
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        setattr(reports[-1], _ATTRIBUTE, found)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _repeated(self, item: pytest.Item, rows: list[Row]) -> dict[str, Any]:
        def on_run(notes: Notes | None) -> None:
            self._notes = notes

        return Repeated(item, rows, most=self._most, limit=self._limit, on_run=on_run).result()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a run ended; its report goes no further."""
        report = yield
        if self._notes is not None:
            self._notes.of_report(call, report)
            report.wasxfail = "a run under a fault"  # --pdb does not stop at it
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what was found, in this process or a worker."""
        if (found := getattr(report, _ATTRIBUTE, None)) is not None:
            self._tests.append(found)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the report."""
        terminalreporter.section("MiMo faults")
        width = terminalreporter._tw.fullwidth
        for line in lines(self._tests, width):
            terminalreporter.write_line(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the report, and fail the run where it is asked to."""
        if self._is_worker:
            return
        if path := self._config.getoption("--mimo-faults-json"):
            text = json.dumps(as_json(self._tests), indent=2, ensure_ascii=False) + "\n"
            with replacing(path) as file:
                file.write(text.encode())
        found = counts(self._tests)
        if exitstatus == pytest.ExitCode.OK and any(found[kind] for kind in self._failing):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _rows(item: pytest.Item, mark: pytest.Mark) -> list[Row]:
    """The faults that a mark asks for. Raises `pytest.UsageError` where it asks for others."""
    options = {"only": (), "without": (), **mark.kwargs}
    if mark.args or set(options) != {"only", "without"}:
        raise pytest.UsageError(
            f"{item.nodeid}: @pytest.mark.{MARKER} takes only=[…] and without=[…], nothing else"
        )
    try:
        return chosen(options["only"], options["without"])
    except ValueError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None


def _verdicts(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in KINDS]:
        raise pytest.UsageError(f"--mimo-faults-fail: {unknown[0]!r} is none of {', '.join(KINDS)}")
    return names
