"""Tokens, more or less: no tokenizer is published."""

from __future__ import annotations

import pytest

from mimo_core.token_estimate import tokens_in_request, tokens_in_text


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("four", 1), ("a word", 2), ("你好吗", 2), ("你好吗 four", 4)]
)
def test_four_letters_or_three_halves_of_a_wide_one(text: str, tokens: int) -> None:
    assert tokens_in_text(text) == tokens


def test_media_count_a_flat_sum_and_never_their_base64() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    text = {"type": "text", "text": "four"}
    assert tokens_in_request([{"role": "user", "content": [text, image]}]) == 1_005


def test_calls_reasoning_and_tools_count() -> None:
    call = {"function": {"name": "look", "arguments": '{"at": 1}'}}
    message = {
        "role": "assistant",
        "content": "",
        "reasoning_content": "four",
        "tool_calls": [call],
    }
    assert tokens_in_request([message]) == 4 + 1 + 4
    assert (
        tokens_in_request([message], [{"type": "function"}]) == 4 + 1 + 4 + 5
    )  # "look {…}" has 15 letters, the tool 20
