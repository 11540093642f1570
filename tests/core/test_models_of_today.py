"""What the service is today: retired models, efforts, spellings, keys of plans.

Nobody here can reach it: dates and sentences are those of mimo-api.md (November 2026).
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import httpx2
import pytest

from mimo_core import (
    AuthenticationError,
    InsufficientBalanceError,
    InvalidRequestError,
    MiMoClient,
    MiMoError,
    NotFoundError,
)
from mimo_core.models import DEFAULT_MODEL, MODELS

KEY = "sk-0123456789abcdef"
HELLO = [{"role": "user", "content": "Hi"}]


def answered(
    status: int, body: dict[str, Any], where: str = "xiaomi", key: str = KEY, **fields: Any
) -> tuple[dict[str, Any], MiMoError | None]:
    """The request as it was sent, and the error that the answer became."""
    sent: list[dict[str, Any]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.read()))
        return httpx2.Response(status, json=body)

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as http:
        client = MiMoClient(key, base_url=where, max_retries=0, http_client=http)
        try:
            client.chat({"model": DEFAULT_MODEL, "messages": HELLO, **fields})
        except MiMoError as error:
            return sent[0], error
    return sent[0], None


ANSWER = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}


def test_the_default_is_served() -> None:
    assert MODELS[DEFAULT_MODEL].retired_on is None


@pytest.mark.parametrize("info", MODELS.values(), ids=lambda info: info.id)
def test_what_took_a_model_s_place_is_served(info: Any) -> None:
    assert (info.retired_on is None) == (info.successor is None)
    if info.successor:
        assert MODELS[info.successor].retired_on is None
        assert MODELS[info.successor].kind == info.kind
        assert info.inputs <= MODELS[info.successor].inputs
        assert info.retired_on <= date(2026, 11, 21)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "400", "message": "Unsupported model mimo-v2.5-pro"}),
        (
            400,
            {
                "code": "400",
                "message": "Param Incorrect",
                "param": "Not supported model mimo-v2.5-pro",
            },
        ),
        (
            404,
            {"code": "404", "message": "The model mimo-v2.5-pro was not supported, please migrate"},
        ),
    ],
)
def test_a_retired_model_is_told_with_its_date_and_successor(
    status: int, error: dict[str, Any]
) -> None:
    sent, raised = answered(status, {"error": error}, model="mimo-v2.5-pro")
    assert sent["model"] == "mimo-v2.5-pro"  # nothing is refused beforehand
    assert type(raised) is NotFoundError
    assert "for 21 October 2026; use mimo-v2.6-pro" in str(raised)


def test_other_hosts_may_serve_it() -> None:
    error = {"code": "400", "message": "Unsupported model mimo-v2.5-pro"}
    _, raised = answered(400, {"error": error}, "https://relay.test/v1", model="mimo-v2.5-pro")
    assert type(raised) is NotFoundError
    assert "2026" not in str(raised)


@pytest.mark.parametrize("model", ["MiMo-v2.6-Pro", "mimo-v2.6-pro[1m]"])
def test_spellings_that_xiaomi_refuses(model: str) -> None:
    assert answered(200, ANSWER, model=model)[0]["model"] == "mimo-v2.6-pro"
    assert answered(200, ANSWER, "https://relay.test/v1", model=model)[0]["model"] == model


@pytest.mark.parametrize("effort", ["minimal", "xhigh", "max", "Low"])
def test_efforts_that_xiaomi_refuses(effort: str) -> None:
    with pytest.raises(InvalidRequestError, match="it can be 'none', 'low', 'medium', 'high'") as e:
        MiMoClient(KEY, base_url="xiaomi").chat(
            {"model": DEFAULT_MODEL, "messages": HELLO, "reasoning_effort": effort}
        )
    assert e.value.param == "reasoning_effort"
    sent, _ = answered(200, ANSWER, "https://relay.test/v1", reasoning_effort=effort)
    assert sent["reasoning_effort"] == effort


@pytest.mark.parametrize("key", ["tp-0123456789", "ttp-0123456789"])
def test_a_plan_s_key_at_another_cluster(key: str) -> None:
    """The key does not tell its cluster (observed, September 2026)."""
    body = {"error": {"code": "401", "message": "Invalid API Key"}}
    _, raised = answered(401, body, "token-plan-cn", key)
    assert type(raised) is AuthenticationError
    assert "try base_url token-plan-sgp or token-plan-ams" in str(raised)


def test_a_402_of_a_plan_is_its_quota() -> None:
    body = {
        "error": {"code": "402", "message": "Upstream request failed: Insufficient account funds"}
    }
    _, plan = answered(402, body, "token-plan-sgp", "tp-0123456789")
    assert type(plan) is InsufficientBalanceError
    assert "quota is used up" in str(plan)
    _, account = answered(402, body)
    assert "Top up the account" in str(account)
