"""Real files through ChatMiMo: what is sent is the file, what is saved can be played."""

from __future__ import annotations

import base64
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, media_block, save_audio
from mimo_core.audio import audio_seconds
from mimo_core.testing.emulator import FakeMiMo, Reply
from mimo_core.testing.emulator.audio import synthesize
from tests import real_media
from tests.langchain.conftest import added_up

Chat = Callable[..., ChatMiMo]
Wire = Callable[..., list[dict[str, Any]]]
TEXT = "Good morning. This is what the emulator speaks: a tone as long as the text."


def sent(part: dict[str, Any]) -> tuple[str, bytes]:
    """Type and bytes of what a content part holds."""
    held = part[part["type"]]
    head, _, data = (held.get("url") or held["data"]).partition(";base64,")
    return head.removeprefix("data:"), base64.b64decode(data, validate=True)


class TestIn:
    @pytest.mark.parametrize(
        ("name", "mime_type"),
        [
            ("a.png", "image/png"),
            ("a.JPG", "image/jpeg"),
            ("a.webp", "image/webp"),
            ("a.gif", "image/gif"),
            ("a.bmp", "image/bmp"),
        ],
    )
    def test_an_image(self, wire: Wire, tmp_path: Path, name: str, mime_type: str) -> None:
        path = real_media.picture(tmp_path / name)
        [message] = wire(HumanMessage(["What is this?", media_block(path)]))
        assert message["content"][0] == {"type": "text", "text": "What is this?"}
        assert message["content"][1]["type"] == "image_url"
        assert sent(message["content"][1]) == (mime_type, path.read_bytes())

    def test_a_recording(self, wire: Wire, tmp_path: Path) -> None:
        path = real_media.recording(tmp_path / "a.wav")
        [message] = wire(HumanMessage([media_block(str(path))]))
        assert message["content"][0]["type"] == "input_audio"
        assert sent(message["content"][0]) == ("audio/wav", path.read_bytes())

    def test_mp3(self, wire: Wire, tmp_path: Path) -> None:
        path = real_media.mp3(tmp_path / "a.mp3", real_media.recording(tmp_path / "a.wav"))
        assert audio_seconds(path.read_bytes(), "mp3") == pytest.approx(1.5, abs=0.15)
        [message] = wire(HumanMessage([media_block(path)]))
        assert sent(message["content"][0]) == ("audio/mpeg", path.read_bytes())

    @pytest.mark.parametrize(
        ("name", "mime_type"), [("a.mp4", "video/mp4"), ("a.mov", "video/quicktime")]
    )
    def test_a_video(self, wire: Wire, tmp_path: Path, name: str, mime_type: str) -> None:
        path = real_media.video(tmp_path / name)
        block = media_block(path, fps=0.5, media_resolution="max")
        [message] = wire(HumanMessage([block]))
        (part,) = message["content"]
        assert (part["fps"], part["media_resolution"]) == (0.5, "max")
        assert sent(part) == (mime_type, path.read_bytes())

    def test_what_is_said_is_recognised(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        path = real_media.spoken(tmp_path / "said.wav", "Hello world.")
        mimo.queue(Reply("Hello world."))
        answer = chat(model="mimo-v2.5-asr").invoke([HumanMessage([media_block(path)])])
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
        heard = answer.response_metadata["token_usage"]["seconds"]
        assert heard == pytest.approx(seconds, abs=1)

    @pytest.mark.parametrize(
        ("name", "arguments", "words"),
        [
            ("a.txt", {}, "say which"),
            ("a", {}, "unknown type"),
            ("a.wav", {"mime_type": "application/pdf"}, "application/pdf"),
            ("a.wav", {"fps": 2}, "fps is for video"),
            ("missing.wav", {}, "No such file"),
        ],
    )
    def test_refused(
        self, tmp_path: Path, name: str, arguments: dict[str, Any], words: str
    ) -> None:
        for made in ("a.txt", "a", "a.wav"):
            (tmp_path / made).write_bytes(b"abc")
        with pytest.raises(MiMoInvalidRequestError, match=words):
            media_block(tmp_path / name, **arguments)

    @pytest.mark.parametrize(
        ("options", "words"), [({"fps": 11}, "0.1 to 10"), ({"media_resolution": "min"}, "max")]
    )
    def test_options_are_checked_with_the_request(
        self, chat: Chat, mimo: FakeMiMo, tmp_path: Path, options: Any, words: str
    ) -> None:
        (tmp_path / "a.mp4").write_bytes(b"abc")
        block = media_block(tmp_path / "a.mp4", **options)
        with pytest.raises(MiMoInvalidRequestError, match=words):
            chat(model="mimo-v2.5").invoke([HumanMessage([block])])
        assert not mimo.requests

    def test_tokens_by_modality(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        details = {"image_tokens": 11, "audio_tokens": 12, "video_tokens": 13, "cached_tokens": 5}
        mimo.queue(*[Reply("ok", usage={"prompt_tokens_details": details})] * 2)
        blocks: list[Any] = [media_block(real_media.recording(tmp_path / "a.wav"))]
        model = chat(model="mimo-v2.5")
        streamed = added_up(list(model.stream([HumanMessage(blocks)])))
        for message in (model.invoke([HumanMessage(blocks)]), streamed):
            assert message.usage_metadata is not None
            assert message.usage_metadata["input_token_details"] == {
                "image": 11,
                "audio": 12,
                "video": 13,
                "cache_read": 5,
            }


class TestOut:
    @pytest.fixture(params=["invoke", "stream"])
    def saved(
        self, request: pytest.FixtureRequest, chat: Chat, mimo: FakeMiMo, tmp_path: Path
    ) -> Path:
        """A WAV file of the emulator's tone."""
        mimo.queue(Reply())
        model = chat(model="mimo-v2.5-tts")
        streamed = request.param == "stream"
        message = added_up(list(model.stream(TEXT))) if streamed else model.invoke(TEXT)
        return save_audio(message, tmp_path / "a.wav")

    def test_wave_reads_it(self, saved: Path) -> None:
        with wave.open(str(saved)) as file:
            assert file.getparams()[:3] == (1, 2, 24_000)
            assert file.readframes(-1) == synthesize(TEXT, "pcm")

    def test_ffprobe_reads_it(self, saved: Path) -> None:
        stream = real_media.probed(saved)
        assert (stream["codec_name"], stream["sample_rate"]) == ("pcm_s16le", "24000")
        assert stream["channels"] == 1
        assert float(stream["duration"]) == pytest.approx(len(TEXT) * 0.06, abs=0.01)

    def test_sox_reads_it(self, saved: Path) -> None:
        *what, seconds = real_media.sox_says(saved)
        assert what == [24_000, 1]
        assert seconds == pytest.approx(len(TEXT) * 0.06, abs=0.01)

    def test_mp3(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        source = real_media.recording(tmp_path / "a.wav", rate=24_000)
        mimo.queue(Reply(audio=real_media.mp3(tmp_path / "a.mp3", source).read_bytes()))
        message = chat(model="mimo-v2.5-tts", audio={"format": "mp3"}).invoke(TEXT)
        stream = real_media.probed(save_audio(message, tmp_path / "saved.mp3"))
        assert (stream["codec_name"], stream["sample_rate"]) == ("mp3", "24000")
        assert float(stream["duration"]) == pytest.approx(1.5, abs=0.1)

    def test_a_voice_is_cloned_from_a_file(
        self, chat: Chat, mimo: FakeMiMo, tmp_path: Path
    ) -> None:
        path = real_media.spoken(tmp_path / "me.wav", "This is my voice.")
        chat(model="mimo-v2.5-tts-voiceclone", audio={"voice": path}).invoke(TEXT)
        data = mimo.last_request.body["audio"]["voice"].partition(",")[2]
        assert base64.b64decode(data) == path.read_bytes()
