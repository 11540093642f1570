"""Puts a mutant in the place of the code, and asks the tests that reach it.

A warm process has collected the tests. For each mutant it forks a child, which exchanges the code
of the changed functions and runs tests until one fails. What ran when its module was imported has
left its results behind: such a mutant is imported in a process that has not imported mimo_core yet.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib.machinery
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from scripts.mutation.changes import Mutant
from scripts.mutation.reached import QUIET, Reached

FORK = multiprocessing.get_context("fork")
_MEMORY = 6 * 2**30  # bytes: a mutant that collects without end ends here
_SLOW = 0.2  # seconds: a test that takes longer may hang on the clock, so it has to fail twice
_OWN_FAULT = 70
TOO_LONG = "took too long, or too much memory"
Functions = dict[tuple[str, str, int], list[FunctionType]]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        name: of the mutant.
        killed_by: the test that failed, or `TOO_LONG`; None where it survived.
        asked: how many tests it met.
    """

    name: str
    killed_by: str | None
    asked: int


class CannotExchangeError(Exception):
    """The change is not one of a function's code alone."""


class Runner:
    """A plugin for pytest that runs chosen tests in children, in place of all of them."""

    def __init__(self, tree: Path, reached: Reached) -> None:
        """
        Args:
            tree: the copy of the project; the current directory.
            reached: who reaches what.
        """
        self._tree = tree
        self._reached = reached
        self._items: dict[str, pytest.Item] = {}
        self._functions: Functions = {}
        self._steady: dict[str, bool] = {}
        self._killers: dict[str, dict[str, int]] = {}  # by function: who killed, how often
        self._failed: str | None = None
        self.work: Callable[[], None] = lambda: None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        gc.unfreeze()  # tests/conftest.py has frozen it, and what is frozen cannot be found
        self._functions = _functions(self._tree / "mimo_core")
        gc.collect()
        gc.freeze()  # what never dies is not looked at again in each child
        self.work()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def judge(self, mutant: Mutant, tests: list[str]) -> Verdict:
        """Run the tests against a mutant, first those that killed others of its function.

        Args:
            mutant: what is changed.
            tests: the fastest first.

        Raises:
            CannotExchangeError: the mutant has to be imported.
        """
        if not tests:
            return Verdict(mutant.name, None, 0)
        code = mutant.code(str(self._tree / "mimo_core" / mutant.module))
        exchanged = list(_exchanged(self._functions, code))
        if not exchanged:
            raise CannotExchangeError
        killers = self._killers.setdefault(f"{mutant.module}:{mutant.function}", {})
        tests = sorted(tests, key=lambda test: -killers.get(test, 0))
        while True:
            killer = self._first_failure(exchanged, tests)
            if killer is None or killer == TOO_LONG:
                break
            if self._is_steady(killer) and (
                self._reached.seconds[killer] < _SLOW or self._first_failure(exchanged, [killer])
            ):
                break
            tests = [test for test in tests if test != killer]
        if killer is not None:
            killers[killer] = killers.get(killer, 0) + 1
        return Verdict(mutant.name, killer, len(tests))

    def _is_steady(self, test: str) -> bool:
        """Whether a test passes alone, without a change."""
        if test not in self._steady:
            self._steady[test] = self._first_failure([], [test]) is None
        return self._steady[test]

    def _first_failure(
        self, exchanged: list[tuple[FunctionType, CodeType]], tests: list[str]
    ) -> str | None:
        def run(say: Connection) -> None:
            for function, code in exchanged:
                function.__code__ = code
            say.send(self.run(tests))
            os._exit(0)

        return in_child(run)

    def run(self, tests: list[str]) -> str | None:
        """Run tests in this process until one fails, within limits. Returns the one that failed."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        items = [self._items[test] for test in tests if test in self._items]
        with Path(os.devnull).open("w") as nowhere:
            for item, following in zip_longest(items, items[1:]):
                expected = self._reached.seconds[item.nodeid]
                usage = resource.getrusage(resource.RUSAGE_SELF)
                limit = int(usage.ru_utime + usage.ru_stime + 4 + 10 * expected)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
                faulthandler.dump_traceback_later(20 + 10 * expected, exit=True, file=nowhere)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._failed is not None:
                    return self._failed
        return None


def in_child(run: Callable[[Connection], None]) -> str | None:
    """What a child process says through its end of a pipe; `TOO_LONG` if it ended without a word.

    Args:
        run: what the child does; it sends one text or None.
    """
    hears, says = FORK.Pipe(duplex=False)

    def child() -> None:
        scratch = Path.cwd() / "scratch" / str(os.getpid())
        scratch.mkdir(parents=True)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)  # no child waits for another's lock
        try:
            run(says)
        finally:
            os._exit(_OWN_FAULT)  # it has raised: a fault of this program, no verdict

    process = FORK.Process(target=child)
    process.start()
    says.close()
    try:
        said: str | None = hears.recv()
    except EOFError:
        said = TOO_LONG
    process.join()
    if process.exitcode == _OWN_FAULT:
        raise RuntimeError("A trial failed by itself: run it without silence() to see why.")
    return said


def judge_imported(
    mutant: Mutant, tree: Path, reached: Reached, tests: list[str], files: list[str]
) -> Verdict:
    """Judge a mutant that has to be there when its module is imported.

    Args:
        mutant: what is changed.
        tree: the copy of the project; the current directory.
        reached: who reaches what.
        tests: the fastest first; empty for all of the files.
        files: that hold the tests.
    """

    def run(say: Connection) -> None:
        silence()
        path = str(tree / "mimo_core" / mutant.module)
        _import_as(path, mutant.code(path))
        runner = Runner(tree, reached)
        told: list[str | None] = []
        chosen = tests or [test for test in reached.seconds if test.split("::")[0] in files]
        runner.work = lambda: told.append(runner.run(reached.fastest_first(chosen)))
        pytest.main([*QUIET, *files], plugins=[runner])
        say.send(told[0] if told else "the import")
        os._exit(0)

    return Verdict(mutant.name, in_child(run), len(tests))


def silence() -> None:
    """Let this process print nothing: what pytest says of a mutant is of no use."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _import_as(path: str, code: CodeType) -> None:
    """Let this process import other code than the file's."""
    plain = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        return code if self.path == path else plain(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]


def _functions(package: Path) -> Functions:
    """The functions of a package that have been made, by what tells their code apart."""
    found: Functions = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(str(package)):
            found.setdefault(_key(thing.__code__), []).append(thing)
    return found


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _exchanged(functions: Functions, code: CodeType) -> Iterator[tuple[FunctionType, CodeType]]:
    """The functions whose code a mutant changes, each with its new code."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for function in functions.get(_key(inner), []):
                if function.__code__ != inner:
                    if function.__code__.co_freevars != inner.co_freevars:
                        raise CannotExchangeError
                    yield function, inner
            yield from _exchanged(functions, inner)


if sys.platform == "win32":
    raise ImportError("Mutants need fork, which Windows does not have.")
