"""Edges of the pure modules that no other test looked at, found by `make mutants`."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._request.body import encode_body
from mimo_core._response.body import BodyReader
from mimo_core._response.gate import readable_usage
from mimo_core._response.repair import ToolCallRepair
from mimo_core.errors import InvalidRequestError
from mimo_core.limits import Limits
from mimo_core.models import MODELS

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}


@pytest.mark.parametrize("seconds", [0, 0.5, 1])
def test_a_recording_may_be_shorter_than_a_second(seconds: float) -> None:
    assert readable_usage({"seconds": seconds}) == {"seconds": seconds}


def test_a_negative_length_is_left_out() -> None:
    assert "seconds" not in (readable_usage({"seconds": -0.5, "prompt_tokens": 1}) or {})


@pytest.mark.parametrize("arguments", ['{"a":', "", "[" * 100_000, '"{"'])
def test_arguments_that_cannot_be_read_stay_as_they_are(arguments: str) -> None:
    assert ToolCallRepair([TOOL]).arguments("f", arguments) == arguments


@pytest.mark.parametrize(("name", "arguments"), [("f", "[1]"), ("f", "5"), ("unknown", '{"a": 1}')])
def test_arguments_that_no_schema_describes_stay_as_they_are(name: str, arguments: str) -> None:
    assert ToolCallRepair([TOOL]).arguments(name, arguments) == arguments


def test_only_chat_models_call_tools() -> None:
    assert {info.kind for info in MODELS.values() if info.tools} == {"chat"}
    assert all(info.tools for info in MODELS.values() if info.kind == "chat")


@pytest.mark.parametrize(("size", "enough"), [(9, False), (10, False), (11, True)])
def test_an_answer_may_be_as_large_as_the_limit(size: int, enough: bool) -> None:
    reader = BodyReader(is_answer=True, limits=Limits(answer=10))
    reader.feed(b"x" * size)
    assert reader.has_enough is enough


def test_an_answer_without_a_byte() -> None:
    assert BodyReader(is_answer=True).body() == b""


@pytest.mark.parametrize(
    ("value", "reason"), [(b"x", "bytes is not JSON serializable"), ("deep", "nested too deeply")]
)
def test_a_request_that_is_not_json_says_where_and_why(value: Any, reason: str) -> None:
    if value == "deep":
        value = []
        for _ in range(1_000_000):
            value = [value]
    messages = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Hi", "x": value}]
    with pytest.raises(InvalidRequestError, match=rf"messages\[1\]\.x is not JSON: .*{reason}"):
        encode_body({"model": "mimo", "messages": messages})
