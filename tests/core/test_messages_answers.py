"""Whole answers of the messages protocol, in the inner shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mimo_core._protocols.messages_events import response_of

TEXT = {"type": "text", "text": "Hi"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": ""}
TOOL_USE = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}


def answer(*content: Any, **fields: Any) -> Any:
    return response_of({"content": list(content), "stop_reason": "end_turn", **fields})


def message(*content: Any, **fields: Any) -> Any:
    return answer(*content, **fields)["choices"][0]["message"]


def test_the_vendor_s_sample(sample: Callable[[str], Any]) -> None:
    published = sample("messages_introduction")
    assert response_of(published) == {
        "id": published["id"],
        "model": "mimo-v2.5-pro",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": published["content"][0]["text"]},
            }
        ],
        "usage": {"prompt_tokens": 57, "completion_tokens": 54, "total_tokens": 111},
    }


def test_cloudsway_s_sample_thinks_after_it_spoke(sample: Callable[[str], Any]) -> None:
    published = sample("cloudsway_messages_memory")
    response = response_of(published)
    assert response is not None
    assert response["model"] == "MaaS_Mimo_V2.5_20260423"
    assert response["choices"][0]["message"] == {
        "role": "assistant",
        "content": published["content"][0]["text"],
        "reasoning_content": published["content"][1]["thinking"],
    }


def test_calls() -> None:
    bare = {"type": "tool_use", "id": "2", "name": "g", "input": {}}
    assert message(THINKING, TOOL_USE, bare) == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }


def test_unknown_blocks_are_ignored() -> None:
    blocks = [{"type": "server_tool_use", "id": "s"}, TEXT, {"type": "redacted", "text": 5}, TEXT]
    assert message(*blocks) == {"role": "assistant", "content": "HiHi"}


def test_signatures() -> None:
    signed = THINKING | {"signature": "c2ln"}
    assert message(signed, TEXT)["reasoning_signature"] == "c2ln"
    assert "reasoning_signature" not in message(signed, TEXT, signed)  # none signs the whole
    assert "reasoning_signature" not in message(THINKING)


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("content_filter", "content_filter"),
        ("repetition_truncation", "repetition_truncation"),
        ("pause_turn", "pause_turn"),
        (None, None),
    ],
)
def test_stop_reasons(stop_reason: str | None, finish_reason: str | None) -> None:
    response = answer(TEXT, stop_reason=stop_reason, stop_sequence=None)
    assert response["choices"][0]["finish_reason"] == finish_reason
    assert "stop_sequence" not in response


def test_what_else_came_is_kept() -> None:
    response = answer(TEXT, stop_reason="stop_sequence", stop_sequence="x", provider="Xiaomi")
    assert (response["stop_sequence"], response["provider"]) == ("x", "Xiaomi")


@pytest.mark.parametrize(
    ("sent", "usage"),
    [
        (None, None),
        ({}, None),
        (
            {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": None},
            {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        ),
        (
            {
                "input_tokens": 3,
                "output_tokens": 2,
                "cache_read_input_tokens": 10,
                "cache_creation_input_tokens": 20,
            },
            {
                "prompt_tokens": 33,
                "completion_tokens": 2,
                "total_tokens": 35,
                "prompt_tokens_details": {"cached_tokens": 10, "cache_creation_tokens": 20},
            },
        ),
        (
            {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 0},
            {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "total_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 0},
            },
        ),
    ],
)
def test_usage(sent: Any, usage: Any) -> None:
    assert answer(TEXT, usage=sent)["usage"] == usage


@pytest.mark.parametrize(
    "payload", [{}, {"content": None}, {"content": "x"}, {"content": []}, {"choices": []}]
)
def test_what_is_no_answer(payload: dict[str, Any]) -> None:
    assert response_of(payload) is None


def test_an_empty_answer_is_one() -> None:
    assert message() == {"role": "assistant", "content": ""}
