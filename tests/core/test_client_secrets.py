"""Both clients: where keys must not appear, what building a client costs, pickling."""

from __future__ import annotations

import base64
import logging
import pickle
import subprocess
import sys
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from mimo_core import (
    APIConnectionError,
    AsyncMiMoClient,
    MiMoClient,
)
from mimo_core._addresses import without_user
from mimo_core._redact import secrets_of_proxies, without_keys
from mimo_core.testing.emulator import FakeMiMo, Fault
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, text_of
from tests.hostile import HostileServer
from tests.leaks import everything_in, shows


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
from mimo_core._http import own_client
assert not own_client._contexts
assert own_client.ssl_context() is own_client.ssl_context()
assert len(own_client._contexts) == 1
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


WORD = "hunter2/secret-Word-9"
QUOTED = WORD.replace("/", "%2F")
LOGIN = f"u:{QUOTED}"
SHORT = "u:short7/x"


@pytest.mark.parametrize(
    ("variable", "address", "named"),
    [
        ("HTTPS_PROXY", f"http://{LOGIN}/x@h:1", "HTTPS_PROXY is no address"),
        ("ALL_PROXY", f"http://{LOGIN}@h:abc", "ALL_PROXY is no address"),
        ("HTTPS_PROXY", f"http://{SHORT}@h:1", "HTTPS_PROXY is no address"),
        ("ALL_PROXY", f"gopher://{LOGIN}@h:1", "ALL_PROXY is no address"),
        ("HTTPS_PROXY", f"http://{LOGIN}@[::", "HTTPS_PROXY is no address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_and_not_shown(
    connect: Connect,
    hello: Request,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    address: str,
    named: str,
) -> None:
    monkeypatch.setenv(variable, address)
    driver = connect(base_url="https://mimo.test/v1", max_retries=0)
    error = failed(lambda: driver.chat(hello))
    assert named in str(error)
    for place, text in everything_in(error):
        assert not any(secret in text for secret in (WORD, QUOTED, "short7")), place


def test_a_socks_proxy_without_its_package_says_what_to_install(
    connect: Connect, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://{LOGIN}@127.0.0.1:1")
    driver = connect(base_url="https://mimo.test/v1", max_retries=0)
    error = failed(lambda: driver.chat(hello))
    assert "HTTPS_PROXY needs pip install 'httpx2[socks]'" in str(error)


TOKEN = "Pr0xyUserT0ken-9Kd83"


@pytest.mark.parametrize("login", [LOGIN, f"{TOKEN}:", f"{TOKEN}:pw", TOKEN])
@pytest.mark.parametrize("status", ["407 {}", "HTTP/2"])
def test_a_proxy_that_repeats_its_password(
    connect: Connect,
    hello: Request,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    login: str,
    status: str,
) -> None:
    """In the answer to CONNECT, which is an error's text: the header, and what it says."""
    caplog.set_level(logging.DEBUG)
    user, _, password = unquote(login).partition(":")
    said = base64.b64encode(f"{user}:{password}".encode()).decode()
    with HostileServer() as proxy:
        echo = f"{said} {unquote(login)}"
        proxy.answer = f"HTTP/1.1 {status.format(echo)}\r\nx-echo: {echo}\r\n\r\n".encode()
        address = proxy.base_url.removesuffix("/v1").replace("://", f"://{login}@")
        monkeypatch.setenv("HTTPS_PROXY", address)
        error = failed(lambda: connect(base_url="https://mimo.test/v1", max_retries=0).chat(hello))
        assert said.encode() in proxy.requests[0]
    for place, text in [*everything_in(error), ("log", caplog.text)]:
        for secret in (WORD, TOKEN):
            assert not shows(text, secret), f"{place}: {text}"


def test_the_secrets_of_proxies() -> None:
    environ = {"HTTPS_PROXY": f"http://{LOGIN}@h:1", "no_proxy": "host", "FTP_PROXY": "u:x@h"}
    assert secrets_of_proxies(environ) == {LOGIN, QUOTED, f"u:{WORD}", WORD}
    assert secrets_of_proxies({"all_proxy": f"{TOKEN}@h"}) == {TOKEN}
    assert secrets_of_proxies({"all_proxy": "http://h:1"}) == set()


def test_the_name_of_a_proxys_user_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2hunter2@h:1")
    assert without_keys("The user has hunter2hunter2") == "The user has ***"


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        *((plain, plain) for plain in ("xiaomi", " XIAOMI ", "https://h/v1", "", "openrooter")),
        ("vllm+http://h/v1", "vllm+http://h/v1"),
        (None, None),
        (5, 5),
        ("https://u:p@h/v1", "*** (with a user or a password)"),
        ("https://h/v1?key=x", "*** (with a query)"),
        ("vllm+https://h/v1#x", "*** (with a fragment)"),
        ("https://h/v 1", "*** (with blanks or what cannot be printed)"),
        ("https://h:port/v1", "*** (whose port is no number up to 65535)"),
        ("https://h:99999/v1", "*** (whose port is no number up to 65535)"),
        ("https://[::1/v1", "*** (whose host cannot be read)"),
        ("https:///v1", "*** (whose host cannot be read)"),
        ("correct-horse-battery", "*** (without http:// or https://)"),
        ("other+https://h/v1", "*** (without http:// or https://)"),
    ],
)
def test_how_an_address_is_shown(where: object, shown: object) -> None:
    """What is none may be a key, or hold one; a mask is not masked once more."""
    assert without_user(where) == shown
    assert without_user(shown) == shown


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
            assert twin._http() is client._http()  # in the same process
        client.chat(hello)  # which it left open
        assert mimo.connections_open == 1
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
