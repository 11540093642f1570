"""FakeMiMo's speech models: synthesis, recognition, and what both refuse."""

import base64
import io
import json
import wave
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Reply
from mimo_core.testing.emulator.audio import audio_seconds, synthesize, tone, wav

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
SAY = {"role": "assistant", "content": "Good morning, everybody."}
STYLE = {"role": "user", "content": "A calm voice."}
SECONDS = len(SAY["content"]) * 0.06
SAMPLE = "data:audio/wav;base64," + base64.b64encode(wav(tone(12_000))).decode()
TTS, DESIGN, CLONE = "mimo-v2.5-tts", "mimo-v2.5-tts-voicedesign", "mimo-v2.5-tts-voiceclone"


def send(mimo: FakeMiMo, model: str = TTS, messages: Any = (STYLE, SAY), **body: Any) -> Any:
    request = {"model": model, "messages": list(messages)} | body
    return post(f"{mimo.base_url}/chat/completions", json=request)


def spoken(response: Any) -> bytes:
    assert response.status_code == 200, response.text
    return base64.b64decode(response.json()["choices"][0]["message"]["audio"]["data"])


def test_wav_is_24_khz_mono_16_bit(mimo: FakeMiMo) -> None:
    response = send(mimo, audio={"format": "wav", "voice": "Mia"})
    with wave.open(io.BytesIO(spoken(response))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.getnframes() / 24_000 == pytest.approx(SECONDS, abs=0.01)
    message = response.json()["choices"][0]["message"]
    assert message["content"] == ""
    assert set(message["audio"]) == {"id", "data", "expires_at", "transcript"}
    assert response.json()["usage"]["completion_tokens"] > 0


def test_wav_is_the_default(mimo: FakeMiMo) -> None:
    assert spoken(send(mimo)).startswith(b"RIFF")


def test_pcm_and_mp3(mimo: FakeMiMo) -> None:
    for format in ("pcm", "pcm16"):
        pcm = spoken(send(mimo, audio={"format": format}))
        assert len(pcm) / 48_000 == pytest.approx(SECONDS, abs=0.01)
    mp3 = spoken(send(mimo, audio={"format": "mp3"}))
    assert mp3[:2] == b"\xff\xf3"
    assert audio_seconds(mp3) == pytest.approx(SECONDS, abs=0.03)


def test_stream_is_pcm_in_odd_pieces(mimo: FakeMiMo) -> None:
    text = send(mimo, stream=True, audio={"format": "pcm16"}).text
    events = [e[6:] for e in text.split("\n\n") if e.startswith("data: {")]
    deltas = [c["delta"] for e in events for c in json.loads(e)["choices"]]
    pieces = [base64.b64decode(d["audio"]["data"]) for d in deltas if d.get("audio")]
    assert {len(piece) for piece in pieces[:-1]} == {4801}
    assert b"".join(pieces) == synthesize(SAY["content"], "pcm16")


def test_scripted_audio(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(audio=b"abc"), Reply(audio=b"abcdefg", audio_size=2))
    assert spoken(send(mimo)) == b"abc"
    text = send(mimo, stream=True).text
    assert text.count('"data": ') == 4


def test_voicedesign(mimo: FakeMiMo) -> None:
    assert spoken(send(mimo, DESIGN)).startswith(b"RIFF")
    response = send(mimo, DESIGN, [STYLE], audio={"optimize_text_preview": True})
    message = response.json()["choices"][0]["message"]
    assert message["final_text_preview"] == "A calm voice."
    mimo.queue(Reply(final_text_preview="Polished."))
    response = send(mimo, DESIGN, [STYLE], audio={"optimize_text_preview": True}, stream=True)
    assert response.text.count('"final_text_preview": "Polished."') == 1


def test_voiceclone(mimo: FakeMiMo) -> None:
    assert spoken(send(mimo, CLONE, audio={"voice": SAMPLE})).startswith(b"RIFF")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to say": (
        {"messages": [STYLE]},
        "messages must contain an assistant role for TTS model",
    ),
    "nothing to say for a designed voice": (
        {"model": DESIGN, "messages": [STYLE]},
        "messages must contain an assistant role for TTS model",
    ),
    "no description": (
        {"model": DESIGN, "messages": [SAY]},
        "messages must contain a user role for voicedesign model",
    ),
    "system message": (
        {"messages": [{"role": "system", "content": "x"}, SAY]},
        "system role is not allowed for TTS model",
    ),
    "empty text": ({"messages": [{"role": "assistant", "content": ""}]}, "`text` is not set"),
    "unknown voice": (
        {"audio": {"voice": "Nobody"}},
        "voice Nobody is not one of mimo_default, 冰糖, 茉莉, 苏打, 白桦, Mia, Chloe, Milo, Dean",
    ),
    "a new voice for the old model": (
        {"model": "mimo-v2-tts", "audio": {"voice": "Mia"}},
        "voice Mia is not one of mimo_default, default_en, default_zh",
    ),
    "voice for a designed voice": (
        {"model": DESIGN, "audio": {"voice": "Mia"}},
        f"voice is not supported by {DESIGN}",
    ),
    "no sample": ({"model": CLONE}, "audio.voice is not set"),
    "sample as a path": (
        {"model": CLONE, "audio": {"voice": "me.wav"}},
        "audio.voice must be a data URL with base64 of wav or mp3",
    ),
    "sample of another type": (
        {"model": CLONE, "audio": {"voice": SAMPLE.replace("audio/wav", "audio/ogg")}},
        "audio.voice must be a data URL with base64 of wav or mp3",
    ),
    "sample too large": (
        {"model": CLONE, "audio": {"voice": "data:audio/wav;base64," + "A" * 10_485_764}},
        "audio.voice must not be larger than 10 MB",
    ),
    "format": (
        {"audio": {"format": "ogg"}},
        "audio.format must be one of wav, mp3, pcm, pcm16",
    ),
    "wav in a stream": (
        {"audio": {"format": "wav"}, "stream": True},
        "audio.format must be one of pcm, pcm16 when stream is true",
    ),
    "token limit": (
        {"max_completion_tokens": 8_193},
        "max_completion_tokens must be between 1 and 8192",
    ),
    "audio of another type": ({"audio": "wav"}, "audio must be an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_synthesis_refuses(mimo: FakeMiMo, name: str) -> None:
    body, param = REFUSED[name]
    response = send(mimo, **body)
    assert response.status_code == 400
    error = {"code": "400", "message": "Param Incorrect", "param": param, "type": ""}
    assert response.json() == {"error": error}


# Recognition


def heard(data: str = SAMPLE) -> list[dict[str, Any]]:
    part = {"type": "input_audio", "input_audio": {"data": data}}
    return [{"role": "user", "content": [part]}]


def test_recognition(mimo: FakeMiMo) -> None:
    long = "data:audio/wav;base64," + base64.b64encode(wav(tone(60_000))).decode()
    response = send(mimo, "mimo-v2.5-asr", heard(long), asr_options={"language": "en"})
    body = response.json()
    message = body["choices"][0]["message"]
    assert "2.5 seconds" in message["content"]
    assert (message["audio"], message["audio_tokens"], message["tool_calls"]) == (None, [], None)
    assert "reasoning_content" not in message
    assert body["usage"]["seconds"] == 3
    assert body["usage"]["prompt_tokens_details"]["audio_tokens"] == 16
    mimo.queue("Good morning.")
    response = send(mimo, "mimo-v2.5-asr", heard())
    assert response.json()["choices"][0]["message"]["content"] == "Good morning."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (
            {"messages": [{"role": "user", "content": "hi"}]},
            "messages must contain exactly one input_audio for ASR model",
        ),
        (
            {"messages": heard() + heard()},
            "messages must contain exactly one input_audio for ASR model",
        ),
        (
            {"messages": heard("https://example.com/a.wav")},
            "input_audio.data must be a data URL with base64 of wav or mp3",
        ),
        (
            {"messages": heard("data:audio/wav;base64,!")},
            "input_audio.data must be a data URL with base64 of wav or mp3",
        ),
        (
            {"messages": heard(), "asr_options": {"language": "fr"}},
            "asr_options.language must be one of auto, zh, en",
        ),
    ],
)
def test_recognition_refuses(mimo: FakeMiMo, body: dict[str, Any], param: str) -> None:
    response = send(mimo, "mimo-v2.5-asr", **body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_length_of_stand_ins() -> None:
    assert audio_seconds(b"not audio") == 1.0
    assert audio_seconds(b"") == 1.0
