"""What an error carries beside its class: ids, waits, partial answers, and the family itself."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mimo_core
from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ContentFilterError,
    ContextOverflowError,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
    OutputCheckError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    UnsupportedInputError,
)
from mimo_core._http.errors import error_in_answer, seconds_to_wait
from mimo_core.errors import ErrorResponse
from tests.conftest import KEY
from tests.core.helpers import classified, error_body

# Details


def test_a_better_hint_for_a_401() -> None:
    hints = {AuthenticationError: "This is a tp- key"}
    error = classified(401, error_body("401", "Invalid API Key"), hints=hints)
    assert str(error) == "Invalid API Key (HTTP 401). This is a tp- key."
    assert "tp- key" not in str(classified(404, error_body("404", "x"), hints=hints))


@pytest.mark.parametrize("header", ["x-request-id", "request-id"])
def test_the_request_id(header: str) -> None:
    assert classified(500, "", {header: "r-7"}).request_id == "r-7"
    assert classified(500, "").request_id is None


def test_the_response_behind_an_error_reads_like_one() -> None:
    response = classified(400, error_body(), {"content-type": "application/json"}).response
    assert response.status_code == 400
    assert response.json() == error_body()
    with pytest.raises(ValueError):
        ErrorResponse(500, {}, "<html>").json()


# Retry-After


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("1.5", 1.5),
        (" 7 ", 7),
        ("-3", 0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 00:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 00:00:30", 30),
        ("Sat, 21 Nov 2026 02:00:30 +0200", 30),
        ("Sat, 21 Nov 2020 00:00:30 GMT", 0),
        ("Sat, 21 Nov 99999 00:00:30 GMT", None),
        ("Sat, 21 Nov 2026 00:00:30 +999999999999999", None),
    ],
)
def test_seconds_to_wait(header: str | None, seconds: float | None) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert seconds_to_wait(header, now=now) == seconds


@given(st.text(max_size=30))
def test_no_retry_after_makes_it_fail(header: str) -> None:
    seconds = seconds_to_wait(header)
    assert seconds is None or seconds >= 0


def test_retry_after_is_in_the_error_and_in_its_line() -> None:
    error = classified(429, error_body("429", "Too many requests"), {"retry-after": "12"})
    assert error.retry_after == 12
    assert str(error) == "Too many requests (HTTP 429). The service asks to wait 12 s."
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < classified(503, "", {"retry-after": date}).retry_after <= 90


# After a 200


def test_an_error_in_an_answer_keeps_what_the_head_said() -> None:
    headers = {"x-request-id": "r-1", "retry-after": "3"}
    error = error_in_answer(error_body("503", "Overloaded"), headers, key=KEY, hints=None)
    assert isinstance(error, ServerError)
    assert str(error) == "Overloaded (code 503). Try again later."
    assert (error.status, error.request_id, error.retry_after) == (503, "r-1", 3)
    assert error.response is not None
    assert error.response.status_code == 200


def test_an_error_in_an_answer_that_says_nothing() -> None:
    error = error_in_answer({"error": {"x": 1}}, {}, key=KEY, hints=None)
    assert isinstance(error, ServerError)
    assert error.status is None
    assert str(error) == '{"error": {"x": 1}} (sent after HTTP 200). Try again later.'


# The family

FAMILY = [
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ContentFilterError,
    ContextOverflowError,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
    OutputCheckError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    UnsupportedInputError,
]


def test_the_family_is_whole() -> None:
    public = {
        value
        for name in mimo_core.__all__
        if isinstance(value := getattr(mimo_core, name), type) and issubclass(value, Exception)
    }
    assert public == set(FAMILY)
    assert all(issubclass(kind, MiMoError) for kind in FAMILY)
    assert issubclass(APITimeoutError, APIConnectionError)
    assert issubclass(ContextOverflowError, InvalidRequestError)
    assert issubclass(UnsupportedInputError, InvalidRequestError)


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize(
    "again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy]
)
def test_errors_travel_between_processes(kind: type[MiMoError], again: Any) -> None:
    error = kind(
        "one line",
        status=429,
        code="429",
        param="p",
        request_id="r",
        response=ErrorResponse(429, {"a": "b"}, "{}"),
        retry_after=1.5,
    )
    if isinstance(error, StreamInterruptedError):
        error.partial = {"choices": [{"message": {"content": "Hel"}}]}
    twin = again(error)
    assert type(twin) is kind
    assert str(twin) == "one line"
    assert twin.__dict__ == error.__dict__


def test_an_interrupted_stream_carries_what_had_arrived() -> None:
    error = StreamInterruptedError("x", partial={"choices": []}, status=None)
    assert pickle.loads(pickle.dumps(error)).partial == {"choices": []}
    assert StreamInterruptedError("x").partial is None
