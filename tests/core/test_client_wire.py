"""Both clients over real HTTP on loopback: what goes over the wire, and what never does."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core import (
    AsyncMiMoClient,
    AuthenticationError,
    InvalidRequestError,
    MiMoClient,
    collect,
)
from mimo_core._http.clients import OURS, own_request
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, streamed, text_of

# On the wire


def test_a_question_and_its_answer(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Reply("Hi!", reasoning="A greeting."))
    response = connect().chat({**hello, "thinking": True, "temperature": None})

    assert text_of(response) == "Hi!"
    assert response["choices"][0]["message"]["reasoning_content"] == "A greeting."
    assert response["choices"][0]["finish_reason"] == "stop"
    assert response["usage"]["completion_tokens"] > 0
    [seen] = mimo.requests
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.body == {**hello, "thinking": {"type": "enabled"}, "stream": False}
    assert seen.headers["authorization"] == f"Bearer {KEY}"  # loopback is none of Xiaomi's hosts
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["user-agent"].startswith("mimo-core/")


def test_a_stream(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    reply = Reply("Hello, world!", reasoning="Because.", chunk_size=3)
    mimo.queue(reply, reply)
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
    assert mimo.requests[0].body["stream"] is True
    assert "stream_options" not in mimo.requests[0].body  # usage comes unasked at Xiaomi
    assert mimo.requests[0].headers["accept"] == "text/event-stream"


def test_stream_options_belong_to_streams(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    asked = {**hello, "stream": True, "stream_options": {"include_usage": False}}
    driver = connect()
    driver.chat(asked)
    assert mimo.last_request.body == {**hello, "stream": False}
    list(driver.stream(asked))
    assert mimo.last_request.body == asked


def test_a_tool_call_in_a_stream(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    calls = [("get_weather", {"city": "Paris"}, "call_1"), ("now", {}, "call_2")]
    mimo.queue(Reply(tool_calls=calls, reasoning="I should look."))
    tools = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "now")]
    message = collect(connect().stream({**hello, "tools": tools}))["choices"][0]["message"]
    assert [(c["id"], c["function"]["arguments"]) for c in message["tool_calls"] or ()] == [
        ("call_1", '{"city": "Paris"}'),
        ("call_2", "{}"),
    ]
    assert mimo.last_request.body["tools"][1]["function"]["parameters"]["type"] == "object"


@pytest.mark.parametrize(
    "odd", [{"byte_by_byte": True}, {"crlf": True}, {"bom": True}, {"comments": 0}, {"comments": 3}]
)
def test_odd_deliveries(
    connect: Connect, mimo: FakeMiMo, hello: Request, odd: dict[str, Any]
) -> None:
    mimo.queue(Fault(reply=Reply("Grüße 😊"), **odd))
    assert text_of(collect(connect().stream(hello))) == "Grüße 😊"


def test_characters_of_all_kinds_arrive(connect: Connect, mimo: FakeMiMo) -> None:
    content = "小米 😊 \u2028 \x00 \ud83d"  # the last is half an emoji
    connect().chat({"model": "mimo-v2.5", "messages": [{"role": "user", "content": content}]})
    assert mimo.last_request.messages[0]["content"] == content


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
    mimo: FakeMiMo,
    hello: Request,
    options: dict[str, Any],
    expected: dict[str, str],
) -> None:
    connect(**options).chat(hello)
    seen = mimo.last_request.headers
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
    assert ours.extensions == {**theirs.extensions, OURS: True}
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
    connect: Connect, mimo: FakeMiMo, hello: Request, cut: bool
) -> None:
    written = "<tool_call><function=now><parameter=zone>CET</parameter></function></tool_call>"
    parameters = {"type": "object", "properties": {"zone": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "now", "parameters": parameters}}]
    reply = Reply(f"Let me see. {written}", finish_reason="stop")
    driver = connect()
    if cut:  # what had arrived is in the error, as the model wrote it: it is not a call to run
        mimo.queue(Fault(reply=reply, cut="mid_stream", after=-1))
        partial = streamed(driver, {**hello, "tools": tools})[1].partial
        assert "tool_calls" not in partial["choices"][0]["message"]
        assert text_of(partial).startswith("Let me see. <tool_call>")
        return
    mimo.queue(reply, reply)
    for answer in (
        collect(driver.stream({**hello, "tools": tools})),
        driver.chat({**hello, "tools": tools}),
    ):
        [call] = answer["choices"][0]["message"]["tool_calls"] or []
        assert call["function"] == {"name": "now", "arguments": '{"zone": "CET"}'}
        assert text_of(answer).strip() == "Let me see."
        assert answer["choices"][0]["finish_reason"] == "tool_calls"


# Before anything is sent


def test_bad_requests_are_not_sent(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    driver = connect()
    unfit: list[Request] = [
        {"temperature": 9},
        {"messages": []},
        {"metadata": {1, 2}},
        {"x": float("nan")},
    ]
    for fields in unfit:
        bad = {**hello, **fields}
        assert isinstance(failed(partial(driver.chat, bad)), InvalidRequestError)
        _, error = streamed(driver, bad)
        assert isinstance(error, InvalidRequestError)
    assert mimo.requests == []


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
