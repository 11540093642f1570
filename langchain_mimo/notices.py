"""What a user should be told although nothing failed: once for each model and cause."""

from __future__ import annotations

import sys
import warnings

_told: set[tuple[str, str]] = set()
_INSIDE = ("langchain_mimo", "langchain_core", "langchain", "langgraph", "contextlib", "asyncio")


def warn_once(model: str, cause: str, text: str) -> None:
    """Warn, unless this process has been told.

    Args:
        model: the model's id.
        cause: what it is about, such as a parameter's name.
        text: what to say: what happens, and what to do about it.
    """
    if (model, cause) in _told:
        return
    _told.add((model, cause))
    warnings.warn(text, UserWarning, stacklevel=_level_of_the_caller())


def begin_anew() -> None:
    """Forget what has been told; for tests."""
    _told.clear()


def _level_of_the_caller() -> int:
    """The `stacklevel` of the user's own line, past LangChain's."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        level, frame = level + 1, frame.f_back
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _INSIDE:
            break
    return level
