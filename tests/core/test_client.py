"""Both clients over real HTTP on loopback: one suite, run by each (see `connect`).

What goes over the wire, what comes back, what is tried again, and when a connection ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import httpx2
import pytest

from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    AsyncMiMoClient,
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoClient,
    MiMoError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    collect,
)
from mimo_core._http.clients import own_request
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply

KEY = "sk-secret0123456789abcdef"
Connect = Callable[..., Any]
Request = dict[str, Any]


def text_of(response: Any) -> str:
    return str(response["choices"][0]["message"]["content"])


def failed(act: Callable[[], Any]) -> Any:
    """The error that `act` ends in; it never shows the key."""
    with pytest.raises(MiMoError) as e:
        act()
    assert KEY not in f"{e.value} {e.value!r} {e.value.__dict__}"
    assert "\n" not in str(e.value)
    return e.value


def streamed(driver: Any, request: Request) -> tuple[list[Any], Any]:
    """The chunks of a stream that fails, and its error."""
    chunks: list[Any] = []

    def read() -> None:
        for chunk in driver.stream(request):
            chunks.append(chunk)

    return chunks, failed(read)


# On the wire


def test_a_question_and_its_answer(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    fake.queue(Reply("Hi!", reasoning="A greeting."))
    response = connect().chat({**hello, "thinking": True, "temperature": None})

    assert text_of(response) == "Hi!"
    assert response["choices"][0]["message"]["reasoning_content"] == "A greeting."
    assert response["choices"][0]["finish_reason"] == "stop"
    assert response["usage"]["completion_tokens"] > 0
    [seen] = fake.requests
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.body == {**hello, "thinking": {"type": "enabled"}, "stream": False}
    assert seen.headers["authorization"] == f"Bearer {KEY}"  # loopback is none of Xiaomi's hosts
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["user-agent"].startswith("mimo-plugins/")


def test_a_stream(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    reply = Reply("Hello, world!", reasoning="Because.", chunk_size=3)
    fake.queue(reply, reply)
    driver = connect()
    chunks = list(driver.stream(hello))
    whole = driver.chat(hello)

    folded = collect(chunks)
    assert folded["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello, world!",
        "reasoning_content": "Because.",
    }
    assert folded["usage"] == whole["usage"]
    assert len(chunks) > 5
    assert [c["choices"][0]["finish_reason"] for c in chunks[-2:]] == [None, "stop"]
    assert fake.requests[0].body["stream"] is True
    assert fake.requests[0].body["stream_options"] == {"include_usage": True}
    assert fake.requests[0].headers["accept"] == "text/event-stream"


def test_stream_options_belong_to_streams(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    asked = {**hello, "stream": True, "stream_options": {"include_usage": False}}
    driver = connect()
    driver.chat(asked)
    assert fake.last_request.body == {**hello, "stream": False}
    list(driver.stream(asked))
    assert fake.last_request.body == asked


def test_a_tool_call_in_a_stream(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    calls = [("get_weather", {"city": "Paris"}, "call_1"), ("now", {}, "call_2")]
    fake.queue(Reply(tool_calls=calls, reasoning="I should look."))
    tools = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "now")]
    message = collect(connect().stream({**hello, "tools": tools}))["choices"][0]["message"]
    assert [(c["id"], c["function"]["arguments"]) for c in message["tool_calls"] or ()] == [
        ("call_1", '{"city": "Paris"}'),
        ("call_2", "{}"),
    ]
    assert fake.last_request.body["tools"][1]["function"]["parameters"]["type"] == "object"


@pytest.mark.parametrize(
    "odd", [{"byte_by_byte": True}, {"crlf": True}, {"bom": True}, {"comments": 0}, {"comments": 3}]
)
def test_odd_deliveries(
    connect: Connect, fake: FakeMiMo, hello: Request, odd: dict[str, Any]
) -> None:
    fake.queue(Fault(reply=Reply("Grüße 😊"), **odd))
    assert text_of(collect(connect().stream(hello))) == "Grüße 😊"


def test_characters_of_all_kinds_arrive(connect: Connect, fake: FakeMiMo) -> None:
    content = "小米 😊 \u2028 \x00 \ud83d"  # the last is half an emoji
    connect().chat({"model": "mimo-v2.5", "messages": [{"role": "user", "content": content}]})
    assert fake.last_request.messages[0]["content"] == content


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"auth": "api-key"}, {"api-key": KEY}),
        ({"auth": "bearer"}, {"authorization": f"Bearer {KEY}"}),
        ({"default_headers": {"API-Key": "other-key"}}, {"api-key": "other-key"}),
        ({"default_headers": {"Authorization": "Basic eDp5"}}, {"authorization": "Basic eDp5"}),
        ({"default_headers": {"User-Agent": "me/1", "X-Trace": "t"}}, {"user-agent": "me/1"}),
        ({"default_headers": {"X-Trace": "t"}}, {"x-trace": "t"}),
    ],
)
def test_headers(
    connect: Connect,
    fake: FakeMiMo,
    hello: Request,
    options: dict[str, Any],
    expected: dict[str, str],
) -> None:
    connect(**options).chat(hello)
    seen = fake.last_request.headers
    assert expected.items() <= seen.items()
    # never two ways to authenticate at once: at Xiaomi, api-key would win over the user's choice
    assert ("api-key" in seen) + ("authorization" in seen) == 1


@pytest.mark.parametrize(
    ("method", "content"),
    [("POST", b'{"model": "m"}'), ("POST", iter([b"in", b"pieces"])), ("GET", None)],
    ids=["bytes", "pieces", "none"],
)
@pytest.mark.parametrize("url", ["https://api.xiaomimimo.com/v1/x", "http://127.0.0.1:81/v1/x?y=1"])
def test_a_request_of_ours_is_the_one_that_build_request_makes(
    method: str, content: Any, url: str
) -> None:
    headers = {"accept": "application/json", "api-key": KEY, "user-agent": "x/1"}
    if content is not None and not isinstance(content, bytes):
        headers["content-length"] = "8"
    timeout = (1.0, 2.0, 3.0, None)
    with httpx2.Client() as http:
        ours = own_request(http, method, url, headers, content, timeout)
        theirs = http.build_request(
            method, url, headers=headers, content=content, timeout=httpx2.Timeout(timeout)
        )
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert ours.extensions == theirs.extensions
    assert sorted(ours.headers.multi_items()) == sorted(theirs.headers.multi_items())
    if isinstance(content, bytes):
        assert ours.read() == content == theirs.read()


def test_the_key_may_come_in_a_header_alone(connect: Connect, hello: Request) -> None:
    driver = connect(
        api_key=None, base_url="xiaomi", default_headers={"Authorization": "Bearer x-0123456789"}
    )
    assert driver.client.endpoint.api_key is None


def test_the_vendor_s_hosts_send_usage_unasked(hello: Request) -> None:
    bodies: list[Any] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.read()))
        return httpx2.Response(400)

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(KEY, base_url="xiaomi", http_client=http)
        failed(lambda: list(client.stream(hello)))
    assert bodies == [{**hello, "stream": True}]


@pytest.mark.parametrize("cut", [False, True])
def test_a_call_that_the_model_wrote_as_text(
    connect: Connect, fake: FakeMiMo, hello: Request, cut: bool
) -> None:
    written = "<tool_call><function=now><parameter=zone>CET</parameter></function></tool_call>"
    parameters = {"type": "object", "properties": {"zone": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "now", "parameters": parameters}}]
    reply = Reply(f"Let me see. {written}", finish_reason="stop")
    driver = connect()
    if cut:  # what had arrived is in the error, as the model wrote it: it is not a call to run
        fake.queue(Fault(reply=reply, cut="mid_stream", after=-1))
        partial = streamed(driver, {**hello, "tools": tools})[1].partial
        assert "tool_calls" not in partial["choices"][0]["message"]
        assert text_of(partial).startswith("Let me see. <tool_call>")
        return
    fake.queue(reply, reply)
    for answer in (
        collect(driver.stream({**hello, "tools": tools})),
        driver.chat({**hello, "tools": tools}),
    ):
        [call] = answer["choices"][0]["message"]["tool_calls"]
        assert call["function"] == {"name": "now", "arguments": '{"zone": "CET"}'}
        assert text_of(answer).strip() == "Let me see."
        assert answer["choices"][0]["finish_reason"] == "tool_calls"


# Before anything is sent


def test_bad_requests_are_not_sent(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    driver = connect()
    for bad in ({"temperature": 9}, {"messages": []}, {"metadata": {1, 2}}, {"x": float("nan")}):
        assert isinstance(
            failed(lambda bad=bad: driver.chat({**hello, **bad})), InvalidRequestError
        )
        _, error = streamed(driver, {**hello, **bad})
        assert isinstance(error, InvalidRequestError)
    assert fake.requests == []


@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": 1.5}, "max_retries is 1.5"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "5"}, "timeout is '5'"),
        ({"timeout": (1, 2, 3)}, "timeout is"),
        ({"timeout": True}, "timeout is True"),
        ({"base_url": "nowhere"}, "base_url 'nowhere'"),
        ({"protocol": "soap"}, "protocol is 'soap'"),
        ({"default_headers": {"X-A": "sec\nret"}}, "default_headers: X-A must be"),
        ({"default_headers": {"X-A": "secrét"}}, "default_headers: X-A must be"),
        ({"default_headers": {"X-A": None}}, "default_headers: X-A must be"),
        ({"http_client": object()}, "http_client is a object"),
    ],
)
def test_bad_arguments(kind: Any, options: dict[str, Any], problem: str) -> None:
    error = failed(lambda: kind(**{"api_key": KEY, **options}))
    assert isinstance(error, InvalidRequestError)
    assert problem in str(error)
    assert "sec\nret" not in str(error)
    assert "secr" not in str(error)


@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
def test_a_missing_key(kind: Any) -> None:
    error = failed(kind)
    assert isinstance(error, AuthenticationError)
    assert "MIMO_API_KEY" in str(error)


def test_a_client_of_the_other_kind_is_refused_at_once() -> None:
    with pytest.raises(InvalidRequestError, match=r"MiMoClient needs a client .* with close"):
        MiMoClient(KEY, http_client=httpx2.AsyncClient())
    with httpx2.Client() as http, pytest.raises(InvalidRequestError, match="with aclose"):
        AsyncMiMoClient(KEY, http_client=http)


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
    fake: FakeMiMo,
    hello: Request,
    fault: Fault,
    kind: type[MiMoError],
    sentence: str,
    streams: bool,
) -> None:
    fake.queue(fault)
    driver = connect()
    error = failed(lambda: list(driver.stream(hello)) if streams else driver.chat(hello))
    assert isinstance(error, kind)
    assert sentence in str(error)
    assert len(fake.requests) == 1
    assert text_of(driver.chat(hello))  # the client goes on


def test_the_request_id_is_in_the_error(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    for fault in (Fault("invalid_key"), Fault(body='{"error": "x"}'), Fault(error_event="server")):
        fake.queue(Fault(**{**fault.__dict__, "headers": {"x-request-id": "r-42"}}))
    driver = connect(max_retries=0)
    assert failed(lambda: driver.chat(hello)).request_id == "r-42"
    assert failed(lambda: driver.chat(hello)).request_id == "r-42"
    assert streamed(driver, hello)[1].request_id is not None


def test_a_key_that_is_echoed_is_not_repeated(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    secret = "no-usual-prefix-0123456789"
    fake.queue(*[Fault(status=401, body=f"Bad key: Bearer {secret}")] * 2)
    for options in (
        {"api_key": secret},
        {"default_headers": {"Authorization": f"Bearer {secret}"}},
    ):
        error = failed(lambda options=options: connect(**options).chat(hello))
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
    connect: Connect, fake: FakeMiMo, hello: Request, sample: Callable[[str], Any]
) -> None:
    fake.queue(sample("chat_flash_thinking"))
    chunks = list(connect().stream(hello))
    assert len(chunks) == 2
    assert collect(chunks)["usage"]["completion_tokens"] == 120  # type: ignore[index]
    assert text_of(collect(chunks)).startswith("Machine learning is")


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
    fake: FakeMiMo,
    hello: Request,
    slept: list[float],
    fault: Fault,
    attempts: int,
    streams: bool,
) -> None:
    fake.respond = lambda _: fault
    driver = connect()
    error = failed(lambda: list(driver.stream(hello)) if streams else driver.chat(hello))
    assert len(fake.requests) == attempts
    assert len(slept) == attempts - 1
    assert error.is_retryable is (attempts > 1 or isinstance(error, ServerError))
    assert slept == [] or (0.375 <= slept[0] <= 0.5 and 0.75 <= slept[1] <= 1)


@pytest.mark.parametrize("streams", [False, True])
def test_a_later_attempt_succeeds(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float], streams: bool
) -> None:
    fake.queue(Fault("overloaded"), Fault(cut="before_headers"), "At last")
    driver = connect()
    answer = collect(driver.stream(hello)) if streams else driver.chat(hello)
    assert text_of(answer) == "At last"
    assert len(slept) == 2
    assert len({request.raw for request in fake.requests}) == 1  # the same each time


def test_an_error_event_before_anything_else_is_tried_again(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    fake.queue(Fault(error_event="overloaded", after=0), "Hi")
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
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float], fault: Fault
) -> None:
    fake.queue(fault)
    chunks, _ = streamed(connect(), hello)
    assert len(chunks) == (fault.after if not fault.reset else len(chunks))
    assert (len(fake.requests), slept) == (1, [])


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_max_retries(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float], max_retries: int
) -> None:
    fake.respond = lambda _: Fault("overloaded")
    failed(lambda: connect(max_retries=max_retries).chat(hello))
    assert len(fake.requests) == 1 + max_retries


def test_retry_after_is_honoured(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    in_20_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    fake.queue(Fault("rate_limit", retry_after=7), Fault("overloaded", retry_after=in_20_seconds))
    connect().chat(hello)
    assert slept[0] == 7
    assert 15 < slept[1] <= 20


def test_a_long_retry_after_is_the_caller_s_to_wait(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    fake.queue(Fault("rate_limit", retry_after=3600))
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


# Broken streams


def test_a_cut_stream_carries_what_had_arrived(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(Fault(reply=Reply("Hello, world!", chunk_size=4), cut="mid_stream", after=3))
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
    connect: Connect, fake: FakeMiMo, hello: Request, fault: Fault
) -> None:
    fake.queue(fault)
    assert type(streamed(connect(), hello)[1]) is StreamInterruptedError


def test_an_unstreamed_answer_that_is_cut(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    fake.queue(Fault(cut="mid_stream"), "Hi")
    assert text_of(connect().chat(hello)) == "Hi"


def test_what_happens_after_the_last_chunk_does_not_matter(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    events = (
        'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    cut = Fault(
        body=events, content_type="text/event-stream", headers={"content-encoding": "identity"}
    )
    fake.queue(cut, Fault(reply=Reply("Hi", chunk_size=2), hang_after=99))
    driver = connect(timeout=(5, 0.3))
    assert text_of(collect(driver.stream(hello))) == "Hi"
    # all sent, [DONE] too, but the body's end never comes: no error, only the read timeout's wait
    assert text_of(collect(driver.stream(hello))) == "Hi"


# Timeouts


def test_silence_is_not_tolerated_for_longer_than_the_read_timeout(
    connect: Connect, fake: FakeMiMo, hello: Request, slept: list[float]
) -> None:
    fake.queue(Fault(hang=True), Fault(hang=True), Fault(hang_after=2))
    driver = connect(timeout=(5, 0.2))
    for error in (failed(lambda: driver.chat(hello)), streamed(driver, hello)[1]):
        assert type(error) is APITimeoutError
        assert "was silent for longer than the timeout allows" in str(error)
    chunks, error = streamed(driver, hello)
    assert type(error) is StreamInterruptedError
    assert "silence" in str(error)
    assert len(chunks) == 2
    assert slept == []  # after a silence the answer may have been made, and paid
    assert fake.wait_for_disconnect(count=3)


def test_comment_lines_are_life(connect: Connect, fake: FakeMiMo, hello: Request) -> None:
    fake.queue(Fault(reply=Reply("Hi"), comments=8, comment_interval=0.1))
    assert text_of(collect(connect(timeout=(5, 0.4)).stream(hello))) == "Hi"


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


# The end of a connection


def test_stopping_early_closes_the_connection(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(Reply("x" * 1000, interval=0.01), "Hi")
    driver = connect()
    stream = driver.stream(hello)
    next(stream)
    stream.close()
    assert fake.wait_for_disconnect()
    assert text_of(driver.chat(hello)) == "Hi"


def test_an_exception_in_the_consumer_closes_the_connection(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(Reply("x" * 1000, interval=0.01))
    driver = connect()

    def consume() -> None:
        with closing(driver.stream(hello)) as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert fake.wait_for_disconnect()


def test_a_sync_stream_that_is_forgotten_closes_the_connection(
    fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(Reply("x" * 1000, interval=0.01))
    with MiMoClient(KEY, base_url=fake.base_url) as client:
        for _ in client.stream(hello):
            break
        gc.collect()
        assert fake.wait_for_disconnect()


async def test_cancelling_a_task_closes_the_connection(fake: FakeMiMo, hello: Request) -> None:
    fake.queue(Fault(hang_after=2), Fault(hang=True), Fault(hang=True))
    async with AsyncMiMoClient(KEY, base_url=fake.base_url) as client:
        got = asyncio.Event()

        async def read() -> None:
            async for _ in client.stream(hello):
                got.set()

        reading = asyncio.create_task(read())
        await asyncio.wait_for(got.wait(), 5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(fake.wait_for_disconnect)

        for count, act in ((2, read), (3, lambda: client.chat(hello))):
            waiting = asyncio.create_task(act())  # type: ignore[arg-type]
            assert await asyncio.to_thread(fake.wait_for_requests, count)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(fake.wait_for_disconnect, count=count)
        assert text_of(await client.chat(hello))


async def test_cancelling_while_it_waits_for_the_next_attempt(
    fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(Fault("overloaded", retry_after=50))
    async with AsyncMiMoClient(KEY, base_url=fake.base_url) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat(hello), 0.3)
    assert len(fake.requests) == 1


async def test_an_async_stream_that_is_left_closes_the_connection(
    fake: FakeMiMo, hello: Request
) -> None:
    fake.queue(*[Reply("x" * 1000, interval=0.01)] * 2)
    async with AsyncMiMoClient(KEY, base_url=fake.base_url) as client:
        async with aclosing(client.stream(hello)) as stream:
            async for _ in stream:
                break
        assert await asyncio.to_thread(fake.wait_for_disconnect)
        async for _ in client.stream(hello):  # forgotten: the loop closes it
            break
        assert await asyncio.to_thread(fake.wait_for_disconnect, count=2)


def test_a_finished_stream_leaves_its_connection_to_the_next(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    driver = connect()
    for _ in range(3):
        list(driver.stream(hello))
        driver.chat(hello)
    driver.models()
    fake.queue(Fault("bad_request"), Fault(error_event="bad_request"))
    failed(lambda: driver.chat(hello))
    assert fake.connections_open == 1
    assert fake.disconnects == 0


def test_closing_closes_and_the_client_can_be_used_again(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    driver = connect()
    driver.close() if driver.kind == "sync" else None  # closing what is not open is fine
    driver.chat(hello)
    assert fake.connections_open == 1
    if driver.kind == "sync":
        driver.close()
    else:
        driver._runner.run(driver.client.aclose())
        driver._runner.run(driver.client.aclose())
    assert fake.wait_for_idle()
    assert text_of(driver.chat(hello))


def test_a_client_that_is_dropped_closes_its_connections(fake: FakeMiMo, hello: Request) -> None:
    MiMoClient(KEY, base_url=fake.base_url).chat(hello)
    gc.collect()
    assert fake.wait_for_idle()


# Threads, loops, processes


def test_threads_share_a_client(fake: FakeMiMo, hello: Request) -> None:
    fake.respond = lambda request: Reply(f"to {request.text_of('user')}")

    def ask(number: int) -> bool:
        request = {**hello, "messages": [{"role": "user", "content": str(number)}]}
        answer = collect(client.stream(request)) if number % 2 else client.chat(request)
        return text_of(answer) == f"to {number}"

    with MiMoClient(KEY, base_url=fake.base_url) as client, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))
        assert fake.connections_open <= 8


def test_threads_that_start_together_make_one_http_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    def slow(name: str, *, direct: bool) -> Any:
        time.sleep(0.05)
        made.append(httpx2.Client())
        return made[-1]

    monkeypatch.setattr("mimo_core._http.clients._new_client", slow)
    client = MiMoClient(KEY)
    barrier = threading.Barrier(6)

    def get() -> Any:
        barrier.wait()
        return client._http()

    with ThreadPoolExecutor(6) as pool:
        assert len({id(http) for http in pool.map(lambda _: get(), range(6))}) == 1
    assert len(made) == 1
    client.close()


def test_closing_while_another_thread_reads(fake: FakeMiMo, hello: Request) -> None:
    """Whatever it meets, the reader gets an error of this library."""
    fake.queue(Fault(reply=Reply("Hello"), hang_after=2))
    client = MiMoClient(KEY, base_url=fake.base_url, max_retries=0, timeout=(5, 1))
    reached, errors = threading.Event(), []

    def read() -> None:
        try:
            for _ in client.stream(hello):
                reached.set()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert reached.wait(5)
    client.close()
    thread.join(5)
    assert [type(error) for error in errors] == [StreamInterruptedError]


def test_one_async_client_in_several_event_loops(fake: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=fake.base_url)

    async def ask() -> str:
        await asyncio.gather(client.chat(hello), client.chat(hello))
        return text_of(collect([chunk async for chunk in client.stream(hello)]))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert asyncio.run(ask())
            gc.collect()
            assert fake.wait_for_idle()  # the loop's end closed its connections
    assert client._clients._held == {}


async def test_closing_while_another_task_reads(fake: FakeMiMo, hello: Request) -> None:
    fake.queue(Fault(reply=Reply("Hello"), hang_after=2))
    client = AsyncMiMoClient(KEY, base_url=fake.base_url, max_retries=0, timeout=(5, 1))
    reached = asyncio.Event()

    async def read() -> None:
        async for _ in client.stream(hello):
            reached.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(reached.wait(), 5)
    await client.aclose()
    with pytest.raises(StreamInterruptedError):
        await reading


def test_event_loops_in_several_threads_at_once(fake: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=fake.base_url)

    async def ask() -> bool:
        answers = await asyncio.gather(*(client.chat(hello) for _ in range(3)))
        return all(map(text_of, answers))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: asyncio.run(ask()), range(8)))
    assert client._clients._held == {}
    assert fake.wait_for_idle()


def test_an_event_loop_closed_by_hand_is_forgotten(fake: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=fake.base_url)
    loop = asyncio.new_event_loop()
    http = loop.run_until_complete(client._http())
    loop.run_until_complete(http.aclose())
    loop.close()
    assert len(client._clients._held) == 1
    asyncio.run(client.chat(hello))
    assert len(client._clients._held) == 0


async def test_an_async_client_that_is_dropped_closes_its_connections(
    fake: FakeMiMo, hello: Request
) -> None:
    await AsyncMiMoClient(KEY, base_url=fake.base_url).chat(hello)
    gc.collect()
    assert await asyncio.to_thread(fake.wait_for_idle)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections(fake: FakeMiMo, hello: Request) -> None:
    from mimo_core._http import clients as transport

    with MiMoClient(KEY, base_url=fake.base_url) as client:
        client.chat(hello)
        inherited = client._http()
        with transport._lock:  # held by some thread while another one forks
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    holder = threading.Thread(target=client.chat, args=(hello,))
                    holder.start()
                    holder.join(10)
                    fresh = client._http() is not inherited
                    code = 0 if fresh and not holder.is_alive() else 2
                    client.close()
                finally:
                    os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert client._http() is inherited
        assert text_of(client.chat(hello))  # the parent's connection was left alone
    assert len(fake.requests) == 3


# Injected clients


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
def test_a_client_of_the_user(
    connect: Connect, fake: FakeMiMo, hello: Request, library: Any, slept: list[float]
) -> None:
    is_sync = connect().kind == "sync"
    http = library.Client(timeout=0.3) if is_sync else library.AsyncClient(timeout=0.3)
    fake.queue(
        "Hi",
        "Ho",
        Fault("overloaded"),
        "again",
        Fault(hang=True),
        Fault(cut="mid_stream", after=2),
        Fault(cut="before_headers"),
        "at last",
    )
    driver = connect(http_client=http)
    assert text_of(driver.chat(hello)) == "Hi"
    assert text_of(collect(driver.stream(hello))) == "Ho"
    assert text_of(driver.chat(hello)) == "again"
    assert type(failed(lambda: driver.chat(hello))) is APITimeoutError  # its own timeout
    assert type(streamed(driver, hello)[1]) is StreamInterruptedError
    assert text_of(driver.chat(hello)) == "at last"

    if is_sync:
        driver.close()
        assert not http.is_closed  # it stays its owner's
        http.close()
    else:
        driver._runner.run(driver.client.aclose())
        assert not http.is_closed
        driver._runner.run(http.aclose())
    error = failed(lambda: driver.chat(hello))
    assert isinstance(error, InvalidRequestError)
    assert "has been closed" in str(error)


def test_no_client_follows_a_redirect_with_the_key(fake: FakeMiMo, hello: Request) -> None:
    """httpx drops `authorization` on the way to another host, but not `api-key`."""
    fake.queue(Fault(status=307, body="", headers={"location": "https://evil.example.org/"}))
    with httpx2.Client(follow_redirects=True) as http:
        client = MiMoClient(KEY, base_url=fake.base_url, auth="api-key", http_client=http)
        error = failed(lambda: client.chat(hello))
    assert error.status == 307
    assert len(fake.requests) == 1


def test_a_client_of_another_make(hello: Request) -> None:
    class Own:
        def close(self) -> None: ...
        def build_request(self, *args: Any, **kwargs: Any) -> Any: ...
        def send(self, request: Any, **options: Any) -> Any:
            raise ConnectionResetError("reset by peer")

    client = MiMoClient(KEY, http_client=Own(), max_retries=0)
    assert type(failed(lambda: client.chat(hello))) is APIConnectionError


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (httpx2.PoolTimeout("x"), APITimeoutError, "No connection to"),
        (httpx2.WriteTimeout("x"), APITimeoutError, "was silent"),
        (httpx2.ProxyError("407 from the proxy"), APIConnectionError, "407 from the proxy"),
        (httpx2.UnsupportedProtocol("no scheme."), InvalidRequestError, "be sent: no scheme."),
        (httpx2.InvalidURL("bad URL"), InvalidRequestError, "could not be sent: bad URL."),
        (httpx2.LocalProtocolError(f"bad header {KEY}"), InvalidRequestError, "bad header ***."),
        (httpx2.DecodingError("bad gzip"), InvalidResponseError, "could not be read: bad gzip."),
        (httpx2.TooManyRedirects(""), InvalidResponseError, "be read: TooManyRedirects."),
        (httpx2.StreamClosed(), InvalidResponseError, "could not be read"),
        (RuntimeError("Event loop is closed"), InvalidRequestError, "Event loop is closed"),
    ],
)
def test_what_the_http_library_raises(
    hello: Request, raised: Exception, kind: type[MiMoError], sentence: str
) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise raised

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(KEY, http_client=http, max_retries=0)
        error = failed(lambda: client.chat(hello))
    assert type(error) is kind
    assert sentence in str(error)
    assert error.__cause__ is raised


# The model list


def test_the_model_list(connect: Connect, fake: FakeMiMo) -> None:
    assert "mimo-v2.5-pro" in connect().models()
    assert [request.path for request in fake.requests] == ["/v1/models"]
    assert fake.last_request.method == "GET"
    assert fake.last_request.headers["authorization"] == f"Bearer {KEY}"
    assert fake.last_request.raw == b""


def test_the_model_list_at_the_root(connect: Connect, fake: FakeMiMo, slept: list[float]) -> None:
    """Below the base URL it is there on some days and hosts only."""
    assert "mimo-v2.5-pro" in connect(base_url=f"{fake.root_url}/some/base", max_retries=0).models()
    assert [request.path for request in fake.requests] == ["/some/base/models", "/models"]


def test_no_model_list_anywhere(hello: Request) -> None:
    answers = [httpx2.Response(404), httpx2.Response(404), httpx2.Response(200, json={"data": 7})]
    paths: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.path)
        return answers.pop(0)

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(KEY, http_client=http)
        assert isinstance(failed(client.models), NotFoundError)
        assert paths == ["/v1/models", "/models"]
        error = failed(client.models)
        assert isinstance(error, InvalidResponseError)
        assert "holds no model list" in str(error)


def test_the_published_model_list(sample: Callable[[str], Any]) -> None:
    published = sample("models")
    published["data"] += [{"object": "model"}, "odd"]
    answer = httpx2.Response(200, json=published)
    with httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)) as http:
        ids = MiMoClient(KEY, http_client=http).models()
    assert len(ids) == 9
    assert ids[0] == "mimo-v2.5"


# Secrets and costs


def test_the_key_is_in_no_log_and_no_repr(
    connect: Connect,
    fake: FakeMiMo,
    hello: Request,
    caplog: pytest.LogCaptureFixture,
    slept: list[float],
) -> None:
    caplog.set_level(logging.DEBUG)
    for auth in ("api-key", "bearer"):
        driver = connect(auth=auth)
        fake.queue(Fault("overloaded"), "Hi", Fault(status=401, body=f"Bad key {KEY}"))
        driver.chat(hello)
        failed(lambda driver=driver: driver.chat(hello))
        list(driver.stream(hello))
        driver.models()
        client = driver.client
        assert KEY not in f"{client!r} {client} {client.endpoint!r} {client._clients!r}"
    assert fake.root_url in caplog.text
    assert KEY not in caplog.text


def test_building_a_client_costs_nothing() -> None:
    """No HTTP library, no TLS context, no import of what is needed later."""
    program = """
