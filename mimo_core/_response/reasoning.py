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
        detail.get("text") or detail.get("summary")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    ]
    return "".join(text for text in texts if isinstance(text, str))


def joined_details(pieces: list[Any]) -> list[Any]:
    """OpenRouter's `reasoning_details` as unstreamed, from the pieces of a stream.

    Pieces that share their type and their index are one detail: its texts are joined, and of
    anything else what came last counts. Without an index they stay apart.
    """
    details: list[Any] = []
    by_place: dict[tuple[Any, Any], dict[str, Any]] = {}
    for piece in pieces:
        if not isinstance(piece, dict):
            details.append(piece)
            continue
        place = (str(piece.get("type")), str(piece["index"])) if "index" in piece else None
        known = by_place.get(place) if place else None
        if known is None or piece.get("id") not in (None, known.get("id")):
            known = dict(piece)
            details.append(known)
            if place:
                by_place[place] = known
            continue
        for name, value in piece.items():
            before = known.get(name)
            if name in _JOINED and isinstance(before, str) and isinstance(value, str):
                known[name] = before + value
            elif value is not None:
                known[name] = value
    return details


_JOINED = frozenset({"text", "summary", "data"})
