"""Requests for speech and recognition, and the audio in their answers."""

from __future__ import annotations

import base64
import wave
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core.audio import AudioDecoder, audio_format, audio_seconds, wav_header
from mimo_core.errors import InvalidRequestError, InvalidResponseError, UnsupportedInputError
from mimo_core.models import MODELS
from mimo_core.speech import (
    MAX_ENCODED,
    audio_bytes,
    audio_data_url,
    audio_pieces,
    speech_request,
    transcription_request,
)

PCM = bytes(range(250)) * 192  # one second
WAV = wav_header(len(PCM)) + PCM
# MPEG 2 Layer III, 64 kbit/s, 24 kHz: 192 bytes and 24 ms a frame.
MP3_FRAME = b"\xff\xf3\x84\xc4" + bytes(188)
SPEAKERS = [info for info in MODELS.values() if info.kind == "tts"]


class TestSpeechRequest:
    def test_text_and_style(self) -> None:
        assert speech_request("mimo-v2.5-tts", "Hello") == {
            "model": "mimo-v2.5-tts",
            "messages": [{"role": "assistant", "content": "Hello"}],
        }
        request = speech_request("mimo-v2-tts", "Hi", style="sad", voice="DEFAULT_EN", format="mp3")
        assert request["messages"][0] == {"role": "user", "content": "sad"}
        assert request["audio"] == {"voice": "default_en", "format": "mp3"}

    def test_a_stream_is_pcm16(self) -> None:
        request = speech_request("mimo-v2.5-tts", "Hi", format="pcm", stream=True)
        assert request["audio"] == {"format": "pcm16"}
        with pytest.raises(InvalidRequestError, match="pcm16 only"):
            speech_request("mimo-v2.5-tts", "Hi", format="mp3", stream=True)

    def test_voice_design(self) -> None:
        model = "mimo-v2.5-tts-voicedesign"
        request = speech_request(model, "", style="An old man", optimize_text_preview=True)
        assert request["messages"] == [{"role": "user", "content": "An old man"}]
        assert request["audio"] == {"optimize_text_preview": True}
        for style in (None, " "):
            with pytest.raises(InvalidRequestError, match="description"):
                speech_request(model, "Hi", style=style)
        with pytest.raises(InvalidRequestError, match="no text"):
            speech_request(model, " ", style="An old man", optimize_text_preview=False)
        with pytest.raises(InvalidRequestError, match="does not take voice"):
            speech_request(model, "Hi", style="An old man", voice="Mia")

    def test_voice_clone(self) -> None:
        model = "mimo-v2.5-tts-voiceclone"
        url = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
        voices: list[dict[str, Any]] = [{"sample": WAV}, {"voice": url}, {"sample": url}]
        for voice in voices:
            assert speech_request(model, "Hi", **voice)["audio"]["voice"] == url
        with pytest.raises(InvalidRequestError, match="needs a sample"):
            speech_request(model, "Hi")

    @pytest.mark.parametrize("info", SPEAKERS, ids=lambda info: info.id)
    def test_what_a_model_does_not_take(self, info: Any) -> None:
        style = "An old man"
        if info.voice_source != "sample":
            with pytest.raises(InvalidRequestError, match="voiceclone would"):
                speech_request(info.id, "Hi", style=style, sample=WAV)
        if info.voice_source != "description":
            sample = WAV if info.voice_source == "sample" else None
            with pytest.raises(InvalidRequestError, match="voicedesign would"):
                speech_request(info.id, "Hi", sample=sample, optimize_text_preview=True)

    @pytest.mark.parametrize(
        ("model", "arguments", "words"),
        [
            ("mimo-v2.5-tts", {"voice": "Bob"}, "Chloe"),
            ("mimo-v2.5-tts", {"format": "ogg"}, "wav, mp3"),
            ("mimo-v2.5", {}, "does not speak; mimo-v2.5-tts"),
            ("mimo-v2.5-asr", {}, "does not speak"),
            ("mimo-v2.5-tts-voiceclone", {"sample": WAV, "voice": "Mia"}, "give one of them"),
        ],
    )
    def test_refused(self, model: str, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            speech_request(model, "Hi", **arguments)

    def test_an_unknown_model_gets_what_is_given(self) -> None:
        request = speech_request("mimo-v9-tts", "Hi", voice="Bob", optimize_text_preview=True)
        assert request["audio"] == {"voice": "Bob", "optimize_text_preview": True}


class TestTranscriptionRequest:
    def test_a_recording(self, tmp_path: Path) -> None:
        path = tmp_path / "said.mp3"
        path.write_bytes(MP3_FRAME * 10)
        request = transcription_request("mimo-v2.5-asr", path, language="zh")
        (part,) = request["messages"][0]["content"]
        assert part["input_audio"]["data"].startswith("data:audio/mpeg;base64,//OE")
        assert request["asr_options"] == {"language": "zh"}
        assert "asr_options" not in transcription_request("mimo-v2.5-asr", str(path))

    def test_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="auto, zh, en"):
            transcription_request("mimo-v2.5-asr", WAV, language="fr")
        with pytest.raises(InvalidRequestError, match=r"use mimo-v2\.5-asr"):
            transcription_request("mimo-v2.5-tts", WAV)


