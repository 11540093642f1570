"""Whom the emulator stands for (`Policy`), and the form its refusals take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mimo_core.testing.fake.faults import ERRORS, error_body

Refusal = tuple[int, dict[str, Any]]
"""HTTP status and body."""


@dataclass(frozen=True)
class Policy:
    """The account and the backend that the emulator stands for."""

    keys: frozenset[str] | None = None
    """The keys that are known; None lets every request pass, also one without a key."""
    key_prefix: str | None = None
    """`sk-` or `tp-`: the host's kind of key, any other gets 401."""
    require_reasoning: bool = True
    refuse_empty_content: bool = True
    """Whether an assistant message with `""` is refused, as some backends do; null always is."""
    web_search_enabled: bool = True
    extra_models: frozenset[str] = frozenset()


def param_incorrect(param: str) -> Refusal:
    """The 400 whose useful sentence is in `param`."""
    return 400, error_body("400", "Param Incorrect", param)


def published(name: str) -> Refusal:
    """One of the refusals in `ERRORS`."""
    status, body = ERRORS[name]
    assert isinstance(body, dict)  # the named refusals are JSON
    return status, body
