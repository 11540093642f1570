"""`mimo-cassette check`: files and folders, quickly enough for a commit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import yaml

from mimo_core.testing.cassette_tool.findings import Finding, findings_in
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.errors import CassetteError

_ENDINGS = (".yaml", ".yml")
_MANY = 500
"""From this number of files on, all processors work: to start them takes as long as 200 files."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Line(NamedTuple):
    """A finding with its place: file, and line of the interaction in it."""

    path: str
    line: int
    finding: Finding

    def __str__(self) -> str:
        level = "remark" if self.finding.is_remark else "error"
        number = f"interaction {self.finding.interaction}: " * bool(self.finding.interaction)
        return f"{self.path}:{self.line}: {level} {self.finding.kind}: {number}{self.finding.text}"


def files_in(given: Iterable[str]) -> Iterator[str]:
    """The files to check.

    Args:
        given: files, taken as cassettes whatever they hold; and folders, of whose YAML files
            those are taken that have interactions. Hidden folders in them are passed over.

    Raises:
        CassetteError: there is no such file.
    """
    for name in given:
        path = Path(name)
        if path.is_dir():
            yield from sorted(str(one) for one in _below(path) if _is_cassette(one))
        elif path.is_file():
            yield name
        else:
            raise CassetteError(f"There is no file or folder {name}. Correct the path.")


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder, but for hidden folders: environments and repositories are large."""
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names)


def _is_cassette(path: Path) -> bool:
    if path.suffix not in _ENDINGS or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return True  # `check_file` says why it cannot be read
    return any(line.startswith(b"interactions:") for line in head.splitlines())


def check(given: Iterable[str], ignored: frozenset[str] = frozenset()) -> Iterator[Line]:
    """Look through cassettes.

    Args:
        given: files and folders.
        ignored: kinds of findings that are left out.

    Yields:
        What was found, file by file.

    Raises:
        CassetteError: there is no such file.
    """
    files = list(dict.fromkeys(files_in(given)))
    look = partial(check_file, ignored=ignored)
    if len(files) < _MANY or (os.cpu_count() or 1) < 2:
        for file in files:
            yield from look(file)
        return
    # Not forked: a process with threads, pytest's for one, may not be.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for lines in pool.map(look, files, chunksize=32):
            yield from lines


def check_file(path: str, ignored: frozenset[str] = frozenset()) -> list[Line]:
    """Look through one file. A file that cannot be read is a finding.

    Args:
        path: the file.
        ignored: kinds of findings that are left out.
    """
    try:
        found = list(findings_in(read(path), path))
    except CassetteError as error:
        found = [Finding("malformed", 0, str(error).removeprefix(f"{path} "))]
    except (OSError, UnicodeDecodeError) as error:
        found = [Finding("malformed", 0, f"it cannot be read: {error}.")]
    found = [one for one in found if one.kind not in ignored]
    lines = _lines_of(path) if found else {}
    return [Line(path, lines.get(one.interaction, 1), one) for one in found]


def _lines_of(path: str) -> dict[int, int]:
    """In which line each interaction begins. Read once more: only where something was found."""
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    if not isinstance(root, yaml.MappingNode):
        return {}
    for key, value in root.value:
        if key.value == "interactions" and isinstance(value, yaml.SequenceNode):
            return {n: one.start_mark.line + 1 for n, one in enumerate(value.value, 1)}
    return {}
