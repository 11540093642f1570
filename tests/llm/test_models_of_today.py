"""What `llm mimo models` says of today's models, and the effort that they reason with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo


def test_what_became_of_a_model_at_xiaomi(run: Any) -> None:
    rows = {row["id"]: row for row in json.loads(run.ok("mimo", "models", "--json").stdout)}
    assert rows["mimo-v2.6-pro"]["xiaomi"] == "served"
    assert rows["mimo-v2.5-pro"]["xiaomi"] == "until 2026-10-21, then mimo-v2.6-pro"
    assert "until 2026-06-30, then mimo-v2.5-tts" in run.ok("mimo", "models").stdout


def test_prices_are_shown_where_they_are_asked_for(run: Any) -> None:
    rows = {
        row["id"]: row for row in json.loads(run.ok("mimo", "models", "--prices", "--json").stdout)
    }
    assert rows["mimo-v2.6-flash"]["in"] == 0.14
    assert rows["mimo-v2.5-pro"]["in"] is None
    assert "0.435" in run.ok("mimo", "models", "--prices").stdout
    assert "0.435" not in run.ok("mimo", "models").stdout


@pytest.mark.parametrize("effort", ["none", "low", "medium", "high"])
def test_an_effort_is_sent(run: Any, mimo: FakeMiMo, effort: str) -> None:
    run.ok("-m", "mimo", "Hi", "-o", "reasoning_effort", effort)
    assert mimo.last_request.body["reasoning_effort"] == effort


def test_other_efforts_are_refused_before_anything_is_sent(run: Any, mimo: FakeMiMo) -> None:
    result = run("-m", "mimo", "Hi", "-o", "reasoning_effort", "max")
    assert result.exit_code == 1
    assert "it can be 'none', 'low', 'medium', 'high'." in result.stderr
    assert not mimo.requests
