"""When to try again, and how long to wait first."""

from __future__ import annotations

import pytest

from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InvalidResponseError,
    MiMoError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from mimo_core._http.retry import delay_before_retry


@pytest.mark.parametrize(
    "error",
    [
        RateLimitError("", status=429),
        *(ServerError("", status=status) for status in (500, 502, 503, 504)),
        APIConnectionError(""),
        APITimeoutError("", code="connect"),
    ],
)
def test_worth_another_attempt(error: MiMoError) -> None:
    assert delay_before_retry(error, 0, 1) is not None


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("", status=401),
        ServerError("", status=501),
        ServerError("", status=408),
        ServerError(""),  # an error event without a code
        APITimeoutError("", code="read"),  # the answer may have been made, and paid
        InvalidResponseError("", status=200),
        StreamInterruptedError(""),
    ],
)
def test_not_worth_another_attempt(error: MiMoError) -> None:
    assert delay_before_retry(error, 0, 5) is None


def test_the_waits_double_up_to_eight_seconds_and_are_spread() -> None:
    error = ServerError("", status=503)
    for attempt, longest in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        delays = [delay_before_retry(error, attempt, 99) or 0 for _ in range(200)]
        assert longest * 0.75 <= min(delays) < max(delays) <= longest


def test_a_very_late_attempt_does_not_overflow() -> None:
    assert (delay_before_retry(ServerError("", status=500), 1000, 2000) or 0) <= 8


def test_retries_are_counted() -> None:
    error = ServerError("", status=500)
    assert delay_before_retry(error, 0, 0) is None
    assert delay_before_retry(error, 1, 2) is not None
    assert delay_before_retry(error, 2, 2) is None


def test_retry_after_is_honoured_to_a_minute() -> None:
    def wait(seconds: float) -> float | None:
        return delay_before_retry(RateLimitError("", status=429, retry_after=seconds), 0, 2)

    assert wait(0) == 0
    assert wait(17.5) == 17.5
    assert wait(60) == 60
    assert wait(61) is None  # believed: there is no point in asking sooner
