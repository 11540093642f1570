"""The probes of what the service refuses. This library never sends it: these bodies go out raw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimo_core.doctor._probe import Answered, Asked, Probe, Seen, be_whole, chat
from mimo_core.doctor._probes_chat import SAYS_CALL, WEATHER

_DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB"
    "0C8AAAAASUVORK5CYII="
)


def _accepted(fact: str) -> Callable[[Answered], dict[str, Seen]]:
    """A reader for an answer where a refusal was expected."""

    def read(answered: Answered) -> dict[str, Seen]:
        return {fact: Seen("accepted")}

    return read


def _history(content: Any, result: Any, **more: Any) -> Callable[[Asked, str], dict[str, Any]]:
    """A body whose history holds a call, with this content beside it and this result."""

    def body(asked: Asked, prompt: str) -> dict[str, Any]:
        call = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
        return {
            "model": asked.model,
            "max_completion_tokens": 16,
            "tools": [WEATHER],
            "messages": [
                {"role": "user", "content": prompt},
                {
                    "role": "assistant",
                    "content": content,
                    "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
                    **more,
                },
                {"role": "tool", "tool_call_id": "call_1", "content": result},
            ],
        }

    return body


def _no_messages(asked: Asked, prompt: str) -> dict[str, Any]:
    return {"model": asked.model, "messages": []}


def _unknown_model(asked: Asked, prompt: str) -> dict[str, Any]:
    return {
        "model": "mimo-of-no-version",
        "max_completion_tokens": 16,
        "messages": [{"role": "user", "content": prompt}],
    }


def _sentence_of_error(answered: Answered) -> dict[str, Seen]:
    """Where an error body's useful sentence stands."""
    error = answered.wire.payload.get("error")
    if answered.wire.status == 200:
        return {"errors.sentence": Seen("nowhere", "a request without messages is accepted")}
    if not isinstance(error, dict):
        return {"errors.sentence": Seen("not in an error object")}
    for name in ("param", "message"):
        if " " in str(error.get(name) or ""):
            return {"errors.sentence": Seen(f"in {name}", f"{error[name]}")}
    return {"errors.sentence": Seen("nowhere")}


def _no_tool(answered: Answered) -> dict[str, Seen]:
    is_called = bool(answered.wire.message.get("tool_calls"))
    if not is_called:
        be_whole(answered)
    return {"tool_choice.none": Seen("ignored" if is_called else "honoured")}


REFUSAL_PROBES = (
    Probe(
        "unknown model",
        "Reply with the word pang.",
        _unknown_model,
        _accepted("models.unknown"),
        "raw",
    ),
    Probe("no messages", "", _no_messages, _sentence_of_error, "raw", reads_refusals=True),
    Probe(
        "effort max",
        "What is 17 times 4? Just the number.",
        chat(reasoning_effort="max", max_completion_tokens=16),
        _accepted("thinking.effort_max"),
        "raw",
    ),
    Probe(
        "no tool",
        "What is the weather in Rome? Call the tool.",
        chat(tools=[WEATHER], tool_choice="none", max_completion_tokens=64),
        _no_tool,
        "raw",
        says=SAYS_CALL,
    ),
    Probe(
        "history without reasoning",
        "What is the weather in Oslo?",
        _history(" ", "3 degrees, snow"),
        _accepted("history.reasoning"),
        "raw",
    ),
    Probe(
        "history with null",
        "What is the weather in Oslo now?",
        _history(None, "3 degrees, snow", reasoning_content=""),
        _accepted("history.null_content"),
        "raw",
        other_reason="reasoning_content",
    ),
    Probe(
        "image of a tool",
        "What is the weather in Oslo today?",
        _history(" ", [{"type": "image_url", "image_url": {"url": _DOT}}], reasoning_content=""),
        _accepted("history.tool_image"),
        "raw",
        other_reason="reasoning_content",
    ),
)
