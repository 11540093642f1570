"""Finding the Python behind a command line, and running it in this process."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from mimo_core.testing.errors import CassetteError

Run = Callable[[], object]


def run(command: Sequence[str]) -> int:
    """Run a Python command line here and return its exit code.

    Args:
        command: a console script (`llm …`), a file (`tool.py …`), `-m module …`, or either of the
            latter after `python`.

    Returns:
        The exit code.

    Raises:
        CassetteError: the command is not a Python command.
    """
    before = sys.argv, sys.path[:]
    try:
        start, sys.argv = _resolve(list(command))
        start()
    except SystemExit as exit:
        return _code(exit.code)
    finally:
        sys.argv, sys.path[:] = before
    return 0


def _code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    sys.stderr.write(f"{code}\n")
    return 1


def _resolve(command: list[str]) -> tuple[Run, list[str]]:
    if command and Path(command[0]).name.split(".")[0].rstrip("0123456789") == "python":
        command = command[1:]
    if not command:
        raise CassetteError("No command given. For example: mimo-replay CASSETTE -- llm 'Hello'")
    name, rest = command[0], command[1:]
    if name == "-m" and rest:
        sys.path.insert(0, "")
        module = rest[0]
        # `alter_sys`: the module finds itself in sys.argv[0], as under `python -m`.
        return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True), rest
    if Path(name).is_file() and (name.endswith(".py") or _is_python_script(Path(name))):
        return _file(name), command
    scripts = entry_points(group="console_scripts", name=name)
    if scripts:
        script = next(iter(scripts))
        return lambda: sys.exit(script.load()()), command
    found = shutil.which(name)
    if found and _is_python_script(Path(found)):
        return _file(found), [found, *rest]
    raise CassetteError(
        f"{name} is not a Python command that can run here: it must be a console script "
        "installed for this Python, a .py file, or -m MODULE."
    )


def _file(path: str) -> Run:
    sys.path.insert(0, str(Path(path).resolve().parent))
    return lambda: runpy.run_path(path, run_name="__main__")


def _is_python_script(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first
