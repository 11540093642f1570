"""What follows from what is known of a run under a fault; and whether the table has every fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mimo_core.errors import RateLimitError, ServerError
from mimo_core.testing import Fault, ReceivedRequest, Reply
from mimo_core.testing.emulator import ERRORS
from mimo_core.testing.fault_report.summary import as_json, lines
from mimo_core.testing.fault_report.table import FAULTS, NOT_FAULTS_OF_A_RUN, chosen
from mimo_core.testing.fault_report.verdicts import Raised, Run, judged, raised_by

CLEAN = Run("passed", 1)
HIT = Run("passed", 1, was_hit=True)
FAMILY = Raised("RateLimitError: too many", "RateLimitError", is_assertion=False)
ASSERTION = Raised("AssertionError: assert 1 == 2", None, is_assertion=True)
OTHER = Raised("KeyError: 'x'", None, is_assertion=False)
FAILED = replace(HIT, outcome="failed", raised=ASSERTION)
LONG = "The service is busy, and says so in a text that is longer than what is looked for."
KNOWN = [("RateLimitError", LONG)]


@pytest.mark.parametrize(
    ("run", "kind", "family"),
    [
        (replace(HIT, was_hit=False), "not reached", None),
        (replace(HIT, is_whole=True), "survived", None),
        (replace(HIT, asked_again=True, requests=2), "retried", None),
        (replace(HIT, asked_again=True), "swallowed", None),  # by another thread, as it would be
        (HIT, "swallowed", None),
        (replace(HIT, logged=True), "reported", None),
        (replace(HIT, errors=KNOWN), "swallowed", None),
        (replace(HIT, errors=KNOWN, shown=f"Error: {LONG}"), "reported", "RateLimitError"),
        (replace(HIT, errors=KNOWN, shown="RateLimitError()"), "reported", "RateLimitError"),
        (replace(HIT, errors=[("X", "")], shown="y"), "swallowed", None),
        (replace(HIT, outcome="failed", raised=FAMILY), "reported", "RateLimitError"),
        (replace(HIT, outcome="failed", raised=OTHER), "reported", None),
        (replace(HIT, outcome="skipped", raised=ASSERTION), "reported", None),
        (FAILED, "swallowed", None),
        (replace(FAILED, asked_again=True), "swallowed", None),
        (replace(FAILED, errors=KNOWN, shown=LONG), "reported", "RateLimitError"),
        (replace(HIT, is_hung=True, asked_again=True), "hung", None),
        (replace(FAILED, is_hung=True), "hung", None),
    ],
)
def test_the_verdict(run: Run, kind: str, family: str | None) -> None:
    found = judged(run, CLEAN)
    assert (found.kind, found.family) == (kind, family)


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (replace(HIT, result="1"), "survived"),
        (replace(HIT, result="2"), "swallowed"),
        (replace(HIT, result=None), "swallowed"),
        (replace(HIT, result="2", logged=True), "reported"),
        (replace(HIT, result="2", asked_again=True), "swallowed"),
        (replace(HIT, result="1", asked_again=True, requests=2), "retried"),
    ],
)
def test_the_verdict_where_the_outcome_is_known(run: Run, kind: str) -> None:
    assert judged(run, replace(CLEAN, result="1")).kind == kind


def chained(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (RateLimitError("busy"), "RateLimitError"),
        (chained(ValueError("no answer"), RateLimitError("busy")), "RateLimitError"),
        (ExceptionGroup("two", [ValueError("a"), ServerError("down")]), "ServerError"),
        (ValueError("no answer"), None),
    ],
)
def test_an_error_of_the_family_is_found_wherever_it_is(
    error: BaseException, family: str | None
) -> None:
    found = raised_by(error)
    assert found.family == family
    assert found.says.startswith(family or "ValueError")
    assert not found.is_assertion


def test_a_chain_that_leads_to_itself_ends() -> None:
    error = ValueError("a")
    error.__context__ = chained(KeyError("b"), error)
    assert raised_by(error).family is None


def test_every_error_of_the_emulator_is_in_the_table_or_it_says_why_not() -> None:
    made = [row.make(Reply("a"), 1.0) for row in FAULTS if row.make and row.name[:3].isdigit()]
    used = {fault.error for fault in made}
    assert used | NOT_FAULTS_OF_A_RUN.keys() == ERRORS.keys()
    assert not used & NOT_FAULTS_OF_A_RUN.keys()


def test_every_way_of_damage_that_the_emulator_has_is_in_the_table() -> None:
    """A field that is new in `Fault` needs a row, or a place here."""
    said = Reply("Light rain.", tool_calls=[("get_weather", {"city": "Paris"})])
    made = [row.make(said, 1.0) for row in FAULTS if row.make]
    plain = Fault()
    used = {
        name
        for fault in made
        for name in Fault.__dataclass_fields__
        if getattr(fault, name) != getattr(plain, name)
    }
    others = {
        *("status", "content_type", "headers"),  # of an error body that a test makes up
        *("hang", "hang_after"),  # silence without end: the table's ends, for other clients
        "comment_interval",  # comments that come slowly are a silence that does not end it
    }
    assert used == Fault.__dataclass_fields__.keys() - others


def request(**chat: Any) -> ReceivedRequest:
    return ReceivedRequest("POST", "/v1/chat/completions", {}, chat, "chat_completions", b"", chat)


def test_names_are_unique_and_a_mark_chooses_among_them() -> None:
    names = [row.name for row in FAULTS]
    assert len(set(names)) == len(names)
    assert [row.name for row in chosen(["500 server"], [])] == ["500 server"]
    assert len(chosen([], ["500 server"])) == len(names) - 1
    with pytest.raises(ValueError, match="no fault is called 'x'; there are: 429 rate_limit"):
        chosen(["x"], [])


def test_what_can_meet_a_request() -> None:
    by_name = {row.name: row for row in FAULTS}
    called = Reply(tool_calls=[("get_weather", {})])
    assert by_name["unknown tool"].applies(request(), called)
    assert not by_name["unknown tool"].applies(request(), Reply("a text"))
    assert not by_name["token limit"].applies(request(), called)
    assert by_name["error event"].applies(request(stream=True), called)
    assert not by_name["error event"].applies(request(), called)
    raw: dict[str, Any] = {"choices": []}  # a body that the test has written by hand
    assert not by_name["content filter"].applies(request(), raw)
    assert by_name["cut in the middle"].applies(request(), raw)


def test_the_report_without_tests_says_what_to_do() -> None:
    assert list(lines([])) == [
        "No test is marked mimo_faults: mark one with @pytest.mark.mimo_faults."
    ]
    assert as_json([])["counts"]["hung"] == 0
