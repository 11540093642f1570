"""The report of a run: a Markdown table and a plot, beside the benchmarks."""

from __future__ import annotations

import platform
import statistics
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PACKAGES = (
    "langchain-core",
    "langchain-openai",
    "langchain-mistralai",
    "langchain-deepseek",
    "openai",
    "httpx2",
    "pydantic",
)


def cost(answer: dict[str, Any]) -> float:
    """CPU microseconds an event (or a call)."""
    return float(answer["cpu"] / answer["events"] * 1e6)


def ratio(mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(cost(a) / cost(b) for a, b in zip(mine, other, strict=True))


def write_report(
    works: Any, figures: dict[str, Any], growth: dict[str, Any], startup: Any, *, save: bool
) -> str:
    """The whole report as Markdown; with `save` also in `results.md` and `growth.png`."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {platform.machine()}, Python "
        f"{platform.python_version()}; " + ", ".join(f"{p} {version(p)}" for p in _PACKAGES) + ".",
        "",
        *_ratios(works, figures),
        "",
        *_costs(figures),
        "",
        *_concurrency(figures),
        "",
        *_startup(startup),
    ]
    report = "\n".join(lines) + "\n"
    if save:
        (HERE / "results.md").write_text(report)
        if growth:
            _plot(growth)
    return report


def _ratios(works: Any, figures: dict[str, Any]) -> list[str]:
    rows = ["| work | against | ratio | target | |", "|---|---|---|---|---|"]
    for work in works:
        answers = figures[work.name]
        for peer, target in work.targets.items():
            reached = ratio(answers["ChatMiMo"], answers[peer])
            verdict = "met" if reached <= target else "**missed**"
            rows.append(f"| {work.name} | {peer} | {reached:.2f} | ≤ {target:.2f} | {verdict} |")
    return rows


def _costs(figures: dict[str, Any]) -> list[str]:
    names = list(dict.fromkeys(name for answers in figures.values() for name in answers))
    rows = [
        "CPU time in µs an event (a call for invoke), median:",
        "",
        f"| work | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for work, answers in figures.items():
        cells = [
            f"{statistics.median(map(cost, answers[name])):.1f}" if name in answers else ""
            for name in names
        ]
        rows.append(f"| {work} | {' | '.join(cells)} |")
    return rows


def _concurrency(figures: dict[str, Any]) -> list[str]:
    answers = next((a for name, a in figures.items() if "at once" in name), None)
    if answers is None:
        return []
    rows = ["| 200 streams at once | CPU s | peak MB | slowest / median |", "|---|---|---|---|"]
    for name, rounds in answers.items():
        seconds, memory, slowest = (
            statistics.median(r[key] for r in rounds) for key in ("cpu", "rss", "slowest")
        )
        rows.append(f"| {name} | {seconds:.2f} | {memory:.0f} | {slowest:.2f} |")
    return rows


def _startup(startup: Any) -> list[str]:
    if not startup:
        return []
    rows = ["| paid once, or without a network | median |", "|---|---|"]
    return rows + [f"| {row['name']} | {row['median']:.2f} {row['unit']} |" for row in startup]


def _plot(growth: dict[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4))
    for panel, word, label in (
        (panels[0], "events", "events in a stream"),
        (panels[1], "at once", "streams at once"),
    ):
        rows = {name: answers for name, answers in growth.items() if word in name}
        counts = [int(next(w for w in name.split() if w.isdigit())) for name in rows]
        for contestant in next(iter(rows.values())):
            costs = [statistics.median(map(cost, a[contestant])) for a in rows.values()]
            panel.plot(counts, costs, marker="o", label=contestant)
        panel.set(xscale="log", xlabel=label, ylabel="CPU, µs an event", ylim=(0, None))
        panel.legend()
    figure.tight_layout()
    figure.savefig(HERE / "growth.png", dpi=110)
