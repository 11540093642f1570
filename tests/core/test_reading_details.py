"""From bytes to values: events, halves of letters, names of reasoning, JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core._response.decode import parse_json
from mimo_core._response.letters import LetterJoiner, make_whole, whole
from mimo_core._response.reasoning import adopt_reasoning, joined_details
from mimo_core._response.sse import EventTooLargeError, SSEParser

HIGH, LOW = "\ud83d", "\ude0a"  # the halves of 😊


# Events


@pytest.mark.parametrize(
    ("pieces", "events"),
    [
        ([b"data: a\n\n", b"data: b\n\n"], [[b"a"], [b"b"]]),
        ([b"data: a\n\n", b"data: b\n", b"\n"], [[b"a"], [], [b"b"]]),
        ([b"data: a\n", b"data: b\n\n"], [[], [b"a\nb"]]),
        ([b"data: a\n\n", b"data: ", b"data: b\n\n"], [[b"a"], [], [b"data: b"]]),
        ([b"data: a\n\n", b"data:b\n\n"], [[b"a"], [b"b"]]),
        ([b"data: a\n\n", b"data: b\rdata: c\n\n"], [[b"a"], [b"b\nc"]]),
        ([b"data: a\n\n", b"data: b\ndata: c\n\n"], [[b"a"], [b"b\nc"]]),
        ([b"data: a\r\n\r", b"\n", b"data: b\n\n"], [[b"a"], [], [b"b"]]),
        ([b"data: a\r\n\r", b"", b"\ndata: b\r", b"\r"], [[b"a"], [], [], [b"b"]]),
        ([b"data: a\r", b"\ndata: b\n\n"], [[], [b"a\nb"]]),
        ([b"\xef", b"\xbb", b"\xbfdata: a\n\n"], [[], [], [b"a"]]),
        ([b"\xefdata: a\n\n", b"data: b\n\n"], [[], [b"b"]]),
        ([b"", b"data: a\n\n"], [[], [b"a"]]),
        ([b": x\n\n", b"data: a\n\n\n\n"], [[], [b"a"]]),
        ([b": x\n\n", b"data: a\n\n\n"], [[], [b"a"]]),
        ([b": x\n\n", b"data: a\nd", b"ata: b\n\n"], [[], [], [b"a\nb"]]),
        ([b"data: a\n\n", b"\xef\xbb\xbfdata: b\n\n"], [[b"a"], []]),
    ],
)
def test_each_piece_gives_the_events_that_it_completes(
    pieces: list[bytes], events: list[list[bytes]]
) -> None:
    parser = SSEParser()
    assert [parser.feed(piece) for piece in pieces] == events


def test_an_event_that_is_over_is_not_given_again_at_the_end() -> None:
    parser = SSEParser()
    assert parser.feed(b"data: a\n\ndata: b") == [b"a"]
    assert parser.close() == [b"b"]
    assert parser.close() == []
    assert parser.feed(b"data: c\n\n") == [b"c"]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: 45678"], [b"data: ", b"45678"], [b"data: 4\n", b"data: 7"], [b": comment, long"]],
)
def test_no_more_of_an_event_is_held_than_may_be(pieces: list[bytes]) -> None:
    enough = SSEParser(sum(map(len, pieces)))
    assert [enough.feed(piece) for piece in pieces] == [[]] * len(pieces)
    parser = SSEParser(sum(map(len, pieces)) - 1)
    for piece in pieces[:-1]:
        assert parser.feed(piece) == []
    with pytest.raises(EventTooLargeError):
        parser.feed(pieces[-1])


def test_what_is_over_is_not_held() -> None:
    parser = SSEParser(10)
    for _ in range(5):
        assert parser.feed(b"data: 6789\n\n") == [b"6789"]
        assert parser.feed(b": 3456\n\n") == []
        assert parser.feed(b"data: 678") == []
        assert parser.feed(b"9\n\n") == [b"6789"]
    assert parser.feed(b"data: a\n\ndata: 6789") == [b"a"]
    with pytest.raises(EventTooLargeError):
        parser.feed(b"0")


# Letters


def test_halves_of_a_letter_are_joined_in_each_text_and_each_call() -> None:
    joiner = LetterJoiner()
    first: Any = {
        "content": "a" + HIGH,
        "reasoning_content": "b" + HIGH,
        "tool_calls": [
            {"index": 0, "function": {"arguments": "c" + HIGH}},
            {"index": 1, "function": {"arguments": "d"}},
        ],
    }
    joiner.delta(first)
    assert (first["content"], first["reasoning_content"]) == ("a", "b")
    assert [call["function"]["arguments"] for call in first["tool_calls"]] == ["c", "d"]
    second: Any = {
        "content": LOW,
        "reasoning_content": LOW + "e",
        "tool_calls": [
            {"index": 1, "function": {"arguments": "f"}},
            {"index": 0, "function": {"arguments": LOW}},
            {"index": 2},
            {"index": 2, "function": {"name": "x"}},
            {"index": 2, "function": {"arguments": {"x": 1}}},
        ],
    }
    joiner.delta(second)
    assert (second["content"], second["reasoning_content"]) == ("😊", "😊e")
    assert [call["function"]["arguments"] for call in second["tool_calls"][:2]] == ["f", "😊"]
    assert joiner.rest() == {}


def test_halves_that_stay_alone() -> None:
    joiner = LetterJoiner()
    delta: Any = {"content": HIGH, "tool_calls": [{"index": 3, "function": {"arguments": HIGH}}]}
    joiner.delta(delta)
    assert delta["content"] == ""
    assert joiner.rest() == {
        "content": "\ufffd",
        "tool_calls": [{"index": 3, "function": {"arguments": "\ufffd"}}],
    }
    assert joiner.rest() == {}


@pytest.mark.parametrize("half", [chr(0xD800), chr(0xDBFF)])
def test_every_first_half_waits(half: str) -> None:
    delta: Any = {"content": half}
    LetterJoiner().delta(delta)
    assert delta == {"content": ""}


@pytest.mark.parametrize("letter", ["\ud7ff", "\ufffd", "x", "😊"])
def test_whole_letters_do_not_wait(letter: str) -> None:
    delta: Any = {"content": letter}
    joiner = LetterJoiner()
    joiner.delta(delta)
    assert delta == {"content": letter}
    assert joiner.rest() == {}


def test_a_second_half_alone_is_replaced() -> None:
    delta: Any = {"content": LOW + "x"}
    LetterJoiner().delta(delta)
    assert delta == {"content": "\ufffdx"}


def test_a_whole_message_is_made_writable() -> None:
    message: Any = {"content": HIGH + LOW, "tool_calls": [{"function": {"arguments": HIGH}}]}
    make_whole(message)
    assert message == {"content": "😊", "tool_calls": [{"function": {"arguments": "\ufffd"}}]}
    assert whole("plain é") == "plain é"


# Reasoning


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"reasoning": "a"}, "a"),
        ({"reasoning": "a", "reasoning_content": "b"}, "b"),
        ({"reasoning": "a", "reasoning_content": ""}, "a"),
        ({"reasoning": "", "reasoning_details": [{"text": "c"}, {"summary": "d"}]}, "cd"),
        ({"reasoning": 5, "reasoning_details": [{"text": "c"}]}, "c"),
        ({"reasoning": "a", "reasoning_details": [{"text": "c"}]}, "a"),
        ({"reasoning_details": [{"text": "", "summary": "d"}, "x", {"text": 5}, {}]}, "d"),
        ({"reasoning_details": {"text": "c"}}, None),
        ({"reasoning_details": []}, None),
        ({"reasoning": ""}, None),
        ({}, None),
    ],
)
def test_reasoning_has_one_name(message: Any, reasoning: str | None) -> None:
    before = dict(message)
    adopted: Any = adopt_reasoning(message)
    assert adopted.get("reasoning_content") == reasoning
    assert "reasoning" not in adopted
    assert adopted.get("reasoning_details") == message.get("reasoning_details")
    assert message == before


@pytest.mark.parametrize(
    ("pieces", "details"),
    [
        (
            [{"type": "t", "index": 0, "text": "a"}, {"type": "t", "index": 0, "text": "b"}],
            [{"type": "t", "index": 0, "text": "ab"}],
        ),
        (
            [{"type": "t", "index": 0, "text": "a"}, {"type": "u", "index": 0, "text": "b"}],
            [{"type": "t", "index": 0, "text": "a"}, {"type": "u", "index": 0, "text": "b"}],
        ),
        (
            [{"type": "t", "index": 0, "data": "a"}, {"type": "t", "index": 1, "data": "b"}],
            [{"type": "t", "index": 0, "data": "a"}, {"type": "t", "index": 1, "data": "b"}],
        ),
        (
            [{"type": "t", "text": "a"}, {"type": "t", "text": "b"}],
            [{"type": "t", "text": "a"}, {"type": "t", "text": "b"}],
        ),
        (
            [{"index": 0, "summary": "a", "x": 1, "y": 1}, {"index": 0, "x": None, "y": 2}],
            [{"index": 0, "summary": "a", "x": 1, "y": 2}],
        ),
        (
            [{"index": 0, "text": None}, {"index": 0, "text": "a"}, {"index": 0, "text": 5}],
            [{"index": 0, "text": 5}],
        ),
        (
            [{"index": 0, "format": "a"}, {"index": 0, "format": "b"}],
            [{"index": 0, "format": "b"}],
        ),
        (
            [{"index": 0, "id": "1", "text": "a"}, {"index": 0, "id": "2", "text": "b"}],
            [{"index": 0, "id": "1", "text": "a"}, {"index": 0, "id": "2", "text": "b"}],
        ),
        (
            [{"index": 0, "id": "1", "text": "a"}, {"index": 0, "id": "1", "text": "b"}],
            [{"index": 0, "id": "1", "text": "ab"}],
        ),
        (["x", {"index": 0}, "y"], ["x", {"index": 0}, "y"]),
        ([], []),
    ],
)
def test_pieces_of_reasoning_details(pieces: list[Any], details: list[Any]) -> None:
    before = json.dumps(pieces)
    assert joined_details(pieces) == details
    assert json.dumps(pieces) == before


# JSON


@pytest.mark.parametrize(("text", "most"), [('"\\ud800"', 200), ("1", 200)])
def test_brackets_may_be_about_200_deep(text: str, most: int) -> None:
    assert parse_json(b"[" * most + text.encode() + b"]" * most)
    payload = b"[" * (most + 1) + text.encode() + b"]" * (most + 1)
    with pytest.raises(ValueError, match="nested deeper than 200"):
        parse_json(payload)


def test_what_no_parser_can_follow_is_nested_too_deeply() -> None:
    with pytest.raises(ValueError, match="nested deeper than 200"):
        parse_json(b'["\\ud800",' + b"[" * 100_000)


def test_objects_within_each_other_are_counted_too() -> None:
    payload = b'{"a":' * 201 + b'"\\ud800"' + b"}" * 201
    with pytest.raises(ValueError, match="nested deeper than 200"):
        parse_json(payload)
    assert parse_json(b'{"a":"\\ud800"}') == {"a": "\ud800"}
