"""FakeMiMo's faults: what a client meets on the wire when an answer goes wrong."""

import json
import time
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply
from mimo_core.testing.emulator import ERRORS

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
stream_of = partial(httpx2.stream, verify=False)
REQUEST = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "hi"}]}


def send(mimo: FakeMiMo, *, stream: bool = False, timeout: float = 5) -> Any:
    url = f"{mimo.base_url}/chat/completions"
    return post(url, json=REQUEST | {"stream": stream}, timeout=timeout)


def data_of(text: str) -> list[str]:
    return [event[6:] for event in text.split("\n\n") if event.startswith("data: ")]


def read_until_failure(mimo: FakeMiMo) -> tuple[bytes, Exception | None]:
    received = b""
    url = f"{mimo.base_url}/chat/completions"
    with stream_of("POST", url, json=REQUEST | {"stream": True}, timeout=5) as response:
        try:
            for piece in response.iter_raw():
                received += piece
        except httpx2.TransportError as error:
            return received, error
    return received, None


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_named_error(mimo: FakeMiMo, name: str, stream: bool) -> None:
    mimo.queue(Fault(name))
    response = send(mimo, stream=stream)
    status, body = ERRORS[name]
    assert response.status_code == status
    if isinstance(body, str):
        assert response.text == body
        assert response.headers["content-type"] == "text/html"
    else:
        assert response.json() == body
        assert response.headers["content-type"] == "application/json"


def test_the_published_bodies() -> None:
    assert ERRORS["moderation"][1] == {
        "error": {
            "code": "421",
            "message": "Moderation Block",
            "param": "The request was rejected because it was considered high risk",
            "type": "content_filter",
        }
    }
    assert ERRORS["reasoning_not_passed_back"][1] == {
        "error": {
            "code": "400",
            "message": "Param Incorrect",
            "param": "The reasoning_content in the thinking mode must be passed back to the API.",
            "type": "",
        }
    }


def test_retry_after(mimo: FakeMiMo) -> None:
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    mimo.queue(Fault("rate_limit", retry_after=1), Fault("overloaded", retry_after=date))
    assert send(mimo).headers["retry-after"] == "1"
    assert send(mimo).headers["retry-after"] == date


def test_own_errors(mimo: FakeMiMo) -> None:
    mimo.queue(
        Fault({"message": "no", "code": 7}, status=409, headers={"x-why": "because"}),
        Fault(status=500),
        Fault(status=599),
        Fault(status=400, body="plain words"),
        Fault(body={"choices": None}),
        Fault(body=b"data: {}\n\n", content_type="text/event-stream"),
    )
    response = send(mimo)
    assert response.status_code == 409
    assert response.headers["x-why"] == "because"
    assert response.json() == {"error": {"message": "no", "code": 7}}
    assert send(mimo).json() == ERRORS["server"][1]
    assert send(mimo).status_code == 599
    assert send(mimo).text == "plain words"
    assert send(mimo).json() == {"choices": None}
    response = send(mimo, stream=True)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.text == "data: {}\n\n"


def test_relayed_error(mimo: FakeMiMo) -> None:
    mimo.queue(Fault("moderation", relay=True))
    error = send(mimo).json()["error"]
    assert error["code"] == 400
    assert json.loads(error["metadata"]["raw"]) == ERRORS["moderation"][1]


def test_data_prefix(mimo: FakeMiMo) -> None:
    mimo.queue(Fault("moderation", data_prefix=True), Fault("moderation", data_prefix=True))
    assert send(mimo, stream=True).text.startswith('data:{"error": ')
    assert send(mimo).text.startswith('{"error": ')


def test_latency(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(latency=0.15), Fault(first_event_latency=0.15))
    for stream in (False, True):
        started = time.monotonic()
        assert send(mimo, stream=stream).status_code == 200
        assert time.monotonic() - started >= 0.15


def test_interval_between_events(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("abcd", chunk_size=1, interval=0.02))
    started = time.monotonic()
    assert len(data_of(send(mimo, stream=True).text)) == 8
    assert time.monotonic() - started >= 0.14


