"""The list of model ids that `llm mimo refresh` saves, for models newer than the table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import click
import llm

from llm_mimo.errors import InputError, shown


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
        saved = json.loads(path.read_bytes())
        ids = saved["models"]
        if all(isinstance(id, str) and id.strip() for id in ids):
            return list(dict.fromkeys(ids))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        pass
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
    old = saved_ids()
    new = [id for id in dict.fromkeys(map(checked_id, ids)) if id not in old]
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
    old, gone = saved_ids(), list(dict.fromkeys(ids))
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
        ModelError: it is empty, or holds blanks or control characters.
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
def _warn_of_broken_list(path: Path) -> None:
    """Warn once in a process: llm registers the models several times."""
    click.echo(
        f"llm-mimo ignores {path}, which is not a list of models; `llm mimo refresh` renews it.",
        err=True,
    )