class TestDataURL:
    @pytest.mark.parametrize("data", [b"", b"fLaC1234", b"RIFF1234AVI ", b"\xff\xff\xff\xff"])
    def test_neither_wav_nor_mp3(self, data: bytes) -> None:
        with pytest.raises(UnsupportedInputError, match="ffmpeg"):
            audio_data_url(data)

    @pytest.mark.parametrize("url", ["data:audio/ogg;base64,AA==", "data:audio/wav,abc", "data:"])
    def test_data_urls_of_something_else(self, url: str) -> None:
        with pytest.raises(UnsupportedInputError, match="WAV or MP3"):
            audio_data_url(url)

    def test_spellings(self) -> None:
        assert audio_data_url("data:audio/mp3;base64,AA==") == "data:audio/mpeg;base64,AA=="
        assert audio_data_url("DATA:audio/X-WAV;rate=1;base64,AA==") == "data:audio/wav;base64,AA=="

    def test_the_limit(self, tmp_path: Path) -> None:
        largest = MAX_ENCODED // 4 * 3
        data = WAV + bytes(largest - len(WAV))
        assert len(audio_data_url(data).partition(",")[2]) == MAX_ENCODED
        path = tmp_path / "large.wav"
        path.write_bytes(data + b"\0")
        for audio in (data + b"\0", path, f"data:audio/wav;base64,{'A' * (MAX_ENCODED + 4)}"):
            with pytest.raises(InvalidRequestError, match="up to 10"):
                audio_data_url(audio)

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "missing.wav"):
            with pytest.raises(InvalidRequestError, match="cannot be read"):
                audio_data_url(path)


class TestAnswers:
    @staticmethod
    def _answer(data: str | None) -> dict[str, Any]:
        return {"choices": [{"message": {"role": "assistant", "audio": {"data": data}}}]}

    def test_audio(self) -> None:
        assert audio_bytes(self._answer(base64.b64encode(WAV).decode())) == WAV

    def test_pieces_that_were_joined_with_their_padding(self) -> None:
        joined = "".join(base64.b64encode(piece).decode() for piece in (b"a", b"bc", b"def", b"g"))
        assert audio_bytes(self._answer(joined)) == b"abcdefg"

    @pytest.mark.parametrize("answer", [None, "", {}])
    def test_no_audio(self, answer: Any) -> None:
        with pytest.raises(InvalidResponseError, match="no audio"):
            audio_bytes(self._answer(answer))
        with pytest.raises(InvalidResponseError, match="no audio"):
            audio_bytes({"choices": [{"message": {"audio": None}}]})
        with pytest.raises(InvalidResponseError, match="no audio"):
            list(audio_pieces([{"choices": [{"delta": {"content": "hm"}}]}]))

    @pytest.mark.parametrize("data", ["$$$$", "A", "AAAAA", "é", "====", "A=AA"])
    def test_no_base64(self, data: str) -> None:
        with pytest.raises(InvalidResponseError, match="not base64"):
            audio_bytes(self._answer(data))

    @given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=20))
    def test_one_base64_cut_anywhere(self, audio: bytes, cuts: list[int]) -> None:
        text = base64.b64encode(audio).decode()
        ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
        pieces = [text[a:b] for a, b in pairwise(ends)]
        decoder = AudioDecoder()
        assert b"".join(map(decoder.feed, pieces)) + decoder.close() == audio

    @given(st.lists(st.binary(max_size=20)), st.booleans())
    def test_a_base64_for_each_piece(self, pieces: list[bytes], lines: bool) -> None:
        encode = base64.encodebytes if lines else base64.b64encode
        chunks = [
            {"choices": [{"delta": {"audio": {"data": encode(piece).decode()}}}]}
            for piece in pieces
        ]
        chunks.append({"choices": [{"delta": {}}]})
        if any(pieces):
            assert b"".join(audio_pieces(chunks)) == b"".join(pieces)

    def test_padding_that_was_left_out(self) -> None:
        assert list(audio_pieces([{"choices": [{"delta": {"audio": {"data": "YWJjZA"}}}]}])) == [
            b"abc",
            b"d",
        ]


class TestAudio:
    def test_a_header_that_players_read(self) -> None:
        with wave.open(BytesIO(WAV)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
            assert file.readframes(-1) == PCM
        assert len(wav_header()) == 44

    def test_seconds(self) -> None:
        assert audio_seconds(PCM, "pcm") == audio_seconds(PCM, "pcm16") == 1.0
        assert audio_seconds(WAV, "wav") == 1.0
        assert audio_seconds(wav_header() + PCM, "wav") == 1.0  # claims to be longer
        extra = WAV[:12] + b"LIST\x03\0\0\0abc\0" + WAV[12:]
        assert audio_seconds(extra, "wav") == 1.0

    def test_seconds_of_mp3(self) -> None:
        assert audio_seconds(MP3_FRAME * 50, "mp3") == pytest.approx(1.2)
        tagged = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + MP3_FRAME * 50 + b"TAG"
        assert audio_seconds(tagged, "mp3") == pytest.approx(1.2)
        first = b"\xff\xfb\x92\x00" + bytes(414)  # MPEG 1, 128 kbit/s, 44.1 kHz, padded
        assert audio_seconds(first * 10, "mp3") == pytest.approx(11520 / 44_100)

    @pytest.mark.parametrize("format", ["wav", "mp3"])
    def test_bytes_that_do_not_say(self, format: str) -> None:
        assert audio_seconds(b"nothing of the kind", format) is None

    def test_a_wav_without_data(self) -> None:
        assert audio_seconds(WAV[:36], "wav") is None

    @given(st.binary(max_size=64))
    def test_any_bytes(self, data: bytes) -> None:
        audio_format(data)
        audio_seconds(b"RIFF\0\0\0\0WAVE" + data, "wav")
        audio_seconds(b"ID3" + data, "mp3")
        audio_seconds(b"\xff\xf3\x84\xc4" + data, "mp3")
