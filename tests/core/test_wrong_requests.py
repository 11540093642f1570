"""What is no request, and what cannot be sent: said before anything is sent, with the argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mimo_core import InvalidRequestError, MiMoClient
from tests.conftest import KEY

HELLO: dict[str, Any] = {
    "model": "mimo-v2.6-pro",
    "messages": [{"role": "user", "content": "Hi"}],
}


@pytest.fixture
def client() -> Iterator[MiMoClient]:
    """A client of a server that nobody may reach."""
    with MiMoClient(KEY, base_url="http://127.0.0.1:9/v1", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("request_", [None, 5, [], "Hi", object])
def test_what_is_no_request(client: MiMoClient, request_: Any) -> None:
    for ask in (client.chat, client.stream):
        with pytest.raises(
            InvalidRequestError, match=r"^request is .*; it must be a dict"
        ) as error:
            ask(request_)
        assert error.value.param == "request"


@pytest.mark.parametrize("value", [object, {"b": [float("nan")]}, b"x", {1, 2}])
def test_what_is_no_json_in_extra_body(client: MiMoClient, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^extra_body: a is not JSON: ") as error:
        client.chat({**HELLO, "extra_body": {"a": value}})
    assert error.value.param == "extra_body"


class Broken(Mapping[str, Any]):
    """A mapping of the caller's, with a defect of its own."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, name: str) -> Any:
        raise self._error

    def __iter__(self) -> Iterator[str]:
        raise self._error

    def __len__(self) -> int:
        raise self._error


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, AttributeError, TypeError, ValueError])
def test_the_exception_of_a_callers_mapping_stays_as_it_is(
    client: MiMoClient, kind: type[Exception]
) -> None:
    """No error of the family takes its place: it would say that the request is wrong."""
    for request in (Broken(kind("mine")), {**HELLO, "extra_body": Broken(kind("mine"))}):
        with pytest.raises(kind, match="mine"):
            client.chat(request)
