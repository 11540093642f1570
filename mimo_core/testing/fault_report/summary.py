"""The report of all tests, as lines for a terminal and as JSON. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mimo_core.testing.fault_report.verdicts import KINDS

VERSION = 1
_TOLD = 120  # characters of a detail

Tests = Sequence[Mapping[str, Any]]


def counts(tests: Tests) -> Counter[str]:
    """How many runs there are of each verdict."""
    return Counter(run["verdict"] for test in tests for run in test["runs"])


def as_json(tests: Tests) -> dict[str, Any]:
    """The report for programs.

    Args:
        tests: one mapping each: `test` (its id), `requests` (without a fault), `runs`, and `note`
            where nothing could be tried.

    Returns:
        `version`, `counts` by verdict, and `tests`. Each run has `fault`, `request` (counted from
        1), `verdict`, `detail`, `error` (a class of the family, or null), `requests` (how many the
        emulator answered) and `seconds`.
    """
    found = counts(tests)
    return {
        "version": VERSION,
        "counts": {kind: found[kind] for kind in KINDS},
        "tests": [{"note": None, **test} for test in sorted(tests, key=lambda t: t["test"])],
    }


def lines(tests: Tests, width: int = 100) -> Iterator[str]:
    """The report for people: for each request of each test, the faults of one verdict together.

    Args:
        tests: as for `as_json`.
        width: of the terminal, in columns.
    """
    if not tests:
        yield "No test is marked mimo_faults: mark one with @pytest.mark.mimo_faults."
        return
    for test in sorted(tests, key=lambda test: test["test"]):
        yield from _of_test(test, width)
    yield _sums(counts(tests))


def _of_test(test: Mapping[str, Any], width: int) -> Iterator[str]:
    if note := test.get("note"):
        yield f"{test['test']}: {note}"
        return
    met = max((run["request"] for run in test["runs"]), default=0)
    asked = test["requests"]
    yield f"{test['test']}: {asked} request{'s' * (asked != 1)}; {_sums(counts([test]))}"
    for number in range(1, met + 1):
        alike: dict[tuple[int, str], list[str]] = {}
        for run in test["runs"]:
            if run["request"] == number:
                key = (KINDS.index(run["verdict"]), _verdict(run))
                alike.setdefault(key, []).append(run["fault"])
        for (_, verdict), names in sorted(alike.items()):
            start = f"  request {number}  {verdict}: "
            yield from textwrap.wrap(
                start + ", ".join(names), max(width, 40), subsequent_indent=" " * 13
            )


def _verdict(run: Mapping[str, Any]) -> str:
    kind, detail = run["verdict"], run["detail"][:_TOLD]
    if kind == "reported":
        return f"reported {run['error'] or detail}"
    return f"{kind} ({detail})" if detail else str(kind)


def _sums(found: Mapping[str, int]) -> str:
    return ", ".join(f"{found[kind]} {kind}" for kind in KINDS if found.get(kind)) or "no runs"
