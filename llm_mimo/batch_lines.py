"""The file of prompts of `llm mimo batch submit`: text, JSON lines or CSV, read line by line."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, cast

from llm_mimo.errors import InputError, file_error, sentence

Format = Literal["txt", "jsonl", "csv"]
_BY_ENDING: dict[str, Format] = {
    "": "txt",
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
}
_LONGEST_FIELD = 128 * 10**6  # of a CSV file: what a whole batch file may have


class PromptLine(NamedTuple):
    """What one line of the file says."""

    where: str
    """For errors: the file and the line."""
    prompt: str | None
    variables: dict[str, str]
    """Of the line, for a template."""
    fields: tuple[str, ...] = ()
    """The names of all that the line has, `prompt` included; none where it is a mere text."""


def format_of(path: str, given: str | None = None) -> Format:
    """How a file of prompts is read.

    Args:
        path: of the file; `-` is stdin.
        given: what the user says it is: one of `Format`.

    Returns:
        `given`, else what the ending says; a file without an ending is `txt`.

    Raises:
        ModelError: the ending is none of those that are known.
    """
    ending = Path(path).suffix.lower()
    if given is None and ending not in _BY_ENDING:
        raise InputError(
            f"{path}: prompts are read from .txt (one a line), .jsonl, .ndjson and .csv. Say what "
            "this file is with --format txt, jsonl or csv, or convert it."
        )
    return cast("Format", given) or _BY_ENDING[ending]


def prompt_lines(path: str, format: Format) -> Iterator[PromptLine]:
    """Read the prompts, one in memory at a time. Blank lines are skipped.

    Args:
        path: of the file; `-` reads stdin.
        format: of it.

    Raises:
        ModelError: the file cannot be read, or a line of it is not what it should be.
    """
    name = "stdin" if path == "-" else path
    read = {"txt": _of_text, "jsonl": _of_json, "csv": _of_csv}[format]
    try:
        with _opened(path) as file:
            yield from read(file, name)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8: {error}. Convert it, and try again.") from error
    except OSError as error:  # here: whoever consumes the lines would take it for one of its own
        raise file_error(error, "The prompts cannot be read") from error


@contextmanager
def _opened(path: str) -> Iterator[IO[str]]:
    """The text of a file. CSV has line breaks within fields, so that they stay as they are."""
    from mimo_core.files import open_regular

    if path == "-":
        if sys.stdin is None:
            raise InputError("There is no stdin to read. Name a file of prompts.")
        text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()  # stdin stays open
        return
    with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
        yield file


def _of_text(file: IO[str], name: str) -> Iterator[PromptLine]:
    for number, line in enumerate(file, 1):
        if text := line.strip():
            yield PromptLine(f"{name}, line {number}", text, {})


def _of_json(file: IO[str], name: str) -> Iterator[PromptLine]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where} is not JSON: {sentence(error)}") from error
        if isinstance(value, str):
            value = {"prompt": value}
        if not isinstance(value, dict):
            raise InputError(f'{where} must be a text or an object, e.g. {{"prompt": "Hi"}}.')
        fields = tuple(value)
        prompt = value.pop("prompt", None)
        if not isinstance(prompt, str | None):
            raise InputError(f"{where}: prompt must be a text.")
        variables = {key: _text(one) for key, one in value.items()}
        yield PromptLine(where, _unless_blank(prompt), variables, fields)


def _of_csv(file: IO[str], name: str) -> Iterator[PromptLine]:
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.DictReader(file)
    try:
        names = rows.fieldnames or ()
        if twice := [column for column in names if names.count(column) > 1]:
            raise InputError(f"{name} has the column {twice[0]!r} twice. Rename one of them.")
        for row in rows:
            where = f"{name}, line {rows.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{where} has not as many fields as the first line has names.")
            prompt = row.pop("prompt", None)
            yield PromptLine(where, _unless_blank(prompt), row, tuple(names))
    except csv.Error as error:
        raise InputError(f"{name}, line {rows.line_num} is not CSV: {sentence(error)}") from error


def _unless_blank(prompt: str | None) -> str | None:
    return prompt if prompt and prompt.strip() else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
