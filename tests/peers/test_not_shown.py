"""Clients that the emulator cannot show, and why. Where one fails, its client can be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import llm
import pytest

from scripts.peer_table import ROWS
from tests.peers.contestant import KEY, MODEL, Cell, Service, attempt
from tests.peers.langchain_contestants import ChatOpenAIResponses
from tests.peers.results import Results


def fill(results: Results, title: str, says: str) -> None:
    """The same in every row."""
    for row in ROWS:
        results.hand_in(row.key, title, Cell("not shown", says))


def test_the_emulator_has_no_responses(mimo: Service, results: Results, tmp_path: Path) -> None:
    error = attempt(lambda: ChatOpenAIResponses(mimo, tmp_path).ask("4 * 4?"))
    assert isinstance(error, Exception)
    assert "404" in str(error)
    assert mimo.last_request.path == "/v1/responses"
    fill(results, "ChatOpenAI on Responses", "the emulator has no `/v1/responses`")


def test_llm_openrouter_has_one_address(
    results: Results, mimo: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a variable nor a file leads it elsewhere."""
    listed = {
        "id": f"xiaomi/{MODEL}",
        "architecture": {"modality": "text->text"},
        "supported_parameters": ["tools", "reasoning"],
    }
    file = llm.user_dir() / "openrouter_models.json"
    file.write_text(json.dumps({"data": [listed]}))
    monkeypatch.setenv("OPENROUTER_KEY", KEY)
    for name in ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, mimo.base_url)
    model: Any = llm.get_model(f"openrouter/xiaomi/{MODEL}")
    assert model.api_base == "https://openrouter.ai/api/v1"
    fill(results, "llm-openrouter", "it goes to openrouter.ai, and no setting changes that")
