"""Other clients in our cassettes: the vendors' SDKs, and what vcrpy's other stubs record."""

import asyncio
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import requests

from mimo_core.testing import FakeMiMo, Reply, use_cassette
from tests.conftest import KEY

HELLO: Any = [{"role": "user", "content": "Hello"}]
SAID = Reply("Hi there.", reasoning="A greeting.", chunk_size=2)


def ask_openai(mimo: FakeMiMo) -> list[str]:
    with openai.OpenAI(api_key=KEY, base_url=mimo.base_url) as client:
        plain = client.chat.completions.create(model="mimo-v2.5-pro", messages=HELLO)
        stream = client.chat.completions.create(model="mimo-v2.5-pro", messages=HELLO, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    return [plain.choices[0].message.content or "", "".join(pieces)]


def ask_openai_async(mimo: FakeMiMo) -> list[str]:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=mimo.base_url) as client:
            stream = await client.chat.completions.create(
                model="mimo-v2.5-pro", messages=HELLO, stream=True
            )
            return [c.choices[0].delta.content or "" async for c in stream if c.choices]

    return ["".join(asyncio.run(ask()))]


def ask_anthropic(mimo: FakeMiMo) -> list[str]:
    asked: Any = {"model": "mimo-v2.5-pro", "max_tokens": 99, "messages": HELLO}
    with (
        anthropic.Anthropic(api_key=KEY, base_url=mimo.messages_base_url) as client,
        client.messages.stream(**asked) as stream,
    ):
        return ["".join(stream.text_stream)]


def ask_requests(mimo: FakeMiMo) -> list[str]:
    """Through vcrpy's own stub for urllib3, which knows nothing of pieces."""
    answer = requests.post(
        f"{mimo.base_url}/chat/completions",
        json={"model": "mimo-v2.5-pro", "messages": HELLO},
        headers={"api-key": KEY},
        timeout=10,
    )
    return [answer.json()["choices"][0]["message"]["content"]]


@pytest.mark.parametrize("ask", [ask_openai, ask_openai_async, ask_anthropic, ask_requests])
def test_recorded_and_replayed(ask: Any, tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    path = tmp_path / "sdk.yaml"
    fake_mimo.respond = lambda request: SAID
    with use_cassette(path, record_mode="all"):
        said = ask(fake_mimo)
    asked = len(fake_mimo.requests)
    assert set(said) == {"Hi there."}
    with use_cassette(path) as cassette:
        assert ask(fake_mimo) == said
        assert cassette.all_played
    assert len(fake_mimo.requests) == asked
    text = path.read_text()
    assert KEY[3:] not in text
    assert "kind: emulator" in text
    assert "http://emulator.localhost/" in text
    assert "broken" not in text
