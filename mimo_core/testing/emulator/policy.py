"""Whom the emulator stands for (`Policy`), and the form its rejections take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mimo_core.testing.emulator.extras import Extra
from mimo_core.testing.emulator.faults import ERRORS, error_body
from mimo_core.testing.emulator.sources import SOURCES

Serves = Literal["everything", "realtime", "batches"]


class Rejection(tuple[int, dict[str, Any]]):
    """HTTP status and body, and the rule that says so."""

    rule: str
    """A key of `SOURCES`."""

    def __new__(cls, rule: str, status: int, body: dict[str, Any]) -> Rejection:
        """A rejection.

        Raises:
            KeyError: the rule has no source.
        """
        SOURCES[rule]
        rejection = super().__new__(cls, (status, body))
        rejection.rule = rule
        return rejection

    @property
    def source(self) -> str:
        """Where it is known from that the service refuses this."""
        return SOURCES[self.rule]


@dataclass(frozen=True)
class Policy:
    """The account and the backend that the emulator stands for."""

    keys: frozenset[str] | None = None
    """The keys that are known; None lets every request pass, also one without a key."""
    key_prefix: str | None = None
    """`sk-`, `tp-` or `ttp-`: the host's kind of key, any other gets 401."""
    require_reasoning: bool = True
    refuse_empty_content: bool = True
    """Whether an assistant message with `""` is refused, as some backends do; null always is."""
    web_search_enabled: bool = True
    extra_models: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    """Ids that were served once: `400 Unsupported model …`, and no place in the model list."""
    extras: frozenset[Extra] = frozenset()
    """What is served although nobody knows that the service has it."""
    serves: Serves = "everything"
    """Which of the vendor's hosts it stands for: the realtime one knows no batches, the batch host
    nothing else."""
    drops_media: bool = False
    """Messages protocol: drop sound, video and documents in silence, as the service does. The
    emulator refuses them otherwise: whoever sends them loses data and is not told."""


def param_incorrect(rule: str, param: str) -> Rejection:
    """The 400 whose useful sentence is in `param`."""
    return Rejection(rule, 400, error_body("400", "Param Incorrect", param))


def published(rule: str, name: str) -> Rejection:
    """One of the rejections in `ERRORS`."""
    status, body = ERRORS[name]
    assert isinstance(body, dict)  # the named rejections are JSON
    return Rejection(rule, status, body)
