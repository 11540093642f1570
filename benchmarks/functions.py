"""`make bench-functions`: where ChatMiMo's time goes in the rows whose floor is missed.

py-spy looks at the worker's process from outside 500 times a second while it runs a row again and
again; the table has the functions in which it was found, by the share of the looks. What is counted
holds the interpreter's lock, so waiting and system calls are not in it. Functions of C (the JSON
parser, allocation) stand under the Python function that called them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from run import HERE, WORK, Bench, Work

ROWS = (
    "sync text over TLS, 1 ms apart",
    "async text over TLS, 1 ms apart",
    "async text, each event its own read",
    "a request of 2,000 messages",
)
BEGIN, END = "<!-- functions -->", "<!-- end of functions -->"
_SECONDS = 12
_MOST = 8


def looked_at(bench: Bench, work: Work, seconds: float) -> Counter[str]:
    """How often the process was found in each function while it ran `work`."""
    worker = bench.worker("ChatMiMo", work)
    worker.run(work)  # warms up
    with tempfile.NamedTemporaryFile() as raw:
        spy = subprocess.Popen(
            [str(Path(sys.executable).with_name("py-spy")), "record", "--format", "raw",
             "--rate", "500", "--nonblocking", "--gil", "--duration", str(round(seconds)),
             "--output", raw.name, "--pid", str(worker.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        end = time.monotonic() + seconds + 1
        while time.monotonic() < end:
            worker.run(work)
        if spy.wait(30):
            raise SystemExit(f"py-spy: {spy.stderr.read() if spy.stderr else ''}")
        return counted(Path(raw.name).read_text().splitlines())


def counted(lines: list[str]) -> Counter[str]:
    """The innermost function of each stack, `file:function`, with its number of looks."""
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, looks = line.rpartition(" ")
        function, _, place = stack.split(";")[-1].partition(" (")
        found[f"{place.rpartition(':')[0]}:{function}"] += int(looks)
    return found


def table(found: dict[str, Counter[str]]) -> str:
    """Markdown: the first functions of each row, and what they are together."""
    lines = [f"Looked at on {datetime.now(UTC):%Y-%m-%d}.", "", "| row | functions, by share |"]
    lines.append("|---|---|")
    for row, functions in found.items():
        total = sum(functions.values())
        first = functions.most_common(_MOST)
        said = "; ".join(f"`{shortened(name)}` {looks / total:.0%}" for name, looks in first)
        rest = 1 - sum(looks for _, looks in first) / total
        lines.append(f"| {row} | {said}; {len(functions) - len(first)} others {rest:.0%} |")
    return "\n".join(lines) + "\n"


def shortened(name: str) -> str:
    """A function with as much of its file as tells whose it is."""
    path, _, function = name.rpartition(":")
    for mark in ("site-packages/", "lib/python3.11/"):
        path = path.rpartition(mark)[2]
    return f"{path}:{function}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="one second each, no report")
    short = parser.parse_args().short
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), short=True)
        try:
            for work in (work for work in WORK if work.name in ROWS):
                found[work.name] = looked_at(bench, work, 1 if short else _SECONDS)
        finally:
            bench.stop()
    text = table(found)
    sys.stdout.write(text)
    if not short:
        readme = HERE / "README.md"
        before, _, rest = readme.read_text().partition(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