import sys
import mimo_core
assert not {"httpx2", "httpx", "ssl", "pydantic", "asyncio"} & set(sys.modules), "at import"
mimo_core.model_info("mimo-v2.5-pro")
assert not {"httpx2", "httpx", "ssl", "pydantic", "asyncio"} & set(sys.modules), "model table"
from mimo_core import AsyncMiMoClient, MiMoClient
MiMoClient("sk-0123456789").close()
AsyncMiMoClient("sk-0123456789")
assert not {"httpx2", "httpcore2", "httpx", "httpcore"} & set(sys.modules), "clients"
from mimo_core._http import clients as transport
assert transport._context.cache_info().misses == 0
assert transport.ssl_context() is transport.ssl_context()
assert transport._context.cache_info().misses == 1
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_public_names() -> None:
    import mimo_core

    assert dir(mimo_core) == sorted(mimo_core.__all__)
    assert all(getattr(mimo_core, name) is not None for name in mimo_core.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        mimo_core.Nope  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HTTPS_PROXY", "nonsense://127.0.0.1:1", "proxy"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE"),
    ],
)
def test_an_environment_that_lets_no_client_be_made(
    connect: Connect,
    hello: Request,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    sentence: str,
) -> None:
    monkeypatch.setenv(name, value)
    driver = connect(base_url="https://mimo.test/v1", max_retries=0)
    error = failed(lambda: driver.chat(hello))
    assert type(error) is APIConnectionError
    assert sentence in str(error)
    monkeypatch.delenv(name)
    assert "No answer from https://mimo.test" in str(failed(lambda: driver.chat(hello)))


@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
def test_a_client_can_be_pickled_before_and_after_use(
    kind: Any, fake: FakeMiMo, hello: Request
) -> None:
    client = kind(KEY, base_url=fake.base_url)
    twin = pickle.loads(pickle.dumps(client))
    assert twin.endpoint == client.endpoint
    if kind is MiMoClient:
        client.chat(hello)
        with pickle.loads(pickle.dumps(client)) as twin:
            assert text_of(twin.chat(hello))
            assert twin._http() is not client._http()
        client.close()


def test_the_cause_of_an_error_does_not_hold_the_key(
    connect: Connect, fake: FakeMiMo, hello: Request
) -> None:
    """A tracer that prints an exception's chain would print the request's headers."""
    fake.queue(Fault(cut="before_headers"))
    with pytest.raises(APIConnectionError) as caught:
        connect(max_retries=0).chat(hello)
    cause = caught.value.__cause__
    assert cause is not None
    request = cause.request  # type: ignore[attr-defined]
    assert request.url.path == "/v1/chat/completions"
    assert KEY not in str(request.headers.multi_items())
    assert not request.content
