"""The checks of the gate, one by one: what passes, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.gate import (
    check_choice,
    check_no_choices,
    readable_count,
)


@pytest.mark.parametrize("choice", ["x", None, 5, []])
def test_a_choice_is_an_object(choice: Any) -> None:
    with pytest.raises(ContradictionError, match=r"^a choice is .*, not an object$"):
        check_choice(choice, "delta")


@pytest.mark.parametrize("choices", [None, []])
def test_an_event_may_say_that_it_has_no_choices(choices: Any) -> None:
    check_no_choices(choices)


@pytest.mark.parametrize("choices", [{}, "", 0, False])
def test_no_choices_are_no_other_empty_value(choices: Any) -> None:
    with pytest.raises(ContradictionError, match=r"^choices is .*, not a list$"):
        check_no_choices(choices)


@pytest.mark.parametrize(("value", "count"), [(0, 0), (0.0, 0), (1, 1), (-1, None), (-1.0, None)])
def test_none_of_something_is_a_count(value: Any, count: int | None) -> None:
    assert readable_count(value) == count


def test_the_details_of_reasoning_are_a_list_of_objects() -> None:
    with pytest.raises(ContradictionError, match=r"reasoning_details is an object, not a list"):
        check_choice({"message": {"reasoning_details": {"text": "x"}}}, "message")
