"""The body of a request: JSON, with large media sent from where they are."""

from __future__ import annotations

import base64
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core import AsyncMiMoClient, MiMoClient
from mimo_core._request.body import LARGE, LargeBody, encode_body
from mimo_core.audio import decode_audio, encode_file
from mimo_core.errors import InvalidRequestError
from mimo_core.testing import FakeMiMo, Fault, use_cassette

DATA = f"data:audio/wav;base64,{'QUJD' * (LARGE // 2)}"


def request(*urls: str, **fields: Any) -> dict[str, Any]:
    parts = [{"type": "input_audio", "input_audio": {"data": url}} for url in urls]
    content = [*parts, {"type": "text", "text": 'é "😀" ☃'}]
    return {"model": "mimo-v2.5", "messages": [{"role": "user", "content": content}], **fields}


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(DATA),
        request(DATA, DATA + "AA==", "short"),
        request("é" * LARGE),
        request('"' * LARGE, "\\" * LARGE, "\n" * LARGE, DATA),
        request(audio={"voice": DATA, "format": "wav"}),
        {"model": "m", "messages": [{"role": "user", "content": "a" * LARGE}]},
        {"model": "m", "messages": [{"role": "assistant"}, request(DATA)["messages"][0]]},
    ],
)
def test_the_same_json(body: dict[str, Any]) -> None:
    encoded = encode_body(body)
    pieces = b"".join(encoded) if isinstance(encoded, LargeBody) else encoded
    assert pieces.decode() == json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    assert len(encoded) == len(pieces)
    if isinstance(encoded, LargeBody):
        assert b"".join(encoded) == pieces  # once more, for another attempt
        assert max(map(len, encoded)) <= 65_536


@given(st.text(max_size=50), st.integers(0, 60))
def test_any_text_around_it(text: str, number: int) -> None:
    body = request(DATA)
    body["messages"][0]["content"].append({"type": "text", "text": f"{text}-{number}"})
    encoded = encode_body(body)
    assert isinstance(encoded, LargeBody)
    assert json.loads(b"".join(encoded)) == body


def test_half_an_emoji_beside_it() -> None:
    body = request(DATA, user="\ud83d")
    encoded = encode_body(body)
    assert json.loads(encoded if isinstance(encoded, bytes) else b"".join(encoded)) == body


def test_what_is_no_json() -> None:
    with pytest.raises(InvalidRequestError, match="not JSON"):
        encode_body(request(DATA, temperature=float("nan")))


@pytest.fixture(params=[httpx2, httpx], ids=["httpx2", "httpx"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_it_is_sent_again(library: Any) -> None:
    with FakeMiMo() as mimo, library.Client() as http:
        mimo.queue(Fault("overloaded", retry_after=0), "heard")
        client = MiMoClient("sk-test", base_url=mimo.base_url, http_client=http)
        answer = client.chat(request(DATA))
        assert answer["choices"][0]["message"]["content"] == "heard"
        for asked in mimo.requests:
            assert asked.body["messages"] == request(DATA)["messages"]
            assert "transfer-encoding" not in asked.headers


async def test_asynchronously(library: Any) -> None:
    with FakeMiMo() as mimo:
        async with library.AsyncClient() as http:
            mimo.queue(Fault("overloaded", retry_after=0), "heard")
            client = AsyncMiMoClient("sk-test", base_url=mimo.base_url, http_client=http)
            chunks = [chunk async for chunk in client.stream(request(DATA))]
            assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert len(mimo.requests) == 2
        assert mimo.last_request.body["messages"] == request(DATA)["messages"]


@pytest.mark.slow
async def test_on_a_cassette(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    for _ in range(2):  # recorded, then replayed
        with use_cassette(path, emulate=["one", "two"]):
            with MiMoClient() as client:
                assert client.chat(request(DATA))["choices"][0]["message"]["content"] == "one"
            async with AsyncMiMoClient() as client:
                answer = await client.chat(request(DATA + "AAAA"))
                assert answer["choices"][0]["message"]["content"] == "two"
    assert path.stat().st_size < 10_000


@given(st.binary(max_size=100))
def test_base64_of_a_file(data: bytes) -> None:
    assert encode_file(BytesIO(data), "x:") == "x:" + base64.b64encode(data).decode()


def test_base64_of_a_large_file(tmp_path: Path) -> None:
    data = os.urandom(1_000_001)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as file:
        text = encode_file(file)
    assert text == base64.b64encode(data).decode()
    assert decode_audio(text) == data