def test_comments(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(comments=3, comment_interval=0.05, reply="x"), Fault(comments=0))
    started = time.monotonic()
    text = send(mimo, stream=True).text
    assert time.monotonic() - started >= 0.15
    assert text.startswith(": PROCESSING\n\n" * 3 + "data: ")
    assert send(mimo, stream=True).text.startswith("data: ")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_cut_before_headers(mimo: FakeMiMo, stream: bool, reset: bool) -> None:
    mimo.queue(Fault(cut="before_headers", reset=reset))
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        send(mimo, stream=stream)
    assert send(mimo, stream=stream).status_code == 200
    assert mimo.disconnects == 0


def test_cut_before_the_first_event(mimo: FakeMiMo) -> None:
    mimo.queue(*[Fault(cut="before_first_event", comments=0)] * 2)
    received, error = read_until_failure(mimo)
    assert received == b""
    assert isinstance(error, httpx2.RemoteProtocolError)
    with pytest.raises(httpx2.RemoteProtocolError):
        send(mimo)


def test_cut_in_mid_stream(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(cut="mid_stream", after=2, reply=Reply("Hello there, how are you?")))
    received, error = read_until_failure(mimo)
    events = data_of(received.decode())
    assert len(events) == 2
    assert json.loads(events[1])["choices"][0]["delta"]["content"] == "Hello th"
    assert isinstance(error, httpx2.RemoteProtocolError)
    mimo.queue(Fault(cut="mid_stream"), Fault(cut="mid_stream", clean=True))
    with pytest.raises(httpx2.RemoteProtocolError):
        send(mimo)
    with pytest.raises(ValueError):
        send(mimo).json()


@pytest.mark.parametrize("after", [None, 1, -3])
def test_clean_end_without_finish_reason(mimo: FakeMiMo, after: int | None) -> None:
    mimo.queue(Fault(cut="mid_stream", clean=True, after=after))
    received, error = read_until_failure(mimo)
    assert error is None
    assert b'"stop"' not in received
    assert b"[DONE]" not in received


def test_clean_end_without_done(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(cut="before_done"))
    received, error = read_until_failure(mimo)
    assert error is None
    assert b'"stop"' in received
    assert b"[DONE]" not in received


def test_error_event(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(error_event="overloaded", after=2), Fault(error_event={"message": "x"}))
    events = [json.loads(event) for event in data_of(send(mimo, stream=True).text)]
    assert len(events) == 3
    assert events[-1] == ERRORS["overloaded"][1]
    last = data_of(send(mimo, stream=True).text)[-1]
    assert json.loads(last) == {"error": {"message": "x"}}


def test_empty_choices(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(empty_choices=True), Fault(empty_choices=True))
    events = data_of(send(mimo, stream=True).text)
    assert events.pop() == "[DONE]"
    assert all(json.loads(event)["choices"] == [] for event in events)
    assert send(mimo).json()["choices"] == []


def test_byte_by_byte_crlf_and_bom(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(byte_by_byte=True, crlf=True, bom=True, reply=Reply("😀 ok", chunk_size=9)))
    received, error = read_until_failure(mimo)
    assert error is None
    assert received.startswith(b"\xef\xbb\xbf: PROCESSING\r\n\r\ndata: ")
    assert received.endswith(b"data: [DONE]\r\n\r\n")
    assert b"\n" not in received.replace(b"\r\n", b"")
    assert "😀 ok".encode() in received


def test_bytes_arrive_one_by_one(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(byte_by_byte=True), Fault(byte_by_byte=True))
    url = f"{mimo.base_url}/chat/completions"
    with stream_of("POST", url, json=REQUEST | {"stream": True}) as response:
        assert {len(piece) for piece in response.iter_raw()} == {1}
    assert send(mimo).json()["object"] == "chat.completion"


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(hang_after=2)])
@pytest.mark.parametrize("stream", [False, True])
def test_hang(mimo: FakeMiMo, fault: Fault, stream: bool) -> None:
    mimo.queue(fault)
    with pytest.raises(httpx2.ReadTimeout):
        send(mimo, stream=stream, timeout=0.2)
    assert mimo.wait_for_disconnect()
    assert send(mimo).status_code == 200


def test_respond_may_answer_with_a_fault(mimo: FakeMiMo) -> None:
    mimo.respond = lambda request: Fault("overloaded") if not request.stream else Fault(crlf=True)
    assert send(mimo).status_code == 503
    assert b"\r\n" in send(mimo, stream=True).content
    mimo.respond = lambda request: "said"
    mimo.queue(Fault(crlf=True))
    assert '"said"' in send(mimo, stream=True).text
