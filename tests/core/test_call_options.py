"""What one call may say for itself (headers, query, timeout), and where a key may go."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from mimo_core import APITimeoutError, InvalidRequestError, MiMoClient, MiMoError
from mimo_core.testing.emulator import FakeMiMo, Fault
from tests.conftest import KEY
from tests.core.helpers import Connect, Request
from tests.core.peer import Peer


def both_ways(driver: Any, hello: Request, **options: Any) -> None:
    driver.chat(hello, **options)
    list(driver.stream(hello, **options))


# Headers


def test_headers_of_one_call_are_headers(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    driver = connect(default_headers={"X-Team": "a", "X-App": "b"})
    both_ways(driver, hello, extra_headers={"X-Team": "c"})
    driver.chat(hello)
    assert [r.headers["x-team"] for r in mimo.requests] == ["c", "c", "a"]
    assert {r.headers["x-app"] for r in mimo.requests} == {"b"}
    assert all("extra_headers" not in r.body for r in mimo.requests)


@pytest.mark.parametrize("name", ["api-key", "Authorization", "API-Key"])
def test_a_key_of_one_call_is_the_only_one(
    connect: Connect, mimo: FakeMiMo, hello: Request, name: str
) -> None:
    connect(auth="bearer").chat(hello, extra_headers={name: SecretStr("Bearer other-0123456789")})
    sent = mimo.last_request.headers
    assert sent[name.lower()] == "Bearer other-0123456789"
    assert KEY not in str(sent)


@pytest.mark.parametrize("headers", [{"X": "é"}, {"X": 1}, {1: "x"}, {"X": "a\r\nY: b"}, "X: a"])
def test_what_is_not_a_header(
    connect: Connect, mimo: FakeMiMo, hello: Request, headers: Any
) -> None:
    with pytest.raises(InvalidRequestError, match="extra_headers") as e:
        connect().chat(hello, extra_headers=headers)
    assert e.value.param == "extra_headers"
    assert not mimo.requests


def test_a_wrong_header_is_not_repeated(connect: Connect, hello: Request) -> None:
    secret = "secret\n0123456789"
    with pytest.raises(InvalidRequestError) as e:
        connect().chat(hello, extra_headers={"x-api-key": secret})
    assert secret not in str(e.value)
    assert "0123456789" not in str(e.value)


def test_a_key_in_a_header_of_one_call_is_not_repeated_in_errors(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    secret = "no-usual-prefix-0123456789"
    mimo.queue(Fault(status=401, body=f"Bad token {secret}"))
    with pytest.raises(MiMoError) as e:
        connect().chat(hello, extra_headers={"x-auth-token": secret})
    assert secret not in f"{e.value} {e.value.response}"


# Query


def test_parameters_of_the_url(connect: Connect, hello: Request) -> None:
    asked = []
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"choices": [choice]})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = MiMoClient(
            KEY,
            base_url="https://relay.test/v1",
            default_query={"api-version": 2, "debug": True, "left": None},
            http_client=http,
        )
        client.chat(hello, extra_query={"debug": False, "tag": ["a b", "ü"]})
        client.chat(hello)
    where = "https://relay.test/v1/chat/completions"
    assert asked == [
        f"{where}?api-version=2&debug=false&tag=a+b&tag=%C3%BC",
        f"{where}?api-version=2&debug=true",
    ]


@pytest.mark.parametrize("query", ["a=1", ["a"], 7])
def test_what_is_not_a_query(connect: Connect, hello: Request, query: Any) -> None:
    with pytest.raises(InvalidRequestError, match="extra_query"):
        connect().chat(hello, extra_query=query)
    with pytest.raises(InvalidRequestError, match="default_query"):
        connect(default_query=query)


def test_a_text_that_has_no_utf_8_is_replaced(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    connect().chat(hello, extra_query={"a": "\ud800"})
    assert len(mimo.requests) == 1


# Timeout


def test_a_timeout_of_one_call(connect: Connect, mimo: FakeMiMo, hello: Request) -> None:
    driver = connect(max_retries=0)
    mimo.queue(Fault(hang=True), Fault(hang=True))
    with pytest.raises(APITimeoutError):
        driver.chat(hello, timeout=0.1)
    with pytest.raises(APITimeoutError):
        list(driver.stream(hello, timeout=(5, 0.1)))
    driver.chat(hello)


@pytest.mark.parametrize("timeout", [0, -1, "1", True, float("inf"), float("nan"), 1e300, ()])
def test_what_is_not_a_timeout(connect: Connect, hello: Request, timeout: Any) -> None:
    with pytest.raises(InvalidRequestError, match="timeout is") as e:
        connect().chat(hello, timeout=timeout)
    assert e.value.param == "timeout"
    with pytest.raises(InvalidRequestError, match="timeout is"):
        connect(timeout=timeout)


# Where a key may go


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "api-key", "x-api-key", "x-auth-token", "cookie", "X-Authorization"),
        *("x-credentials", "x-jwt-assertion", "apiToken", "x-passwd", "x-session-id"),
    ],
)
def test_no_credential_goes_unencrypted_to_another_machine(name: str, hello: Request) -> None:
    where = "http://relay.test/v1"
    with pytest.raises(InvalidRequestError, match=r"unencrypted to relay\.test") as e:
        MiMoClient(base_url=where, default_headers={name: "not-to-be-seen"})
    assert "not-to-be-seen" not in str(e.value)
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(500))) as http:
        client = MiMoClient(base_url=where, default_headers={"x-team": "a"}, http_client=http)
        with pytest.raises(InvalidRequestError, match=r"unencrypted to relay\.test"):
            client.chat(hello, extra_headers={name: SecretStr("not-to-be-seen")})


@pytest.mark.parametrize(
    "options",
    [
        {"default_headers": {"x-tenant": SecretStr("not-to-be-seen")}},
        {"default_headers": {"x-foo": "sk-0123456789"}},
        {"default_query": {"key": "not-to-be-seen"}},
        {"default_query": {"accessToken": "not-to-be-seen"}},
        {"default_query": {"tenant": SecretStr("not-to-be-seen")}},
    ],
)
def test_a_secret_is_one_under_any_name(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"unencrypted to relay\.test") as e:
        MiMoClient(base_url="http://relay.test/v1", **options)
    assert "not-to-be-seen" not in str(e.value)


ECHO = "echo-me-0123456789"


@pytest.mark.parametrize(
    "options",
    [
        {"extra_headers": {"x-tenant": SecretStr(ECHO)}},
        {"extra_headers": {"cookie": f"a=b; sid={ECHO}; c=d"}},
        {"extra_query": {"key": ECHO}},
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        {
            "status": 401,
            "body": f"No: {ECHO}",
            "headers": {"x-request-id": ECHO},
        },
        {
            "status": 200,
            "body": f"data: no: {ECHO}\n\n",
            "content_type": "text/event-stream",
        },
        {"status": 200, "body": {"odd": ECHO * 15}},
        {"status": 400, "body": "No: echo-me%2D0123456789 echo-me-\u200b0123456789"},
    ],
)
def test_no_error_echoes_a_secret(
    connect: Connect, mimo: FakeMiMo, hello: Request, options: dict[str, Any], fault: dict[str, Any]
) -> None:
    mimo.queue(Fault(**fault))
    with pytest.raises(MiMoError) as e:
        list(connect(max_retries=0).stream(hello, **options))
    error = e.value
    seen = f"{error} {error!r} {error.response} {error.request_id} {error.code} {error.param}"
    assert ECHO not in seen
    assert "echo-me-01" not in str(error)


@pytest.mark.parametrize("name", ["Content-Length", "host", "Transfer-Encoding"])
def test_headers_that_are_http_s_own(connect: Connect, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="is set for each request"):
        connect(default_headers={name: "5"})


def test_a_trusted_network_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_ALLOW_HTTP", "relay.test")
    MiMoClient(base_url="http://relay.test/v1", default_headers={"authorization": "Bearer x"})


def test_no_proxy_sees_what_goes_to_this_machine(
    connect: Connect, mimo: FakeMiMo, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTP_PROXY` would get key and prompt unencrypted."""
    seen: list[bytes] = []
    with Peer(lambda connection: seen.append(connection.recv(65536))) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        both_ways(connect(), hello)
    assert not seen
    assert len(mimo.requests) == 2


def test_the_key_is_no_part_of_a_request_that_is_printed(hello: Request) -> None:
    client = MiMoClient(KEY, base_url="https://relay.test/v1")
    assert KEY not in repr(client)
    assert KEY not in json.dumps(hello)
