"""Both clients over real HTTP on loopback: refusals, and streams that break."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core import (
    AuthenticationError,
    InvalidResponseError,
    MiMoClient,
    MiMoError,
    NotFoundError,
    StreamInterruptedError,
    collect,
)
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.core.helpers import Connect, Request, failed, streamed, text_of

# Refusals


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (
            Fault("invalid_key"),
            AuthenticationError,
            "Invalid API Key: Please provide valid API Key",
        ),
        (Fault("not_found"), NotFoundError, "Not Found (HTTP 404)"),
        (Fault("moderation", data_prefix=True), MiMoError, "Moderation Block: The request was"),
        (Fault("moderation", relay=True), MiMoError, "(HTTP 400, code 421)"),
        (Fault("html"), InvalidResponseError, "a page instead of an answer"),
        (Fault(body='{"hello": 1}'), InvalidResponseError, "holds no choices: {'hello': 1}"),
        (Fault(body="[]"), InvalidResponseError, "[] (HTTP 200)"),
        (Fault(body='{"choices": [7]}'), InvalidResponseError, "holds no choices"),
        (Fault(body='{"choices": [{}]}'), InvalidResponseError, "holds no choices"),
        (
            Fault(body='{"error": {"code": "403", "message": "No"}}'),
            MiMoError,
            "No (code 403). The account",
        ),
        (Fault(status=204), InvalidResponseError, "HTTP 204 without a body"),
        (
            Fault(status=307, body="", headers={"location": "http://127.0.0.1:9/v1"}),
            InvalidResponseError,
            "HTTP 307",
        ),
    ],
)
def test_refusals(
    connect: Connect,
    mimo: FakeMiMo,
    hello: Request,
    fault: Fault,
    kind: type[MiMoError],
    sentence: str,
    streams: bool,
) -> None:
    mimo.queue(fault)
    driver = connect()
    error = failed(lambda: list(driver.stream(hello)) if streams else driver.chat(hello))
    assert isinstance(error, kind)
    assert sentence in str(error)
    assert len(mimo.requests) == 1
    assert text_of(driver.chat(hello))  # the client goes on


def test_the_request_id_is_in_the_error(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    for fault in (Fault("invalid_key"), Fault(body='{"error": "x"}'), Fault(error_event="server")):
        mimo.queue(Fault(**{**fault.__dict__, "headers": {"x-request-id": "r-42"}}))
    driver = connect(max_retries=0)
    assert failed(lambda: driver.chat(hello)).request_id == "r-42"
    assert failed(lambda: driver.chat(hello)).request_id == "r-42"
    assert streamed(driver, hello)[1].request_id is not None


def test_a_key_that_is_echoed_is_not_repeated(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    secret = "no-usual-prefix-0123456789"
    mimo.queue(*[Fault(status=401, body=f"Bad key: Bearer {secret}")] * 2)
    wheres: list[dict[str, Any]] = [
        {"api_key": secret},
        {"default_headers": {"Authorization": f"Bearer {secret}"}},
    ]
    for where in wheres:
        error = failed(partial(connect(**where).chat, hello))
        assert secret not in f"{error} {error.response}"
        assert "***" in str(error)


def test_a_key_of_another_host_is_named(monkeypatch: pytest.MonkeyPatch, hello: Request) -> None:
    answer = httpx2.Response(401, json={"error": {"code": "401", "message": "Invalid API Key"}})
    with httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)) as http:
        client = MiMoClient("tp-0123456789", base_url="xiaomi", http_client=http)
        error = failed(lambda: client.chat(hello))
    assert "This is a tp- key and xiaomi takes sk- keys" in str(error)
    assert "0123456789" not in str(error)


def test_a_streaming_request_that_is_answered_in_one_piece(
    connect: Connect, mimo: FakeMiMo, hello: Request, sample: Callable[[str], Any]
) -> None:
    mimo.queue(sample("chat_flash_thinking"))
    chunks = list(connect().stream(hello))
    assert len(chunks) == 2
    usage = collect(chunks)["usage"]
    assert usage is not None
    assert usage["completion_tokens"] == 120
    assert text_of(collect(chunks)).startswith("Machine learning is")


# Broken streams


def test_a_cut_stream_carries_what_had_arrived(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Fault(reply=Reply("Hello, world!", chunk_size=4), cut="mid_stream", after=3))
    chunks, error = streamed(connect(), hello)
    assert type(error) is StreamInterruptedError
    assert text_of(collect(chunks)) == text_of(error.partial) == "Hello, w"
    assert "the connection closed" in str(error)
    assert pickle.loads(pickle.dumps(error)).partial == error.partial


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="mid_stream", clean=True, after=3),
        Fault(empty_choices=True),
        Fault(body="data: [DONE]\n\n", content_type="text/event-stream"),
        Fault(body='data: {"choices":[{"delta"', content_type="text/event-stream"),
        Fault(body="", content_type="text/event-stream"),
        Fault(body="Welcome", content_type="text/plain"),
    ],
)
def test_no_failure_looks_like_an_answer(
    connect: Connect, mimo: FakeMiMo, hello: Request, fault: Fault
) -> None:
    mimo.queue(fault)
    assert type(streamed(connect(), hello)[1]) is StreamInterruptedError


def test_an_unstreamed_answer_that_is_cut(
    connect: Connect, mimo: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    mimo.queue(Fault(cut="mid_stream"), "Hi")
    assert text_of(connect().chat(hello)) == "Hi"


def test_what_happens_after_the_last_chunk_does_not_matter(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    events = (
        'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    cut = Fault(
        body=events, content_type="text/event-stream", headers={"content-encoding": "identity"}
    )
    mimo.queue(cut, Fault(reply=Reply("Hi", chunk_size=2), hang_after=99))
    driver = connect(timeout=(5, 0.3))
    assert text_of(collect(driver.stream(hello))) == "Hi"
    # all sent, [DONE] too, but the body's end never comes: no error, only the read timeout's wait
    assert text_of(collect(driver.stream(hello))) == "Hi"
