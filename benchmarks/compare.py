"""`make bench-compare BASE=<commit>`: this tree and another commit of it, side by side.

A ratio to a peer moves with the machine when it is measured on two days. Here both trees run in
turns, each in a process of its own, against the same server; the ratio is taken round by round.

    python benchmarks/compare.py COMMIT [--only TEXT] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from floor_table import cost
from run import WORK, Bench, Work, Worker

ROOT = Path(__file__).parent.parent
OURS = "ChatMiMo"


class Comparison(Bench):
    """Measures rows for two trees."""

    def ratios(self, work: Work, trees: dict[str, Path], rounds: int) -> list[float]:
        """The cost in the second tree by that in the first, round by round."""
        url = self._servers.tls if work.tls else self._servers.plain
        workers = {
            name: Worker(OURS, url, {**self._env, "PYTHONPATH": str(tree)})
            for name, tree in trees.items()
        }
        ratios = []
        try:
            for number in range(rounds + 1):
                order = list(workers) if number % 2 else list(workers)[::-1]
                costs = {name: cost(workers[name].run(work)) for name in order}
                before, after = (costs[name] for name in trees)
                if number:  # the first round warms up
                    ratios.append(after / before)
        finally:
            for worker in workers.values():
                worker.stop()
        return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        add = ["git", "worktree", "add", "--detach", str(tree), arguments.commit]
        subprocess.run(add, cwd=ROOT, check=True, capture_output=True)
        bench = Comparison(Path(folder), short=False)
        try:
            sys.stdout.write(f"| work | of {arguments.commit} | quartiles |\n|---|---|---|\n")
            for work in (work for work in WORK if arguments.only in work.name):
                ratios = bench.ratios(work, {"before": tree, "after": ROOT}, arguments.rounds)
                low, middle, high = statistics.quantiles(ratios, n=4)
                row = f"| {work.name} | {middle:.3f} | {low:.3f} to {high:.3f} |\n"
                sys.stdout.write(row)
                sys.stdout.flush()
        finally:
            bench.stop()
            remove = ["git", "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, cwd=ROOT, check=True, capture_output=True)


if __name__ == "__main__":
    main()
