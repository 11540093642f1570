"""Speech and transcription: the models and the commands, with real audio bytes."""

from __future__ import annotations

import json
import wave
from io import BytesIO, StringIO
from pathlib import Path
from time import sleep
from typing import Any

import llm
import pytest

from llm_mimo import progress
from mimo_core.audio import wav_header
from mimo_core.testing import FakeMiMo, Fault, Reply

PCM = bytes(range(256)) * 190  # 48,640 bytes: a little more than a second
WAV = wav_header(len(PCM)) + PCM


def _is_wav(data: bytes) -> bool:
    with wave.open(BytesIO(data)) as file:
        return (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)


class TestSpeechModels:
    def test_the_prompt_is_spoken(
        self, run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any
    ) -> None:
        mimo.queue(Reply(audio=WAV))
        result = run.ok(
            "-m", "mimo-v2.5-tts", "Hello", "-s", "cheerful", "-o", "voice", "mia", *both
        )
        path = Path(result.stdout.strip())
        assert path.suffix == ".wav"
        assert path.read_bytes() == WAV
        body = mimo.last_request.body
        assert body["messages"] == [
            {"role": "user", "content": "cheerful"},
            {"role": "assistant", "content": "Hello"},
        ]
        assert body["audio"] == {"format": "wav", "voice": "Mia"}
        row = logged()
        assert row["response"] == str(path)
        assert path.is_absolute()  # the log is read from elsewhere
        assert row["response_json"]["audio"] == {
            "path": str(path),
            "type": "audio/wav",
            "bytes": len(WAV),
            "seconds": 1.013,
        }
        assert len(json.dumps(row)) < 5_000  # no audio in the log

    @pytest.mark.parametrize(
        ("output", "options", "format"),
        [
            ("a.wav", (), "wav"),
            ("a.MP3", (), "mp3"),
            ("a.pcm", (), "pcm"),
            ("a", (), "wav"),
            ("a.bin", ("-o", "format", "pcm16"), "pcm16"),
        ],
    )
    def test_format_and_file(
        self, run: Any, mimo: FakeMiMo, output: str, options: tuple[str, ...], format: str
    ) -> None:
        run.ok("-m", "mimo-v2-tts", "Hello", "-o", "output", output, *options)
        assert mimo.last_request.body["audio"]["format"] == format
        assert Path(output).stat().st_size > 0

    def test_fresh_names(self, run: Any, mimo: FakeMiMo) -> None:
        names = {run.ok("-m", "mimo-v2.5-tts", "Hello").stdout for _ in range(3)}
        assert len(names) == len(list(Path().iterdir())) == 3

    def test_an_existing_file_is_overwritten(self, run: Any, mimo: FakeMiMo) -> None:
        Path("a.wav").write_bytes(wav_header(4) + b"old.")
        run.ok("-m", "mimo-v2.5-tts", "Hello", "-o", "output", "a.wav")
        assert _is_wav(Path("a.wav").read_bytes())

    @pytest.mark.parametrize("name", ["notes.wav", "notes.mp3", "notes.pcm"])
    def test_what_is_called_a_recording_and_is_none_is_kept(
        self, run: Any, mimo: FakeMiMo, name: str
    ) -> None:
        path = Path("mine.txt")
        path.write_text("notes: mine")
        Path(name).symlink_to(path)
        error = run.fails("mimo", "speak", "Hello", "-o", name)
        assert "exists and holds no sound" in error
        assert path.read_text() == "notes: mine"
        assert not mimo.requests
        run.ok("mimo", "speak", "Hello", "-o", name, "--force")

    @pytest.mark.parametrize("name", ["notes", ".bashrc", "notes.txt"])
    def test_what_may_be_no_recording_is_kept(
        self, run: Any, mimo: FakeMiMo, mode: tuple[str, ...], name: str
    ) -> None:
        path = Path(name)
        path.write_text("mine")
        Path("link").symlink_to(path)
        options = ("-o", "format", "pcm")
        for output in (name, "link"):
            error = run.fails(
                "-m", "mimo-v2.5-tts", "Hello", "-o", "output", output, *options, *mode
            )
            assert f"The output {output} exists and has no ending of audio" in error
            error = run.fails("mimo", "speak", "Hello", "-o", output, "--format", "pcm")
            assert error.endswith("-o FILE --force")
        assert not mimo.requests
        assert path.read_text() == "mine"
        mimo.queue(Reply(audio=PCM))
        run.ok("mimo", "speak", "Hello", "-o", name, "--format", "pcm", "--force")
        assert path.read_bytes() == PCM

    def test_what_this_process_made_is_overwritten(self, run: Any, mimo: FakeMiMo) -> None:
        """As in `llm chat`, where every answer goes to the same file."""
        for audio in (PCM, PCM[:2000]):
            mimo.queue(Reply(audio=audio))
            run.ok("-m", "mimo-v2.5-tts", "Hello", "-o", "output", "said", "-o", "format", "pcm")
            assert Path("said").read_bytes() == audio

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("-o", "output", "a.ogg"), ".ogg"),
            (("-o", "output", "missing/a.wav"), "does not exist; create it first"),
            (("-o", "output", "a.wav", "-o", "format", "pcm"), "the ending of a wav file"),
            (("-o", "output", "."), "directory"),
            (("-o", "output", "-"), "llm mimo speak"),
            (("-o", "voice", "Bob"), "Chloe"),
            (("-o", "style", "sad", "-s", "glad"), "twice"),
        ],
    )
    def test_refused_before_sending(
        self, run: Any, mimo: FakeMiMo, mode: Any, arguments: tuple[str, ...], words: str
    ) -> None:
        assert words in run.fails("-m", "mimo-v2.5-tts", "Hello", *arguments, *mode)
        assert not mimo.requests

    def test_voice_design(self, run: Any, mimo: FakeMiMo, mode: Any, logged: Any) -> None:
        model = ("-m", "mimo-v2.5-tts-voicedesign", *mode)
        assert "description" in run.fails(*model, "Hello")
        run.ok(*model, "Hello", "-s", "An old man")
        mimo.queue(Reply(final_text_preview="Well, hello!"))
        arguments = ("-o", "style", "An old man", "-o", "optimize_text_preview", "true")
        run.ok(*model, *arguments, input="")
        assert mimo.last_request.body["messages"] == [{"role": "user", "content": "An old man"}]
        assert logged()["response_json"]["final_text_preview"] == "Well, hello!"
        assert "no text to speak" in run.fails(*model, "-s", "An old man", input="")

    def test_voice_clone(self, run: Any, mimo: FakeMiMo, mode: Any) -> None:
        Path("me.wav").write_bytes(WAV)
        model = ("-m", "mimo-v2.5-tts-voiceclone", *mode)
        run.ok(*model, "Hello", "-a", "me.wav")
        assert mimo.last_request.body["audio"]["voice"].startswith("data:audio/wav;base64,UklGR")
        assert "-a FILE" in run.fails(*model, "Hello")
        assert "not 2" in run.fails(*model, "Hello", "-a", "me.wav", "-a", "me.wav")
        Path("no.wav").write_bytes(b"nothing")
        assert "neither WAV nor MP3" in run.fails(*model, "Hello", "--at", "no.wav", "audio/wav")

    def test_no_conversation(self, run: Any, mimo: FakeMiMo) -> None:
        run.ok("-m", "mimo-v2.5-tts", "Hello")
        assert "does not support conversations" in run.fails("-c", "Again")

    def test_errors(self, run: Any, mimo: FakeMiMo, mode: Any) -> None:
        mimo.queue(Fault("balance"))
        assert "Top up" in run.fails("-m", "mimo-v2.5-tts", "Hello", *mode)
        mimo.queue({"choices": [{"message": {"content": "hm"}, "finish_reason": "stop"}]})
        assert "holds no audio" in run.fails("-m", "mimo-v2.5-tts", "Hello", *mode)
        assert not list(Path().iterdir())

    @pytest.mark.parametrize("reason", ["length", "content_filter", "repetition_truncation"])
    @pytest.mark.parametrize(
        "arguments",
        [
            ("-m", "mimo-v2.5-tts", "Hello"),
            ("mimo", "speak", "Hello", "-o", "a.wav"),
            ("mimo", "speak", "Hello", "-o", "a.pcm"),
            ("mimo", "speak", "Hello", "-o", "-", "--format", "pcm"),
        ],
    )
    def test_a_cut_speech_is_noted(
        self, run: Any, mimo: FakeMiMo, arguments: tuple[str, ...], reason: str
    ) -> None:
        """In the same words, whichever way it is asked for."""
        mimo.queue(Reply(audio=WAV, finish_reason=reason))
        (note,) = run.ok(*arguments).stderr.splitlines()
        words = {"length": "split the text", "content_filter": "content filter cut"}
        assert note.startswith("Note: the ")
        assert words.get(reason, "repeated itself") in note


