"""Both clients: the list of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from mimo_core import (
    InvalidResponseError,
    MiMoClient,
    NotFoundError,
)
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed


def test_the_model_list(connect: Connect, mimo: FakeMiMo) -> None:
    assert "mimo-v2.5-pro" in connect().models()
    assert [request.path for request in mimo.requests] == ["/v1/models"]
    assert mimo.last_request.method == "GET"
    assert mimo.last_request.headers["authorization"] == f"Bearer {KEY}"
    assert mimo.last_request.raw == b""


def test_the_model_list_at_the_root(connect: Connect, mimo: FakeMiMo, slept: list[float]) -> None:
    """Below the base URL it is there on some days and hosts only."""
    assert "mimo-v2.5-pro" in connect(base_url=f"{mimo.root_url}/some/base", max_retries=0).models()
    assert [request.path for request in mimo.requests] == ["/some/base/models", "/models"]


def test_no_model_list_anywhere(hello: Request) -> None:
    answers = [httpx2.Response(404), httpx2.Response(404), httpx2.Response(200, json={"data": 7})]
    paths: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.path)
        return answers.pop(0)

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(KEY, http_client=http)
        assert isinstance(failed(client.models), NotFoundError)
        assert paths == ["/v1/models", "/models"]
        error = failed(client.models)
        assert isinstance(error, InvalidResponseError)
        assert "holds no model list" in str(error)


def test_the_published_model_list(sample: Callable[[str], Any]) -> None:
    published = sample("models")
    published["data"] += [{"object": "model"}, "odd"]
    answer = httpx2.Response(200, json=published)
    with httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)) as http:
        ids = MiMoClient(KEY, http_client=http).models()
    assert len(ids) == 9
    assert ids[0] == "mimo-v2.5"
