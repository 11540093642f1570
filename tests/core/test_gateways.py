"""Every row of "Where it is served": address, headers and body of a request, on both protocols."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import httpx2
import pytest

from mimo_core import AsyncMiMoClient, Endpoint, InvalidRequestError, MiMoClient, MiMoError

SK = "sk-0123456789abcdef"
TP = "tp-0123456789abcdef"
CS = "cloudsway0123456789"
HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
}
CLOUDSWAY = "MaaS_Mimo_V2.5_20260423"
CLOUDSWAY_PATH = "https://genaiapi.cloudsway.net/v1/ai/AbCdEfGh"
API_KEY = ("api-key", SK)
TOKEN_PLAN = ("api-key", TP)
BEARER = ("authorization", f"Bearer {CS}")
PRO = "mimo-v2.5-pro"


@pytest.fixture
def seen() -> list[httpx2.Request]:
    """The requests that a test's transport got."""
    return []


@pytest.fixture
def http(seen: list[httpx2.Request]) -> Any:
    """A client that answers every request in the shape that its path stands for."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        is_chat = request.url.path.endswith("/chat/completions")
        return httpx2.Response(200, json=CHAT if is_chat else MESSAGE)

    with httpx2.Client(transport=httpx2.MockTransport(handle)) as client:
        yield client


# key, base URL, model; address and authentication on chat completions and on messages
ROWS = [
    pytest.param(
        SK,
        "xiaomi",
        PRO,
        "https://api.xiaomimimo.com/v1/chat/completions",
        "https://api.xiaomimimo.com/anthropic/v1/messages",
        API_KEY,
        id="xiaomi",
    ),
    *(
        pytest.param(
            TP,
            f"token-plan-{cluster}",
            PRO,
            f"https://token-plan-{cluster}.xiaomimimo.com/v1/chat/completions",
            f"https://token-plan-{cluster}.xiaomimimo.com/anthropic/v1/messages",
            TOKEN_PLAN,
            id=f"token-plan-{cluster}",
        )
        for cluster in ("cn", "sgp", "ams", "new")
    ),
    pytest.param(
        CS,
        "cloudsway",
        CLOUDSWAY,
        "https://genaiapi.cloudsway.net/v1/chat/completions",
        "https://genaiapi.cloudsway.net/v1/messages",
        BEARER,
        id="cloudsway",
    ),
    pytest.param(
        CS,
        CLOUDSWAY_PATH,
        "MaaS_Mimo_V2.5_pro_20260423",
        "https://genaiapi.cloudsway.net/v1/ai/AbCdEfGh/chat/completions",
        "https://genaiapi.cloudsway.net/AbCdEfGh/v1/messages",
        BEARER,
        id="cloudsway-endpoint-path",
    ),
    pytest.param(
        None,
        "http://127.0.0.1:30000/v1",
        "XiaomiMiMo/MiMo-V2-Flash",
        "http://127.0.0.1:30000/v1/chat/completions",
        "http://127.0.0.1:30000/v1/messages",
        None,
        id="self-hosted",
    ),
    pytest.param(
        CS,
        "https://relay.example.org/api/v1",
        "xiaomi/mimo-v2.5-pro",
        "https://relay.example.org/api/v1/chat/completions",
        "https://relay.example.org/api/v1/messages",
        BEARER,
        id="relay",
    ),
]


def address(base: str) -> str:
    """The cluster that is not in the table is reached by its URL."""
    return "https://token-plan-new.xiaomimimo.com/v1" if base == "token-plan-new" else base


@pytest.mark.parametrize(("key", "base", "model", "chat", "messages", "auth"), ROWS)
@pytest.mark.parametrize("protocol", ["chat_completions", "messages"])
def test_where_it_is_served(
    key: str | None,
    base: str,
    model: str,
    chat: str,
    messages: str,
    auth: tuple[str, str] | None,
    protocol: str,
    http: Any,
    seen: list[httpx2.Request],
) -> None:
    with MiMoClient(key, base_url=address(base), protocol=protocol, http_client=http) as client:
        answer = client.chat({"model": model, "messages": HELLO, "max_tokens": 64})
    (request,) = seen
    assert (request.method, str(request.url)) == (
        "POST",
        messages if protocol == "messages" else chat,
    )
    sent = {
        name: request.headers[name]
        for name in ("api-key", "authorization")
        if name in request.headers
    }
    assert sent == (dict([auth]) if auth else {})
    assert request.headers["content-type"] == "application/json"
    version = request.headers.get("anthropic-version")
    assert version == ("2023-06-01" if protocol == "messages" else None)
    assert json.loads(request.content) == {
        "model": model,
        "max_tokens": 64,
        "messages": HELLO,
        "stream": False,
    }
    assert answer["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize(("key", "base", "model", "chat", "messages", "auth"), ROWS)
def test_a_messages_address_is_a_base_url_too(
    key: str, base: str, model: str, chat: str, messages: str, auth: Any
) -> None:
    """Pasted from the documentation it says both where to go and in which protocol."""
    endpoint = Endpoint.resolve(key, messages, environ={})
    assert endpoint.protocol == "messages"
    assert endpoint.messages_url() == messages
    assert endpoint.url("/chat/completions") == chat
    endpoint = Endpoint.resolve(key, messages, "chat_completions", environ={})
    assert (endpoint.protocol, endpoint.url("/chat/completions")) == ("chat_completions", chat)
    endpoint = Endpoint.resolve(key, chat, "messages", environ={})
    assert (endpoint.protocol, endpoint.messages_url()) == ("messages", messages)


@pytest.mark.parametrize(
    ("base", "chat_base", "messages"),
    [
        # as Anthropic's SDK and its tools have their base URL
        ("https://api.xiaomimimo.com/anthropic", "/v1", "/anthropic/v1/messages"),
        ("https://api.xiaomimimo.com/anthropic/", "/v1", "/anthropic/v1/messages"),
        ("https://api.xiaomimimo.com/anthropic/v1", "/v1", "/anthropic/v1/messages"),
        ("https://relay.example.org/anthropic", "/anthropic/v1", "/anthropic/v1/messages"),
        ("https://genaiapi.cloudsway.net/AbCd/v1", "/v1/ai/AbCd", "/AbCd/v1/messages"),
        ("https://genaiapi.cloudsway.net/v1/messages", "/v1", "/v1/messages"),
        ("http://localhost:8000/v1/messages", "/v1", "/v1/messages"),
    ],
)
def test_addresses_that_ask_for_the_messages_protocol(
    base: str, chat_base: str, messages: str
) -> None:
    endpoint = Endpoint.resolve(SK, environ={"MIMO_BASE_URL": base})
    origin = "/".join(base.split("/")[:3])
    assert endpoint.protocol == "messages"
    assert endpoint.base_url == origin + chat_base
    assert endpoint.messages_url() == origin + messages


@pytest.mark.parametrize(
    ("base", "messages"),
    [
        ("https://api.xiaomimimo.com/v2", "https://api.xiaomimimo.com/v2/messages"),
        ("https://genaiapi.cloudsway.net/v2", "https://genaiapi.cloudsway.net/v2/messages"),
        (
            "https://api.xiaomimimo.com:8443/v1",
            "https://api.xiaomimimo.com:8443/anthropic/v1/messages",
        ),
        ("https://API.XiaomiMiMo.com/v1", "https://API.XiaomiMiMo.com/anthropic/v1/messages"),
        ("https://xiaomimimo.com.example.org/v1", "https://xiaomimimo.com.example.org/v1/messages"),
    ],
)
def test_other_addresses_keep_to_plain_chat(base: str, messages: str) -> None:
    endpoint = Endpoint.resolve(SK, base, environ={})
    assert endpoint.protocol == "chat_completions"
    assert endpoint.messages_url() == messages


def test_cloudsway_s_example_is_plain_http_and_refused() -> None:
    """Its page has `http://` in one example; the key would travel unencrypted."""
    where = "http://genaiapi.cloudsway.net/AbCd/v1/messages"
    with pytest.raises(InvalidRequestError, match=r"would go unencrypted .* Use https"):
        Endpoint.resolve(CS, where, environ={})


def test_a_messages_address_has_the_same_model_list(http: Any) -> None:
    client = MiMoClient(SK, base_url="https://api.xiaomimimo.com/anthropic", http_client=http)
    assert client.endpoint.url("/models") == "https://api.xiaomimimo.com/v1/models"


@pytest.mark.parametrize("protocol", ["chat_completions", "messages"])
def test_authentication_can_be_overridden(
    protocol: str, http: Any, seen: list[httpx2.Request]
) -> None:
    request = {"model": PRO, "messages": HELLO}
    for base, auth in (("xiaomi", "bearer"), ("https://relay.example.org/v1", "api-key")):
        MiMoClient(SK, base_url=base, auth=auth, protocol=protocol, http_client=http).chat(request)
    first, second = seen
    assert (first.headers.get("authorization"), first.headers.get("api-key")) == (
        f"Bearer {SK}",
        None,
    )
    assert (second.headers.get("authorization"), second.headers.get("api-key")) == (None, SK)


def test_default_headers_win_over_the_protocol_s(http: Any, seen: list[httpx2.Request]) -> None:
    headers = {"Anthropic-Version": "2026-01-01", "x-api-key": "mine"}
    client = MiMoClient(SK, protocol="messages", default_headers=headers, http_client=http)
    client.chat({"model": PRO, "messages": HELLO})
    assert seen[0].headers["anthropic-version"] == "2026-01-01"
    assert seen[0].headers["x-api-key"] == "mine"


# Redirects


ELSEWHERE = "https://elsewhere.example.org/v1/messages"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("protocol", ["chat_completions", "messages"])
@pytest.mark.parametrize("package", [httpx2, httpx], ids=["httpx2", "httpx"])
def test_a_redirect_never_carries_the_key(status: int, protocol: str, package: Any) -> None:
    """Not even where the client that was passed in follows redirects: httpx takes away
    `authorization` on the way to another host, but not `api-key`."""
    hosts = []

    def handle(request: Any) -> Any:
        hosts.append(request.url.host)
        return package.Response(status, headers={"location": f"{ELSEWHERE}?token=1"})

    transport = package.MockTransport(handle)
    with package.Client(transport=transport, follow_redirects=True) as http:
        client = MiMoClient(SK, protocol=protocol, http_client=http)
        request = {"model": PRO, "messages": HELLO}
        with pytest.raises(MiMoError) as chat:
            client.chat(request)
        with pytest.raises(MiMoError) as stream:
            list(client.stream(request))
    for error in (chat.value, stream.value):
        assert str(error).startswith(f"The address redirects to '{ELSEWHERE}'. The key is not")
        assert "set base_url to it" in str(error)
        assert SK not in str(error)
        assert error.status == status
    assert hosts == ["api.xiaomimimo.com"] * 2


def test_a_redirect_never_carries_the_key_asynchronously() -> None:
    hosts = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        return httpx2.Response(307, headers={"location": ELSEWHERE})

    async def ask() -> None:
        transport = httpx2.MockTransport(handle)
        async with httpx2.AsyncClient(transport=transport, follow_redirects=True) as http:
            client = AsyncMiMoClient(SK, http_client=http)
            with pytest.raises(MiMoError, match="redirects to"):
                await client.chat({"model": PRO, "messages": HELLO})
            with pytest.raises(MiMoError, match="redirects to"):
                async for _ in client.stream({"model": PRO, "messages": HELLO}):
                    pass

    asyncio.run(ask())
    assert hosts == ["api.xiaomimimo.com"] * 2
