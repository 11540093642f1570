"""`make bench-capacity`: how many streams of 50 tokens a second one core carries, as a plot.

The same servers and processes as `make bench`; a point for each number of streams at once, of 200
events each, 20 ms apart. A contestant that needs more than the whole core falls behind its server,
so larger numbers are not tried with it. Where the server falls behind, the number says nothing of
the client and is left out; with one core for the server, that is beyond 200.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from run import HERE, Bench, Work

WHO = ("ChatMiMo", "ChatMiMo on uvloop", "ChatOpenAI")
STREAMS = (25, 50, 100, 150, 200)
BEGIN, END = "<!-- capacity -->", "<!-- end of capacity -->"
_FULL = 0.8  # of a core: what is left serves the application itself
_SATURATED = 0.97
_IN_TIME = 1.25 * 200 * 0.02  # seconds for 200 events, 20 ms apart
Points = dict[str, dict[int, float]]
"""By contestant: the share of a core that each number of streams takes."""


def measured(bench: Bench, rounds: int, streams: tuple[int, ...] = STREAMS) -> Points:
    """The share of a core for each contestant and number of streams, the median of rounds."""
    points: Points = {name: {} for name in WHO}
    for count in streams:
        who = tuple(n for n in WHO if max(points[n].values(), default=0) < _SATURATED)
        work = Work(f"{count} steady streams", "concurrent", "text-200-steady", {}, repeat=count,
                    who=who, rounds=rounds)  # fmt: skip
        for name, answers in bench.measure(work).items():
            share = statistics.median(a["cpu"] / a["wall"] for a in answers)
            wall = statistics.median(a["wall"] for a in answers)
            if wall <= _IN_TIME or share >= _SATURATED:
                points[name][count] = share
    return points


def carried(shares: dict[int, float], limit: float = _FULL) -> float:
    """How many streams take `limit` of a core: on the line between two points, or by the share of
    the last one where none takes so much."""
    before = (0, 0.0)
    for point in shares.items():
        if point[1] >= limit:
            (x0, y0), (x1, y1) = before, point
            return x0 + (limit - y0) * (x1 - x0) / (y1 - y0)
        before = point
    return before[0] * limit / before[1]


def table(points: Points) -> str:
    """Markdown: the shares, and the number of streams that take `_FULL` of a core."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d}; the share of one core, by streams at once of 50 "
        "tokens a second each.",
        "",
        f"| | {' | '.join(map(str, STREAMS))} | streams at {_FULL:.0%} of a core |",
        f"|---|{'---|' * len(STREAMS)}---|",
    ]
    for name, shares in points.items():
        cells = (f"{shares[count]:.0%}" if count in shares else "–" for count in STREAMS)
        lines.append(f"| {name} | {' | '.join(cells)} | about {carried(shares):.0f} |")
    return "\n".join(lines) + "\n"


def plot(points: Points, path: Path) -> None:
    """The shares by streams, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(8, 4.5))
    for name, shares in points.items():
        panel.plot(list(shares), list(shares.values()), marker="o", label=name)
    panel.axhline(1, color="grey", linestyle=":")
    panel.set(xlabel="streams at once, 50 tokens a second each", ylabel="share of one core",
              ylim=(0, 1.05), xlim=(0, None))  # fmt: skip
    panel.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="two points, one round, no report")
    short = parser.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), short=short)
        try:
            points = measured(bench, 3, STREAMS[:2] if short else STREAMS)
        finally:
            bench.stop()
    text = table(points)
    sys.stdout.write(text)
    if not short:
        plot(points, HERE / "capacity.png")
        readme = HERE / "README.md"
        before, _, rest = readme.read_text().partition(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