class TestSpeak:
    def test_to_a_file(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=WAV))
        result = run.ok("mimo", "speak", "Hello", "-o", "a.wav", "--voice", "Dean", "-s", "sad")
        assert (result.stdout, result.stderr) == ("a.wav\n", "")
        assert Path("a.wav").read_bytes() == WAV
        assert mimo.last_request.body["messages"][0] == {"role": "user", "content": "sad"}

    def test_to_a_fresh_file(self, run: Any, mimo: FakeMiMo) -> None:
        path = run.ok("mimo", "speak", "Hello").stdout.strip()
        assert _is_wav(Path(path).read_bytes())

    def test_exact_bytes_to_stdout(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=WAV))
        result = run.ok("mimo", "speak", "-", "-o", "-", input="From stdin")
        assert result.stdout_bytes == WAV
        assert mimo.last_request.text_of("assistant") == "From stdin"
        assert not mimo.last_request.stream

    @pytest.mark.parametrize("size", [1, 5, 4800, 4801, 100_000])
    def test_pcm_is_streamed(self, run: Any, mimo: FakeMiMo, size: int) -> None:
        audio = PCM[: 2_000 if size < 10 else None]
        mimo.queue(Reply(audio=audio, audio_size=size))
        result = run.ok("mimo", "speak", "Hello", "-o", "-", "--format", "pcm")
        assert result.stdout_bytes == audio
        assert mimo.last_request.stream
        assert mimo.last_request.body["audio"]["format"] == "pcm16"

    def test_pcm_to_a_file(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=PCM))
        run.ok("mimo", "speak", "Hello", "-o", "a.pcm")
        assert Path("a.pcm").read_bytes() == PCM

    @pytest.mark.parametrize("old", [None, b"\x00\x01 an old recording"])
    def test_a_broken_stream_leaves_what_was_there(
        self, run: Any, mimo: FakeMiMo, old: bytes | None
    ) -> None:
        if old:
            Path("a.pcm").write_bytes(old)
        mimo.queue(Fault(reply=Reply(audio=PCM, audio_size=4800), cut="mid_stream", after=3))
        error = run.fails("mimo", "speak", "Hello", "-o", "a.pcm")
        assert "a.pcm was not written" in error
        assert ("the old file was kept" in error) is (old is not None)
        assert [path.read_bytes() for path in Path().iterdir()] == ([old] if old else [])

    @pytest.mark.parametrize("arguments", [(), ("-",)])
    def test_text_from_a_pipe(self, run: Any, mimo: FakeMiMo, arguments: tuple[str, ...]) -> None:
        run.ok("mimo", "speak", *arguments, "-o", "a.wav", input="From a pipe\n")
        assert mimo.last_request.text_of("assistant").strip() == "From a pipe"

    def test_two_voices_are_refused(self, run: Any, mimo: FakeMiMo) -> None:
        Path("me.wav").write_bytes(WAV)
        result = run("mimo", "speak", "Hello", "--sample", "me.wav", "--voice", "Mia")
        assert result.exit_code == 2
        assert "--sample and --voice both set the voice" in result.stderr
        assert not mimo.requests

    @pytest.mark.parametrize("model", ["gpt-4o", "4o"])
    @pytest.mark.parametrize("command", [("speak", "Hello"), ("transcribe", "me.wav")])
    def test_a_key_of_another_provider_is_never_sent(
        self,
        run: Any,
        mimo: FakeMiMo,
        monkeypatch: pytest.MonkeyPatch,
        command: tuple[str, ...],
        model: str,
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-secret")
        run.ok("keys", "set", "openai", "--value", "sk-openai-secret")
        Path("me.wav").write_bytes(WAV)
        error = run.fails("mimo", *command, "-m", model)
        assert f"{model} is not one of MiMo's models, so nothing was sent" in error
        assert not mimo.requests

    def test_an_alias_of_the_users_own(self, run: Any, mimo: FakeMiMo) -> None:
        run.ok("aliases", "set", "voice", "mimo-v2-tts")
        run.ok("mimo", "speak", "Hello", "-m", "voice")
        assert mimo.last_request.model == "mimo-v2-tts"

    def test_a_refusal_leaves_no_file(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Fault("balance"), Fault("balance"))
        run.fails("mimo", "speak", "Hello", "-o", "a.pcm")
        run.fails("mimo", "speak", "Hello", "-o", "a.wav")
        assert not list(Path().iterdir())

    def test_a_sample_takes_the_model_for_it(self, run: Any, mimo: FakeMiMo) -> None:
        Path("me.wav").write_bytes(WAV)
        run.ok("mimo", "speak", "Hello", "--sample", "me.wav", "-o", "a.wav")
        assert mimo.last_request.model == "mimo-v2.5-tts-voiceclone"
        assert "mimo-v2-tts does not take" in run.fails(
            "mimo", "speak", "Hello", "--sample", "me.wav", "-m", "mimo-v2-tts"
        )

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("  ",), "no text to speak"),
            (("Hello", "-m", "mimo"), "does not speak"),
            (("Hello", "-m", "nobody"), "Unknown model"),
            (("Hello", "--sample", "missing.wav"), "missing.wav"),
            (("Hello", "-o", "a.flac"), ".flac"),
            (("Hello", "-o", "a.wav", "--format", "pcm"), "a.wav has the ending of a wav file"),
            (("Hello", "-o", "a.pcm", "--format", "mp3"), "name it .mp3"),
        ],
    )
    def test_refused_before_sending(
        self, run: Any, mimo: FakeMiMo, arguments: tuple[str, ...], words: str
    ) -> None:
        assert words in run.fails("mimo", "speak", *arguments)
        assert not mimo.requests

    def test_it_says_that_it_takes_long(
        self, run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(progress, "QUIET", 0.02)
        mimo.queue(Fault(reply=Reply(audio=WAV), latency=0.2))
        result = run.ok("mimo", "speak", "Hello", "-o", "-")
        assert result.stderr == "Speaking, this takes a while…\n"
        assert result.stdout_bytes == WAV


def test_progress_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "QUIET", 0.0)
    with progress.Progress("Speaking") as shown:
        shown.detail = "(1.0 s of speech)"
        while not terminal.getvalue().strip():
            sleep(0.01)
    assert terminal.getvalue().startswith("\rSpeaking… 0 s")
    assert terminal.getvalue().endswith(" \r")  # the line is wiped


