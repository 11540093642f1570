"""Both clients over real HTTP on loopback: what is tried again, and how long they wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import httpx2
import pytest

from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    MiMoClient,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    collect,
)
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, streamed, text_of

# Retries


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (Fault("rate_limit"), 3),
        (Fault("server"), 3),
        (Fault("bad_gateway"), 3),
        (Fault("overloaded"), 3),
        (Fault("gateway_timeout"), 3),
        (Fault(cut="before_headers"), 3),
        (Fault(cut="before_headers", reset=True), 3),
        (Fault(cut="before_first_event"), 3),
        (Fault({"code": "429", "message": "slow down"}), 3),  # in an HTTP 400
        (Fault("bad_request"), 1),
        (Fault("invalid_key"), 1),
        (Fault("balance"), 1),
        (Fault("region"), 1),
        (Fault("not_found"), 1),
        (Fault("moderation"), 1),
        (Fault("html"), 1),
        (Fault(status=501, body="x"), 1),
    ],
)
def test_what_is_tried_again(
    connect: Connect,
    mimo: FakeMiMo,
    hello: Request,
    slept: list[float],
    fault: Fault,
    attempts: int,
    streams: bool,
) -> None:
    mimo.respond = lambda _: fault
    driver = connect()
    error = failed(lambda: list(driver.stream(hello)) if streams else driver.chat(hello))
    assert len(mimo.requests) == attempts
    assert len(slept) == attempts - 1
    assert error.is_retryable is (attempts > 1 or isinstance(error, ServerError))
    refused_for_now = attempts > 1 and error.status is not None
    assert str(error).endswith(" (tried 3 times).") is refused_for_now
    assert slept == [] or (0.375 <= slept[0] <= 0.5 and 0.75 <= slept[1] <= 1)


@pytest.mark.parametrize("streams", [False, True])
def test_a_later_attempt_succeeds(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float], streams: bool
) -> None:
    mimo.queue(Fault("overloaded"), Fault(cut="before_headers"), "At last")
    driver = connect()
    answer = collect(driver.stream(hello)) if streams else driver.chat(hello)
    assert text_of(answer) == "At last"
    assert len(slept) == 2
    assert len({request.raw for request in mimo.requests}) == 1  # the same each time


def test_an_error_event_before_anything_else_is_tried_again(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    mimo.queue(Fault(error_event="overloaded", after=0), "Hi")
    assert text_of(collect(connect().stream(hello))) == "Hi"
    assert len(slept) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="mid_stream", after=1),
        Fault(cut="mid_stream", after=4),
        Fault(cut="mid_stream", after=4, clean=True),
        Fault(cut="mid_stream", after=4, reset=True),
        Fault(error_event="overloaded", after=1),
    ],
)
def test_nothing_is_tried_again_after_the_first_event(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float], fault: Fault
) -> None:
    mimo.queue(fault)
    chunks, _ = streamed(connect(), hello)
    assert len(chunks) == (fault.after if not fault.reset else len(chunks))
    assert (len(mimo.requests), slept) == (1, [])


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_max_retries(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float], max_retries: int
) -> None:
    mimo.respond = lambda _: Fault("overloaded")
    failed(lambda: connect(max_retries=max_retries).chat(hello))
    assert len(mimo.requests) == 1 + max_retries


def test_another_error_after_a_retry_is_told_as_it_is(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    """A count would suggest that this error was tried again."""
    mimo.queue(Fault("overloaded"), Fault("bad_request"))
    error = failed(lambda: connect().chat(hello))
    assert (len(mimo.requests), len(slept)) == (2, 1)
    assert "tried" not in str(error)


def test_retry_after_is_honoured(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    in_20_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    mimo.queue(Fault("rate_limit", retry_after=7), Fault("overloaded", retry_after=in_20_seconds))
    connect().chat(hello)
    assert slept[0] == 7
    assert 15 < slept[1] <= 20


def test_a_long_retry_after_is_the_caller_s_to_wait(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    mimo.queue(Fault("rate_limit", retry_after=3600))
    error = failed(lambda: connect().chat(hello))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3600
    assert slept == []


def test_nobody_is_there(connect: Connect, hello: Request, slept: list[float]) -> None:
    error = failed(lambda: connect(base_url="http://127.0.0.1:9/v1").chat(hello))
    assert type(error) is APIConnectionError
    assert str(error).startswith("No answer from http://127.0.0.1:9/v1: ")
    assert "Check the network, proxy settings and base_url" in str(error)
    assert len(slept) == 2


# Timeouts


def test_silence_is_not_tolerated_for_longer_than_the_read_timeout(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    mimo.queue(Fault(hang=True), Fault(hang=True), Fault(hang_after=2))
    driver = connect(timeout=(5, 0.2))
    for error in (failed(lambda: driver.chat(hello)), streamed(driver, hello)[1]):
        assert type(error) is APITimeoutError
        assert "was silent for longer than the timeout allows" in str(error)
    chunks, error = streamed(driver, hello)
    assert type(error) is StreamInterruptedError
    assert "silence" in str(error)
    assert len(chunks) == 2
    assert slept == []  # after a silence the answer may have been made, and paid
    assert mimo.wait_for_disconnect(count=3)


def test_comment_lines_are_life(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Fault(reply=Reply("Hi"), comments=8, comment_interval=0.05))
    assert text_of(collect(connect(timeout=(5, 0.3)).stream(hello))) == "Hi"


@pytest.mark.parametrize(
    ("timeout", "sent"),
    [
        (3, (3, 3, 3, 3)),
        ((1, 2), (1, 2, 2, 1)),
        ((None, 2), (None, 2, 2, None)),
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        (httpx.Timeout(5, connect=1), (1, 5, 5, 5)),
        (httpx2.Timeout(5, connect=1), (1, 5, 5, 5)),
        (None, (7, 7, 7, 7)),  # an injected client's own
    ],
)
def test_connecting_has_a_timeout_of_its_own(
    hello: Request, slept: list[float], timeout: Any, sent: tuple[float | None, ...]
) -> None:
    seen: list[dict[str, float]] = []

    def late(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.extensions["timeout"])
        raise httpx2.ConnectTimeout("late")

    with httpx2.Client(transport=httpx2.MockTransport(late), timeout=7) as http:
        client = MiMoClient(KEY, http_client=http, timeout=timeout)
        error = failed(lambda: client.chat(hello))
    assert type(error) is APITimeoutError
    assert str(error).startswith("No connection to https://api.xiaomimimo.com/v1 in time")
    assert [tuple(t[n] for n in ("connect", "read", "write", "pool")) for t in seen] == [sent] * 3


def test_the_default_timeouts(connect: Connect) -> None:
    assert connect().client._timeout == (10.0, 600.0, 600.0, 10.0)
