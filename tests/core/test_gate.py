"""The one gate: a wrong type in a field that is read is an error of the family, with what had come.

Each field is tried in a stream and in a whole answer; what nobody reads passes.
"""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import InvalidResponseError, MiMoClient, MiMoError, StreamInterruptedError
from mimo_core._response.gate import readable_usage
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.core.test_stream import DONE, HEL, broken, decoded, delta, event, text

FUNCTION: dict[str, Any] = {"name": "f", "arguments": ""}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": FUNCTION}


def call(**function: Any) -> dict[str, Any]:
    return {**CALL, "function": {**FUNCTION, **function}}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"content": 5}, "content is a number, not a text"),
    ({"content": ["a"]}, "content is a list, not a text"),
    ({"content": True}, "content is true or false, not a text"),
    ({"reasoning_content": {}}, "reasoning_content is an object, not a text"),
    ({"reasoning": 1.5}, "reasoning is a number, not a text"),
    ({"reasoning_details": ["x"]}, "an element of"),
    ({"tool_calls": {"0": CALL}}, "tool_calls is an object, not a list"),
    ({"tool_calls": 7}, "tool_calls is a number, not a list"),
    ({"tool_calls": ["f"]}, "tool_calls is a text, not an object"),
    ({"tool_calls": [{**CALL, "id": 3}]}, "tool_calls.id is a number, not a text"),
    ({"tool_calls": [{**CALL, "index": "0"}]}, "tool_calls.index is a text, not a whole number"),
    ({"tool_calls": [{**CALL, "function": "f"}]}, "function is a text, not an object"),
    ({"tool_calls": [call(name=["f"])]}, "function.name is a list, not a text"),
    ({"tool_calls": [call(arguments=[1])]}, "function.arguments is a list, not a text"),
    ({"annotations": [5]}, "annotations is a number, not an object"),
    ({"annotations": [{"url": 5}]}, "annotations.url is a number, not a text"),
    ({"audio": "AAAA"}, "audio is a text, not an object"),
    ({"audio": {"data": 5}}, "audio.data is a number, not a text"),
    ({"error_message": {}}, "error_message is an object, not a text"),
    ({"final_text_preview": []}, "final_text_preview is a list, not a text"),
]


@pytest.mark.parametrize(("fields", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_type_in_a_stream(fields: dict[str, Any], says: str) -> None:
    chunks, error = broken(HEL, event(delta(**fields)), event(delta("stop")), DONE)
    assert type(error) is StreamInterruptedError
    assert says in str(error)
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "Hel"
    assert text(chunks) == "Hel"


@pytest.mark.parametrize(("fields", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_type_in_a_whole_answer(mimo: FakeMiMo, fields: dict[str, Any], says: str) -> None:
    message = {"role": "assistant", "content": "Hello", **fields}
    mimo.queue({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    error = whole(mimo)
    assert type(error) is InvalidResponseError
    assert says in str(error)


def whole(mimo: FakeMiMo) -> MiMoError:
    """The error of an unstreamed call."""
    request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}
    with (
        MiMoClient(KEY, base_url=mimo.base_url) as client,
        pytest.raises(MiMoError) as raised,
    ):
        client.chat(request)
    return raised.value


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"index": "0", "delta": {"content": "x", "role": "a"}}, "index is a text"),
        ({"index": 0, "delta": 5}, "delta is a number, not an object"),
        ({"index": 0, "delta": [1, 2]}, "delta is a list, not an object"),
        ({"index": 0, "message": {"content": "x"}}, "'message' in place of 'delta'"),
        ({"index": 0, "delta": {"content": "x"}, "finish_reason": 5}, "finish_reason is a number"),
        ({"index": 0, "delta": {}, "finish_reason": "abort"}, "gave up, with the finish reason"),
        ({"index": 0, "delta": {}, "finish_reason": "error"}, "gave up, with the finish reason"),
        ("x", "not a chunk"),
        (None, "not a chunk"),
    ],
)
def test_a_choice_that_is_none(choice: Any, says: str) -> None:
    _, error = broken(HEL, event(choice), event(delta("stop")), DONE)
    assert type(error) is StreamInterruptedError
    assert says in str(error)


@pytest.mark.parametrize("reason", ["abort", "error", "ABORT", "cancelled"])
def test_a_server_that_gave_up_on_a_whole_answer(mimo: FakeMiMo, reason: str) -> None:
    message = {"role": "assistant", "content": "Hel"}
    mimo.queue({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})
    assert f"gave up, with the finish reason '{reason}'" in str(whole(mimo))


@pytest.mark.parametrize(
    "field", [{"x": 5}, {"role": None}, {"refusal": 7}, {"function_call": []}, {"audio": None}]
)
def test_what_nobody_reads_passes(field: dict[str, Any]) -> None:
    chunks = decoded(HEL, event(delta(content="lo", **field)), event(delta("stop")), DONE)
    assert text(chunks) == "Hello"


@pytest.mark.parametrize(
    ("usage", "readable"),
    [
        (
            {"prompt_tokens": 1, "completion_tokens": 2},
            {"prompt_tokens": 1, "completion_tokens": 2},
        ),
        ({"prompt_tokens": 1.0}, {"prompt_tokens": 1}),
        ({"prompt_tokens": 1.5, "total_tokens": 3}, {"total_tokens": 3}),
        ({"prompt_tokens": "1", "completion_tokens": None, "total_tokens": -3}, None),
        ({"prompt_tokens": True, "seconds": 1.5}, {"seconds": 1.5}),
        ({"seconds": "1", "total_tokens": 1}, {"total_tokens": 1}),
        ({"seconds": float("inf"), "total_tokens": 1}, {"total_tokens": 1}),  # nobody can round it
        ({"seconds": float("nan"), "total_tokens": 1}, {"total_tokens": 1}),
        ({"seconds": -1, "total_tokens": 1}, {"total_tokens": 1}),
        ({"prompt_tokens": 2**63, "total_tokens": 2**63 - 1}, {"total_tokens": 2**63 - 1}),
        ({"prompt_tokens": 1e300, "total_tokens": 1}, {"total_tokens": 1}),
        (
            {"total_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": "x"}},
            {"total_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}},
        ),
        ({"total_tokens": 1, "prompt_tokens_details": 5}, {"total_tokens": 1}),
        ({"total_tokens": 1, "cost": "0.1"}, {"total_tokens": 1, "cost": "0.1"}),
        ("x", None),
        ([1], None),
        (None, None),
    ],
)
def test_a_wrong_count_costs_the_count_and_not_the_answer(usage: Any, readable: Any) -> None:
    assert readable_usage(usage) == readable
    counted = event(usage=usage)
    chunks = decoded(HEL, event(delta("stop")), counted, DONE)
    assert text(chunks) == "Hel"
    assert chunks[-1]["usage"] == readable
