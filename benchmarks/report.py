"""The report of some runs: Markdown tables in `README.md`, and a plot beside it."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from floor_table import cost, floor_table, fresh_table
from fresh import Figures, Fresh
from startup import UNITS, derived

HERE = Path(__file__).parent
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
_PACKAGES = (
    "langchain-core",
    "langchain-openai",
    "langchain-mistralai",
    "langchain-deepseek",
    "openai",
    "httpx2",
    "pydantic",
)
Answers = dict[str, list[dict[str, Any]]]
"""By contestant: one answer of its worker a round."""
Growth = dict[str, dict[int, Answers]]
"""By panel and by what is on the x axis."""


class Run(NamedTuple):
    """One full run: the answers by row, the times of `startup.py`, the figures of `fresh.py`."""

    figures: dict[str, Answers]
    startup: dict[str, float]
    fresh: Figures


def ratio(answers: Answers, peer: str, key: str = "") -> float:
    """The median of the rounds' ratios, of `key` or of the cost."""
    pairs = zip(answers["ChatMiMo"], answers[peer], strict=True)
    return statistics.median(a[key] / b[key] if key else cost(a) / cost(b) for a, b in pairs)


def report(works: Any, fresh_rows: Sequence[Fresh], runs: list[Run]) -> str:
    """All tables as Markdown."""
    counted = f"{len(runs)} full run{'s' if len(runs) > 1 else ''}, one after the other"
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {platform.machine()}, two cores, Python "
        f"{platform.python_version()}; " + ", ".join(f"{p} {version(p)}" for p in _PACKAGES) + ".",
        f"{counted}; a column for each.",
        "",
        *_ratios(works, runs),
        *_fresh_targets(fresh_rows, runs),
        "",
        *floor_table(works, fresh_rows, runs),
        "",
        *fresh_table(fresh_rows, runs[-1].fresh),
        "",
        *_costs(runs[-1].figures),
        "",
        *_concurrency(runs[-1].figures),
    ]
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Put the tables into `README.md`, between their marks."""
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _ratios(works: Any, runs: list[Run]) -> list[str]:
    columns = " | ".join(f"run {number}" for number in range(1, len(runs) + 1))
    rows = [f"| work | against | {columns} | target | |", f"|---|---|{'---|' * len(runs)}---|---|"]
    for work in works:
        for peer, target in work.targets.items():
            reached = [ratio(run.figures[work.name], peer) for run in runs]
            rows.append(_row(work.name, peer, reached, target, ""))
        if work.most:
            costs = [statistics.median(map(cost, r.figures[work.name]["ChatMiMo"])) for r in runs]
            rows.append(_row(work.name, "", costs, work.most, " µs"))
        if work.name == "200 streams of 200 at once":
            memory = [ratio(run.figures[work.name], "ChatOpenAI", "rss") for run in runs]
            rows.append(_row("the same: peak memory", "ChatOpenAI", memory, 0.6, ""))
            slowest = [
                statistics.median(a["slowest"] for a in run.figures[work.name]["ChatMiMo"])
                for run in runs
            ]
            rows.append(_row("the same: slowest stream", "median stream", slowest, 1.5, ""))
        if work.name.startswith("200 streams of 200 at 50"):
            busy = [
                statistics.median(a["cpu"] / a["wall"] for a in run.figures[work.name]["ChatMiMo"])
                for run in runs
            ]
            rows.append(_row("10,000 events a second", "one core's time", busy, 1.0, ""))
    if all(run.startup for run in runs):
        for name, against, target in derived():
            reached = [run.startup[name] for run in runs]
            rows.append(_row(name, against, reached, target, UNITS.get(name, " ms")))
    return rows


def _fresh_targets(rows: Sequence[Fresh], runs: list[Run]) -> list[str]:
    lines = []
    for row in rows:
        reached = []
        for run in runs:
            figures = run.fresh[row.name]
            below = statistics.median(figures[row.peer]) if row.peer else 1.0
            reached.append(statistics.median(figures["ChatMiMo"]) / below)
        unit = f" {row.unit}" if row.unit and not row.peer else ""
        lines.append(_row(row.name, row.peer, reached, row.target, unit))
    return lines


def _row(name: str, against: str, reached: list[float], target: float, unit: str) -> str:
    missed = sum(value > target for value in reached)
    verdict = "met" if not missed else f"**missed** {missed} of {len(reached)}"
    values = " | ".join(f"{value:.3g}{unit}" for value in reached)
    return f"| {name} | {against} | {values} | ≤ {target:g}{unit} | {verdict} |"


def _costs(figures: dict[str, Answers]) -> list[str]:
    names = list(dict.fromkeys(name for answers in figures.values() for name in answers))
    rows = [
        "CPU time of the last run in µs an event (a call for invoke), median:",
        "",
        f"| work | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for work, answers in figures.items():
        cells = (_median(map(cost, answers[n])) if n in answers else "" for n in names)
        rows.append(f"| {work} | {' | '.join(cells)} |")
    return rows


def _concurrency(figures: dict[str, Answers]) -> list[str]:
    rows = ["| streams at once | | CPU s | wall s | peak MB |", "|---|---|---|---|---|"]
    for work, answers in figures.items():
        if "200 streams" in work:
            for name, rounds in answers.items():
                cells = (_median(r[key] for r in rounds) for key in ("cpu", "wall", "rss"))
                rows.append(f"| {work} | {name} | {' | '.join(cells)} |")
    return rows if len(rows) > 2 else []


def _median(values: Iterable[float]) -> str:
    value = statistics.median(values)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(growth: Growth, path: Path) -> None:
    """A panel for each thing that grows, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 3, figsize=(15, 8))
    for spare in list(panels.flat)[len(growth) :]:
        spare.remove()
    for panel, (label, rows) in zip(panels.flat, growth.items(), strict=False):
        unit = "an event" if "request" not in label else "a call"
        for contestant in next(iter(rows.values())):
            costs = [statistics.median(map(cost, a[contestant])) for a in rows.values()]
            panel.plot(list(rows), costs, marker="o", label=contestant)
        panel.set(xlabel=label, ylabel=f"CPU, µs {unit}", ylim=(0, None))
        panel.set_xscale("log") if "request" not in label else None
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
