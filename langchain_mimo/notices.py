"""What a user should be told although nothing failed: once for each model and cause."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from mimo_core.checks import call_problem
from mimo_core.models import model_info
from mimo_core.notices import empty_reason, thought_anyway
from mimo_core.types import CUT_REASONS, Message

_told: set[tuple[str, str]] = set()
_INSIDE = ("langchain_mimo", "langchain_core", "langchain", "langgraph", "contextlib", "asyncio")


def warn_once(model: str, cause: str, text: str) -> None:
    """Warn, unless this process has been told.

    Args:
        model: the model's id.
        cause: what it is about, such as a parameter's name.
        text: what to say: what happens, and what to do about it.
    """
    if (model, cause) in _told:
        return
    _told.add((model, cause))
    warnings.warn(text, UserWarning, stacklevel=_find_caller_level())


_EMPTY = {
    "budget": "reasoning used up max_tokens, so the answer of {model} is empty. Raise max_tokens, "
    "or turn thinking off: thinking=False.",
    "only_reasoning": "{model} put everything into the reasoning, so the answer is empty; it is in "
    'additional_kwargs["reasoning_content"]. Ask again, or pass thinking=False. (A server of your '
    "own may take answers for reasoning: check its reasoning parser.)",
}
_WHAT = {"tts": ("audio", "text"), "asr": ("text", "recording")}
_WHY_CALL_CUT = {
    "length": "at max_tokens",
    "repetition_truncation": "because it repeated itself",
    "content_filter": "by the content filter",
}
_WHY_CUT = {
    "length": "at the limit of tokens; split the {given}",
    "repetition_truncation": "by the service, because the model repeated itself; ask again",
    "content_filter": "by the service's content filter; change the {given}",
}


def tell_of_answer(request: Mapping[str, Any], message: Message, finish_reason: str | None) -> None:
    """Warn of an answer that is empty, of speech or a transcript that was cut, and of thinking that
    was turned off in vain.

    Args:
        request: what was asked.
        message: the whole assistant message; of a stream, as much as says what came.
        finish_reason: how the answer ended.
    """
    model = request["model"]
    if thought_anyway(request, message):
        warn_once(
            model,
            "thought anyway",
            f"{model} reasoned although thinking was turned off: the server does not read the "
            "field that was sent. Say of which kind it is: base_url='openrouter+https://…', "
            "'ollama+…', 'xiaomi+…'.",
        )
    if finish_reason in CUT_REASONS and (what := _WHAT.get(model_info(model).kind)):
        made, given = what
        why = _WHY_CUT[finish_reason].format(given=given)
        warn_once(model, f"cut {finish_reason}", f"The {made} of {model} was cut {why}.")
    elif finish_reason in CUT_REASONS and (name := _find_cut_call(message)):
        why = _WHY_CALL_CUT[finish_reason]
        warn_once(
            model,
            f"cut call {finish_reason}",
            f"{model} was cut {why} in its call of {name!r}, which is not run: it is in "
            "invalid_tool_calls.",
        )
    elif reason := empty_reason(message, finish_reason):
        text = _EMPTY[reason].format(model=model)
        warn_once(model, f"empty {reason}", text[0].upper() + text[1:])


def _find_cut_call(message: Message) -> str | None:
    for call in message.get("tool_calls") or ():
        if call_problem(call) is not None:
            return (call.get("function") or {}).get("name") or "a tool"
    return None


def forget_warnings() -> None:
    """Forget what has been told (for tests)."""
    _told.clear()


def _find_caller_level() -> int:
    """The `stacklevel` of the user's own line, past LangChain's."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        level, frame = level + 1, frame.f_back
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _INSIDE:
            break
    return level
