"""A proxy that the environment names badly is one line of the error family, for every host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import click
import llm
import pytest

from langchain_mimo import ChatMiMo, MiMoConnectionError
from llm_mimo.clients import close_clients
from mimo_core import APIConnectionError, AsyncMiMoClient, MiMoClient
from tests.conftest import KEY

SOMEWHERE = "https://mimo.invalid/v1"
PASSWORD = "hunter2hunter2"
# Each is refused while the HTTP client is made: no name is asked for, and nothing connects.
PROXIES = [
    *("http://proxy:port", "http://proxy:80x", f"http://user:{PASSWORD}@proxy:port"),
    *("socks9://x", "ftp://proxy:21", "://", f"nonsense://user:{PASSWORD}@proxy:80"),
    *("http://[::1", "http://\N{SNOWMAN}:80", "http://proxy:80/\n", "http://proxy:" + "9" * 5000),
]
SETTINGS = [("HTTPS_PROXY", proxy) for proxy in PROXIES] + [
    ("ALL_PROXY", proxy) for proxy in PROXIES
]


def by_core() -> None:
    with MiMoClient(KEY, base_url=SOMEWHERE, max_retries=0) as client:
        client.models()


def by_async_core() -> None:
    async def ask() -> None:
        async with AsyncMiMoClient(KEY, base_url=SOMEWHERE, max_retries=0) as client:
            await client.models()

    asyncio.run(ask())


def by_langchain() -> None:
    ChatMiMo(api_key=KEY, base_url=SOMEWHERE, max_retries=0).invoke("Hi")


def by_async_langchain() -> None:
    asyncio.run(ChatMiMo(api_key=KEY, base_url=SOMEWHERE, max_retries=0).ainvoke("Hi"))


def by_llm() -> None:
    llm.get_model("mimo").prompt("Hi", key=KEY).text()


def by_async_llm() -> None:
    async def ask() -> None:
        await llm.get_async_model("mimo").prompt("Hi", key=KEY).text()

    asyncio.run(ask())


def by_an_attachment_that_llm_reads() -> None:
    """llm asks for the type of a URL itself, when our model wants to know it."""
    attachment = llm.Attachment(url="https://mimo.invalid/a.png")
    llm.get_model("mimo").prompt("Hi", attachments=[attachment], key=KEY).text()


CALLS = {
    by_core: APIConnectionError,
    by_async_core: APIConnectionError,
    by_langchain: MiMoConnectionError,
    by_async_langchain: MiMoConnectionError,
    by_llm: click.ClickException,
    by_async_llm: click.ClickException,
    by_an_attachment_that_llm_reads: click.ClickException,
}


@pytest.mark.parametrize(("name", "proxy"), SETTINGS)
@pytest.mark.parametrize("call", CALLS)
def test_a_bad_proxy(
    call: Callable[[], None],
    name: str,
    proxy: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("LLM_USER_PATH", os.fspath(tmp_path))
    monkeypatch.setenv("MIMO_BASE_URL", SOMEWHERE)
    try:
        with pytest.raises(CALLS[call]) as caught:
            call()
    finally:
        close_clients()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) <= 1000
    assert PASSWORD not in text
    if call is not by_an_attachment_that_llm_reads:
        assert text.startswith("No connection can be made: ")
        assert "HTTPS_PROXY" in text
