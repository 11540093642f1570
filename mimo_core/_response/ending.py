"""What ends an answer: one rule for both protocols, for streams and for whole answers.

An answer is complete where it says so, with a finish reason. A reason that is blank, "null" or
"None" says nothing (servers send them with each event of a stream). A stream that goes on after its
reason has to say it again: one server of MiMo was seen to do so (mimo-api.md, Streams), and what
does not may be pieces of two answers. A call of an answer that is not complete is never run, so
such an answer is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimo_core._response.accumulate import ContradictionError, response_from
from mimo_core._response.calls import with_own_ids
from mimo_core._response.letters import make_whole
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core.errors import InvalidResponseError

_SAY_NOTHING = frozenset({"", "null", "none"})
_SAID = ("content", "reasoning_content", "reasoning", "tool_calls")


def reason_said(reason: str | None) -> str | None:
    """Why an answer ended; None where that is not said.

    Args:
        reason: a finish reason off the wire, checked for its type.
    """
    return None if reason is None or reason.strip().lower() in _SAY_NOTHING else reason


def ending_problem(reason: str | None, message: Callable[[], Any]) -> str | None:
    """Why an answer is not complete; None where it is.

    An empty answer that just stops may be honest. One that stops to call a tool and holds nothing
    at all has lost its call. (With a text it may be one of the model's calls written as text.)

    Args:
        reason: from `reason_said`.
        message: gives everything that was said.
    """
    if reason is None:
        return "it ended without a finish reason"
    if reason == "tool_calls" and not any(v for k, v in message().items() if k != "role"):
        return "it ended to call a tool, and holds no call"
    return None


def says_something(delta: Any) -> bool:
    """Whether an answer goes on with a piece.

    Args:
        delta: a piece of a stream, checked by the gate; None where there is none.
    """
    delta = delta or {}
    audio = delta.get("audio") or {}
    return bool(any(delta.get(name) for name in _SAID) or audio.get("data"))


def check_whole(choice: Any) -> None:
    """Check that a whole answer is complete.

    Args:
        choice: its one choice, checked by the gate. A reason that says nothing becomes None.

    Raises:
        InvalidResponseError: it is not; `partial` holds what has arrived.
    """
    choice["finish_reason"] = reason = reason_said(choice.get("finish_reason"))
    message = choice["message"]
    if problem := ending_problem(reason, lambda: message):
        incomplete = unreadable(ContradictionError(problem))
        make_whole(message)
        message = adopt_reasoning(with_own_ids(message))
        incomplete.partial = response_from(message, None, None, {})
        raise incomplete


def unreadable(error: ContradictionError) -> InvalidResponseError:
    """The error for a whole answer that contradicts itself.

    Args:
        error: says how.
    """
    return InvalidResponseError(f"The answer cannot be read: {error}. Send the request again.")
