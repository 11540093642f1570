"""When a failure is tried again and how long is waited; what a caller may add to requests."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from mimo_core._http.options import RequestOptions, request_options
from mimo_core._http.retry import delay_before_retry
from mimo_core._redact import Secret
from mimo_core.errors import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    MiMoError,
    ServerError,
)

# When to try again


def failed(error: type[MiMoError] = ServerError, **fields: Any) -> MiMoError:
    return error("x", **fields)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (failed(status=429), True),
        (failed(status=500), True),
        (failed(status=502), True),
        (failed(status=503), True),
        (failed(status=504), True),
        (failed(status=501), False),
        (failed(status=400), False),
        (failed(status=None), False),
        (failed(InvalidRequestError, status=500), False),
        (failed(APIConnectionError), True),
        (failed(APITimeoutError, code="connect"), True),
        (failed(APITimeoutError, code="read"), False),
        (failed(APITimeoutError), False),
    ],
)
def test_which_failure_is_tried_again(error: MiMoError, again: bool) -> None:
    assert (delay_before_retry(error, 0, 1) is not None) is again
    assert delay_before_retry(error, 1, 1) is None
    assert delay_before_retry(error, 0, 0) is None


def test_how_long_is_waited_before_the_next_attempt() -> None:
    busy = failed(status=503)
    for attempt, longest in enumerate((0.5, 1, 2, 4, 8, 8, 8)):
        for _ in range(20):
            delay = delay_before_retry(busy, attempt, 10)
            assert delay is not None
            assert 0.75 * longest <= delay <= longest
    assert delay_before_retry(failed(status=503, retry_after=0.0), 0, 1) == 0
    assert delay_before_retry(failed(status=503, retry_after=60.0), 0, 1) == 60
    assert delay_before_retry(failed(status=503, retry_after=60.5), 0, 1) is None


# What a caller adds


def test_headers_and_query_are_taken_as_they_are_sent() -> None:
    options = request_options(
        {"X-A": "1"},
        {"a": "x y", "n": 5, "yes": True, "no": False, "many": [1, "b"], "none": None, "half": 0.5},
        "extra",
    )
    assert options.headers == {"x-a": "1"}
    assert options.query_string == "?a=x+y&n=5&yes=true&no=false&many=1&many=b&half=0.5"
    assert not options.authenticates
    assert options.secrets == frozenset()
    empty = request_options(None, None, "extra")
    assert (empty.headers, empty.query, empty.query_string) == ({}, {}, "")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"a": "é"}, r"extra_headers: a must be a printable ASCII text\."),
        ({"a": "x\n"}, r"extra_headers: a must be a printable ASCII text\."),
        ({"é": "x"}, r"must be a printable ASCII text\."),
        ({5: "x"}, r"extra_headers: 5 must be a printable ASCII text\."),
        ({"a": 5}, r"extra_headers: a must be a printable ASCII text\."),
        ({"a b": "x"}, r"extra_headers: a b must be the name of a header"),
        ({"": "x"}, r"must be the name of a header"),
        ({"a": " x"}, r"extra_headers: a must be the name of a header, and its value"),
        ({"a": "x "}, r"without blanks around it\."),
        ({"Host": "x"}, r"extra_headers: Host is set for each request\."),
        ({"te": "x"}, r"extra_headers: te is set for each request\."),
        ({"x" * 200 + "é": "x"}, r"extra_headers: x{80} must"),
    ],
)
def test_headers_that_cannot_be_sent(headers: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as raised:
        request_options(headers, None, "extra")
    assert raised.value.param == "extra_headers"


@pytest.mark.parametrize("query", [{"a": {}}, {"a": [{}]}, {"a": [None]}, {None: "x"}, {"a": b"x"}])
def test_a_query_that_cannot_be_sent(query: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"default_query: .* must be a text") as raised:
        request_options(None, query, "default")
    assert raised.value.param == "default_query"


@pytest.mark.parametrize(("headers", "query"), [([1], None), (None, [1]), ("x", None), (None, 5)])
def test_headers_and_query_are_dicts(headers: Any, query: Any) -> None:
    name = "extra_headers" if query is None else "extra_query"
    with pytest.raises(InvalidRequestError, match=f"{name} is a .*; it must be a dict") as raised:
        request_options(headers, query, "extra")
    assert raised.value.param == name


def test_a_key_among_the_headers_is_the_only_one_and_is_a_secret() -> None:
    mine = request_options({"Authorization": "Bearer abcdef123456"}, {"a": 1}, "extra")
    theirs = request_options({"api-key": "zyxwvu987654", "x": "1"}, {"a": 2, "b": 3}, "default")
    assert mine.authenticates
    assert theirs.authenticates
    both = mine.over(theirs)
    assert set(both.headers) == {"authorization", "x"}
    assert both.query == {"a": 1, "b": 3}
    assert both.secrets == mine.secrets | theirs.secrets
    assert mine.secrets
    plain = request_options({"x": "2"}, None, "extra")
    assert dict(plain.over(theirs).headers) == {"api-key": "zyxwvu987654", "x": "2"}
    assert "abcdef123456" not in repr(mine)
    assert RequestOptions().over(mine).authenticates


def test_a_secret_in_a_query_is_sent_as_its_text_and_shown_nowhere() -> None:
    options = request_options(None, {"api_key": SecretStr("abcdef 123456")}, "extra")
    assert options.query_string == "?api_key=abcdef+123456"
    assert {secret.get_secret_value() for secret in options.secrets if isinstance(secret, Secret)}
    assert "abcdef" not in repr(options)


def test_a_credential_that_is_no_text_is_not_shown() -> None:
    with pytest.raises(InvalidRequestError, match=r"api_key is a bytes; it must be a text\.$") as e:
        request_options(None, {"api_key": b"abcdef123456"}, "extra")
    assert e.value.param == "extra_query"
    assert "abcdef" not in str(e.value)
