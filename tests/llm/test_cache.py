"""`-o cache true`: what is marked, on which protocol, and what the log says was cached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, Reply

MARK = {"cache_control": {"type": "ephemeral"}}
LONG = ("-m", "mimo", "-f", "long.txt", "Summarise it", "-s", "Be brief")


@pytest.fixture(autouse=True)
def _fragment(_own_user: None) -> None:
    Path("long.txt").write_text("A long text.")


@pytest.mark.protocols("messages")
def test_what_is_marked(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    run.ok(*LONG, "-o", "cache", "true", *both)
    body = mimo.last_request.body
    assert body["system"] == [{"type": "text", "text": "Be brief", **MARK}]
    [message] = body["messages"]
    [block] = message["content"]
    assert "A long text." in block["text"]
    assert block["cache_control"] == MARK["cache_control"]


@pytest.mark.protocols("messages")
def test_the_next_turn_begins_with_the_same(run: Any, mimo: FakeMiMo) -> None:
    run.ok(*LONG, "-o", "cache", "true")
    run.ok("-c", "Shorter", "-o", "cache", "true")
    first, second = (request.body for request in mimo.requests)
    assert second["system"] == first["system"]
    assert second["messages"][0] == first["messages"][0]
    assert second["messages"][-1] == {"role": "user", "content": "Shorter"}


@pytest.mark.protocols("messages")
def test_beside_an_attachment_and_a_schema(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(json={"name": "Rex", "age": 3}))
    url = "https://example.invalid/dog.png"
    arguments = ("-m", "mimo-v2.5", "Who?", "--at", url, "image/png", "--schema", "name, age int")
    run.ok(*arguments, "-o", "cache", "true")
    body = mimo.last_request.body
    text, image = body["messages"][0]["content"]
    assert "cache_control" not in text
    assert image == {"type": "image", "source": {"type": "url", "url": url}, **MARK}
    assert [block["cache_control"] for block in body["system"]] == [MARK["cache_control"]]


@pytest.mark.protocols("chat_completions", "messages")
@pytest.mark.parametrize("option", [(), ("-o", "cache", "false"), ("-o", "cache", "true")])
def test_without_marks(run: Any, mimo: FakeMiMo, option: tuple[str, ...]) -> None:
    """Nothing is marked that was not asked for, and chat completions have no marks."""
    run.ok(*LONG, *option)
    marked = mimo.last_request.protocol == "messages" and "true" in option
    assert (b"cache" in mimo.last_request.raw) is marked


@pytest.mark.protocols("chat_completions", "messages")
def test_cached_tokens_are_logged(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any
) -> None:
    cached = {"cached_tokens": 60, "cache_creation_tokens": 30}
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": cached}
    mimo.queue(Reply("Short.", usage=usage))
    result = run.ok(*LONG, "-u", *both)
    assert "100 input, 5 output" in result.stderr
    assert logged()["input_tokens"] == 100
    assert json.loads(logged()["token_details"])["prompt_tokens_details"] == cached
