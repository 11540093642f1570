"""What a refusal says in each shape, which error it is, and the line that says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mimo_core._http.errors import (
    Sentence,
    _from_json,
    _from_text,
    _kind,
    _line,
    _redirect,
    _sentence,
    _title,
    _without_tags,
    error_for,
    error_in_answer,
    request_id,
    seconds_to_wait,
)
from mimo_core.errors import (
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

# The sentence in a body


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"error": "x"}, Sentence("x")),
        ({"error": ""}, None),
        ("x", Sentence("x")),
        ("", None),
        (5, None),
        ([], None),
        ({"error": 5}, None),
        ({}, None),
        ({"error": {}}, None),
        ({"message": "x"}, Sentence("x")),
        (
            {"error": {"message": "x", "code": 400, "param": "p", "type": "t"}},
            Sentence("x (p)", "400", "p", "t"),
        ),
        (
            {"error": {"message": "x", "param": "two words"}},
            Sentence("x: two words", None, "two words"),
        ),
        ({"error": {"message": "", "param": "p"}}, Sentence("p", None, "p")),
        (
            {"error": {"message": "", "param": "two words"}},
            Sentence("two words", None, "two words"),
        ),
        ({"error": {"code": 7}}, Sentence("code 7", "7")),
        ({"error": {"code": ""}}, None),
        ({"error": {"type": "t"}}, None),
        ({"detail": "x"}, Sentence("x")),
        ({"detail": ["x"]}, None),
        ({"detail": "x", "message": "y"}, Sentence("y")),
        ({"error": {"message": "x", "metadata": {"raw": "y"}}}, Sentence("y")),
        ({"error": {"message": "x", "metadata": {"raw": " "}}}, Sentence("x")),
        ({"error": {"message": "x", "metadata": {"raw": 5}}}, Sentence("x")),
        ({"error": {"message": "x", "metadata": "raw"}}, Sentence("x")),
        ({"error": {"message": "x", "code": 1, "metadata": {"raw": "y"}}}, Sentence("y", "1")),
        (
            {
                "error": {
                    "message": "x",
                    "code": 1,
                    "metadata": {"raw": ' data:{"error": {"message": "y", "code": 2}}'},
                }
            },
            Sentence("y", "2"),
        ),
        ({"error": {"message": "x", "code": 1, "metadata": {"raw": "{}"}}}, Sentence("x", "1")),
        ({"error": {"message": "x", "metadata": {"raw": "[" * 100_000}}}, Sentence("[" * 100_000)),
    ],
)
def test_what_a_body_says(body: Any, sentence: Sentence | None) -> None:
    assert _from_json(body) == sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "HTTP 502 without a body"),
        (" \n", "HTTP 502 without a body"),
        ("data: ", "HTTP 502 without a body"),
        ("plain words", "plain words"),
        (' data: {"error": "x"} ', "x"),
        ("{}", "{}"),
        ('""', '""'),
        ("a < b", "a < b"),
        ("<b>no page</b>", "<b>no page</b>"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_a_body_that_may_be_no_json_says(text: str, says: str) -> None:
    assert _sentence(text, 502).text == says


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<html><head><TITLE>Bad &amp; worse</TITLE></head>x</html>", "Bad & worse"),
        ("<!DOCTYPE html><title lang=en>Bad</title>", "Bad"),
        ("<body>No <b>title</b></body>", "No title"),
        ("<html><title></title>Words</html>", "Words"),
        ("<html><title>Never closed", "Never closed"),
        ("<HEAD>x", "x"),
        ("<html>" + "x" * 300, "x" * 200),
    ],
)
def test_a_page_instead_of_an_answer(page: str, words: str) -> None:
    said = _from_text(page, 502)
    assert said.startswith("a page instead of an answer, from a gateway or proxy: ")
    assert said.partition("proxy: ")[2].split() == words.split()


def test_the_title_of_a_page() -> None:
    assert _title("<p>a</p><title>b</title>") == "b"
    assert _title("<title>b</title><title>c</title>") == "b"
    assert _title("<p>a</p></title") == ""
    assert _title("</title><title>b") == ""
    assert _title("no tag") == ""
    assert _title("<title</title") == ""
    assert _title("İ<title>b</title>") == ""  # one letter, and two in lower case
    assert _title("x<title>b</title>") == "b"
    assert _without_tags("a<b>c</b>d<e") == "a c d "


def test_a_redirect_says_where_to() -> None:
    to = {"location": "https://example.org/v1?key=x"}
    assert _redirect(302, to) == Sentence(
        "The address redirects to 'https://example.org/v1'. The key is not sent on: if you trust "
        "that address, set base_url to it"
    )
    assert _redirect(300, to) is not None
    assert _redirect(399, to) is not None
    for status, headers in ((299, to), (400, to), (302, {}), (302, {"location": ""})):
        assert _redirect(status, headers) is None
    long = _redirect(301, {"location": "https://example.org/" + "/" * 500})
    assert long is not None
    assert long.text.count("/") == 200 - len("https:example.org")


# Which class it is


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "x", InvalidRequestError),
        (401, "x", AuthenticationError),
        (402, "x", InsufficientBalanceError),
        (403, "x", PermissionDeniedError),
        (404, "x", NotFoundError),
        (408, "x", ServerError),
        (418, "x", InvalidRequestError),
        (421, "x", ContentFilterError),
        (422, "x", InvalidRequestError),
        (429, "x", RateLimitError),
        (499, "x", InvalidRequestError),
        (500, "x", ServerError),
        (599, "x", ServerError),
        (399, "x", InvalidResponseError),
        (302, "x", InvalidResponseError),
        (400, "the context length is 5", ContextOverflowError),
        (413, "maximum context", ContextOverflowError),
        (422, "context_window", ContextOverflowError),
        (404, "context length", NotFoundError),
        (500, "context length", ServerError),
        (400, "max_model_len", ContextOverflowError),
        (400, "the prompt has more tokens and exceeds", ContextOverflowError),
        (400, "input tokens: too long", ContextOverflowError),
        (400, "the prompt is too long", InvalidRequestError),
        (400, "tokens: max_tokens exceeds", InvalidRequestError),
        (400, "tokens: max_completion_tokens exceeds", InvalidRequestError),
        (400, "it does not support image input", UnsupportedInputError),
        (404, "no endpoints support audio input", UnsupportedInputError),
        (500, "video input is not supported", UnsupportedInputError),
        (403, "it does not support image input", PermissionDeniedError),
        (400, "image input is bad", InvalidRequestError),
        (400, "not supported", InvalidRequestError),
        (400, "Moderation Block", ContentFilterError),
        (500, "moderation block", ContentFilterError),
        (400, "not supported model x", NotFoundError),
        (404, "model x is not supported", NotFoundError),
        (400, "x is not a valid model", NotFoundError),
        (403, "x is not a valid model", PermissionDeniedError),
        (500, "failed to parse tools", InvalidRequestError),
        (503, "failed to parse tools", ServerError),
    ],
)
def test_which_error_is_meant(status: int, words: str, kind: type[MiMoError]) -> None:
    assert _kind(status, Sentence(words)) is kind


def test_a_code_or_a_type_may_say_it_too() -> None:
    assert _kind(400, Sentence("x", code="context_length_exceeded")) is ContextOverflowError
    assert _kind(400, Sentence("x", type="context_length_exceeded")) is ContextOverflowError
    assert _kind(400, Sentence("x", type="content_filter")) is ContentFilterError
    assert _kind(400, Sentence("content_filter")) is InvalidRequestError


# The line


@pytest.mark.parametrize(
    ("kind", "hints", "wait", "line"),
    [
        (RateLimitError, None, 2.6, "x (n). The service asks to wait 3 s."),
        (RateLimitError, None, 0.0, "x (n). The service asks to wait 0 s."),
        (
            RateLimitError,
            None,
            None,
            "x (n). Slow down, or see whether the Token Plan's quota is used up.",
        ),
        (ServerError, None, 2.0, "x (n). Try again later."),
        (ServerError, {ServerError: "Wait"}, None, "x (n). Wait."),
        (ServerError, {ServerError: ""}, None, "x (n). Try again later."),
        (InvalidRequestError, None, None, "x (n)."),
        (
            NotFoundError,
            None,
            None,
            "x (n). Check base_url and the model id (in Python mimo_core.MODELS, at the shell "
            "`llm mimo models` list them).",
        ),
    ],
)
def test_the_line_of_an_error(kind: Any, hints: Any, wait: float | None, line: str) -> None:
    assert _line(kind, "n", Sentence("x."), hints, wait) == line


@pytest.mark.parametrize("more", [0, 1])
def test_a_sentence_has_1000_characters(more: int) -> None:
    line = _line(InvalidRequestError, "n", Sentence("x" * (1000 + more)), None, None)
    assert line == "x" * 1000 + "…" * more + " (n)."


# The whole error


def test_an_error_holds_what_the_answer_said() -> None:
    headers = {
        "X-Request-Id": "unused",
        "x-request-id": "r1",
        "Set-Cookie": "secret",
        "Location": "https://user:pw@example.org/a?b=c",
        "refresh": "https://example.org/a?b=c",
        "retry-after": "7",
    }
    body = json.dumps({"error": {"message": "No", "code": "429", "param": "p"}})
    error = error_for(400, headers, body)
    assert type(error) is RateLimitError
    assert str(error) == "No (p) (HTTP 400, code 429). The service asks to wait 7 s."
    assert (error.status, error.code, error.param) == (429, "429", "p")
    assert (error.request_id, error.retry_after) == ("r1", 7.0)
    assert error.response is not None
    assert error.response.status_code == 400
    assert error.response.text == body
    assert "set-cookie" not in error.response.headers
    assert error.response.headers["location"] == "example.org/a"
    assert error.response.headers["refresh"] == "https://example.org/a"


@pytest.mark.parametrize("code", ["399", "600", "4000", "x", None])
def test_a_code_that_is_no_status_does_not_count(code: Any) -> None:
    error = error_for(400, {}, json.dumps({"error": {"message": "No", "code": code}}).encode())
    assert error.status == 400
    assert str(error) == "No (HTTP 400)."
    assert error.request_id is None
    assert error.retry_after is None


def test_the_key_that_an_answer_repeats_is_hidden() -> None:
    key = "sk-secret0123456789abcdef"
    body = json.dumps({"error": {"message": f"bad {key}", "code": key, "param": key}})
    headers = {"x-request-id": key, "via": key}
    for error in (
        error_for(401, headers, body, key=key),
        error_in_answer(json.loads(body), headers, key=key, hints=None),
    ):
        assert error.response is not None
        shown = f"{error} {error.code} {error.param} {error.request_id} {error.response}"
        assert key not in shown
        assert "bad" in str(error)


@pytest.mark.parametrize(
    ("payload", "kind", "status", "line"),
    [
        ({"error": {"message": "x", "code": 401}}, AuthenticationError, 401, "x (code 401)"),
        ({"error": {"message": "x", "type": "overloaded_error"}}, ServerError, 503, "x (code 503)"),
        ({"error": {"message": "x", "type": "?"}}, ServerError, None, "x (sent after HTTP 200)"),
        ({"error": "x"}, ServerError, None, "x (sent after HTTP 200)"),
        ({"error": "failed to parse tools"}, InvalidRequestError, None, "failed to parse tools ("),
        ({"error": 5}, ServerError, None, '{"error": 5} (sent after HTTP 200)'),
        ({"error": {"message": "é", "code": 429}}, RateLimitError, 429, "é (code 429)"),
    ],
)
def test_an_error_in_an_answer(payload: Any, kind: Any, status: int | None, line: str) -> None:
    headers = {"request-id": "r2", "retry-after": "3"}
    error = error_in_answer(payload, headers, key=None, hints=None)
    assert type(error) is kind
    assert error.status == status
    assert str(error).startswith(line)
    assert (error.request_id, error.retry_after) == ("r2", 3.0)
    assert error.response is not None
    assert error.response.status_code == 200
    assert error.response.text == json.dumps(payload, ensure_ascii=False)


def test_hints_of_the_address_win() -> None:
    error = error_for(401, {}, "x", hints={AuthenticationError: "Ask Bob"})
    assert str(error) == "x (HTTP 401). Ask Bob."
    inside = error_in_answer({"error": "x"}, {}, key=None, hints={ServerError: "Ask Bob"})
    assert str(inside) == "x (sent after HTTP 200). Ask Bob."


def test_the_id_of_a_request() -> None:
    assert request_id({"x-request-id": "a", "request-id": "b"}) == "a"
    assert request_id({"x-request-id": "", "request-id": "b"}) == "b"
    assert request_id({"request-id": ""}) is None


NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_how_long_to_wait(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=NOW) == seconds
