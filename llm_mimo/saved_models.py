"""The list of model ids that `llm mimo refresh` saves, for models newer than the table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import llm

from llm_mimo.errors import InputError, shown

_LARGEST_LIST = 1_000_000  # bytes; thousands of ids
_LONGEST_ID = 200  # characters
_LONGEST_WAIT = 30.0  # seconds for other processes, each of which holds the lock for milliseconds


def saved_path() -> Path:
    """The path of the list."""
    return Path(llm.user_dir()) / "mimo_models.json"


def saved_ids() -> list[str]:
    """Read the list.

    Returns:
        The ids; an empty list if nothing is saved. A broken file is ignored, with a note on stderr.
    """
    path = saved_path()
    try:
        return _ids_in(_read(path))
    except FileNotFoundError:
        return []
    # RecursionError: brackets within brackets. llm would end with it, whatever it was asked to do.
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        _warn_of_broken_list(path)
        return []


def save_ids(ids: Iterable[str]) -> list[str]:
    """Add ids to the list.

    Args:
        ids: of models.

    Returns:
        The ids that were not in the list.

    Raises:
        ModelError: one of them cannot be the id of a model.
        OSError: the list cannot be written; the old one is kept.
    """
    given = list(dict.fromkeys(map(checked_id, ids)))
    with _one_process_at_a_time():
        old = saved_ids()
        new = [id for id in given if id not in old]
        if new:
            _write(old + new)
    return new


def remove_ids(ids: Iterable[str]) -> list[str]:
    """Remove ids from the list.

    Args:
        ids: of models, spelled as in the list.

    Returns:
        The removed ids.

    Raises:
        ModelError: one of them is not in the list.
        OSError: the list cannot be written; the old one is kept.
    """
    gone = list(dict.fromkeys(ids))
    with _one_process_at_a_time():
        old = saved_ids()
        for id in gone:
            if id not in old:
                listed = ", ".join(old) or "empty"
                raise InputError(f"{id!r} is not in the list, which is {listed} ({saved_path()}).")
        _write([id for id in old if id not in gone])
    return gone


def checked_id(id: str) -> str:
    """Check the id of a model.

    Args:
        id: as the user or the service spells it.

    Returns:
        The id without blanks around it.

    Raises:
        ModelError: it is empty, too long, or holds blanks or control characters.
    """
    stripped = id.strip()
    if not stripped or not stripped.isprintable() or " " in stripped or len(stripped) > _LONGEST_ID:
        raise InputError(f"{shown(id)[:100]!r} is not the id of a model, e.g. mimo-v2.6-pro.")
    return stripped


def _read(path: Path) -> bytes:
    path.stat()  # mostly there is no list: nothing is imported for it
    from mimo_core.files import open_regular

    with open_regular(path) as file:
        data = file.read(_LARGEST_LIST + 1)
    if len(data) > _LARGEST_LIST:
        raise ValueError("more bytes than a list of models has")
    return data


def _ids_in(data: bytes) -> list[str]:
    """The ids in the file's bytes. Raises one of what `saved_ids` expects where it is no list."""
    ids: Any = json.loads(data)["models"]
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise TypeError("not a list of ids")
    return list(dict.fromkeys(map(checked_id, ids)))  # InputError is a ValueError


@contextmanager
def _one_process_at_a_time() -> Iterator[None]:
    """Hold the list from reading to writing: else two commands keep the ids of one of them."""
    from filelock import FileLock, Timeout

    path = saved_path()
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=_LONGEST_WAIT)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"Another program has held {lock.lock_file} for {_LONGEST_WAIT:.0f} s: "
            "end it, and try again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _write(ids: list[str]) -> None:
    from mimo_core.files import replacing

    path = saved_path()
    if path.exists() and not path.is_file():  # to open a named pipe would wait for its reader
        raise InputError(f"{path} is not a file, so no list can be saved there: remove it.")
    text = json.dumps({"models": ids}, indent=2, ensure_ascii=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")


@lru_cache
def _warn_of_broken_list(path: Path) -> None:
    """Warn once in a process: llm registers the models several times."""
    click.echo(
        f"llm-mimo ignores {path}, which is not a list of models; `llm mimo refresh` renews it.",
        err=True,
    )
