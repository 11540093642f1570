"""Real files through `llm`: attached, spoken, transcribed, and read by other programs."""

from __future__ import annotations

import base64
import wave
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, Reply
from tests import real_media

TEXT = "Good morning. The emulator speaks a tone."


def sent(mimo: FakeMiMo, name: str, type: str) -> bytes:
    """The bytes of the one attachment in the last request."""
    parts = [p for p in mimo.last_request.body["messages"][-1]["content"] if p["type"] == name]
    (held,) = (part[name] for part in parts)
    head, _, data = (held.get("url") or held["data"]).partition(";base64,")
    assert head == f"data:{type}"
    return base64.b64decode(data, validate=True)


class TestAttachments:
    @pytest.mark.parametrize(
        ("name", "type"), [("a.png", "image/png"), ("a.jpg", "image/jpeg"), ("a.gif", "image/gif")]
    )
    def test_an_image(self, run: Any, mimo: FakeMiMo, both: Any, name: str, type: str) -> None:
        path = real_media.picture(Path(name))
        run.ok("-m", "mimo-v2.5", "What is this?", "-a", name, *both)
        assert sent(mimo, "image_url", type) == path.read_bytes()

    def test_a_recording(self, run: Any, mimo: FakeMiMo) -> None:
        path = real_media.recording(Path("a.wav"))
        run.ok("-m", "mimo-v2.5", "What do you hear?", "-a", "a.wav")
        assert sent(mimo, "input_audio", "audio/wav") == path.read_bytes()

    def test_mp3(self, run: Any, mimo: FakeMiMo) -> None:
        path = real_media.mp3(Path("a.mp3"), real_media.recording(Path("a.wav")))
        run.ok("-m", "mimo-v2.5", "What do you hear?", "-a", "a.mp3")
        assert sent(mimo, "input_audio", "audio/mpeg") == path.read_bytes()

    def test_a_video(self, run: Any, mimo: FakeMiMo, mode: Any) -> None:
        path = real_media.video(Path("a.mp4"))
        options = ("-o", "fps", "0.5", "-o", "media_resolution", "max")
        run.ok("-m", "mimo-v2.5", "What happens?", "-a", "a.mp4", *options, *mode)
        assert sent(mimo, "video_url", "video/mp4") == path.read_bytes()
        (part,) = (
            p for p in mimo.last_request.body["messages"][-1]["content"] if p["type"] == "video_url"
        )
        assert (part["fps"], part["media_resolution"]) == (0.5, "max")

    def test_tokens_by_modality(self, run: Any, mimo: FakeMiMo, logged: Any) -> None:
        details = {"image_tokens": 11, "audio_tokens": 12, "video_tokens": 13}
        mimo.queue(Reply("ok", usage={"prompt_tokens_details": details}))
        real_media.recording(Path("a.wav"))
        run.ok("-m", "mimo-v2.5", "What do you hear?", "-a", "a.wav")
        for name, tokens in details.items():
            assert f'"{name}": {tokens}' in logged()["token_details"]


class TestSpeech:
    @pytest.fixture(params=["speak", "model"])
    def saved(self, request: pytest.FixtureRequest, run: Any, mimo: FakeMiMo) -> Path:
        """A WAV file of the emulator's tone, by the command and by the model."""
        if request.param == "speak":
            run.ok("mimo", "speak", TEXT, "-o", "a.wav")
        else:
            run.ok("-m", "mimo-v2.5-tts", TEXT, "-o", "output", "a.wav")
        return Path("a.wav")

    def test_wave_reads_it(self, saved: Path) -> None:
        with wave.open(str(saved)) as file:
            assert file.getparams()[:3] == (1, 2, 24_000)
            assert file.getnframes() / 24_000 == pytest.approx(len(TEXT) * 0.06, abs=0.01)

    def test_other_programs_read_it(self, saved: Path) -> None:
        expected = pytest.approx(len(TEXT) * 0.06, abs=0.01)
        rate, channels, seconds = real_media.sox_says(saved)
        assert (rate, channels) == (24_000, 1)
        assert seconds == expected
        assert float(real_media.probed(saved)["duration"]) == expected

    def test_mp3(self, run: Any, mimo: FakeMiMo) -> None:
        source = real_media.recording(Path("source.wav"), rate=24_000)
        mimo.queue(Reply(audio=real_media.mp3(Path("source.mp3"), source).read_bytes()))
        run.ok("mimo", "speak", TEXT, "-o", "a.mp3")
        assert mimo.last_request.body["audio"] == {"format": "mp3"}
        assert float(real_media.probed(Path("a.mp3"))["duration"]) == pytest.approx(1.5, abs=0.1)

    def test_a_cloned_voice(self, run: Any, mimo: FakeMiMo) -> None:
        path = real_media.spoken(Path("me.wav"), "This is my voice.")
        for arguments in (
            ("mimo", "speak", TEXT, "--sample", "me.wav", "-o", "a.wav"),
            ("-m", "mimo-v2.5-tts-voiceclone", TEXT, "-a", "me.wav", "-o", "output", "a.wav"),
        ):
            run.ok(*arguments)
            data = mimo.last_request.body["audio"]["voice"].partition(",")[2]
            assert base64.b64decode(data) == path.read_bytes()


class TestTranscription:
    @pytest.mark.parametrize("rate", [8_000, 44_100])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_wav(self, run: Any, mimo: FakeMiMo, logged: Any, rate: int, channels: int) -> None:
        path = real_media.recording(Path("a.wav"), 3, rate, channels)
        run.ok("-m", "mimo-v2.5-asr", "-a", "a.wav")
        assert sent(mimo, "input_audio", "audio/wav") == path.read_bytes()
        assert '"seconds": 3' in logged()["token_details"]

    def test_mp3_that_was_spoken(self, run: Any, mimo: FakeMiMo) -> None:
        said = real_media.spoken(Path("a.wav"), "Hello world.")
        path = real_media.mp3(Path("a.mp3"), said)
        mimo.queue(Reply("Hello world."))
        assert run.ok("mimo", "transcribe", "a.mp3", "--language", "en").stdout == "Hello world.\n"
        assert sent(mimo, "input_audio", "audio/mpeg") == path.read_bytes()
