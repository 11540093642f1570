"""Which recorded answer belongs to a request: method, endpoint and body, whatever the gateway."""

from __future__ import annotations

from typing import Any

from mimo_core.testing.cassettes.cleaning import MiMoRequest
from mimo_core.testing.cassettes.edits import json_of
from mimo_core.testing.cassettes.vcrpy import Request

MATCHER = "mimo"
"""The name under which `mimo_request` is registered with vcrpy."""
_ENDPOINTS = ("/chat/completions", "/messages", "/models")
FOREIGN = "vcr"
"""For cassettes without provenance, which others recorded: vcrpy's own default, without body."""
_LONGEST = 60


def mimo_request(sent: Request, recorded: Request) -> None:
    """A vcrpy matcher. Raises `AssertionError` with the first difference."""
    if (found := difference(sent, recorded, match_of(recorded, sent))) is not None:
        raise AssertionError(found)


def match_of(*requests: Request) -> str:
    """How requests are compared: as the first of them that comes from a cassette says."""
    known = (request.match for request in requests if isinstance(request, MiMoRequest))
    return next(filter(None, known), "exact")


def difference(sent: Request, recorded: Request, mode: str) -> str | None:
    """How two requests differ, or None where one's answer is the other's.

    Args:
        sent: a request as vcrpy represents it.
        recorded: another one.
        mode: a `match` of `Provenance`.
    """
    if sent.method != recorded.method:
        return f"method: recorded {recorded.method}, sent {sent.method}"
    ours, theirs = endpoint_of(sent), endpoint_of(recorded)
    if ours != theirs:
        return f"address: recorded {theirs}, sent {ours}"
    if mode == FOREIGN:
        return _uris(sent, recorded)
    mine, other = body_of(sent), body_of(recorded)
    if not isinstance(mine, dict) or not isinstance(other, dict):
        return None if mine == other else "body: not the recorded one"
    if mode != "exact":
        mine, other = _essence(mine, mode), _essence(other, mode)
        if not other.get("model"):
            mine.pop("model", None)  # published without the model: an answer to any
    return first_difference(_meaning(mine), _meaning(other))


def endpoint_of(request: Request) -> str:
    """`chat/completions`, `messages`, `models`, or the whole address of anything else."""
    path = request.path.rstrip("/")
    for ending in _ENDPOINTS:
        if path.endswith(ending):
            return ending[1:]
    return str(request.uri)


def body_of(request: Request) -> Any:
    """The parsed body, or its bytes where it is not JSON."""
    body = request.body
    parsed = json_of(body)
    return (body or b"") if parsed is None else parsed


def _uris(sent: Request, recorded: Request) -> str | None:
    for part in ("scheme", "host", "port", "path", "query"):
        mine, other = getattr(sent, part), getattr(recorded, part)
        if mine != other:
            return f"{part}: recorded {other}, sent {mine}"
    return None


def _meaning(body: dict[str, Any]) -> dict[str, Any]:
    """The body without what does not change the answer: nulls, defaults, `stream_options`."""
    kept = {name: value for name, value in body.items() if value is not None}
    kept.pop("stream_options", None)  # the service sends usage either way
    if kept.get("stream") is False:
        del kept["stream"]
    return kept


def _essence(body: dict[str, Any], mode: str) -> dict[str, Any]:
    """What counts of a body where the published request is not the user's."""
    essence = {"model": body.get("model"), "stream": bool(body.get("stream"))}
    if mode == "question":
        essence["last user message"] = _last_question(body.get("messages"))
    return essence


def _last_question(messages: Any) -> str:
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content")).strip()
    return ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def first_difference(mine: Any, other: Any, path: str = "") -> str | None:
    """The first place where what was sent (`mine`) is not what was recorded (`other`)."""
    if isinstance(mine, dict) and isinstance(other, dict):
        for name in [*other, *(name for name in mine if name not in other)]:
            place = f"{path}.{name}" if path else str(name)
            if name not in mine:
                return f"{place}: recorded {_shown(other[name])}, not sent"
            if name not in other:
                return f"{place}: not recorded, sent {_shown(mine[name])}"
            if (found := first_difference(mine[name], other[name], place)) is not None:
                return found
        return None
    if isinstance(mine, list) and isinstance(other, list):
        for number, (left, right) in enumerate(zip(mine, other, strict=False)):
            if (found := first_difference(left, right, f"{path}[{number}]")) is not None:
                return found
        if len(mine) != len(other):
            return f"{path}: recorded {len(other)} items, sent {len(mine)}"
        return None
    if mine == other and isinstance(mine, bool) == isinstance(other, bool):
        return None
    return f"{path}: recorded {_shown(other)}, sent {_shown(mine)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
