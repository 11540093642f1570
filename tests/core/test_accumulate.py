"""`Accumulator`, field by field: what stands beside the usual fields of a delta is kept too."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._response.accumulate import (
    Accumulator,
    chunk_from,
    collect,
    empty_response,
    response_from,
)

SOURCE = {"type": "url_citation", "url": "https://example.org"}
CALL: dict[str, Any] = {
    "index": 0,
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}


def message(*deltas: Any, keep_audio: bool = True) -> dict[str, Any]:
    accumulator = Accumulator(keep_audio=keep_audio)
    for delta in deltas:
        accumulator.add(delta)
    return dict(accumulator.message())


@pytest.mark.parametrize(
    "usual",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning_content": "x", "content": None},
        {"content": "x", "reasoning_content": "y"},
        {"tool_calls": [CALL]},
        {"content": "x", "tool_calls": [CALL]},
        {"content": "x", "reasoning_content": "y", "tool_calls": [CALL]},
        {},
    ],
)
def test_a_field_beside_the_usual_ones_is_kept(usual: dict[str, Any]) -> None:
    whole = message({**usual, "annotations": [SOURCE], "refusal": "no"})
    assert whole["annotations"] == [SOURCE]
    assert whole["refusal"] == "no"
    assert whole["content"] == (usual.get("content") or "")
    assert whole.get("reasoning_content") == usual.get("reasoning_content")
    assert len(whole.get("tool_calls") or ()) == len(usual.get("tool_calls", ()))


@pytest.mark.parametrize(
    "usual", [{"content": "x"}, {"reasoning_content": "x"}, {"tool_calls": [CALL]}]
)
def test_one_field_beside_a_usual_one_is_kept(usual: dict[str, Any]) -> None:
    assert message({**usual, "refusal": "no"})["refusal"] == "no"


def test_an_empty_delta_adds_nothing() -> None:
    assert message({}, {"content": None}, {"content": ""}, {"role": "assistant"}) == {
        "role": "assistant",
        "content": "",
    }


def test_an_empty_reasoning_is_a_reasoning() -> None:
    assert message({"reasoning_content": ""})["reasoning_content"] == ""
    assert "reasoning_content" not in message({"reasoning_content": None})


def test_lists_follow_each_other_and_of_other_fields_the_last_counts() -> None:
    whole = message(
        {"annotations": [SOURCE], "refusal": "a", "note": [1]},
        {"annotations": [SOURCE], "refusal": "b", "note": [2]},
        {"annotations": None, "refusal": None, "note": None},
    )
    assert whole["annotations"] == [SOURCE, SOURCE]
    assert (whole["refusal"], whole["note"]) == ("b", [2])


def test_the_role_that_a_server_gives_does_not_count() -> None:
    assert message({"role": "tool", "refusal": "x"})["role"] == "assistant"


def test_pieces_of_audio_are_joined_and_its_other_fields_stay() -> None:
    whole = message(
        {"audio": {"id": "a", "data": "QUFB", "expires_at": None}},
        {"audio": {"id": None, "data": "QkJC", "transcript": "Hi"}},
        {"audio": {"data": ""}},
        {"audio": None},
    )
    assert whole["audio"] == {
        "id": "a",
        "expires_at": None,
        "data": "QUFBQkJC",
        "transcript": "Hi",
    }


def test_audio_without_data_has_none() -> None:
    assert message({"audio": {"id": "a"}})["audio"] == {"id": "a"}
    assert message({"audio": {"data": "QUFB", "id": "a"}}, keep_audio=False)["audio"] == {"id": "a"}


def test_reasoning_details_are_put_together() -> None:
    piece = {"type": "reasoning.text", "index": 0, "text": "a"}
    whole = message({"reasoning_details": [piece]}, {"reasoning_details": [{**piece, "text": "b"}]})
    assert whole["reasoning_details"] == [{**piece, "text": "ab"}]


def calls(*pieces: Any) -> list[Any]:
    return list(message(*({"tool_calls": [piece]} for piece in pieces))["tool_calls"])


def test_a_call_keeps_the_first_id_and_name_and_the_last_type() -> None:
    assert calls(
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
        {"index": 0, "id": "b", "type": "custom", "function": {"name": "g", "arguments": "}"}},
        {"index": 0, "id": None, "type": None, "function": None},
    ) == [{"id": "a", "type": "custom", "function": {"name": "f", "arguments": "{}"}}]


def test_a_call_of_which_little_came() -> None:
    assert calls({"index": 0}) == [
        {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
    ]


def test_calls_stand_in_the_order_of_their_indices() -> None:
    second, first = {**CALL, "index": 1, "id": "b"}, {**CALL, "index": 0, "id": "a"}
    assert [call["id"] for call in calls(second, first)] == ["a", "b"]


def test_without_an_index_a_piece_belongs_to_the_last_call() -> None:
    pieces = [
        {"id": "a", "function": {"name": "f", "arguments": "1"}},
        {"function": {"arguments": "2"}},
        {"id": "b", "function": {"name": "g", "arguments": "3"}},
        {"id": "", "function": {"arguments": "4"}},
        {"id": "b", "function": {"arguments": "5"}},
        {"id": "c", "function": {"name": "h", "arguments": "6"}},
    ]
    assert [(call["id"], call["function"]["arguments"]) for call in calls(*pieces)] == [
        ("a", "12"),
        ("b", "345"),
        ("c", "6"),
    ]


@pytest.mark.parametrize("id_", ["a", "", None])
def test_the_first_piece_without_an_index_opens_the_first_call(id_: str | None) -> None:
    whole = calls({"id": id_, "function": {"name": "f", "arguments": "{}"}})
    assert [call["id"] for call in whole] == [id_ or id_]
    assert whole[0]["function"] == {"name": "f", "arguments": "{}"}


def test_the_chunks_of_a_stream_as_one_response() -> None:
    chunks: list[Any] = [
        {"id": "1", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hel"}}]},
        {"choices": [{"delta": None, "finish_reason": "length"}], "usage": {"total_tokens": 1}},
        {"choices": [{"delta": {"content": "lo"}, "finish_reason": None}], "usage": None},
        {"id": "2", "model": "m", "object": "chat.completion.chunk", "choices": None},
    ]
    assert collect(chunks) == {
        "id": "2",
        "model": "m",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "length",
                "message": {"role": "assistant", "content": "Hello"},
            }
        ],
        "usage": {"total_tokens": 1},
    }


def test_no_chunks_are_an_empty_response() -> None:
    empty = {
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": None, "message": {"role": "assistant", "content": ""}}
        ],
        "usage": None,
    }
    assert collect([]) == empty
    assert empty_response() == empty


def test_a_response_as_one_chunk_leaves_out_what_is_null_and_numbers_the_calls() -> None:
    whole: Any = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]}
    response = response_from(whole, "tool_calls", None, {"id": "1"})
    assert chunk_from(response) == {
        "id": "1",
        "object": "chat.completion.chunk",
        "usage": None,
        "choices": [
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "tool_calls": [{"index": 0, "id": "a"}, {"index": 1, "id": "b"}],
                },
                "finish_reason": "tool_calls",
            }
        ],
    }
    assert whole["tool_calls"] == [{"id": "a"}, {"id": "b"}]
