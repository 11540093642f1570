"""The switch for thinking, in the field that each server reads."""

from __future__ import annotations

from typing import Any

from mimo_core.dialects import Dialect, template_arguments
from mimo_core.errors import InvalidRequestError


def switch_thinking(body: dict[str, Any], extra: dict[str, Any], dialect: Dialect) -> None:
    """Say `thinking`, and where it has to be `reasoning_effort`, as the server reads it.

    Only what the caller set is sent, for the templates' own defaults differ from one published
    copy to the next. Where `thinking` and `reasoning_effort` contradict each other, `thinking`
    counts. What the caller said in the server's own words wins.

    Args:
        body: a prepared request; changed in place.
        extra: the fields of `extra_body`; changed in place where both hold the same object.
        dialect: of the server.

    Raises:
        InvalidRequestError: `thinking` holds something that the server has no place for.
    """
    if not (body.keys() & {"thinking", "reasoning_effort"}):
        return
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    on = None if thinking is None else thinking["type"] == "enabled"
    if on is False or (on and effort == "none"):
        body.pop("reasoning_effort", None)
    if dialect.thinking == "thinking":
        return
    body.pop("thinking", None)
    if on is None and effort == "none":
        on = False
        del body["reasoning_effort"]
    details = {k: v for k, v in (thinking or {}).items() if k != "type"}
    if dialect.thinking == "chat_template_kwargs":
        if on is not None:
            _merge(body, extra, "chat_template_kwargs", template_arguments(thinks=on))
    elif dialect.thinking == "reasoning":
        said: dict[str, Any] = {} if on is None else {"enabled": on}
        if (wanted := body.pop("reasoning_effort", None)) is not None:
            said["effort"] = wanted
        if (budget := details.pop("budget_tokens", None)) is not None:
            said["max_tokens"] = budget
        _merge(body, extra, "reasoning", said)
    elif on is not None:  # an effort is all that it knows; with one, thinking is on anyway
        body["reasoning_effort"] = (body.get("reasoning_effort") or "medium") if on else "none"
    if details:
        raise InvalidRequestError(
            f"thinking: this server has no place for {', '.join(map(repr, details))}; leave it "
            "out, or say it in the server's own words in extra_body.",
            param="thinking",
        )


def _merge(body: dict[str, Any], extra: dict[str, Any], name: str, said: dict[str, Any]) -> None:
    """Set an object that the caller may have given too, with other keys or a better word."""
    for given in (body.get(name), extra.pop(name, None)):
        if isinstance(given, dict):
            said = {**said, **given}
        elif given is not None:
            said = given
    body[name] = said
