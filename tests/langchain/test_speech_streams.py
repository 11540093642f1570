"""Streamed speech: pieces that play, and that are exactly the audio, in every form of LangChain."""

from __future__ import annotations

import base64
import json
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk, HumanMessage

from langchain_mimo import ChatMiMo, audio_of, save_audio
from langchain_mimo.answers import ChunkMapper
from langchain_mimo.speech import AudioPieces
from mimo_core._response.accumulate import collect
from mimo_core.audio import BYTES_PER_SECOND, wav_header
from mimo_core.testing.emulator import FakeMiMo, Reply
from mimo_core.types import ChatChunk
from tests.conftest import KEY
from tests.langchain.conftest import added_up

Chat = Callable[..., ChatMiMo]
TTS = "mimo-v2.5-tts"
PCM = bytes(range(256)) * 190 + b"\x01\x02"


def cut(text: str, cuts: list[int]) -> list[str]:
    """One base64, cut anywhere."""
    ends = sorted({min(at, len(text)) for at in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(ends)]


ONE_TEXT = st.builds(
    lambda audio, cuts: (audio, cut(base64.b64encode(audio).decode(), cuts)),
    st.binary(min_size=1, max_size=200),
    st.lists(st.integers(0, 300), max_size=12),
)
TEXTS = st.builds(
    lambda pieces: (b"".join(pieces), [base64.b64encode(piece).decode() for piece in pieces]),
    st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=12),
)
STREAMS = ONE_TEXT | TEXTS
# A stream of one chunk is a whole message at once, and its block then has `base64`, not `data`.
SPEECH = STREAMS.filter(lambda stream: len(stream[0]) >= 6)


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> ChatChunk:
    choice: Any = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "1", "model": TTS, "choices": [choice]}


def events(pieces: list[str]) -> bytes:
    """A stream with these pieces of base64 as it comes over the wire."""
    chunks = [chunk({"audio": {"id": "a1", "data": piece}}) for piece in pieces]
    chunks.append(chunk({}, "stop"))
    lines = [f"data: {json.dumps(one)}\n\n" for one in chunks]
    return "".join([": PROCESSING\n\n", *lines, "data: [DONE]\n\n"]).encode()


def model_for(body: bytes, **fields: Any) -> ChatMiMo:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    transport = httpx2.MockTransport(answer)
    return ChatMiMo(
        model=TTS,
        api_key=KEY,
        http_client=httpx2.Client(transport=transport),
        http_async_client=httpx2.AsyncClient(transport=transport),
        **fields,
    )


def pieces_of(chunks: list[Any]) -> list[str]:
    """The base64 of each chunk that has some, from wherever the version puts it."""
    found = []
    for one in chunks:
        blocks = [block for block in one.content_blocks if block["type"] == "audio"]
        found += [block.get("data") or block["base64"] for block in blocks]
    return found


def assert_playable(pieces: list[str], audio: bytes) -> None:
    decoded = [base64.b64decode(piece, validate=True) for piece in pieces]
    assert b"".join(decoded) == audio
    assert base64.b64decode("".join(pieces), validate=True) == audio
    assert all(len(piece) % 2 == 0 for piece in decoded[:-1])  # whole samples


class TestPieces:
    @given(STREAMS)
    def test_cut_anew(self, stream: tuple[bytes, list[str]]) -> None:
        audio, texts = stream
        cutter = AudioPieces()
        pieces = [piece for text in texts if (piece := cutter.feed({"data": text, "id": "a1"}))]
        if last := cutter.close():
            pieces.append(last)
        assert_playable([piece["data"] for piece in pieces], audio)
        assert [piece.get("format") for piece in pieces] == ["pcm16"] + [None] * (len(pieces) - 1)

    def test_a_transcript_is_kept(self) -> None:
        cutter = AudioPieces()
        assert cutter.feed({"transcript": "Hel"}) == {"transcript": "Hel"}
        assert cutter.feed({"data": None, "transcript": None}) is None
        assert cutter.close() is None

    @given(STREAMS)
    def test_collected_in_the_core(self, stream: tuple[bytes, list[str]]) -> None:
        audio, texts = stream
        response = collect(
            [*(chunk({"audio": {"data": text}}) for text in texts), chunk({}, "stop")]
        )
        data = (response["choices"][0]["message"]["audio"] or {})["data"]
        assert base64.b64decode(data, validate=True) == audio


