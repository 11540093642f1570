"""Changes one thing in a pure module at a time, and asks whether a test of the module notices.

    python scripts/mutants.py [--sample 150] [--seed 1] [--only _response] [--jobs 2]

Each mutant is one changed comparison, condition, number, switch, result or left-out statement, in a
copy of the tree. It is killed if a test fails or takes too long. Survivors are printed; those that
no test can see are listed with the reason in tests/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parent.parent
# The pure modules, and the tests (tests/core/test_….py) that are theirs.
STREAMS = "response stream sse calls tool_calls gate reasoning stream_ends messages_events limits"
TESTS = {
    "_response": STREAMS + " edges",
    "_request": "request history history_media body messages_request dialects edges any_argument",
    "_protocols": "messages_request messages_events messages_round_trip messages_answers stream",
    "_http/errors.py": "classify classify_details client_errors",
    "_http/retry.py": "retry client_retries",
    "_http/options.py": "call_options any_argument client_wire",
    "gateways.py": "gateways endpoint dialects",
    "models.py": "models models_of_today edges request speech",
    "checks.py": "checks schemas",
    "schemas.py": "schemas checks",
    "media.py": "media speech history_media request",
    "audio.py": "speech media",
    "notices.py": "notices",
}
TIMEOUT = 120  # seconds
_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Delete)
_PAIRS = [(ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)]
_PAIRS += [(ast.Lt, ast.LtE), (ast.Gt, ast.GtE)]
_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    one: other for pair in _PAIRS for one, other in (pair, pair[::-1])
}


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What can stand in the place of a node, each with its name."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITES:
        changed = copy.deepcopy(node)
        changed.ops[0] = _OPPOSITES[type(node.ops[0])]()
        yield "comparison", changed
    elif isinstance(node, ast.BoolOp):
        changed_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", ast.BoolOp(changed_op, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "switch", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "number", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Return) and not _is_none(node.value):
        yield "result", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.If):
        yield "condition", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, _STATEMENTS) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "left out", ast.Pass()


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def places(tree: ast.Module) -> list[tuple[ast.AST, str, int | None]]:
    """Every child of a function in the tree: its parent, the field, the position in it."""
    found: list[tuple[ast.AST, str, int | None]] = []
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    seen = set()
    for parent in (inner for function in functions for inner in ast.walk(function)):
        if id(parent) in seen or isinstance(parent, ast.JoinedStr | ast.FormattedValue):
            continue  # a word of a message is no decision
        seen.add(id(parent))
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(value, ast.AST):
                found.append((parent, name, None))
            elif isinstance(value, list):
                found += [(parent, name, i) for i, v in enumerate(value) if isinstance(v, ast.AST)]
    return found


def mutants(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Each mutant of a module: its line, what changed, how the line reads, and the new source."""
    tree = ast.parse(path.read_text())
    for parent, name, position in places(tree):
        held = getattr(parent, name)
        node = held if position is None else held[position]
        for what, changed in changes(node):
            ast.copy_location(changed, node)
            _put(parent, name, position, changed)
            source = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, name, position, node)
            yield node.lineno, what, ast.unparse(changed).split("\n")[0][:90], source


def _put(parent: ast.AST, name: str, position: int | None, node: ast.AST) -> None:
    if position is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[position] = node


def survives(tree: Path, module: str, source: str | None, tests: str) -> bool:
    """Whether the tests pass in a copy of the tree, with the module changed (None: as it is)."""
    path = tree / "mimo_core" / module
    before = path.read_text()
    path.write_text(before if source is None else source)
    files = [f"tests/core/test_{name}.py" for name in tests.split()]
    quick = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(  # noqa: S603  # our own tests
            [sys.executable, "-m", "pytest", *quick, *files],
            cwd=tree,
            env=environment,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(before)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sample", type=int, help="this many; default: all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="modules whose path begins like this")
    options.add_argument("--jobs", type=int, default=2)
    given = options.parse_args()
    work = []
    for place, tests in TESTS.items():
        base = ROOT / "mimo_core" / place
        for path in sorted(base.glob("*.py")) if base.is_dir() else [base]:
            module = path.relative_to(ROOT / "mimo_core").as_posix()
            if module.startswith(given.only):
                work += [(module, tests, *mutant) for mutant in mutants(path)]
    total = len(work)
    if given.sample:
        work = random.Random(given.seed).sample(work, min(given.sample, total))  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        trees: Queue[Path] = Queue()
        for number in range(given.jobs):
            tree = Path(folder) / str(number)
            for part in ("mimo_core", "tests", "langchain_mimo", "llm_mimo", "cassettes"):
                shutil.copytree(ROOT / part, tree / part, symlinks=True)
            shutil.copy(ROOT / "pyproject.toml", tree)
            trees.put(tree)
        for module, tests in {tests: (module, tests) for module, tests, *_ in work}.values():
            if not survives(Path(folder) / "0", module, None, tests):
                sys.stderr.write(f"The tests of {module} fail without a change: {tests}\n")
                return 2

        def judge(mutant: tuple[str, str, int, str, str, str]) -> bool:
            module, tests, line, what, reads, source = mutant
            tree = trees.get()
            try:
                alive = survives(tree, module, source, tests)
            finally:
                trees.put(tree)
            if alive:
                sys.stdout.write(f"survived: mimo_core/{module}:{line}: {what}: {reads}\n")
                sys.stdout.flush()
            return alive

        with ThreadPoolExecutor(given.jobs) as pool:
            alive = sum(pool.map(judge, work))
    killed = len(work) - alive
    share = killed / max(len(work), 1)
    sys.stdout.write(f"{killed} of {len(work)} killed ({share:.1%}); there are {total} in all.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
