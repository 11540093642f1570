"""What a user should be told although nothing failed."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.dialects import SELF_HOSTED, XIAOMI
from mimo_core.notices import empty_reason, without_effect


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"model": "mimo-v2.6-pro", "temperature": 0, "top_p": 0.5}, ["temperature", "top_p"]),
        ({"model": "mimo-v2.6-pro", "top_p": 0.5}, ["top_p"]),
        ({"model": "mimo-v2.6-pro"}, []),
        ({"model": "mimo-v2.6-pro", "temperature": None}, []),
        ({"model": "mimo-v2.6-pro", "temperature": 0, "thinking": False}, []),
        ({"model": "mimo-v2.6-pro", "temperature": 0, "thinking": {"type": "disabled"}}, []),
        ({"model": "mimo-v2.6-pro", "temperature": 0, "reasoning_effort": "none"}, []),
        ({"model": "mimo-v2.6-pro", "temperature": 0, "reasoning_effort": "low"}, ["temperature"]),
        ({"model": "mimo-v2-pro", "temperature": 0}, []),
        ({"model": "mimo-v2-flash", "temperature": 0}, []),
        ({"model": "somebody-elses", "temperature": 0}, []),
        ({}, []),
    ],
)
def test_parameters_without_effect(request_: dict[str, Any], names: list[str]) -> None:
    assert without_effect(request_, XIAOMI) == names
    assert without_effect(request_, SELF_HOSTED) == []


@pytest.mark.parametrize(
    ("message", "finish_reason", "reason"),
    [
        ({"content": "", "reasoning_content": "Hm."}, "length", "budget"),
        ({"content": None, "reasoning_content": "Hm."}, "length", "budget"),
        ({"content": " \n", "reasoning_content": "The answer."}, "stop", "only_reasoning"),
        ({"content": "Hi", "reasoning_content": "Hm."}, "stop", None),
        ({"content": "", "tool_calls": [{"id": "a"}]}, "tool_calls", None),
        ({"content": "", "audio": {"id": "a"}}, "stop", None),
        ({"content": ""}, "stop", None),
    ],
)
def test_why_an_answer_is_empty(message: Any, finish_reason: str, reason: str | None) -> None:
    assert empty_reason(message, finish_reason) == reason
