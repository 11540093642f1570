"""llm on other servers than Xiaomi's: what is said of a switch that nobody read."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.testing.emulator import FakeMiMo

MESSAGE = {"role": "assistant", "content": "Hi", "reasoning": "Hm."}
ANSWER = {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}


@pytest.mark.protocols("chat_completions")
def test_thinking_that_was_turned_off_in_vain_is_said(
    run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch
) -> None:
    mimo.queue(ANSWER, ANSWER)
    monkeypatch.setenv("MIMO_BASE_URL", f"vllm+{mimo.base_url}")
    noted = run("-m", "mimo", "Hello", "-o", "thinking", "false").stderr
    assert "Note: the model thought although thinking was turned off" in noted
    assert "Note:" not in run("-m", "mimo", "Hello").stderr