class TestTranscription:
    @pytest.fixture(autouse=True)
    def _recording(self) -> None:
        Path("said.wav").write_bytes(WAV)

    def test_the_model(self, run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any) -> None:
        mimo.queue(Reply("Hello world."))
        result = run.ok("-m", "mimo-v2.5-asr", "-a", "said.wav", "-o", "language", "en", *both)
        assert (result.stdout, result.stderr) == ("Hello world.\n", "")
        body = mimo.last_request.body
        assert body["asr_options"] == {"language": "en"}
        (message,) = body["messages"]
        (part,) = message["content"]
        assert part["input_audio"]["data"].startswith("data:audio/wav;base64,")
        assert '"seconds": 2' in logged()["token_details"]

    def test_the_prompt_is_not_used(self, run: Any, mimo: FakeMiMo, mode: Any) -> None:
        result = run.ok("-m", "mimo-v2.5-asr", "-a", "said.wav", "Write it down", *mode)
        assert "the prompt is not used" in result.stderr

    def test_one_recording(self, run: Any, mimo: FakeMiMo, mode: Any) -> None:
        assert "-a FILE" in run.fails("-m", "mimo-v2.5-asr", "Hello", *mode)
        assert not mimo.requests

    def test_the_command(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Reply("Hello world."), Reply("你好"))
        assert run.ok("mimo", "transcribe", "said.wav").stdout == "Hello world.\n"
        assert "asr_options" not in mimo.last_request.body
        result = run.ok("mimo", "transcribe", "-", "--language", "zh", input=WAV)
        assert result.stdout == "你好\n"
        assert mimo.last_request.body["asr_options"] == {"language": "zh"}

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("missing.wav",), "missing.wav"),
            (("text.txt",), "ffmpeg"),
            (("large.wav",), "10"),
            (("said.wav", "-m", "mimo"), "cannot transcribe; use mimo-v2.5-asr"),
        ],
    )
    def test_refused_before_sending(
        self, run: Any, mimo: FakeMiMo, arguments: tuple[str, ...], words: str
    ) -> None:
        Path("text.txt").write_text("Hello")
        with Path("large.wav").open("wb") as large:
            large.truncate(8 * 1024 * 1024)
        assert words in run.fails("mimo", "transcribe", *arguments)
        assert not mimo.requests

    def test_an_error(self, run: Any, mimo: FakeMiMo) -> None:
        mimo.queue(Fault("invalid_key"))
        assert "llm keys set mimo" in run.fails("mimo", "transcribe", "said.wav")

    @pytest.mark.parametrize(
        "arguments", [("mimo", "transcribe", "said.wav"), ("-m", "mimo-v2.5-asr", "-a", "said.wav")]
    )
    def test_a_cut_transcript_is_noted(
        self, run: Any, mimo: FakeMiMo, arguments: tuple[str, ...]
    ) -> None:
        mimo.queue(Reply("Hello wor", finish_reason="length"))
        result = run.ok(*arguments)
        assert result.stdout == "Hello wor\n"
        assert result.stderr == (
            "Note: the text was cut at the limit of tokens; split the recording.\n"
        )

    def test_in_python(self, mimo: FakeMiMo) -> None:
        mimo.queue(Reply("Hello world."))
        recording = llm.Attachment(type="audio/wav", content=WAV)
        assert llm.get_model("mimo-v2.5-asr").prompt(attachments=[recording]).text() == (
            "Hello world."
        )
