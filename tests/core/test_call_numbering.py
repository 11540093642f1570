"""`CallNumbering`, piece by piece: which call a piece belongs to, and what it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.calls import (
    MAX_DEPTH,
    CallNumbering,
    is_too_deep,
    new_call_id,
    with_own_ids,
)


def piece(
    index: Any = None, id_: Any = None, name: Any = None, arguments: Any = None, **more: Any
) -> Any:
    function = {"name": name, "arguments": arguments}
    made: dict[str, Any] = {"index": index, "id": id_, **more}
    made["function"] = {key: value for key, value in function.items() if value is not None}
    return {key: value for key, value in made.items() if value is not None}


def numbered(*pieces: Any) -> list[Any]:
    numbering = CallNumbering()
    return [dict(out) for one in pieces for out in numbering.number([one])]


def places(*pieces: Any) -> list[int]:
    return [one["index"] for one in numbered(*pieces)]


def test_a_new_id_is_one_that_no_other_call_has() -> None:
    one, other = new_call_id(), new_call_id()
    assert one != other
    assert len(one) == len(other) == len("call_") + 24


def test_the_first_piece_has_id_type_and_name_and_the_next_ones_have_not() -> None:
    first, second, third = numbered(
        piece(0, "a", "f", "{", type="function"), piece(0, "a", "f", "}"), piece(0, arguments="")
    )
    assert first == {
        "index": 0,
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": "{"},
    }
    assert second == {"index": 0, "function": {"arguments": "}"}}
    assert third == {"index": 0, "function": {"arguments": ""}}


def test_a_piece_of_arguments_goes_on_as_it_came() -> None:
    numbering = CallNumbering()
    numbering.number([piece(0, "a", "f")])
    went_on = piece(0, arguments="{}", extra=1)
    assert numbering.number([went_on])[0] is went_on
    assert numbering.goes_on({"tool_calls": [went_on]})


@pytest.mark.parametrize(
    "calls",
    [
        None,
        {},
        (),
        [],
        [5],
        [{"index": 0, "function": "x"}],
        [{"index": 0}],
        [{"index": 0, "id": "a", "function": {"arguments": ""}}],
        [{"index": 0, "function": {"name": "f", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": {}}}],
        [{"index": 0, "function": {}}],
        [{"index": 1, "function": {"arguments": ""}}],
        [{"index": False, "function": {"arguments": ""}}],
        [{"index": 0.0, "function": {"arguments": ""}}],
        [{"function": {"arguments": ""}}],
        [{"index": 0, "function": {"arguments": ""}}] * 2,
    ],
)
def test_anything_else_is_looked_at(calls: Any) -> None:
    numbering = CallNumbering()
    numbering.number([piece(0, "a", "f")])
    assert numbering.goes_on({"tool_calls": calls}) is False
    assert not numbering.goes_on({})


def test_a_call_whose_index_is_another_one_here_is_looked_at() -> None:
    numbering = CallNumbering()
    numbering.number([piece(5, "a", "f")])
    assert numbering.goes_on({"tool_calls": [piece(5, arguments="x")]}) is False
    assert numbering.number([piece(5, arguments="x")])[0]["index"] == 0


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([piece(0, "a", "f"), piece(1, "b", "g"), piece(0, arguments="x")], [0, 1, 0]),
        ([piece(0, "a", "f"), piece(0, "b", "g"), piece(0, arguments="x")], [0, 1, 1]),
        ([piece(0, "a", "f", "{}"), piece(0, "b", "f", "{}")], [0, 1]),
        ([piece(0, None, "f"), piece(0, "a", "f"), piece(0, "a", arguments="x")], [0, 0, 0]),
        ([piece(0, None, "f"), piece(0, "a"), piece(0, "b", "g")], [0, 0, 1]),
        ([piece(0, None, "f"), piece(0, "a", "g")], [0, 1]),
        (
            [piece(None, "a", "f"), piece(None, "b", "g"), piece(None, "a", arguments="x")],
            [0, 1, 0],
        ),
        ([piece(None, "a", "f"), piece(arguments="x"), piece(None, "b", "g")], [0, 0, 1]),
        ([piece(None, None, "f"), piece(None, "a"), piece(None, "a")], [0, 0, 0]),
        ([piece(None, None, "f"), piece(None, "a", "g")], [0, 1]),
        ([piece(None, "a", "f"), piece(None, "b")], [0, 1]),
        ([piece(None, None, "f"), piece(None, None, "f", "x"), piece(arguments="y")], [0, 0, 0]),
        ([piece(None, None, "f", "{}"), piece(None, None, "f", "{}")], [0, 1]),
        ([piece(None, None, "f"), piece(None, None, "g")], [0, 1]),
        ([piece(None, "a"), piece(None, None, "f", "x")], [0, 0]),
        ([piece(None, "a", None, "x"), piece(None, None, "f")], [0, 0]),
        ([piece(0, "a", "f", "x"), piece(1, "b", "g"), piece(None, "a", arguments="y")], [0, 1, 0]),
        ([piece(arguments="x"), piece(arguments="y")], [0, 0]),
        (
            [piece(None, None, "f"), piece(None, "a"), piece(None, "b", "g"), piece(None, "a")],
            [0, 0, 1, 0],
        ),
    ],
)
def test_which_call_a_piece_belongs_to(pieces: list[Any], expected: list[int]) -> None:
    assert places(*pieces) == expected


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([piece(0, "a", "f"), piece(1, "a")], "'a' goes on under another index"),
        ([piece(0, "a", "f"), piece(0, "b")], "two calls share the index 0"),
        ([piece(0, None, "f"), piece(0, "a"), piece(0, "b")], "two calls share the index 0"),
        ([piece(0, "a", "f"), piece(0, None, "g")], "a call of 'f' goes on as one of 'g'"),
        ([piece(0, "a", "f"), piece(0, "a", "g")], "a call of 'f' goes on as one of 'g'"),
        ([piece(0, "a", "f", [1])], "arguments are of type list, not a text"),
    ],
)
def test_what_fits_no_call_is_a_contradiction(pieces: list[Any], says: str) -> None:
    with pytest.raises(ContradictionError, match=says):
        numbered(*pieces)


def test_an_id_that_comes_late_is_not_given_out_again() -> None:
    first, second = numbered(piece(0, None, "f"), piece(0, "a", "f", "{}"))
    assert first["id"].startswith("call_")
    assert "id" not in second


def test_two_calls_with_one_id_get_an_id_each() -> None:
    first, second = numbered(piece(0, "a", "f"), piece(1, "a", "g"))
    assert first["id"] == "a"
    assert second["id"].startswith("call_")


def test_a_call_is_a_function_s_where_nobody_says_so() -> None:
    assert numbered(piece(0, "a", "f"))[0]["type"] == "function"
    assert numbered(piece(0, "a", "f", type="custom"))[0]["type"] == "custom"


@pytest.mark.parametrize(
    ("arguments", "as_text"), [(None, ""), ("x", "x"), ({"a": "é"}, '{"a": "é"}'), ("", "")]
)
def test_arguments_become_a_text(arguments: Any, as_text: str) -> None:
    assert numbered(piece(0, "a", "f", arguments))[0]["function"]["arguments"] == as_text


@pytest.mark.parametrize(
    ("pieces", "doubtful"),
    [
        ([piece(0, "a", "f"), piece(0, "b", "g")], {0}),
        ([piece(0, "a", "f", "{}"), piece(0, "b", "g")], set()),
        ([piece(0, "a", "f"), piece(0, arguments="{}"), piece(0, "b", "g")], set()),
        ([piece(0, "a", "f"), piece(0, arguments=""), piece(0, "b", "g")], {0}),
        ([piece(0, "a", "f", ""), piece(1, "b", "g")], set()),
        ([piece(0, "a", "f", {"x": 1}), piece(0, "b", "g")], set()),
        ([piece(None, "a", "f"), piece(None, "b", "g")], set()),
    ],
)
def test_a_call_whose_place_was_taken_before_its_arguments_came_is_doubtful(
    pieces: list[Any], doubtful: set[int]
) -> None:
    numbering = CallNumbering()
    for one in pieces:
        numbering.number([one])
    assert numbering.doubtful == doubtful


def test_a_whole_message_without_calls_is_left_alone() -> None:
    message: Any = {"role": "assistant", "content": "x", "tool_calls": []}
    assert with_own_ids(message) is message


def test_the_calls_of_a_whole_message_get_an_id_each_and_texts() -> None:
    function = {"name": "f", "arguments": {"a": 1}}
    message: Any = {
        "content": "x",
        "tool_calls": [
            {"id": "a", "function": function},
            {"id": "a", "function": None},
            {"id": "", "x": 1},
            {"id": "b", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    whole: Any = with_own_ids(message)
    ids = [call["id"] for call in whole["tool_calls"]]
    assert whole["content"] == "x"
    assert (ids[0], ids[3]) == ("a", "b")
    assert ids[1].startswith("call_")
    assert ids[2].startswith("call_")
    assert len(set(ids)) == 4
    assert whole["tool_calls"][2]["x"] == 1
    assert [call["function"] for call in whole["tool_calls"]] == [
        {"name": "f", "arguments": '{"a": 1}'},
        {"arguments": ""},
        {"arguments": ""},
        {"name": "g", "arguments": "{}"},
    ]
    assert function == {"name": "f", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "too_deep"),
    [
        ("[" * MAX_DEPTH, False),
        ("[" * (MAX_DEPTH + 1), True),
        ("{" * (MAX_DEPTH + 1), True),
        ("[{" * (MAX_DEPTH // 2), False),
        ("[{" * (MAX_DEPTH // 2) + "[", True),
        ("[]" * (MAX_DEPTH + 1), False),
        ("{}" * (MAX_DEPTH + 1), False),
        ('"' + "[" * (MAX_DEPTH + 1) + '"', False),
        ('"\\"' + "[" * (MAX_DEPTH + 1) + '"', False),
        ('"\n' + "[" * (MAX_DEPTH + 1) + '"', False),
        ('"a"' + "[" * (MAX_DEPTH + 1), True),
        ("[]" + "[" * (MAX_DEPTH + 1), True),
        ("]" + "[" * (MAX_DEPTH + 1), False),
        ('[]"a"' * (MAX_DEPTH + 1), False),
        ("", False),
    ],
)
def test_brackets_within_each_other_are_counted_and_those_in_texts_are_not(
    text: str, too_deep: bool
) -> None:
    assert is_too_deep(text) is too_deep
