"""Large base64: named by its hash in requests, shortened but playable in responses."""

import base64
import io
import json
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mimo_core import MiMoClient
from mimo_core.testing import FakeMiMo, NoRecordedAnswer, Reply, use_cassette
from mimo_core.testing.cassettes.payloads import (
    KEPT_BYTES,
    LARGE,
    label,
    name_large,
    restore_large,
    shorten,
)
from mimo_core.testing.cassettes.persister import _Dumper
from mimo_core.testing.emulator.audio import tone, wav

SOUND = wav(tone(24_000))


def speech(**audio: Any) -> dict[str, Any]:
    messages = [{"role": "assistant", "content": "A sentence of some length to be spoken."}]
    return {"model": "mimo-v2.5-tts", "messages": messages, "audio": audio}


def hears(sound: bytes) -> dict[str, Any]:
    data = f"data:audio/wav;base64,{base64.b64encode(sound).decode()}"
    part = {"type": "input_audio", "input_audio": {"data": data}}
    return {"model": "mimo-v2.5-asr", "messages": [{"role": "user", "content": [part]}]}


def sound_of(message: Mapping[str, Any]) -> bytes:
    return base64.b64decode(message["audio"]["data"])


def test_a_wav_stays_a_wav(tmp_path: Path) -> None:
    path = tmp_path / "speech.yaml"
    recording = use_cassette(path, record_mode="all")
    with FakeMiMo() as mimo, recording, MiMoClient(base_url=mimo.base_url) as client:
        whole = client.chat(speech(format="wav", voice="Mia"))
    with use_cassette(path), MiMoClient() as client:
        short = client.chat(speech(format="wav", voice="Mia"))
    data = [sound_of(answer["choices"][0]["message"]) for answer in (whole, short)]
    assert len(data[0]) > 50_000
    assert len(data[1]) <= KEPT_BYTES
    with wave.open(io.BytesIO(data[1])) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24_000)
        frames = sound.readframes(sound.getnframes())
        assert len(frames) == sound.getnframes() * 2 > 600
    assert data[0][44:].startswith(frames)
    text = path.read_text()
    assert len(text) < 5_000
    assert f"from {len(data[0])} to {len(data[1])} bytes" in text


def test_a_streams_sound_keeps_its_breaks(tmp_path: Path) -> None:
    """Pieces that split a sample or a base64 group still do."""
    path = tmp_path / "speech.yaml"
    streams = []
    for mode in ("all", "none"):
        with FakeMiMo() as mimo, use_cassette(path, record_mode=mode):
            mimo.queue(Reply(interval=0.01))
            with MiMoClient(base_url=mimo.base_url) as client:
                streams.append(list(client.stream(speech(format="pcm16", voice="Mia"))))
    whole, short = (
        [
            sound_of(choice["delta"])
            for chunk in chunks
            for choice in chunk["choices"]
            if choice["delta"].get("audio")
        ]
        for chunks in streams
    )
    assert len(whole) == len(short) > 5
    assert [len(piece) % 6 for piece in whole] == [len(piece) % 6 for piece in short]
    assert all(one.startswith(other) for one, other in zip(whole, short, strict=True))
    assert max(map(len, short)) <= KEPT_BYTES
    held = yaml.safe_load(path.read_text())["interactions"][0]["response"]["body"]
    assert sum(held["pieces"]) == len(held["string"])
    assert "base64 payload(s) shortened" in held["note"]


def test_recording_again_keeps_the_note(tmp_path: Path) -> None:
    path = tmp_path / "speech.yaml"
    with FakeMiMo() as mimo:
        for mode, requests in (("all", 1), ("new_episodes", 2)):
            with (
                use_cassette(path, record_mode=mode),
                MiMoClient(base_url=mimo.base_url) as client,
            ):
                for format in ("wav", "mp3")[:requests]:
                    client.chat(speech(format=format, voice="Mia"))
    interactions = yaml.safe_load(path.read_text())["interactions"]
    assert ["shortened" in one["response"]["body"]["note"] for one in interactions] == [True] * 2


def test_a_sample_in_a_request_is_named_and_still_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "heard.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue("a transcript")
        with MiMoClient(base_url=mimo.base_url) as client:
            client.chat(hears(SOUND))
        assert mimo.last_request.raw.count(b"A") > LARGE  # what was sent was whole
    assert label(SOUND) in path.read_text()
    assert len(path.read_text()) < 4_000
    with use_cassette(path), MiMoClient() as client:
        client.chat(hears(SOUND))
    with use_cassette(path), MiMoClient() as client, pytest.raises(NoRecordedAnswer, match="sha"):
        client.chat(hears(SOUND[:-2]))


@given(st.binary(min_size=0, max_size=4_000))
def test_named_payloads_can_be_put_back(data: bytes) -> None:
    text = base64.b64encode(data)
    body = b'{"a": "data:audio/wav;base64,' + text + b'"}'
    named = name_large(body)
    assert name_large(named) == named
    assert (named == body) is (len(text.rstrip(b"=")) < LARGE)
    assert restore_large(named.decode(), {label(data): data}) == body.decode()
    assert restore_large(named.decode(), {}) == named.decode()


@given(st.binary(min_size=800, max_size=4_000), st.booleans())
def test_shortened_payloads_decode_to_a_beginning(data: bytes, escaped: bool) -> None:
    text = base64.b64encode(data)
    body = b'"' + (text.replace(b"/", rb"\/") if escaped else text) + b'"'
    shortened = shorten(body)
    assert len(shortened.edits) == 1
    kept = base64.b64decode(shortened.edits[0].text)
    assert data.startswith(kept)
    assert len(kept) % 6 == len(data) % 6
    assert KEPT_BYTES - 6 < len(kept) <= KEPT_BYTES
    assert not shorten(b'"' + shortened.edits[0].text + b'"').edits


def test_a_wav_with_further_chunks_before_its_sound() -> None:
    notes = b"LIST" + (12).to_bytes(4, "little") + b"INFOsomedata"
    odd = SOUND[:36] + notes + SOUND[36:]
    kept = base64.b64decode(shorten(base64.b64encode(odd)).edits[0].text)
    assert kept[:4] == b"RIFF"
    assert len(kept) <= KEPT_BYTES


@given(st.text())
def test_the_writer_loses_nothing(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return  # bodies come from UTF-8
    document = {"a": {"b": text, "c": [f"{text}\n\n", f"x{text}" * 9, f"x\n{text}\ny"]}}
    written = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, width=100)
    assert yaml.safe_load(written) == document


def test_binary_bodies_survive(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    from mimo_core.testing import Fault

    path = tmp_path / "binary.yaml"
    raw = bytes(range(256))
    for mode in ("all", "none"):
        with use_cassette(path, record_mode=mode):
            fake_mimo.queue(Fault(body=raw, content_type="audio/wav"))
            answer = httpx2.post(
                f"{fake_mimo.base_url}/chat/completions",
                content=json.dumps(
                    {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]}
                ),
            )
            assert answer.content == raw
