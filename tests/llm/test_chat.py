"""Prompts through the `llm` command: {sync, async} x {stream, no stream}."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, Reply

pytestmark = [
    pytest.mark.protocols("chat_completions", "messages"),
    pytest.mark.usefixtures("mimo"),
]


def test_text(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply("Hello there!"))
    result = run.ok("-m", "mimo", "Hi", "-s", "Be brief", *both)
    assert result.stdout == "Hello there!\n"
    assert result.stderr == ""
    sent = mimo.last_request
    assert sent.messages == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi"},
    ]
    assert sent.model == "mimo-v2.6-pro"
    assert sent.stream is ("--no-stream" not in both)


def test_nothing_is_sent_that_was_not_set(run: Any, mimo: FakeMiMo) -> None:
    run.ok("-m", "mimo", "Hi", "--no-stream")
    required = {"max_tokens"} if mimo.last_request.protocol == "messages" else set()
    assert mimo.last_request.body.keys() - {"stream"} == {"model", "messages"} | required


def test_reasoning(run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any) -> None:
    mimo.queue(Reply("Hello!", reasoning="They greet me."))
    result = run.ok("-m", "mimo", "Hi", *both)
    assert result.stdout == "Hello!\n"
    # llm shows reasoning where it streams, dimmed in a terminal, and always logs it.
    assert result.stderr == ("" if "--no-stream" in both else "They greet me.\n")
    assert logged()["reasoning"] == "They greet me."


def test_usage_and_resolved_model(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any, protocol: str
) -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "prompt_tokens_details": {"cached_tokens": 4, "cache_creation_tokens": 2},
    }
    mimo.queue(Reply("Hello!", reasoning="Hm.", usage=usage, model="mimo-v2.5-pro-0603"))
    result = run.ok("-m", "mimo", "Hi", "-u", *both)
    assert "Token usage: 11 input, 7 output" in result.stderr
    row = logged()
    assert (row["input_tokens"], row["output_tokens"]) == (11, 7)
    details = json.loads(row["token_details"])
    assert details["prompt_tokens_details"] == {"cached_tokens": 4, "cache_creation_tokens": 2}
    if protocol == "chat_completions":  # the other one does not count it apart
        assert details["completion_tokens_details"] == {"reasoning_tokens": 3}
    assert row["resolved_model"] == "mimo-v2.5-pro-0603"
    assert row["response_json"]["choices"][0]["finish_reason"] == "stop"


def test_the_model_is_not_resolved_to_itself(run: Any, logged: Any) -> None:
    run.ok("-m", "mimo", "Hi")
    assert logged()["resolved_model"] is None


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply("Half an ans", finish_reason="length"), "cut at the limit of tokens"),
        (Reply("na na na", finish_reason="repetition_truncation"), "repeated itself"),
        (Reply("I would", finish_reason="content_filter"), "content filter"),
        (Reply("", reasoning="Hm hm", finish_reason="length"), "-o thinking false"),
        (Reply("", reasoning="Hm hm"), "did not answer"),
    ],
)
def test_a_cut_answer_is_noted_below_it(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], reply: Reply, note: str
) -> None:
    mimo.queue(reply)
    result = run.ok("-m", "mimo", "Hi", *both)
    assert result.stdout == f"{reply.text}\n"
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Note: ")
    assert note in last


def test_max_tokens_cuts_and_is_named(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply("one two three four five"))
    result = run.ok("-m", "mimo", "Count", "-o", "max_tokens", "2", *both)
    assert result.stdout == "one two\n"
    assert "-o max_tokens" in result.stderr
    assert mimo.last_request.chat["max_completion_tokens"] == 2


def test_chat_session(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(
        Reply("Hello!", reasoning="One."), Reply("Cut he", reasoning="Two.", finish_reason="length")
    )
    result = run.ok("chat", "-m", "mimo", "-s", "Be brief", input="Hi\nAnd now?\nquit\n")
    assert "Hello!" in result.stdout
    assert "Note: the answer was cut" in result.stderr
    assert mimo.last_request.messages == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!", "reasoning_content": "One."},
        {"role": "user", "content": "And now?"},
    ]


def test_hidden_reasoning_is_still_thought_and_logged(
    run: Any, mimo: FakeMiMo, logged: Any
) -> None:
    mimo.queue(Reply("Hello!", reasoning="Quietly."))
    assert run.ok("-m", "mimo", "Hi", "-R").stderr == ""
    assert "thinking" not in mimo.last_request.body
    assert logged()["reasoning"] == "Quietly."


def test_one_client_serves_a_chain_of_requests(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply(tool_calls=[("llm_version", {})]))
    run.ok("-m", "mimo", "-T", "llm_version", "Which version?")
    assert len(mimo.requests) == 3
    assert mimo.connections_open == 1
