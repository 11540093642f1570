"""Errors that are not like any other."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from mimo_core.testing import Fault
from tests.peers.contestant import Cell, Contestant, Service, attempt, words_of

HandIn = Callable[[Cell], None]
Meet = Callable[[Service], Contestant]
FAMILIES = (
    ("langchain_core.exceptions", "ModelError"),
    ("openai", "OpenAIError"),
    ("openrouter.errors", "OpenRouterError"),
    ("llm", "ModelError"),
)
"""The classes that the clients document as the bases of their errors; LiteLLM's are openai's."""


def test_content_filter(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    peer = contestant(mimo)
    mimo.queue(Fault("moderation"), Fault("bad_request"))
    error, other = attempt(lambda: peer.ask("?")), attempt(lambda: peer.ask("?"))
    assert isinstance(error, Exception)
    assert isinstance(other, Exception)
    assert len(mimo.requests) == 2
    code = str(getattr(error, "code", ""))
    if type(error) is not type(other):
        hand_in(Cell("yes", words_of(error)))
    elif code == "421":
        hand_in(Cell("partly", f"`{type(error).__name__}` as any 400; its `code` is 421"))
    elif error.__cause__ and type(error.__cause__) is not type(other.__cause__):
        cause = type(error.__cause__).__name__
        hand_in(Cell("partly", f"by its cause, a `{cause}`, and its text: {words_of(error)}"))
    else:
        hand_in(Cell("no", f"as any 400: {words_of(error)}"))


def test_page(contestant: Meet, mimo: Service, hand_in: HandIn) -> None:
    mimo.queue(*[Fault("html")] * 5)
    answer = attempt(lambda: contestant(mimo).ask("4 * 4?"))
    if not isinstance(answer, Exception):
        hand_in(Cell("no", f"comes back as the answer: {answer.text[:40]!r}"))
        return
    known = tuple(getattr(importlib.import_module(module), name) for module, name in FAMILIES)
    if isinstance(answer, known):
        hand_in(Cell("yes", words_of(answer)))
    else:
        hand_in(Cell("partly" if "<html" in str(answer) else "no", words_of(answer)))
