"""README's table of costs: some rows of what `make bench` last put into benchmarks/README.md."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

ROWS = {
    "a streamed token": "sync text, each event its own read",
    "the same with asyncio": "async text, each event its own read",
    "200 streams at once": "200 streams of 200 at once",
    "an answer that is not streamed": "invoke",
}
"""What README says -> the row of the benchmark."""
PEERS = ("ChatOpenAI", "ChatMistralAI")


class Row(NamedTuple):
    """A line of the report: the figures of its runs, and whether all of them met the target."""

    work: str
    against: str
    reached: tuple[str, ...]
    met: bool


def cost_table(report: str) -> str:
    """The table as Markdown, and when it was measured.

    Args:
        report: the text of benchmarks/README.md.

    Raises:
        KeyError: the report has no such row.
    """
    measured = re.search(r"^Measured (\d{4}-\d\d-\d\d) ", report, re.MULTILINE)
    assert measured is not None
    rows = list(_rows(report))
    reached = {(row.work, row.against): row.reached for row in rows}
    known = {work for work, _ in reached}
    missed = sum(not row.met for row in rows)
    intro = (
        "The client's CPU time by that of other clients in the same run; less is better "
        f"({measured[1]}; of {len(rows)} targets that this project sets itself {missed} were "
        "missed: [all rows and why](benchmarks/README.md)):"
    )
    lines = [
        *textwrap.wrap(intro, 110, break_long_words=False, break_on_hyphens=False),
        "",
        f"| | {' | '.join(f'of `{peer}`' for peer in PEERS)} |",
        "|---|---|---|",
    ]
    for said, work in ROWS.items():
        if work not in known:
            raise KeyError(work)
        cells = (_span(reached.get((work, peer), ())) for peer in PEERS)
        lines.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _rows(report: str) -> Iterator[Row]:
    """The lines of the table of targets, which has a column for each run."""
    _, _, table = report.partition("\n| work | against | run 1 |")
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            return
        work, against, *reached, _, verdict = (cell.strip() for cell in line.strip("|").split("|"))
        yield Row(work, against, tuple(reached), verdict == "met")


def _span(reached: tuple[str, ...]) -> str:
    """From the lowest to the highest run, with two digits; nothing where it was not measured."""
    shown = sorted({f"{float(value):.2g}" for value in reached}, key=float)
    return " to ".join([shown[0], shown[-1]][: len(shown)]) if shown else "–"
