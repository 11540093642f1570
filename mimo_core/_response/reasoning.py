"""Reasoning in one place: servers put it under three names (mimo-api.md, Other servers)."""

from __future__ import annotations

from typing import Any, cast

from mimo_core.types import Message


def adopt_reasoning(message: Message) -> Message:
    """A message, or a piece of one, with its reasoning in `reasoning_content`.

    It may stand under `reasoning` (vLLM, Ollama, mlx, OpenRouter) and in the texts of
    `reasoning_details` (OpenRouter), or under several names with the same text, which counts once.
    `reasoning_details` stay: OpenRouter wants them back as they were.
    """
    adopted = cast("dict[str, Any]", dict(message))
    spoken = adopted.pop("reasoning", None)
    if not adopted.get("reasoning_content"):
        text = spoken if isinstance(spoken, str) and spoken else _text_of(adopted)
        if text:
            adopted["reasoning_content"] = text
    return cast("Message", adopted)


def _text_of(message: dict[str, Any]) -> str:
    details = message.get("reasoning_details")
    texts = [
        detail.get("text")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    ]
    return "".join(text for text in texts if isinstance(text, str))
