"""The list that `llm mimo refresh` saves: ids of models that the table does not have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import click
import llm


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
    """Add ids to the list; returns those that are new to it."""
    old = saved_ids()
    new = [id for id in dict.fromkeys(ids) if id not in old]
    if new:
        text = json.dumps({"models": old + new}, indent=2, ensure_ascii=False)
        saved_path().write_text(text + "\n", encoding="utf-8")
    return new


@lru_cache
def _complain(path: Path) -> None:
    """Once a process: llm asks for the models several times."""
    click.echo(
        f"llm-mimo ignores {path}, which is not a list of models; `llm mimo refresh` renews it.",
        err=True,
    )
