"""The switch for thinking, in the field that each server reads."""

from __future__ import annotations

from typing import Any

from mimo_core.dialects import Dialect


def switch_thinking(body: dict[str, Any], extra: dict[str, Any], dialect: Dialect) -> None:
    """Say `thinking`, and where it has to be `reasoning_effort`, as the server reads it.

    Only what the caller set is sent, for the templates' own defaults differ from one published
    copy to the next. What `extra` holds of the same fields wins.

    Args:
        body: a prepared request; changed in place.
        extra: the fields of `extra_body`; changed in place where both hold the same object.
        dialect: of the server.
    """
    if dialect.thinking == "thinking" or not (body.keys() & {"thinking", "reasoning_effort"}):
        return
    thinking = body.pop("thinking", None)
    on = None if thinking is None else thinking["type"] == "enabled"
    if dialect.thinking == "chat_template_kwargs":
        if on is None and body["reasoning_effort"] == "none":
            on = False  # the template has no efforts
            del body["reasoning_effort"]
        if on is not None:
            switch = {"enable_thinking": True, "keep_all_reasoning": True}
            _merge(
                body, extra, "chat_template_kwargs", switch if on else {"enable_thinking": False}
            )
    elif dialect.thinking == "reasoning":
        effort = body.pop("reasoning_effort", None)
        said = {} if on is None else {"enabled": on}
        _merge(body, extra, "reasoning", said if effort is None else {**said, "effort": effort})
    elif on is not None:  # an effort is all that it knows; with one, thinking is on anyway
        if not on:
            body["reasoning_effort"] = "none"
        elif body.get("reasoning_effort") in (None, "none"):
            body["reasoning_effort"] = "medium"


def _merge(body: dict[str, Any], extra: dict[str, Any], name: str, said: dict[str, Any]) -> None:
    """Set an object that `extra` may hold too, with other keys or a better word."""
    given = extra.pop(name, None)
    body[name] = {**said, **given} if isinstance(given, dict) else said if given is None else given