class TestStreams:
    @pytest.mark.parametrize("version", ["v0", "v1"])
    @given(stream=SPEECH)
    def test_sync(self, version: str, stream: tuple[bytes, list[str]]) -> None:
        audio, texts = stream
        chunks = list(model_for(events(texts), output_version=version).stream("Hello."))
        assert_playable(pieces_of(chunks), audio)
        self._check_whole(added_up(chunks), audio, version)

    @pytest.mark.parametrize("version", ["v0", "v1"])
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 4800, 4801, 100_000])
    async def test_async(self, chat: Chat, mimo: FakeMiMo, version: str, size: int) -> None:
        audio = PCM if size > 10 else PCM[:100]
        mimo.queue(Reply(audio=audio, audio_size=size))
        model = chat(model=TTS, output_version=version)
        chunks = [chunk async for chunk in model.astream("Hello.")]
        assert_playable(pieces_of(chunks), audio)
        self._check_whole(added_up(chunks), audio, version)
        assert mimo.last_request.body["audio"] == {"format": "pcm16"}

    @staticmethod
    def _check_whole(whole: AIMessageChunk, audio: bytes, version: str) -> None:
        block: Any
        (block,) = whole.content_blocks
        assert block["type"] == "audio"
        assert block["mime_type"] == "audio/pcm"
        key = "data" if version == "v1" else "base64"
        assert base64.b64decode(block[key]) == audio
        assert whole.additional_kwargs["audio"]["id"]
        assert audio_of(whole) == audio
        assert isinstance(whole.content, list if version == "v1" else str)

    @given(stream=SPEECH)
    def test_v3(self, stream: tuple[bytes, list[str]]) -> None:
        audio, texts = stream
        with quiet():
            run: Any = model_for(events(texts)).stream_events("Hello.", version="v3")
            deltas = [
                event["delta"]["data"]
                for event in run
                if event.get("event") == "content-block-delta"
                and event["delta"]["type"] == "data-delta"
            ]
            message = run.output
        # The last piece may come with the end of its block.
        assert audio.startswith(b"".join(map(base64.b64decode, deltas)))
        (block,) = message.content
        assert block["type"] == "audio"
        assert block["mime_type"] == "audio/pcm"
        assert base64.b64decode(block["data"], validate=True) == audio
        assert audio_of(message) == audio

    async def test_v3_async(self, chat: Chat, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=PCM))
        with quiet():
            run: Any = await chat(model=TTS).astream_events("Hello.", version="v3")
            message = await run.output
        assert audio_of(message) == PCM
        assert message.content[0]["mime_type"] == "audio/pcm"

    @pytest.mark.parametrize("format", ["wav", "mp3"])
    @pytest.mark.parametrize("version", ["v0", "v1"])
    def test_a_file_comes_whole(
        self, chat: Chat, mimo: FakeMiMo, format: str, version: str
    ) -> None:
        """As LangGraph needs it: `stream_mode="messages"` streams every model."""
        audio = wav_header(len(PCM)) + PCM if format == "wav" else b"\xff\xf3\x84\xc4" + bytes(188)
        mimo.queue(Reply(audio=audio))
        model = chat(model=TTS, audio={"format": format}, output_version=version)
        whole = added_up(list(model.stream("Hello.")))
        assert not mimo.last_request.stream
        assert mimo.last_request.body["audio"] == {"format": format}
        assert audio_of(whole) == audio
        block: Any
        (block,) = whole.content_blocks
        mime_type = {"wav": "audio/wav", "mp3": "audio/mpeg"}[format]
        assert block["mime_type"] == mime_type

    def test_a_preview_is_said_once(self) -> None:
        mapper = ChunkMapper()
        deltas: list[Any] = [
            {"audio": {"data": "AAAA"}, "final_text_preview": "Hello."},
            {"audio": {"data": "AAAA"}, "final_text_preview": "Hello."},
        ]
        chunks = [mapper.map(chunk(delta)) for delta in deltas] + [
            mapper.end(chunk({}, "stop"), deltas[0])
        ]
        whole = added_up([one.message for one in chunks if one])
        assert whole.additional_kwargs["final_text_preview"] == "Hello."
        assert audio_of(whole) == bytes(6)

    def test_saved(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        mimo.queue(Reply(audio=PCM))
        message = added_up(list(chat(model=TTS).stream("Hello.")))
        path = save_audio(message, tmp_path / "a.wav")
        assert path.read_bytes() == wav_header(len(PCM)) + PCM

    @pytest.mark.slow
    def test_ten_minutes_take_no_memory(self) -> None:
        """Ours, that is: langchain-core keeps every chunk of `stream()` for its callbacks."""
        second = base64.b64encode(bytes(BYTES_PER_SECOND // 10)).decode()
        event = f"data: {json.dumps(chunk({'audio': {'data': second}}))}\n\n".encode()

        class Body(httpx2.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield from (event for _ in range(6_000))
                yield f"data: {json.dumps(chunk({}, 'stop'))}\n\ndata: [DONE]\n\n".encode()

        def answer(request: httpx2.Request) -> httpx2.Response:
            kind = {"content-type": "text/event-stream"}
            return httpx2.Response(200, headers=kind, stream=Body())

        client = httpx2.Client(transport=httpx2.MockTransport(answer))
        model = ChatMiMo(model=TTS, api_key=KEY, http_client=client)
        received = peak = 0
        tracemalloc.start()
        try:
            for number, one in enumerate(model._stream([HumanMessage("Hello.")])):
                audio = one.message.additional_kwargs.get("audio") or {}
                received += len(base64.b64decode(audio.get("data") or ""))
                if number == 100:
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        assert received == 600 * BYTES_PER_SECOND  # 28.8 MB
        assert peak < 200_000


@contextmanager
def quiet() -> Iterator[None]:
    """v3 is beta, and says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
