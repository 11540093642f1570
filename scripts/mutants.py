"""Changes one thing in a pure module at a time, and asks whether a test notices.

    python scripts/mutants.py [--sample 150] [--seed 1] [--only _response] [--jobs 2] [TEST …]

Each mutant is one changed comparison, condition, number, switch, result or left-out statement, in a
copy of the tree. First all tests run once, recorded; then each mutant meets the tests that reach
it, the fastest first. It is killed if one fails or takes too long. Those that no test can see are
listed in tests/mutants.md, with the reason; a list that is not true any more fails the run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

from scripts.mutation.changes import Mutant, mutants
from scripts.mutation.reached import AT_IMPORT, QUIET, Reached, record
from scripts.mutation.trial import (
    FORK,
    TOO_LONG,
    CannotExchangeError,
    Runner,
    Verdict,
    judge_imported,
    silence,
)

ROOT = Path(__file__).parent.parent
LISTED = ROOT / "tests/mutants.md"
ENOUGH = 0.95  # of those that are not equivalent
PURE = ["_response", "_request", "_protocols", "_http/errors.py", "_http/retry.py"]
PURE += ["_http/options.py", "gateways.py", "models.py", "checks.py", "schemas.py", "media.py"]
PURE += ["audio.py", "notices.py"]
# What is made when a module is imported: the tests (tests/core/test_….py) of what it makes.
TABLES = {
    "gateways.py": "gateways endpoint dialects call_options",
    "models.py": "models models_of_today edges request speech",
}
_WARM = "httpx2 pydantic hypothesis jsonschema uvloop trustme yaml"


@dataclass(frozen=True)
class Task:
    """A mutant, the tests that it meets, and whether it has to be imported."""

    mutant: Mutant
    tests: list[str]
    is_imported: bool
    files: list[str]


Answer = Verdict | Task | None
"""A verdict, a task that has to be done otherwise, or the end."""
Step = Callable[[Path, Reached, list[str], list[Task], "SimpleQueue[Answer]"], None]


def all_mutants(package: Path, only: str) -> list[Mutant]:
    """Every mutant of the pure modules whose path begins with `only`."""
    found = []
    for place in PURE:
        base = package / place
        for path in sorted(base.glob("*.py")) if base.is_dir() else [base]:
            module = path.relative_to(package).as_posix()
            if module.startswith(only):
                found += list(mutants(path, module))
    return found


def equivalents(text: str) -> set[str]:
    """The mutants that tests/mutants.md lists as equivalent."""
    _, _, section = text.partition("\n## Equivalent mutants")
    return set(re.findall(r"^- `{1,2} ?(.+?) ?`{1,2}$", section.split("\n## ")[0], re.MULTILINE))


def task(mutant: Mutant, reached: Reached) -> Task:
    """Who is asked about a mutant, and how."""
    tests = reached.of(mutant.module, mutant.lines)
    is_imported = AT_IMPORT in tests
    if is_imported:
        tests |= reached.of(mutant.module, mutant.body)
    ordered = reached.fastest_first(tests)
    files = {test.split("::")[0] for test in ordered}
    if is_imported:
        tables = TABLES.get(mutant.module, "").split()
        files |= {file for name in tables if (file := f"tests/core/test_{name}.py")}
        ordered = reached.fastest_first(t for t in reached.seconds if t.split("::")[0] in files)
    return Task(mutant, ordered, is_imported, sorted(files))


def exchange(
    tree: Path, reached: Reached, tests: list[str], tasks: list[Task], told: SimpleQueue[Answer]
) -> None:
    """One process: collects the tests, and judges mutants by exchanging code."""
    silence()
    runner = Runner(tree, reached)

    def judge_all() -> None:
        for given in tasks:
            try:
                told.put(runner.judge(given.mutant, given.tests))
            except CannotExchangeError:
                told.put(given)

    runner.work = judge_all
    pytest.main([*QUIET, *tests], plugins=[runner])
    told.put(None)


def import_each(
    tree: Path, reached: Reached, tests: list[str], tasks: list[Task], told: SimpleQueue[Answer]
) -> None:
    """One process: judges mutants by importing them, each in a process of its own."""
    for given in tasks:
        told.put(judge_imported(given.mutant, tree, reached, given.tests, given.files or tests))
    told.put(None)


def in_parallel(
    jobs: int, step: Step, tree: Path, reached: Reached, tests: list[str], tasks: list[Task]
) -> Iterator[Verdict | Task]:
    """The answers of several processes, each with its share of the tasks."""
    told: SimpleQueue[Answer] = FORK.SimpleQueue()
    shares = [tasks[number::jobs] for number in range(jobs)]
    processes = [
        FORK.Process(target=step, args=(tree, reached, tests, share, told)) for share in shares
    ]
    for process in processes:
        process.start()
    left = jobs
    while left:
        answer = told.get()
        if answer is None:
            left -= 1
        else:
            yield answer
    for process in processes:
        process.join()


def verdicts(
    jobs: int, tree: Path, reached: Reached, tests: list[str], tasks: list[Task]
) -> Iterator[Verdict]:
    """Every mutant's verdict, as it comes."""
    imported = [given for given in tasks if given.is_imported]
    rest = [given for given in tasks if not given.is_imported]
    for answer in in_parallel(jobs, exchange, tree, reached, tests, rest):
        if isinstance(answer, Verdict):
            yield answer
        else:
            imported.append(answer)
    for answer in in_parallel(jobs, import_each, tree, reached, tests, imported):
        if isinstance(answer, Verdict):
            yield answer


