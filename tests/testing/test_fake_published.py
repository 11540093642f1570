"""What the vendor and its users published passes the emulator, and answers can be passed back."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mimo_core import prepare
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.emulator.policy import Policy
from tests.testing.test_fake_sources import CHAT, USER, rejection

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "core" / "data"  # published bodies of the real service


def published_requests() -> list[Any]:
    """The requests that the vendor and a gateway printed; stand-ins have no messages."""
    return [
        pytest.param(one["request"], id=f"{path.stem} {number}")
        for path in sorted((ROOT / "cassettes" / "vendor").glob("*.yaml"))
        for number, one in enumerate(read(path)["interactions"])
        if "messages" in (one["request"].get("body") or "")
    ]


@pytest.mark.parametrize("request_", published_requests())
def test_a_published_request_is_accepted(request_: dict[str, Any]) -> None:
    found = rejection(json.loads(request_["body"]), urlsplit(request_["uri"]).path)
    assert found is None


def test_there_are_published_requests() -> None:
    assert len(published_requests()) == 6


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*chat_*.json")), ids=lambda path: path.stem)
def test_a_published_answer_can_be_passed_back(path: Path) -> None:
    """In the history of the next turn, as the core sends it, and called tools answered."""
    answer = json.loads(path.read_text())
    message = answer["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "21 °C"}
        for call in message.get("tool_calls") or ()
    ]
    body = prepare({"model": answer["model"], "messages": [USER, message, *results]})
    assert rejection(body) is None


@pytest.mark.parametrize("name", ["messages_introduction", "cloudsway_messages_memory"])
def test_a_published_message_can_be_passed_back(name: str) -> None:
    answer = json.loads((SAMPLES / f"{name}.json").read_text())
    past = {"role": "assistant", "content": answer["content"]}
    body = {"model": answer["model"], "max_tokens": 9, "messages": [USER, past, USER]}
    assert rejection(body, "/v1/messages") is None


@pytest.mark.parametrize(
    ("name", "rule"),
    [("error_invalid_key", "key"), ("error_reasoning_not_passed_back", "reasoning")],
)
def test_a_published_refusal_is_ours_word_for_word(name: str, rule: str) -> None:
    policy = Policy(keys=frozenset({"k"})) if rule == "key" else Policy()
    found = rejection(CHAT["reasoning"][0], policy=policy)
    assert found is not None
    assert found.rule == rule
    assert found[1] == json.loads((SAMPLES / f"{name}.json").read_text())
