"""What a user should be told although nothing failed: one decision each, which both hosts ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mimo_core.dialects import Dialect
from mimo_core.models import model_info
from mimo_core.types import Message

EmptyReason = Literal["budget", "only_reasoning"]
_OVERRIDDEN = ("temperature", "top_p")


def without_effect(request: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """The parameters of a request that the service overrides.

    While a v2.5 or later model thinks, `temperature` and `top_p` are 1.0 and 0.95, whatever was
    sent (vendor's parameter reference, 3 June 2026). Other servers sample as they are told.

    Args:
        request: a `ChatRequest`, as it was given.
        dialect: of the server.

    Returns:
        Their names, in the order `temperature`, `top_p`; empty where everything holds.
    """
    info = model_info(str(request.get("model") or ""))
    if not info.fixed_sampling or not dialect.fixes_sampling:
        return []
    if not info.thinks(request.get("thinking"), request.get("reasoning_effort")):
        return []
    return [name for name in _OVERRIDDEN if request.get(name) is not None]


def empty_reason(message: Message, finish_reason: str | None) -> EmptyReason | None:
    """Why an answer has neither text nor a tool call nor audio.

    Args:
        message: the whole assistant message.
        finish_reason: of its choice.

    Returns:
        `"budget"` where reasoning used up the limit of tokens; `"only_reasoning"` where the model,
        or a server that takes an answer for reasoning, put everything into the reasoning field;
        None where there is an answer, or nothing says why it is missing.
    """
    if (message.get("content") or "").strip() or message.get("tool_calls"):
        return None
    if message.get("audio") is not None:
        return None
    if finish_reason == "length":
        return "budget"
    if finish_reason == "stop" and message.get("reasoning_content"):
        return "only_reasoning"
    return None


def thought_anyway(request: Mapping[str, Any], message: Message) -> bool:
    """Whether thinking was turned off and the answer has reasoning all the same.

    The switch stands in another field on each kind of server, and which kind it is has to be said
    where the address does not: `openrouter+https://…`.

    Args:
        request: a `ChatRequest`, as it was given.
        message: the whole assistant message.
    """
    thinking = request.get("thinking")
    if isinstance(thinking, Mapping):
        is_off = thinking.get("type") == "disabled"
    else:
        is_off = thinking is False or (
            thinking is None and request.get("reasoning_effort") == "none"
        )
    return is_off and bool((message.get("reasoning_content") or "").strip())
