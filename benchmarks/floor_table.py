"""How far each row is above its floor, and what fresh processes showed: Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from fresh import Figures, Fresh, floor_of

GOAL = 1.5
"""A row should cost at most so many times its floor."""


def cost(answer: dict[str, Any]) -> float:
    """CPU microseconds an event (or a call)."""
    return float(answer["cpu"] / answer["events"] * 1e6)


def floor_table(works: Any, fresh_rows: Sequence[Fresh], runs: Sequence[Any]) -> list[str]:
    """Each row's floor, measured in the same run, and ChatMiMo by it, a column for each run."""
    columns = " | ".join(f"run {number}" for number in range(1, len(runs) + 1))
    lines = [
        f"ChatMiMo by its floor; the goal of every row is {GOAL} times. Figures of the last run.",
        "",
        f"| work | floor | made of | ChatMiMo | {columns} | |",
        f"|---|---|---|---|{'---|' * len(runs)}---|",
    ]
    for work in works:
        if work.floor:
            answers = [run.figures[work.name] for run in runs]
            mine = statistics.median(map(cost, answers[-1]["ChatMiMo"]))
            floor = statistics.median(_floors(work, answers[-1]))
            reached = [_by_floor(work, one) for one in answers]
            lines.append(_line(work.name, floor, work.floor, mine, reached, "µs"))
    for row in fresh_rows:
        if not row.floor:
            continue
        figures = [run.fresh[row.name] for run in runs]
        mine = statistics.median(figures[-1]["ChatMiMo"])
        reached = [statistics.median(one["ChatMiMo"]) / floor_of(row, one) for one in figures]
        lines.append(
            _line(row.name, floor_of(row, figures[-1]), row.floor, mine, reached, row.unit)
        )
    return lines


def fresh_table(rows: Sequence[Fresh], figures: Figures) -> list[str]:
    """What each contestant's fresh processes showed in one run."""
    names = list(dict.fromkeys(name for row in rows for name in row.who))
    lines = [
        "Fresh processes, medians of the last run:",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for row in rows:
        cells = (
            f"{statistics.median(figures[row.name][name]):.3g} {row.unit}".strip()
            if name in row.who
            else ""
            for name in names
        )
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return lines if rows else []


def _floors(work: Any, answers: Any) -> list[float]:
    """The floor of each round."""
    return [
        sum(map(cost, together)) for together in zip(*(answers[n] for n in work.floor), strict=True)
    ]


def _by_floor(work: Any, answers: Any) -> float:
    mine = map(cost, answers["ChatMiMo"])
    pairs = zip(mine, _floors(work, answers), strict=True)
    return statistics.median(own / floor for own, floor in pairs)


def _line(
    name: str, floor: float, parts: Sequence[str], mine: float, reached: list[float], unit: str
) -> str:
    missed = sum(value > GOAL for value in reached)
    verdict = "met" if not missed else f"**missed** {missed} of {len(reached)}"
    cells = " | ".join(f"{value:.2f}" for value in reached)
    figures = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (floor, mine)]
    first, second = (f"{figure} {unit}".strip() for figure in figures)
    return f"| {name} | {first} | {', '.join(parts)} | {second} | {cells} | {verdict} |"
