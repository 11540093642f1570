"""Which tests reach which line of the pure modules, and how long each test takes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import coverage
import pytest

PATIENCE = 3.0
"""Seconds of tests that one mutant may cost. What only slower tests notice counts as unnoticed."""
AT_IMPORT = ""
"""The context of what runs before the first test."""
_SAME = ["-q", "-p", "no:xdist", "-p", "no:randomly", "-p", "no:cacheprovider"]
# They wait for clocks and sockets: what they prove is no pure module's business.
_OF_THE_NETWORK = "asyncio_* socket_backend client_injected client_lifetime client_retries limits"
_IGNORED = [f"tests/core/test_{name}.py" for name in [*_OF_THE_NETWORK.split(), "damage_work"]]
QUIET = [
    *_SAME,
    "--capture=sys",
    "--assert=plain",
    "--hypothesis-seed=0",
    "-m",
    "not slow",
    "--ignore=tests/core/doctor",
    *(f"--ignore-glob={path}" for path in _IGNORED),
]
"""The same tests in the same way each time."""


@dataclass
class Reached:
    """What one run of the tests showed.

    Attributes:
        seconds: what each test took, with the recording.
        tests: by module and line, the tests that reach it; `AT_IMPORT` for an import.
        failed: tests that failed, though nothing was changed.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    tests: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def of(self, module: str, lines: Iterable[int]) -> set[str]:
        """The tests that reach one of the lines."""
        found: set[str] = set()
        return found.union(*(self.tests.get((module, line), ()) for line in lines))

    def fastest_first(self, tests: Iterable[str]) -> list[str]:
        """The tests, without the import, as many as run in `PATIENCE` seconds."""
        known = (test for test in tests if test in self.seconds)
        ordered = sorted(known, key=lambda test: (self.seconds[test], test))
        until = accumulate(self.seconds[test] for test in ordered)
        return [test for test, spent in zip(ordered, until, strict=True) if spent <= PATIENCE]


class _Recorder:
    """A plugin for pytest that tells coverage which test is running."""

    def __init__(self, recording: coverage.Coverage) -> None:
        self._recording = recording
        self.found = Reached()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._recording.switch_context(item.nodeid)
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            self.found.seconds[item.nodeid] = time.perf_counter() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.found.failed.append(report.nodeid)


def record(tree: Path, tests: list[str]) -> Reached:
    """Run the tests once, recorded. The process may not have imported mimo_core before.

    Args:
        tree: the copy of the project in which they run; the current directory.
        tests: files or folders.
    """
    package = tree / "mimo_core"
    recording = coverage.Coverage(
        data_file=str(tree / ".reached"), include=[f"{package}/*"], config_file=False
    )
    recorder = _Recorder(recording)
    recording.start()
    pytest.main([*QUIET, *tests], plugins=[recorder])
    recording.stop()
    data = recording.get_data()
    for file in data.measured_files():
        module = Path(file).relative_to(package).as_posix()
        for line, contexts in data.contexts_by_lineno(file).items():
            recorder.found.tests[module, line] = set(contexts)
    return recorder.found