def copied(folder: Path) -> Path:
    """A copy of the project's code and tests, in which this process now works."""
    for part in ("mimo_core", "tests", "langchain_mimo", "llm_mimo", "cassettes"):
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, symlinks=True, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", folder)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)
    return folder


def recorded(tree: Path, tests: list[str]) -> Reached:
    """One run of the tests in a child, recorded."""
    hears, says = FORK.Pipe(duplex=False)

    def child() -> None:
        says.send(record(tree, tests))

    process = FORK.Process(target=child)
    process.start()
    says.close()
    reached: Reached = hears.recv()
    process.join()
    return reached


def kept(file: Path | None) -> Reached | None:
    """What an earlier run recorded: of use while nothing but a test is changed."""
    if file is None or not file.exists():
        return None
    reached: Reached = pickle.loads(file.read_bytes())  # noqa: S301  # our own file
    return reached


def killed_before(log: Path | None, names: set[str]) -> list[Verdict]:
    """The mutants that an earlier run killed: of use while no code was changed since."""
    if log is None:
        return []
    verdicts = [Verdict(**json.loads(line)) for line in log.read_text().splitlines()]
    killed = {one.name: one for one in verdicts if one.killed_by is not None}
    return [verdict for name, verdict in killed.items() if name in names]


def report(found: list[Verdict], total: int, listed: set[str], known: set[str]) -> int:
    """Print the figures. Returns 1 where too many survived, or the list is not true."""
    say = sys.stdout.write
    killed = {verdict.name for verdict in found if verdict.killed_by is not None}
    alive = {verdict.name for verdict in found} - killed
    survivors, equivalent = alive - listed, alive & listed
    wrong = sorted(listed - known) + sorted(listed & killed)
    for name in sorted(survivors):
        say(f"survived: {name}\n")
    for name in wrong:
        say(f"listed as equivalent, but {'killed' if name in killed else 'unknown'}: {name}\n")
    by_module = Counter(name.split(":")[0] for name in killed | survivors)
    for module, count in sorted(by_module.items()):
        lost = sum(name.startswith(f"{module}:") for name in survivors)
        say(f"{module}: {count - lost} of {count}\n")
    too_long = sum(verdict.killed_by == TOO_LONG for verdict in found)
    share = len(killed) / max(len(killed | survivors), 1)
    say(
        f"{len(killed)} of {len(killed | survivors)} killed ({share:.1%}), {too_long} of them by "
        f"the limits; {len(equivalent)} equivalent; there are {total} in all.\n"
    )
    return int(share < ENOUGH or bool(wrong))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("tests", nargs="*", default=["tests/core"], help="default: tests/core")
    options.add_argument("--sample", type=int, help="this many; default: all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="modules whose path begins like this")
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--reached", type=Path, help="a file that keeps who reaches what")
    options.add_argument("--resume", type=Path, help="an earlier log: what it killed stays killed")
    options.add_argument("--log", type=Path, help="a file for every verdict, as JSON lines")
    given = options.parse_args()
    for name in _WARM.split():
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tree = copied(Path(folder))
        everything = all_mutants(tree / "mimo_core", given.only)
        chosen = everything
        if given.sample and given.sample < len(everything):
            chosen = random.Random(given.seed).sample(everything, given.sample)  # noqa: S311
        reached = kept(given.reached) or recorded(tree, given.tests)
        if given.reached is not None:
            given.reached.write_bytes(pickle.dumps(reached))
        if reached.failed:
            sys.stderr.write(f"These fail without a change: {', '.join(reached.failed)}\n")
            return 2
        found = killed_before(given.resume, {mutant.name for mutant in chosen})
        done = {verdict.name for verdict in found}
        tasks = [task(mutant, reached) for mutant in chosen if mutant.name not in done]
        for verdict in verdicts(given.jobs, tree, reached, given.tests, tasks):
            found.append(verdict)
            if given.log is not None:
                with given.log.open("a") as log:
                    log.write(json.dumps(asdict(verdict), ensure_ascii=False) + "\n")
        os.chdir(ROOT)
    names = {mutant.name for mutant in everything}
    listed = {name for name in equivalents(LISTED.read_text()) if name.startswith(given.only)}
    return report(found, len(everything), listed, names)


if __name__ == "__main__":
    sys.exit(main())
