"""Which error a refusal means: every body shape seen, every status documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mimo_core import (
    AuthenticationError,
    ContentFilterError,
    ContextOverflowError,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnsupportedInputError,
)
from mimo_core._http.errors import error_for
from mimo_core._http.retry import delay_before_retry
from tests.conftest import KEY
from tests.core.helpers import classified, error_body

# The bodies that were seen


@pytest.mark.parametrize(
    ("status", "payload", "kind", "sentence"),
    [
        (
            400,
            error_body(param="messages must not be empty", type=""),
            InvalidRequestError,
            "Param Incorrect: messages must not be empty (HTTP 400).",
        ),
        (
            400,
            error_body(message="Unsupported model mimo-v2.6"),
            NotFoundError,
            "Unsupported model mimo-v2.6 (HTTP 400). Check base_url",
        ),
        (
            400,
            error_body(message="Invalid request parameters", param="", type="Bad Request"),
            InvalidRequestError,
            "Invalid request parameters (HTTP 400).",
        ),
        (
            400,
            error_body(message="Invalid value", param="temperature"),
            InvalidRequestError,
            "Invalid value (temperature) (HTTP 400).",
        ),
        (400, error_body(message="", param="audio"), InvalidRequestError, "audio (HTTP 400)."),
        (400, error_body(message=""), InvalidRequestError, "code 400 (HTTP 400)."),
        (
            404,
            error_body("404", "No endpoints found that support image input"),
            UnsupportedInputError,
            "No endpoints found that support image input (HTTP 404).",
        ),
        (
            400,
            error_body(param="The input exceeds the maximum context length of 1048576 tokens"),
            ContextOverflowError,
            "maximum context length",
        ),
        (
            400,
            error_body(message="This model's maximum context length is 8192 tokens"),
            ContextOverflowError,
            "8192",
        ),
        (
            400,
            error_body(message="prompt is too long: 9 tokens"),
            ContextOverflowError,
            "prompt is too long",
        ),
        (
            400,
            error_body(message="max_tokens exceeds the tokens allowed: input too long"),
            InvalidRequestError,
            "max_tokens exceeds",
        ),
        (413, error_body("413", "context_length_exceeded"), ContextOverflowError, "context_length"),
        (
            400,
            error_body(param="system role is not allowed for TTS model"),
            InvalidRequestError,
            "Param Incorrect: system role is not allowed for TTS model (HTTP 400).",
        ),
        # other servers' shapes
        (400, {"message": "bad", "code": 400, "object": "error"}, InvalidRequestError, "bad (HTTP"),
        (400, {"error": "just words"}, InvalidRequestError, "just words (HTTP 400)."),
        (404, {"detail": "Not Found"}, NotFoundError, "Not Found (HTTP 404)."),
        (400, {"error": {}}, InvalidRequestError, '{"error": {}} (HTTP 400).'),
        (400, {"error": None}, InvalidRequestError, '{"error": null} (HTTP 400).'),
        (400, {"error": ""}, InvalidRequestError, '{"error": ""} (HTTP 400).'),
        (400, [1], InvalidRequestError, "[1] (HTTP 400)."),
        (500, "Internal\nServer Error", ServerError, "Internal Server Error (HTTP 500)."),
        (502, "", ServerError, "HTTP 502 without a body (HTTP 502)."),
        (500, b"\xff\xfe", ServerError, "(HTTP 500)."),
        (400, "[" * 100_000, InvalidRequestError, "[[["),
    ],
)
def test_body_shapes(status: int, payload: Any, kind: type[MiMoError], sentence: str) -> None:
    error = classified(status, payload)
    assert type(error) is kind
    assert sentence in str(error)


@pytest.mark.parametrize(
    ("name", "status", "kind", "sentence"),
    [
        (
            "error_invalid_key",
            401,
            AuthenticationError,
            "Invalid API Key: Please provide valid API Key (HTTP 401). Check MIMO_API_KEY",
        ),
        (
            "error_moderation",
            400,
            ContentFilterError,
            "Moderation Block: The request was rejected because it was considered high risk "
            "(HTTP 400, code 421). Rephrase the request",
        ),
        (
            "error_reasoning_not_passed_back",
            400,
            InvalidRequestError,
            "The reasoning_content in the thinking mode must be passed back to the API (HTTP 400).",
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "data:", "data: ", "\ndata: "])
def test_published_refusals(
    name: str,
    status: int,
    kind: type[MiMoError],
    sentence: str,
    prefix: str,
    sample: Callable[[str], Any],
) -> None:
    published = sample(name)
    error = classified(status, prefix + json.dumps(published) + ("\n\n" if prefix else ""))
    assert type(error) is kind
    assert sentence in str(error)
    assert error.code == published["error"]["code"]
    assert error.param == published["error"]["param"]
    assert str(error.status) == error.code


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "advice"),
    [
        (400, InvalidRequestError, False, ""),
        (401, AuthenticationError, False, "https://platform.xiaomimimo.com"),
        (402, InsufficientBalanceError, False, "Top up"),
        (403, PermissionDeniedError, False, "region"),
        (404, NotFoundError, False, "Check base_url and the model id"),
        (405, InvalidRequestError, False, ""),
        (421, ContentFilterError, False, "Rephrase"),
        (422, InvalidRequestError, False, ""),
        (429, RateLimitError, True, "Token Plan's quota"),
        (500, ServerError, True, "Try again later"),
        (502, ServerError, True, "Try again later"),
        (503, ServerError, True, "Try again later"),
        (504, ServerError, True, "Try again later"),
        (204, InvalidResponseError, False, "Check base_url"),
        (307, InvalidResponseError, False, "Check base_url"),
    ],
)
def test_statuses(status: int, kind: type[MiMoError], retryable: bool, advice: str) -> None:
    for given_body in ("", error_body(str(status), "So it is")):
        error = classified(status, given_body)
        assert type(error) is kind
        assert error.status == status
        assert error.is_retryable is retryable
        assert advice in str(error)
        assert error.response is not None
        assert error.response.status_code == status


# The inner code


@pytest.mark.parametrize(
    ("status", "code", "kind", "effective"),
    [
        (400, "421", ContentFilterError, 421),
        (400, "429", RateLimitError, 429),
        (500, "400", InvalidRequestError, 400),
        (400, 401, AuthenticationError, 401),
        (500, "200", ServerError, 500),  # no error has this code
        (429, "invalid_api_key", RateLimitError, 429),
        (400, "20001", InvalidRequestError, 400),
        (503, "", ServerError, 503),
        (400, "４２１", InvalidRequestError, 400),  # digits, but not ASCII
    ],
)
def test_the_inner_code_says_what_happened(
    status: int, code: Any, kind: type[MiMoError], effective: int
) -> None:
    error = classified(status, error_body(code, "x"))
    assert (type(error), error.status) == (kind, effective)
    assert error.response.status_code == status
    assert (f"(HTTP {status}, code {effective})" in str(error)) is (status != effective)


def test_the_type_alone_tells_the_content_filter() -> None:
    assert isinstance(classified(400, error_body(type="content_filter")), ContentFilterError)


# Wrapping


@pytest.mark.parametrize("raw_prefix", ["", "data:", " "])
def test_a_relay_s_wrapping_is_taken_off(raw_prefix: str) -> None:
    raw = raw_prefix + json.dumps(error_body("421", "Moderation Block", type="content_filter"))
    wrapped = {
        "error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}
    }
    error = classified(400, wrapped)
    assert isinstance(error, ContentFilterError)
    assert str(error).startswith("Moderation Block (HTTP 400, code 421).")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("upstream\nsaid no", "upstream said no (HTTP 502)"),
        ('{"message":"inner words"}', "inner words (HTTP 502)"),
        ("", "Provider returned error (HTTP 502)"),
        (" ", "Provider returned error (HTTP 502)"),
        ("null", "Provider returned error (HTTP 502)"),
        (None, "Provider returned error (HTTP 502)"),
        ({"message": "x"}, "Provider returned error (HTTP 502)"),
    ],
)
def test_what_a_relay_may_hold(raw: Any, sentence: str) -> None:
    wrapped = {
        "error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": raw}}
    }
    error = classified(502, wrapped)
    assert isinstance(error, ServerError)
    assert sentence in str(error)
    assert error.code == "502"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            "<html>\r\n<head><title>502 Bad\r\nGateway</title></head><body>x</body></html>",
            "502 Bad Gateway",
        ),
        ("<!DOCTYPE html><p>Sign &amp; in</p>", "Sign & in"),
        ("<HTML><BODY>Nope</BODY></HTML>", "Nope"),
    ],
)
@pytest.mark.parametrize(("status", "kind"), [(200, InvalidResponseError), (502, ServerError)])
def test_a_page_is_told_by_its_title(
    page: str, words: str, status: int, kind: type[MiMoError]
) -> None:
    error = classified(status, page)
    assert type(error) is kind
    assert f"a page instead of an answer, from a gateway or proxy: {words} (HTTP" in str(error)


def test_an_endless_sentence_is_cut() -> None:
    """Some servers repeat the whole request, images included."""
    for long in (
        error_body(message="x" * 1_000_000),
        "y" * 1_000_000,
        f"<html>{'z ' * 99999}</html>",
    ):
        assert len(str(classified(400, long))) < 1200


# The key


@pytest.mark.parametrize(
    "echo",
    [
        f"Invalid key {KEY}",
        "Invalid key sk-anotherkey0123",
        "Invalid key tp-anotherkey0123",
        f"Bearer {KEY}.",
        KEY.replace("-", "\\u002d"),
    ],
)
def test_no_key_is_repeated_from_anywhere(echo: str) -> None:
    raw = f'{{"error":{{"message":"{echo}","code":"401","param":"{echo} x","type":"{echo}"}}}}'
    error = classified(401, raw, {"X-Echo": KEY, "Set-Cookie": "a=b", "x-request-id": "r-1"})
    assert "key0123" not in f"{error}{error.param}"
    assert error.response.headers == {"x-echo": "***", "x-request-id": "r-1"}
    for page in (f"<html>{KEY}</html>", f"words {KEY}"):
        classified(401, page)


@pytest.mark.parametrize("key", ["cloudsway/key+with=signs", "no-prefix-0123456789"])
def test_keys_of_other_gateways(key: str) -> None:
    escaped = key.replace("/", "\\/")
    for echo in (key, escaped):
        error = error_for(401, {}, f'{{"error":{{"message":"no {echo}","code":"401"}}}}', key=key)
        assert str(error).startswith("no *** (HTTP 401).")
        assert error.response is not None
        assert key not in error.response.text
        assert key not in json.dumps(error.response.json()).replace("\\/", "/")


@pytest.mark.parametrize(("key", "shown"), [("x", "a context of ***"), ("EMPTY", "a context of x")])
def test_a_dummy_key_does_not_tear_words_apart(key: str, shown: str) -> None:
    assert shown in str(error_for(400, {}, body_text("a context of x"), key=key))
    assert "EMPTY" not in str(error_for(400, {}, body_text("key EMPTY"), key="EMPTY"))


def body_text(message: str) -> str:
    return json.dumps(error_body(message=message))


LLAMA_500 = {
    "image input is not supported - hint: provide the mmproj": UnsupportedInputError,
    "video input is not supported - hint: provide the mmproj": UnsupportedInputError,
    "Failed to parse tool call arguments as JSON: [json.exception…": InvalidRequestError,
    'Failed to parse tools: Unsupported tool type: {"type":"web_search"}': InvalidRequestError,
    "JSON schema error at #: unrecognized type nonsense": InvalidRequestError,
    "\n------------\nWhile executing FilterExpression at line 7, column 152": InvalidRequestError,
    "The model produced output that does not match the expected peg-native format": ServerError,
}


@pytest.mark.parametrize(("message", "kind"), LLAMA_500.items())
def test_what_llama_cpp_calls_500_and_is_the_callers_fault(
    message: str, kind: type[MiMoError]
) -> None:
    """Its server's own words, build b11669: trying again would not help, but for the last."""
    body = {"error": {"code": 500, "message": message, "type": "server_error"}}
    error = error_for(500, {}, json.dumps(body))
    assert type(error) is kind
    assert (delay_before_retry(error, 0, 1) is not None) is (kind is ServerError)
