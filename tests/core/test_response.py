"""`collect`: a stream folded into the response that the same call gives unstreamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimo_core import collect
from mimo_core._response.accumulate import chunk_from


def chunk(finish_reason: str | None = None, usage: Any = None, **delta: Any) -> Any:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c1", "model": "mimo-v2.5-pro", "created": 1, "choices": [choice], "usage": usage}


def message(*deltas: dict[str, Any]) -> Any:
    return collect([chunk(**delta) for delta in deltas])["choices"][0]["message"]


def piece(index: int | None, arguments: str = "", **fields: Any) -> dict[str, Any]:
    call: dict[str, Any] = {"function": {"arguments": arguments, "name": fields.pop("name", None)}}
    if index is not None:
        call["index"] = index
    return {"tool_calls": [{**call, **fields}]}


def test_text_and_reasoning() -> None:
    response = collect(
        [
            chunk(role="assistant", content="", tool_calls=None, reasoning_content=None),
            chunk(content=None, reasoning_content="Hm"),
            chunk(content=None, reasoning_content="."),
            chunk(content="Hel", reasoning_content=None),
            chunk(content="lo"),
            chunk("stop", {"total_tokens": 3}),
        ]
    )
    assert response == {
        "id": "c1",
        "model": "mimo-v2.5-pro",
        "created": 1,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."},
            }
        ],
        "usage": {"total_tokens": 3},
    }


def test_fields_that_never_came_are_not_made_up() -> None:
    assert message({"content": "x"}) == {"role": "assistant", "content": "x"}


def test_nothing_is_an_empty_answer_without_an_end() -> None:
    assert collect([])["choices"] == [
        {"index": 0, "finish_reason": None, "message": {"role": "assistant", "content": ""}}
    ]


def test_usage_counts_once_the_last_one() -> None:
    chunks = [chunk(content="a", usage={"total_tokens": n}) for n in (1, 2, 3)]
    assert collect([*chunks, chunk("stop")])["usage"] == {"total_tokens": 3}


def test_chunks_off_the_wire_without_choices_are_fine() -> None:
    response = collect([chunk("stop", content="x"), {"choices": [], "usage": {"total_tokens": 1}}])
    assert response["choices"][0]["finish_reason"] == "stop"
    assert response["usage"] == {"total_tokens": 1}


# Tool calls


def test_parallel_calls_by_index_however_they_are_mixed() -> None:
    calls = message(
        piece(0, id="a", type="function", name="f"),
        piece(1, id="b", type="function", name="g"),
        piece(1, '{"x"', id=None),
        piece(0, "{", id=None),
        piece(1, ":1}"),
        piece(0, "}"),
    )["tool_calls"]
    assert calls == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x":1}'}},
    ]


def test_without_an_index_a_new_id_opens_a_call_and_the_rest_goes_on() -> None:
    calls = message(
        piece(None, "{", id="a", name="f"),
        piece(None, "}"),
        piece(None, "[", id="b", name="g"),
        piece(None, "]"),
    )["tool_calls"]
    assert [(c["id"], c["function"]["arguments"]) for c in calls] == [("a", "{}"), ("b", "[]")]


def test_without_an_index_an_id_repeated_on_each_piece_is_the_same_call() -> None:
    calls = message(
        piece(None, "{", id="a", name="f"), piece(None, "}", id="a"), piece(None, "x", id="b")
    )["tool_calls"]
    assert [(c["id"], c["function"]["arguments"]) for c in calls] == [("a", "{}"), ("b", "x")]


def test_whole_calls_in_one_piece_without_index() -> None:
    both = {
        "tool_calls": [piece(None, "1", id="a")["tool_calls"][0], {"id": "b", "function": None}]
    }
    assert [call["id"] for call in message(both)["tool_calls"]] == ["a", "b"]


def test_a_first_piece_without_anything_opens_a_call_all_the_same() -> None:
    assert message(piece(None, "{}"))["tool_calls"] == [
        {"id": None, "type": "function", "function": {"name": "", "arguments": "{}"}}
    ]


def test_a_repeated_name_is_not_doubled() -> None:
    calls = message(piece(0, id="a", name="f"), piece(0, "{}", name="f"))["tool_calls"]
    assert calls[0]["function"] == {"name": "f", "arguments": "{}"}


# What else comes


def test_the_sources_of_a_search_and_other_fields() -> None:
    answer = message(
        {"annotations": [{"url": "a"}], "content": ""},
        {"annotations": [{"url": "b"}], "error_message": "no quota"},
        {"content": "x", "final_text_preview": "y"},
    )
    assert answer["annotations"] == [{"url": "a"}, {"url": "b"}]
    assert (answer["error_message"], answer["final_text_preview"]) == ("no quota", "y")


def test_collecting_does_not_change_the_chunks() -> None:
    chunks = [chunk(annotations=[{"url": "a"}]), chunk(annotations=[{"url": "b"}])]
    before = json.dumps(chunks)
    collect(chunks)
    assert json.dumps(chunks) == before


def test_audio_pieces_become_one_text() -> None:
    answer = message(
        {"audio": {"id": "a1", "data": "AAA", "expires_at": None}},
        {"audio": {"id": "a1", "data": "BBB", "transcript": "Hi"}},
        {"audio": {"data": "", "transcript": None}},
    )
    assert answer["audio"] == {"id": "a1", "data": "AAABBB", "expires_at": None, "transcript": "Hi"}
    assert message({"audio": {"id": "a1", "data": None}})["audio"] == {"id": "a1"}


def test_an_emoji_in_two_halves_is_whole_again() -> None:
    answer = message({"content": "x\ud83d"}, {"content": "\ude0a"}, {"reasoning_content": "\ud83d"})
    assert answer["content"] == "x😊"
    assert answer["reasoning_content"] == "\ufffd"  # a half alone cannot even be printed


# Samples and properties


@pytest.mark.parametrize(
    "name",
    [
        "asr_transcript",
        "chat_flash_introduction",
        "chat_flash_thinking",
        "chat_introduction",
        "chat_json_object_meeting",
        "chat_tool_call",
        "cloudsway_chat_introduction",
    ],
)
def test_a_published_answer_as_one_chunk_collects_to_itself(
    name: str, sample: Callable[[str], Any]
) -> None:
    published = sample(name)
    folded = collect([chunk_from(sample(name))])

    for choice in published["choices"]:
        present = {k: v for k, v in choice["message"].items() if v is not None}
        choice["message"] = present
        choice.pop("native_finish_reason", None)
    assert folded == published


def _cut(draw: Any, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def responses_and_chunks(draw: Any) -> tuple[Any, list[Any]]:
    """A response, and one of the many streams that say the same."""
    text = draw(st.text(max_size=20))
    reasoning = draw(st.none() | st.text(max_size=20))
    calls = draw(
        st.lists(st.tuples(st.text("ab", min_size=1, max_size=5), st.text(max_size=15)), max_size=3)
    )
    usage = draw(st.none() | st.just({"total_tokens": 3}))
    indexed = draw(st.booleans())
    finish = draw(st.sampled_from(["stop", "length", "tool_calls"]))

    answer: dict[str, Any] = {"role": "assistant", "content": text}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if reasoning is not None:
        answer["reasoning_content"] = reasoning
        deltas += [{"content": None, "reasoning_content": p} for p in _cut(draw, reasoning)]
    deltas += [{"content": p} for p in _cut(draw, text)]
    for index, (name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": arguments}
        answer.setdefault("tool_calls", []).append(
            {"id": f"call_{index}", "type": "function", "function": function}
        )
        at = index if indexed else None
        deltas.append(piece(at, id=f"call_{index}", type="function", name=name))
        deltas += [piece(at, p) for p in _cut(draw, arguments)]
    response = {
        "id": "c1",
        "model": "mimo-v2.5-pro",
        "created": 1,
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": finish, "message": answer}],
        "usage": usage,
    }
    return response, [*(chunk(**delta) for delta in deltas), chunk(finish, usage)]


@settings(max_examples=40)
@given(responses_and_chunks())
def test_splitting_and_collecting_gives_the_response_back(case: tuple[Any, list[Any]]) -> None:
    response, chunks = case
    assert collect(chunks) == response
