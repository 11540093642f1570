"""How a stream was framed: its comments, events and end, and when each of them came. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

_PRINCIPAL = ("content", "reasoning_content", "reasoning", "tool_calls")


@dataclass
class Framing:
    """What a stream of server-sent events was made of.

    Attributes:
        comments: lines before the first event.
        later_comments: lines after it.
        events: payloads that are JSON objects, in order, each with the time at which it was whole.
        done: whether the last data was `[DONE]`.
    """

    comments: int = 0
    later_comments: int = 0
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    done: bool = False

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The events without their times."""
        return [payload for _, payload in self.events]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        """The pieces of the message, in order."""
        return [delta_of(payload) for payload in self.payloads if payload.get("choices")]

    def text_times(self) -> list[float]:
        """When pieces of text came."""
        return [when for when, payload in self.events if delta_of(payload).get("content")]


def framing(pieces: Sequence[tuple[float, bytes]]) -> Framing:
    """Read a stream.

    Args:
        pieces: of the body, each with the time at which it was read.

    Returns:
        Its framing; of a body that is no stream, one without events.
    """
    found = Framing()
    ends = list(accumulate(len(piece) for _, piece in pieces))
    at = 0
    for line in b"".join(piece for _, piece in pieces).splitlines(keepends=True):
        at += len(line)
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if text.startswith(b":"):
            if found.events:
                found.later_comments += 1
            else:
                found.comments += 1
        elif text.startswith(b"data:"):
            data = text[5:].strip()
            found.done = data == b"[DONE]"
            payload = _object(data)
            if payload is not None:
                when = pieces[min(bisect_right(ends, at - 1), len(pieces) - 1)][0]
                found.events.append((when, payload))
    return found


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(data)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def delta_of(payload: dict[str, Any]) -> dict[str, Any]:
    """The piece of the message in a chunk; empty where it has none."""
    choices = payload.get("choices") or [{}]
    delta = choices[0].get("delta") if isinstance(choices[0], dict) else None
    return delta if isinstance(delta, dict) else {}


def first_chunk(found: Framing) -> str:
    """What the first chunk brings, in words."""
    if not found.deltas:
        return "no chunk"
    delta = found.deltas[0]
    brought = [name for name in _PRINCIPAL if delta.get(name)]
    if brought:
        return f"{' and '.join(brought)} at once"
    if delta.get("role") and delta.get("content") == "":
        return "role and empty content"
    return "role, no content" if delta.get("role") else "nothing"


def usage_place(found: Framing) -> str:
    """Where `usage` stands, in words."""
    with_usage = [payload for payload in found.payloads if payload.get("usage")]
    if not with_usage:
        return "nowhere"
    if len(with_usage) > 1:
        return f"on {len(with_usage)} chunks"
    choices = with_usage[0].get("choices")
    if not choices:
        return "in a chunk of its own"
    return "with finish_reason" if choices[0].get("finish_reason") else "with a piece of text"


def finish_count(found: Framing) -> str:
    """How often `finish_reason` was said, in words."""
    choices = [choice for payload in found.payloads for choice in payload.get("choices") or ()]
    count = sum(1 for choice in choices if choice.get("finish_reason"))
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def reasoning_fields(message: dict[str, Any]) -> list[str]:
    """The fields of a message, or of a piece of one, in which reasoning stands."""
    names = ("reasoning_content", "reasoning", "reasoning_details")
    return [name for name in names if message.get(name)]
