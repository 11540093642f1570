"""Messages of every role, and how a history is sent or refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mimo_core import InvalidRequestError, prepare

USER = {"role": "user", "content": "Hi"}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "18 °C"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def sent(*messages: Any, model: str = "mimo-v2.5", **fields: Any) -> list[dict[str, Any]]:
    """The messages as they are sent; checks that the given ones stay as they are."""
    request = {"model": model, "messages": list(messages), **fields}
    before = copy.deepcopy(request)
    try:
        adapted: list[dict[str, Any]] = prepare(request)["messages"]
        return adapted
    finally:
        assert request == before


def refusal(*messages: Any, **kwargs: Any) -> str:
    """The sentence with which these messages are refused before they are sent."""
    with pytest.raises(InvalidRequestError) as e:
        sent(*messages, **kwargs)
    assert e.value.param == "messages"
    assert "\n" not in str(e.value)
    return str(e.value)


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", **fields}
