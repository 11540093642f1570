"""One request of a realtime job, asked in a thread or by a Dask worker, as text for the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from langchain_mimo import errors
from langchain_mimo.chat_models import ChatMiMo
from langchain_mimo.errors import (
    MiMoAuthenticationError,
    MiMoInsufficientBalanceError,
    MiMoModelError,
    MiMoNotFoundError,
)
from mimo_core.errors import ErrorResponse

_CONCERN_ALL = (MiMoAuthenticationError, MiMoInsufficientBalanceError, MiMoNotFoundError)


class Outcome(NamedTuple):
    """What came back for a request."""

    state: str
    """`answered`; `failed`; or `waiting` where every other request would fail as well."""
    text: str
    """JSON: of the message or the error."""
    tokens: int | None = None
    """That it cost; None where nobody said."""
    passes: bool = False
    """Whether an error may pass."""


Question = tuple[ChatMiMo, Any, RunnableConfig, dict[str, Any]]
"""The model, the prompt, its config and the arguments of the call."""


def ask(model: ChatMiMo, prompt: Any, config: RunnableConfig, arguments: dict[str, Any]) -> Outcome:
    """Ask, and say what came of it.

    Args:
        model, prompt, config, arguments: of `invoke`.
    """
    try:
        return _answered(model.invoke(prompt, config, **arguments))
    except MiMoModelError as error:
        return _failed(error)


async def aask(
    model: ChatMiMo, prompt: Any, config: RunnableConfig, arguments: dict[str, Any]
) -> Outcome:
    """`ask`, asynchronously."""
    try:
        return _answered(await model.ainvoke(prompt, config, **arguments))
    except MiMoModelError as error:
        return _failed(error)


def _answered(message: AIMessage) -> Outcome:
    kept = {name: one for name, one in message.additional_kwargs.items() if name != "parsed"}
    shown = message.model_copy(update={"additional_kwargs": kept}).model_dump()
    usage = message.usage_metadata
    # It is paid for, so it is kept whatever is in it: pydantic's JSON has no halves of surrogates.
    return Outcome("answered", json.dumps(shown, default=str), usage and usage["total_tokens"])


def message_from(text: str) -> AIMessage:
    """The message of an answer.

    Args:
        text: of its `Outcome`.
    """
    return AIMessage.model_validate(json.loads(text))


def _failed(error: MiMoModelError) -> Outcome:
    details = {**error.__dict__}
    if isinstance(response := details.pop("response", None), ErrorResponse):
        details["response"] = {**asdict(response), "headers": dict(response.headers)}
    said = {"kind": type(error).__name__, "text": str(error), "details": details}
    state = "waiting" if isinstance(error, _CONCERN_ALL) else "failed"
    text = json.dumps(said, default=str)
    return Outcome(state, text, passes=error.is_retryable)


def error_from(text: str) -> MiMoModelError:
    """The error of a request.

    Args:
        text: of its `Outcome`.
    """
    said = json.loads(text)
    kind: type[MiMoModelError] = getattr(errors, said["kind"], MiMoModelError)
    error = kind(said["text"])
    details = said["details"]
    if (response := details.get("response")) is not None:
        details["response"] = ErrorResponse(**response)
    error.__dict__.update(details)
    return error
