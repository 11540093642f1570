"""A server that sends without end: each limit is one argument, and its error names it."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mimo_core import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    ServerError,
    StreamInterruptedError,
)
from mimo_core._response.sse import EventTooLargeError, SSEParser
from mimo_core.limits import Limits, limits_from
from tests.core.helpers import Connect, Request, failed, streamed, text_of

HEAD = "HTTP/1.1 {} X\r\ncontent-type: {}\r\n{}\r\n"
EVENTS = "text/event-stream"
PIECE = {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
HEL = b"data: " + json.dumps(PIECE).encode() + b"\n\n"
Speak = Callable[[socket.socket], None]


@contextmanager
def serving(speak: Speak) -> Iterator[str]:
    """A server that reads a request's head and then says what `speak` says, to each caller."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                speak(connection)
            except OSError:  # the caller has gone, which is what the tests want
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        stopped.set()
        with socket.create_connection(listener.getsockname()):
            pass
        listener.close()
        thread.join(timeout=2)


def saying(head: str, *first: bytes, then: bytes = b"", every: float = 0.0) -> Speak:
    """Say the head and the first pieces, then `then` again and again."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(head.encode() + b"".join(first))
        while then:
            connection.sendall(then)
            time.sleep(every)

    return speak


def test_an_event_without_end(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, EVENTS, ""), HEL, b"data: ", then=b"x" * 65_536)
    with serving(endless) as url:
        driver = connect(base_url=url, limits={"event": 1_000_000})
        _, error = streamed(driver, hello)
    assert type(error) is StreamInterruptedError
    assert "an event is larger than 977 kB (limits: event)" in str(error)
    assert text_of(error.partial) == "Hel"


def test_a_stream_without_end(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, EVENTS, ""), then=HEL * 1_000)
    with serving(endless) as url:
        driver = connect(base_url=url, limits=Limits(answer=500_000))
        _, error = streamed(driver, hello)
    assert type(error) is StreamInterruptedError
    assert "the answer is larger than 488 kB (limits: answer)" in str(error)


def test_a_whole_answer_without_end(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, "application/json", ""), b'{"a": "', then=b"x" * 65_536)
    with serving(endless) as url:
        driver = connect(base_url=url, limits={"answer": 2_000_000})
        error = failed(lambda: driver.chat(hello))
        _, in_place_of_a_stream = streamed(driver, hello)
    assert type(error) is type(in_place_of_a_stream) is InvalidResponseError
    assert "larger than 2 MB, so it was not read further" in str(error)
    assert "raise limits (answer)" in str(in_place_of_a_stream)


def test_a_bare_body_in_place_of_events_without_end(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, EVENTS, ""), b'{"a": "', then=b"x" * 65_536)
    with serving(endless) as url:
        _, error = streamed(connect(base_url=url, limits={"answer": 2_000_000}), hello)
    assert "(limits: answer)" in str(error)


def test_what_is_small_while_it_is_compressed(connect: Connect, hello: Request) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    head = HEAD.format(
        200, "application/json", f"content-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n"
    )
    with serving(saying(head, bomb)) as url:
        error = failed(lambda: connect(base_url=url, limits={"answer": 2_000_000}).chat(hello))
    assert type(error) is InvalidResponseError
    assert "larger than 2 MB" in str(error)


def test_compressed_bytes_that_hold_nothing(connect: Connect, hello: Request) -> None:
    nothing = gzip.compress(b"") * 500
    head = HEAD.format(200, "application/json", "content-encoding: gzip\r\n")
    with serving(saying(head, then=nothing)) as url:
        large = failed(lambda: connect(base_url=url, limits={"answer": 500_000}).chat(hello))
        _, late = streamed(connect(base_url=url, deadline=0.3, max_retries=0), hello)
    assert type(large) is InvalidResponseError
    assert "larger than 488 kB while it is compressed" in str(large)
    assert "the deadline of 0.3 s is over" in str(late)


def test_a_whole_answer_has_a_limit_of_its_own(connect: Connect, hello: Request) -> None:
    """It is parsed at once, so that it takes many times its size in memory."""
    endless = saying(HEAD.format(200, "application/json", ""), b'{"a": "', then=b"x" * 65_536)
    with serving(endless) as url:
        error = failed(lambda: connect(base_url=url, limits={"body": 500_000}).chat(hello))
    assert "raise limits (body)" in str(error)
    assert Limits().body < Limits().answer


def test_of_a_large_answer_that_is_none_little_is_shown(connect: Connect, hello: Request) -> None:
    body = json.dumps({"choices": "x", "filler": [{"a": ["b"] * 9}] * 20_000})
    head = HEAD.format(200, "application/json", f"content-length: {len(body)}\r\n")
    with serving(saying(head, body.encode())) as url:
        error = failed(lambda: connect(base_url=url).chat(hello))
    assert len(str(error)) < 400


def test_of_a_refusal_the_beginning_is_read(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(500, "text/plain", ""), b"overloaded ", then=b"x" * 65_536)
    with serving(endless) as url:
        driver = connect(base_url=url, max_retries=0)
        error = failed(lambda: driver.chat(hello))
        _, of_a_stream = streamed(driver, hello)
    assert type(error) is type(of_a_stream) is ServerError
    assert str(error).startswith("overloaded xxx")
    assert error.response is not None
    assert len(error.response.text) == Limits().error


def test_interim_answers_and_no_other(connect: Connect, hello: Request) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n" * 100
    with serving(saying("", then=interim)) as url:
        error = failed(lambda: connect(base_url=url, max_retries=0).chat(hello))
    assert type(error) is APIConnectionError
    assert "it sends interim answers (1xx) and no other" in str(error)


def test_interim_answers_before_the_answer(connect: Connect, hello: Request) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    whole = json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})
    head = HEAD.format(200, "application/json", f"content-length: {len(whole)}\r\n")
    with serving(saying("", interim, interim, head.encode(), whole.encode())) as url:
        assert text_of(connect(base_url=url).chat(hello)) == "Hi"


def test_comments_and_no_event(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, EVENTS, ""), then=b": PROCESSING\n\n", every=0.02)
    with serving(endless) as url:
        _, error = streamed(connect(base_url=url, limits={"waiting": 0.3}), hello)
    assert type(error) is APITimeoutError
    assert "comments and no event for 0.3 s (limits: waiting)" in str(error)


def test_comments_after_a_piece_of_the_answer(connect: Connect, hello: Request) -> None:
    endless = saying(HEAD.format(200, EVENTS, ""), HEL, then=b": PROCESSING\n\n", every=0.02)
    with serving(endless) as url:
        _, error = streamed(connect(base_url=url, limits={"waiting": 0.3}), hello)
    assert type(error) is StreamInterruptedError
    assert text_of(error.partial) == "Hel"


@pytest.mark.parametrize("every", [0.02, 5.0])
def test_a_deadline_holds_for_a_stream(connect: Connect, hello: Request, every: float) -> None:
    dripping = saying(HEAD.format(200, EVENTS, ""), HEL, then=HEL, every=every)
    with serving(dripping) as url:
        started = time.monotonic()
        _, error = streamed(connect(base_url=url, deadline=0.3), hello)
    assert isinstance(error, StreamInterruptedError)
    assert time.monotonic() - started < 4


def test_a_deadline_holds_for_a_whole_answer(connect: Connect, hello: Request) -> None:
    dripping = saying(HEAD.format(200, "application/json", ""), b"{", then=b" ", every=0.02)
    with serving(dripping) as url:
        error = failed(lambda: connect(base_url=url, deadline=0.3).chat(hello))
    assert type(error) is APITimeoutError
    assert "the deadline of 0.3 s is over" in str(error)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["silence", "half a head"])
def test_a_deadline_is_named_where_it_ended_a_silence(
    said: bytes, connect: Connect, hello: Request
) -> None:
    def wait(connection: socket.socket) -> None:
        connection.sendall(said)
        while connection.recv(65_536):  # until the client has gone
            pass

    with serving(wait) as url:
        driver = connect(base_url=url, deadline=0.3)
        error = failed(lambda: driver.chat(hello))
        _, of_a_stream = streamed(driver, hello)
    assert type(error) is type(of_a_stream) is APITimeoutError
    for one in (error, of_a_stream):
        assert "the deadline of 0.3 s is over" in str(one)
        assert one.code == "deadline"


def test_a_deadline_leaves_no_time_for_another_attempt(connect: Connect, hello: Request) -> None:
    with serving(saying(HEAD.format(503, "text/plain", "content-length: 4\r\n"), b"busy")) as url:
        started = time.monotonic()
        error = failed(lambda: connect(base_url=url, deadline=0.35, max_retries=9).chat(hello))
    assert type(error) is ServerError
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"evnt": 1}, "it can be Limits"),
        (5, "it can be Limits"),
        ({"event": 0}, "event is 0"),
        ({"event": 1.5}, "event is 1.5"),
        ({"answer": True}, "answer is True"),
        ({"waiting": float("nan")}, "waiting is nan"),
    ],
)
def test_a_wrong_limit(connect: Connect, given: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as error:
        connect(limits=given)
    assert error.value.param == "limits"


@pytest.mark.parametrize("deadline", [0, -1, "1", True, float("nan")])
def test_a_wrong_deadline(connect: Connect, deadline: Any) -> None:
    with pytest.raises(MiMoError, match=r"deadline is .*; it must be a number of seconds"):
        connect(deadline=deadline)


def test_limits_are_given_whole_or_in_part() -> None:
    assert limits_from(None) == Limits()
    assert limits_from({"event": 7}) == Limits(event=7)
    assert limits_from(Limits(answer=9)) == Limits(answer=9)


def test_many_events_that_are_small_are_no_large_one() -> None:
    parser = SSEParser(largest=100)
    for _ in range(1_000):
        assert parser.feed(b"data: 12345\r\n") == []
        assert parser.feed(b": a comment of no consequence\r\n") == []
        assert parser.feed(b"\r\n") == [b"12345"]
    with pytest.raises(EventTooLargeError):
        [parser.feed(b"data: 12345\r\n") for _ in range(20)]
