"""Both clients: where keys must not appear, what building a client costs, pickling."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core import (
    APIConnectionError,
    AsyncMiMoClient,
    MiMoClient,
)
from mimo_core.testing.emulator import FakeMiMo, Fault
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, text_of


def test_the_key_is_in_no_log_and_no_repr(
    connect: Connect,
    mimo: FakeMiMo,
    hello: Request,
    caplog: pytest.LogCaptureFixture,
    slept: list[float],
) -> None:
    caplog.set_level(logging.DEBUG)
    for auth in ("api-key", "bearer"):
        driver = connect(auth=auth)
        mimo.queue(Fault("overloaded"), "Hi", Fault(status=401, body=f"Bad key {KEY}"))
        driver.chat(hello)
        failed(partial(driver.chat, hello))
        list(driver.stream(hello))
        driver.models()
        client = driver.client
        assert KEY not in f"{client!r} {client} {client.endpoint!r} {client._clients!r}"
    assert mimo.root_url in caplog.text
    assert KEY not in caplog.text


@pytest.mark.slow
def test_building_a_client_costs_nothing() -> None:
    """No HTTP library, no TLS context, no import of what is needed later."""
    program = """
import sys
import mimo_core
assert not {"httpx2", "httpx", "ssl", "pydantic", "asyncio"} & set(sys.modules), "at import"
mimo_core.model_info("mimo-v2.5-pro")
assert not {"httpx2", "httpx", "ssl", "pydantic", "asyncio"} & set(sys.modules), "model table"
from mimo_core import AsyncMiMoClient, MiMoClient
MiMoClient("sk-0123456789").close()
AsyncMiMoClient("sk-0123456789")
assert not {"httpx2", "httpcore2", "httpx", "httpcore"} & set(sys.modules), "clients"
from mimo_core._http import clients as transport
assert transport._context.cache_info().misses == 0
assert transport.ssl_context() is transport.ssl_context()
assert transport._context.cache_info().misses == 1
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_public_names() -> None:
    import mimo_core

    assert dir(mimo_core) == sorted(mimo_core.__all__)
    assert all(getattr(mimo_core, name) is not None for name in mimo_core.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        mimo_core.Nope  # noqa: B018


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HTTPS_PROXY", "nonsense://127.0.0.1:1", "proxy"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE"),
    ],
)
def test_an_environment_that_lets_no_client_be_made(
    connect: Connect,
    hello: Request,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    sentence: str,
) -> None:
    monkeypatch.setenv(name, value)
    driver = connect(base_url="https://mimo.test/v1", max_retries=0)
    error = failed(lambda: driver.chat(hello))
    assert type(error) is APIConnectionError
    assert sentence in str(error)
    monkeypatch.delenv(name)
    assert "No answer from https://mimo.test" in str(failed(lambda: driver.chat(hello)))


@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
def test_a_client_can_be_pickled_before_and_after_use(
    kind: Any, mimo: FakeMiMo, hello: Request
) -> None:
    client = kind(KEY, base_url=mimo.base_url)
    twin = pickle.loads(pickle.dumps(client))
    assert twin.endpoint == client.endpoint
    if kind is MiMoClient:
        client.chat(hello)
        with pickle.loads(pickle.dumps(client)) as twin:
            assert text_of(twin.chat(hello))
            assert twin._http() is not client._http()
        client.close()


def test_the_cause_of_an_error_does_not_hold_the_key(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    """A tracer that prints an exception's chain would print the request's headers."""
    mimo.queue(Fault(cut="before_headers"))
    with pytest.raises(APIConnectionError) as caught:
        connect(max_retries=0).chat(hello)
    cause = caught.value.__cause__
    assert isinstance(cause, httpx2.RequestError)
    request = cause.request
    assert request.url.path == "/v1/chat/completions"
    assert KEY not in str(request.headers.multi_items())
    assert not request.content
