"""What `pytest --mimo-faults` takes: loaded with the plugin, so it imports next to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

MARKER = "mimo_faults"
OUTCOME = pytest.StashKey[str | None]()
_MARK = (
    "mimo_faults(only=(), without=()): under `pytest --mimo-faults`, run this test under each "
    "fault of the emulator and say what became of it"
)


def add(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("mimo", "MiMo")
    group.addoption(
        "--mimo-faults",
        action="store_true",
        help="run each test marked mimo_faults under each fault of the emulator, and report",
    )
    group.addoption(
        "--mimo-faults-json", metavar="FILE", help="write the report there too, as JSON"
    )
    group.addoption(
        "--mimo-faults-fail",
        metavar="VERDICTS",
        default="",
        help="fail the run for these: a list like swallowed,hung (default: for none)",
    )
    group.addoption(
        "--mimo-faults-requests",
        metavar="N",
        type=int,
        default=3,
        help="how many of a test's requests meet each fault, from the first on (default: 3)",
    )
    group.addoption(
        "--mimo-faults-limit",
        metavar="SECONDS",
        type=float,
        default=10.0,
        help="a run that has not ended so long after its fault hangs (default: 10)",
    )


def register(config: pytest.Config) -> None:
    """Register the marker, the fixture `mimo_outcome` and, if it is asked for, the report."""
    config.addinivalue_line("markers", _MARK)
    config.pluginmanager.register(Fixtures(), "mimo-faults-fixtures")
    if config.getoption("--mimo-faults"):
        from mimo_core.testing.fault_report.plugin import FaultReport

        config.pluginmanager.register(FaultReport(config), "mimo-faults")


class Fixtures:
    """What a marked test may use. It does nothing without `--mimo-faults`."""

    @pytest.fixture
    def mimo_outcome(self, request: pytest.FixtureRequest) -> Callable[[Any], None]:
        """Say what the application gave its user: `mimo_outcome(answer)`.

        The report then compares it with that of the run without a fault. Give it what is the same
        in every run: no dates, no ids. What JSON does not know is compared as its `repr`.
        """

        def note(outcome: Any) -> None:
            text = json.dumps(outcome, default=repr, sort_keys=True, ensure_ascii=False)
            before = request.node.stash.get(OUTCOME, None)
            request.node.stash[OUTCOME] = text if before is None else f"{before}\n{text}"

        return note
