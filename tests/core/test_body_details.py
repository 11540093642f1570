"""What goes into a request as JSON: the arguments of earlier calls, and bodies with large media."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mimo_core._request.arguments import arguments_text, is_json_object
from mimo_core._request.body import LARGE, LargeBody, encode_body
from mimo_core.errors import InvalidRequestError

USER = {"role": "user", "content": "Hi"}


# Arguments of calls in a history


class Broken:
    """Something whose own words raise."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "{}"),
        ("", "{}"),
        ("{}", "{}"),
        (' {"a": 1}', ' {"a": 1}'),
        ({"a": "é"}, '{"a": "é"}'),
        ([1], '{"_raw": [1]}'),
        (5, '{"_raw": 5}'),
        ("[1]", '{"_raw": "[1]"}'),
        ("é", '{"_raw": "é"}'),
        ('{"a": "\n"}', '{"a": "\\n"}'),
        ('{"a": NaN}', '{"_raw": "{\\"a\\": NaN}"}'),
        ('{"a": 1e999}', '{"_raw": "{\\"a\\": 1e999}"}'),
        ('{"a": 1E999}', '{"_raw": "{\\"a\\": 1E999}"}'),
        ('{"a": "\n", "b": 1.5}', '{"a": "\\n", "b": 1.5}'),
        ('{"a": 1e9}', '{"a": 1e9}'),
        ('{"e": "E"}', '{"e": "E"}'),
    ],
)
def test_arguments_are_the_text_of_an_object(given: Any, text: str) -> None:
    assert arguments_text(given) == text


def test_arguments_that_no_json_can_hold() -> None:
    for given in ({"a": {1, 2}}, {"a": math.inf}, Broken(), [Broken()]):
        text = arguments_text(given)
        assert isinstance(json.loads(text)["_raw"], str)
    long = json.loads(arguments_text({"a": {"é" * 5000}}))["_raw"]
    assert len(long) < 1000
    assert "é" in arguments_text({"a": {"é"}})
    deep = arguments_text("[" * 100_000)
    assert json.loads(deep) == {"_raw": "[" * 100_000}


@pytest.mark.parametrize(
    ("text", "is_object"),
    [
        ("{}", True),
        ("[]", False),
        ("x", False),
        ('{"a": NaN}', False),
        ('{"a": "\\ud800"}', False),
        ("\ud800", False),
        ('{"a": 1e999}', False),
        ('{"a": -1E999}', False),
        ('{"a": 1e5}', True),
    ],
)
def test_what_is_a_json_object(text: str, is_object: bool) -> None:
    assert is_json_object(text) is is_object


# Bodies


def test_a_body_is_compact_json() -> None:
    assert encode_body({"model": "é", "n": [1, 2]}) == '{"model":"é","n":[1,2]}'.encode()
    assert encode_body({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'


def large(body: dict[str, Any]) -> LargeBody:
    encoded = encode_body(body)
    assert isinstance(encoded, LargeBody)
    return encoded


def with_part(text: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": text}}
    return {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": [part]}]}


@pytest.mark.parametrize(("size", "is_large"), [(LARGE - 1, False), (LARGE, True)])
def test_a_large_medium_is_sent_from_where_it_is(size: int, is_large: bool) -> None:
    for body in (with_part("x" * size), {"audio": {"voice": "x" * size}, "messages": []}):
        encoded = encode_body(body)
        assert isinstance(encoded, LargeBody) is is_large
        assert (
            b"".join(encoded if isinstance(encoded, LargeBody) else [encoded])
            == json.dumps(body, separators=(",", ":")).encode()
        )


@pytest.mark.parametrize("mark", ['"', "\\", "\n", "é"])
def test_a_text_that_json_has_to_escape_is_not(mark: str) -> None:
    assert isinstance(encode_body(with_part(mark + "x" * LARGE)), bytes)


def test_large_media_in_the_order_of_the_body() -> None:
    body = with_part("a" * LARGE)
    body["messages"] += with_part("b" * (LARGE + 1))["messages"]
    encoded = large(body)
    expected = json.dumps(body, separators=(",", ":")).encode()
    assert b"".join(encoded) == expected
    assert len(encoded) == len(expected)
    assert b"".join(encoded) == expected  # once more
    assert max(map(len, encoded)) == 64 * 1024
    assert [type(part) for part in encoded._parts] == [bytes, str, bytes, str, bytes]


async def test_the_same_for_an_asynchronous_client() -> None:
    encoded = large(with_part("a" * LARGE))
    assert [piece async for piece in encoded.asynchronous()] == list(encoded)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"temperature": math.nan}, "temperature"),
        ({"model": "x", "user": {1}}, "user"),
        ({"messages": [USER, {**USER, "name": {1}}]}, r"messages\[1\]\.name"),
        ({"a": 1, "messages": [{**USER, "content": [{1}]}]}, r"messages\[0\]\.content"),
        ({b"x": 1}, "The request"),
    ],
)
def test_what_is_not_json_is_named(body: Any, where: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{where} is not JSON: ") as raised:
        encode_body(body)
    assert raised.value.param == where.replace("\\", "")
