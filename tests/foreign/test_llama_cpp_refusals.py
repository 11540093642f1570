"""How llama.cpp's server refuses, and what both hosts make of it.

The literal bodies are in scripts/foreign/README.md.

It says HTTP 500 for much that is the caller's own fault: that is no reason to try again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import llm
import pytest

from langchain_mimo import MiMoContextOverflowError
from langchain_mimo import MiMoUnsupportedInputError as MiMoUnsupported
from mimo_core import (
    ContextOverflowError,
    InvalidRequestError,
    MiMoClient,
    MiMoError,
    UnsupportedInputError,
)
from scripts.foreign.relay import Relay
from tests.foreign.hosts import PNG, Talk, wav

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.slow,
    pytest.mark.protocols("chat_completions", "messages"),
]

Address = Callable[[str], str]
TOOL = {"type": "function", "function": {"name": "a", "parameters": {"type": "nonsense"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}


def asked(*parts: dict[str, Any], text: str = "Hello") -> dict[str, Any]:
    content: Any = [{"type": "text", "text": text}, *parts] if parts else text
    return {"messages": [{"role": "user", "content": content}]}


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
SOUND = {"type": "input_audio", "input_audio": {"data": b64encode(wav()).decode(), "format": "wav"}}
FILM = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}

# what is sent, HTTP status, error, words of the server's
REFUSED: list[Any] = [
    pytest.param(asked(IMAGE), 500, UnsupportedInputError, "image input is not", id="image"),
    pytest.param(
        asked(text="rain " * 6000), 400, ContextOverflowError, "available context size", id="long"
    ),
    pytest.param(
        {**asked(), "tools": [TOOL]}, 500, InvalidRequestError, "unrecognized type", id="tool"
    ),
]
CHAT_ONLY: list[Any] = [
    pytest.param(asked(SOUND), 500, UnsupportedInputError, "audio input is not", id="audio"),
    pytest.param(asked(FILM), 500, UnsupportedInputError, "video input is not", id="video"),
    pytest.param(
        {**asked(), "response_format": SCHEMA},
        500,
        InvalidRequestError,
        "JSON schema error",
        id="schema",
    ),
    pytest.param(
        {**asked(), "tools": [{"type": "web_search"}]},
        500,
        InvalidRequestError,
        "Failed to parse tools",
        id="web-search",
    ),
    pytest.param(
        {**asked(), "response_format": {"type": "grammar"}},
        400,
        InvalidRequestError,
        "response_format type must be one of",
        id="format",
    ),
]


def check(
    server: Relay, base_url: str, request: dict[str, Any], status: int, kind: Any, said: str
) -> None:
    """Refused once, whole and streamed: the class, the server's words, no second attempt."""
    with MiMoClient(base_url=base_url, max_retries=2) as client:
        for ask in (client.chat, lambda given: list(client.stream(given))):
            server.passed.clear()
            with pytest.raises(MiMoError, match=said) as raised:
                ask({"model": "mimo-v2.5", "max_tokens": 3, **request})
            assert [passed.status for passed in server.passed] == [status]
            assert type(raised.value) is kind
            assert not raised.value.is_retryable
            assert "Try again later" not in str(raised.value)


@pytest.mark.parametrize(("request_", "status", "kind", "said"), REFUSED)
def test_refused(
    llama: Relay, address: Address, request_: Any, status: int, kind: Any, said: str
) -> None:
    check(llama, address(llama.root), request_, status, kind, said)


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize(("request_", "status", "kind", "said"), CHAT_ONLY)
def test_refused_on_chat_completions(
    llama: Relay, request_: Any, status: int, kind: Any, said: str
) -> None:
    check(llama, llama.root + "/v1", request_, status, kind, said)


async def test_an_image_in_both_hosts(llama: Relay, address: Address, way: str) -> None:
    """No projector: the class that programs look for, in one line, after one request."""
    talk = Talk(way, address(llama.root), options={"max_tokens": 3})
    expected = MiMoUnsupported if way.startswith("langchain") else llm.ModelError
    with pytest.raises(expected, match="image input is not supported") as raised:
        await talk.say("What is it?", ("image/png", b64decode(PNG)))
    assert len(llama.passed) == 1
    assert "\n" not in str(raised.value)


async def test_an_overflow_in_both_hosts(llama: Relay, address: Address, way: str) -> None:
    talk = Talk(way, address(llama.root), options={"max_tokens": 3})
    expected = MiMoContextOverflowError if way.startswith("langchain") else llm.ModelError
    with pytest.raises(expected, match="exceeds the available context size"):
        await talk.say("rain " * 6000)
    assert len(llama.passed) == 1


@pytest.mark.protocols("chat_completions")
async def test_sound_in_both_hosts(llama: Relay, way: str) -> None:
    """It goes as raw base64 with its format, which is how the server would read it."""
    talk = Talk(way, llama.root + "/v1", options={"max_tokens": 3})
    expected = MiMoUnsupported if way.startswith("langchain") else llm.ModelError
    with pytest.raises(expected, match="audio input is not supported"):
        await talk.say("What is it?", ("audio/wav", wav()))
    (passed,) = llama.passed
    (part,) = [p for p in passed.body["messages"][0]["content"] if p["type"] == "input_audio"]
    assert part["input_audio"]["format"] == "wav"
    assert b64decode(part["input_audio"]["data"], validate=True) == wav()
