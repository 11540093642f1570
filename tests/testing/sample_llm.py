"""A user's tests of a program on `llm` and MiMo; `test_plugin.py` runs them in a project."""

from pathlib import Path
from typing import Any

import llm
import pytest


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))


def get_weather(city: str) -> str:
    return f"{city}: light rain"


@pytest.mark.vcr
@pytest.mark.parametrize("stream", [True, False])
def test_chain(stream: bool) -> None:
    model = llm.get_model("mimo-v2.5-pro")
    chain = model.chain("What is the weather in Paris?", tools=[get_weather], stream=stream)
    assert chain.text() == "Light rain in Paris."


@pytest.mark.vcr
async def test_async() -> None:
    model = llm.get_async_model("mimo-v2.5-pro")
    assert await model.prompt("Hello").text() == "Hi again."


def test_fixture_of_ours(mimo_cassette: Any) -> None:
    with mimo_cassette("shared"):
        assert llm.get_model("mimo-v2.5-pro").prompt("Hello").text() == "Hi again."
