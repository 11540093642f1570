"""How a stream ends over real HTTP: whole, too late, with an error, or as one bare answer."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from mimo_core import MiMoClient, MiMoError, RateLimitError, collect
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.core.helpers import Connect, Request, text_of
from tests.core.peer import Peer


def test_a_body_that_never_ends_does_not_hold_an_answer_that_has_ended(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    """Some gateways send `[DONE]` and leave the body open: not a reason to wait 600 seconds."""
    mimo.queue(Fault(reply="Whole.", never_ends=True), "Next.")
    driver = connect(max_retries=0)
    began = time.monotonic()
    assert text_of(collect(driver.stream(hello))) == "Whole."
    assert time.monotonic() - began < 30  # far less than the read timeout of 600
    assert text_of(driver.chat(hello)) == "Next."
    assert len(mimo.requests) == 2


def test_a_body_that_ends_leaves_its_connection_to_the_next_request(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    driver = connect()
    for _ in range(3):
        collect(driver.stream(hello))
    assert mimo.connections_open == 1


def test_after_an_answer_a_connection_waits_as_long_as_before(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    """The short wait for a body's end does not hold for the next answer."""
    mimo.queue("First.", Fault(reply="Second.", latency=0.8))
    driver = connect(max_retries=0)
    assert text_of(collect(driver.stream(hello))) == "First."
    assert text_of(driver.chat(hello)) == "Second."


def test_an_error_in_a_stream_has_what_had_arrived(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Fault(reply=Reply("Hello, world."), error_event="rate_limit", after=-2))
    with pytest.raises(RateLimitError) as e:
        list(connect(max_retries=0).stream(hello))
    assert e.value.partial is not None
    arrived = text_of(e.value.partial)
    assert arrived
    assert "Hello, world.".startswith(arrived)
    assert e.value.partial["choices"][0]["finish_reason"] is None


def test_an_error_before_anything_has_nothing(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Fault("rate_limit"))
    with pytest.raises(MiMoError) as e:
        list(connect(max_retries=0).stream(hello))
    assert e.value.partial is None


@pytest.mark.parametrize("byte_by_byte", [False, True])
def test_one_bare_answer_is_an_answer(
    connect: Connect, mimo: FakeMiMo, hello: Request, byte_by_byte: bool
) -> None:
    """One JSON body under `text/event-stream` (seen: Token Plan, October 2026)."""
    mimo.queue(Fault(reply="Whole.", bare_json=True, byte_by_byte=byte_by_byte))
    chunks = list(connect().stream(hello))
    assert text_of(collect(chunks)) == "Whole."
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]


def test_half_a_bare_answer_is_not_one(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(
        Fault(status=200, body='{"choices": [{"mess', content_type="text/event-stream"),
    )
    with pytest.raises(MiMoError):
        list(connect(max_retries=0).stream(hello))


def test_a_bare_error_is_that_error(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    body = {"error": {"code": "429", "message": "Too many requests"}}
    mimo.queue(Fault(status=200, body=body, content_type="text/event-stream"))
    with pytest.raises(RateLimitError, match="Too many requests"):
        list(connect(max_retries=0).stream(hello))


# `stream()` gives an object: the chunks, and the answer so far


def test_the_answer_so_far(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Reply("Hello, world.", reasoning="A greeting."))
    driver = connect()
    stream = driver.client.stream(hello)
    assert text_of(stream.response) == ""
    seen = ""
    for chunk in driver.chunks(stream):
        seen += chunk["choices"][0]["delta"].get("content") or ""
        assert text_of(stream.response) == seen
    last = stream.response
    assert text_of(last) == "Hello, world."
    assert last["choices"][0]["message"]["reasoning_content"] == "A greeting."
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]


def test_it_is_what_collecting_the_chunks_gives(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    mimo.queue(Reply("<tool_call><function=f></function></tool_call>"))
    driver = connect()
    stream = driver.client.stream({**hello, "tools": tools})
    collected = collect(driver.chunks(stream))
    assert collected["choices"][0]["message"]["tool_calls"]
    assert stream.response == collected


def test_a_stream_that_is_left_early(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Reply("One two three four five six."))
    driver = connect()
    stream = driver.client.stream(hello)
    for chunk in driver.chunks(stream):
        if chunk["choices"][0]["delta"].get("content"):
            break
    answer = stream.response
    assert text_of(answer)
    assert answer["choices"][0]["finish_reason"] is None
    assert answer["usage"] is None


def test_a_wrong_request_is_refused_before_it_is_iterated(connect: Connect) -> None:
    with pytest.raises(MiMoError, match="messages is empty"):
        connect().client.stream({"model": "mimo-v2.6-pro", "messages": []})


def test_a_stream_is_a_context_manager(mimo: FakeMiMo, hello: Request) -> None:
    with MiMoClient("sk-secret0123456789", base_url=mimo.base_url) as client:
        with client.stream(hello) as stream:
            first = next(stream)
        assert first["choices"]
        assert list(stream) == []  # it is closed
    assert mimo.wait_for_idle(5)


def test_a_body_that_goes_on_after_its_answer_is_closed(connect: Connect, hello: Request) -> None:
    """Comments that keep a connection alive do not keep the caller."""
    answer = (
        b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    closed = threading.Event()

    def goes_on(connection: socket.socket) -> None:
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        with suppress(OSError):
            connection.sendall(head + answer)
            for _ in range(300):
                time.sleep(0.05)
                connection.sendall(b": ping\n\n")
            return
        closed.set()

    with Peer(goes_on) as peer:
        driver = connect(base_url=f"http://127.0.0.1:{peer.port}/v1", max_retries=0)
        assert text_of(collect(driver.stream(hello))) == "Hi"
        assert closed.wait(5)
