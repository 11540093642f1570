"""The list that `llm mimo refresh` saves: ids of models that the table does not have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import click
import llm

from llm_mimo.errors import InputError, shown


def saved_path() -> Path:
    """Where the list is."""
    return Path(llm.user_dir()) / "mimo_models.json"


def saved_ids() -> list[str]:
    """The ids in the list; empty where there is none. A broken one is ignored, with a word."""
    path = saved_path()
    try:
        saved = json.loads(path.read_bytes())
        ids = saved["models"]
        if all(isinstance(id, str) and id.strip() for id in ids):
            return list(dict.fromkeys(ids))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        pass
    _complain(path)
    return []


def save_ids(ids: Iterable[str]) -> list[str]:
    """Add ids to the list.

    Args:
        ids: of models.

    Returns:
        Those that are new to it.

    Raises:
        ModelError: one of them is no id.
        OSError: the list cannot be written; the old one stays.
    """
    old = saved_ids()
    new = [id for id in dict.fromkeys(map(checked_id, ids)) if id not in old]
    if new:
        _write(old + new)
    return new


def remove_ids(ids: Iterable[str]) -> list[str]:
    """Take ids off the list.

    Args:
        ids: of models, as the list has them.

    Returns:
        Those that were taken off.

    Raises:
        ModelError: one is not in the list.
        OSError: the list cannot be written; the old one stays.
    """
    old, gone = saved_ids(), list(dict.fromkeys(ids))
    for id in gone:
        if id not in old:
            listed = ", ".join(old) or "empty"
            raise InputError(f"{id!r} is not in the list, which is {listed} ({saved_path()}).")
    _write([id for id in old if id not in gone])
    return gone


def checked_id(id: str) -> str:
    """An id without the blanks around it.

    Raises:
        ModelError: nothing is left, or it holds what no id does.
    """
    stripped = id.strip()
    if not stripped or not stripped.isprintable() or " " in stripped:
        raise InputError(f"{shown(id)!r} is not the id of a model, e.g. mimo-v2.6-pro.")
    return stripped


def _write(ids: list[str]) -> None:
    from mimo_core.files import replacing

    text = json.dumps({"models": ids}, indent=2, ensure_ascii=False)
    with replacing(saved_path()) as file:
        file.write(text.encode() + b"\n")


@lru_cache
def _complain(path: Path) -> None:
    """Once a process: llm asks for the models several times."""
    click.echo(
        f"llm-mimo ignores {path}, which is not a list of models; `llm mimo refresh` renews it.",
        err=True,
    )
