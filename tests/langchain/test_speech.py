"""Speech out, speech recognised: what a conversation means to these models, and their answers."""

from __future__ import annotations

import base64
import errno
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.content import create_audio_block
from langchain_core.prompts import ChatPromptTemplate

from langchain_mimo import (
    ChatMiMo,
    MiMoInvalidRequestError,
    MiMoInvalidResponseError,
    MiMoUnsupportedInputError,
    audio_of,
    save_audio,
)
from mimo_core.audio import wav_header
from mimo_core.speech import MAX_ENCODED
from mimo_core.testing.emulator import FakeMiMo, Reply

Chat = Callable[..., ChatMiMo]

TTS, DESIGN, CLONE = "mimo-v2.5-tts", "mimo-v2.5-tts-voicedesign", "mimo-v2.5-tts-voiceclone"
ASR = "mimo-v2.5-asr"
PCM = bytes(range(256)) * 190
WAV = wav_header(len(PCM)) + PCM
MP3 = (b"\xff\xf3\x84\xc4" + bytes(188)) * 20
WAV_URL = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
SAY = {"role": "assistant", "content": "Hello."}


def style(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class TestWhatIsSpoken:
    @pytest.mark.parametrize(
        ("conversation", "messages"),
        [
            ("Hello.", [SAY]),
            ([HumanMessage(["Hello."])], [SAY]),
            ([AIMessage("Hello.")], [SAY]),
            ([AIMessage([{"type": "reasoning", "reasoning": "Hm."}, "Hello."])], [SAY]),
            ([HumanMessage("Sad."), AIMessage("Hello.")], [style("Sad."), SAY]),
            ([HumanMessage("Sad."), HumanMessage("Hello.")], [style("Sad."), SAY]),
            ([SystemMessage("Sad."), HumanMessage("Hello.")], [style("Sad."), SAY]),
            (
                [SystemMessage("Slow."), HumanMessage("Sad."), AIMessage("Hello.")],
                [style("Slow.\nSad."), SAY],
            ),
            # After an answer was spoken, a new human message is the next thing to say.
            ([AIMessage("Old."), HumanMessage("Hello.")], [SAY]),
            ([HumanMessage("Hello."), AIMessage("")], [SAY]),
            ([AIMessage(""), ToolMessage("5", tool_call_id="1"), AIMessage("Hello.")], [SAY]),
        ],
    )
    async def test_a_conversation(
        self,
        chat: Chat,
        mimo: FakeMiMo,
        ask: Callable[..., Any],
        conversation: Any,
        messages: list[dict[str, str]],
    ) -> None:
        mimo.queue(Reply(audio=PCM))
        message = await ask(chat(model=TTS, audio={"format": "pcm"}), conversation)
        assert mimo.last_request.body["messages"] == messages
        assert audio_of(message) == PCM

    def test_every_parameter_on_the_wire(self, chat: Chat, mimo: FakeMiMo) -> None:
        model = chat(
            model=TTS,
            audio={"voice": "chloe", "format": "wav"},
            temperature=0.8,
            top_p=0.9,
            max_tokens=4096,
        )
        model.invoke("Hello.")
        assert mimo.last_request.body == {
            "model": TTS,
            "messages": [SAY],
            "audio": {"voice": "Chloe", "format": "wav"},
            "temperature": 0.8,
            "top_p": 0.9,
            "max_completion_tokens": 4096,
            "stream": False,
        }

    def test_chat_and_then_speech(self, chat: Chat, mimo: FakeMiMo) -> None:
        mimo.queue(Reply("It rains.", reasoning="Hm."), Reply(audio=WAV))
        chatting: Any = chat(model="mimo-v2.5-pro")
        chain = chatting | chat(model=TTS)
        assert audio_of(chain.invoke("What is the weather?")) == WAV
        assert mimo.last_request.body["messages"] == [{"role": "assistant", "content": "It rains."}]

    def test_a_template_and_a_bound_voice(self, chat: Chat, mimo: FakeMiMo) -> None:
        prompt = ChatPromptTemplate([("system", "Like {who}."), ("human", "{text}")])
        speaker = prompt | chat(model=TTS).bind(audio={"voice": "Dean", "format": "mp3"})
        speaker.invoke({"who": "a pirate", "text": "Hello."})
        assert mimo.last_request.body["messages"] == [style("Like a pirate."), SAY]
        assert mimo.last_request.body["audio"] == {"voice": "Dean", "format": "mp3"}

    @pytest.mark.parametrize(
        ("conversation", "words"),
        [
            ([], "no text to speak"),
            ("  ", "no text to speak"),
            (
                [
                    HumanMessage(
                        content_blocks=[create_audio_block(base64="AAAA", mime_type="audio/wav")]
                    )
                ],
                "text only",
            ),
        ],
    )
    def test_nothing_to_speak(
        self, chat: Chat, mimo: FakeMiMo, conversation: Any, words: str
    ) -> None:
        with pytest.raises(MiMoInvalidRequestError, match=words):
            chat(model=TTS).invoke(conversation)
        assert not mimo.requests

    @pytest.mark.parametrize(
        ("audio", "words"),
        [({"voice": "Bob"}, "Chloe"), ({"format": "ogg"}, "wav, mp3"), ({"voice": WAV}, "clone")],
    )
    def test_refused_before_sending(
        self, chat: Chat, mimo: FakeMiMo, audio: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(MiMoInvalidRequestError, match=words):
            chat(model=TTS, audio=audio).invoke("Hello.")
        assert not mimo.requests

    def test_what_the_service_may_learn_is_sent(self, chat: Chat, mimo: FakeMiMo) -> None:
        chat(model=TTS, audio={"speed": 2}).invoke("Hello.")
        assert mimo.last_request.body["audio"] == {"speed": 2}

    def test_other_models_do_not_speak(self, chat: Chat) -> None:
        with pytest.raises(MiMoInvalidRequestError, match="does not speak"):
            chat(audio={"voice": "Mia"}).invoke("Hello.")
        with pytest.raises(MiMoInvalidRequestError, match="asr_options"):
            chat(asr_options={"language": "en"}).invoke("Hello.")


class TestVoices:
    def test_design(self, chat: Chat, mimo: FakeMiMo) -> None:
        model = chat(model=DESIGN)
        model.invoke([("human", "An old man."), ("ai", "Hello.")])
        assert mimo.last_request.body["messages"] == [style("An old man."), SAY]
        model.invoke([("system", "An old man."), ("human", "Hello.")])
        assert mimo.last_request.body["messages"] == [style("An old man."), SAY]
        with pytest.raises(MiMoInvalidRequestError, match="description"):
            model.invoke([AIMessage("Hello.")])

    async def test_a_polished_text(
        self, chat: Chat, mimo: FakeMiMo, ask: Callable[..., Any]
    ) -> None:
        mimo.queue(Reply(audio=PCM, final_text_preview="Well, hello!"))
        model = chat(model=DESIGN, audio={"optimize_text_preview": True, "format": "pcm16"})
        message = await ask(model, "An old man by the fire.")
        body = mimo.last_request.body
        assert body["messages"] == [style("An old man by the fire.")]
        assert body["audio"] == {"optimize_text_preview": True, "format": "pcm16"}
        assert message.additional_kwargs["final_text_preview"] == "Well, hello!"

    @pytest.mark.parametrize("kind", ["path", "bytes", "data URL"])
    @pytest.mark.parametrize("data", [WAV, MP3], ids=["wav", "mp3"])
    def test_clone(
        self, chat: Chat, mimo: FakeMiMo, tmp_path: Path, kind: str, data: bytes
    ) -> None:
        mime_type = "audio/wav" if data is WAV else "audio/mpeg"
        url = f"data:{mime_type};base64,{base64.b64encode(data).decode()}"
        path = tmp_path / "sample"
        path.write_bytes(data)
        voice = {"path": path, "bytes": data, "data URL": url}[kind]
        chat(model=CLONE, audio={"voice": voice, "format": "wav"}).invoke("Hello.")
        assert mimo.last_request.body["audio"] == {"voice": url, "format": "wav"}

    def test_the_limit(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        large = WAV + bytes(MAX_ENCODED // 4 * 3 - len(WAV) + 1)
        path = tmp_path / "large.wav"
        path.write_bytes(large)
        for voice in (large, path, "data:audio/wav;base64," + "A" * (MAX_ENCODED + 4)):
            with pytest.raises(MiMoInvalidRequestError, match="10"):
                chat(model=CLONE, audio={"voice": voice}).invoke("Hello.")
        with pytest.raises(MiMoUnsupportedInputError, match="WAV"):
            chat(model=CLONE, audio={"voice": b"fLaC"}).invoke("Hello.")
        with pytest.raises(MiMoInvalidRequestError, match="needs a sample"):
            chat(model=CLONE).invoke("Hello.")
        assert not mimo.requests


class TestAnswer:
    @pytest.mark.parametrize(
        ("format", "data", "mime_type"),
        [
            (None, WAV, "audio/wav"),
            ("wav", WAV, "audio/wav"),
            ("mp3", MP3, "audio/mpeg"),
            ("pcm", PCM, "audio/pcm"),
            ("pcm16", MP3, "audio/pcm"),  # samples that look like a frame of MP3
        ],
    )
    def test_a_block(
        self, chat: Chat, mimo: FakeMiMo, format: str | None, data: bytes, mime_type: str
    ) -> None:
        mimo.queue(Reply(audio=data))
        message = chat(model=TTS, audio={"format": format} if format else None).invoke("Hello.")
        text = base64.b64encode(data).decode()
        assert message.content == ""
        assert message.content_blocks == [{"type": "audio", "base64": text, "mime_type": mime_type}]
        kept = message.additional_kwargs["audio"]
        assert kept["data"] == text
        assert kept["id"]
        assert kept["format"] == (format or "wav")
        assert message.usage_metadata is not None

    def test_v1(self, chat: Chat, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=WAV))
        message = chat(model=TTS, output_version="v1").invoke("Hello.")
        assert message.content == [
            {"type": "audio", "base64": base64.b64encode(WAV).decode(), "mime_type": "audio/wav"}
        ]
        assert audio_of(message) == WAV

    def test_saved(self, chat: Chat, mimo: FakeMiMo, tmp_path: Path) -> None:
        mimo.queue(Reply(audio=WAV), Reply(audio=PCM), Reply(audio=PCM), Reply(audio=MP3))
        formats = ("wav", "pcm", "pcm", "mp3")
        names = ("a.wav", "b.wav", "c.pcm", "d.mp3")
        for name, format in zip(names, formats, strict=True):
            message = chat(model=TTS, audio={"format": format}).invoke("Hello.")
            assert save_audio(message, tmp_path / name) == tmp_path / name
        for name in names[:2]:
            with wave.open(str(tmp_path / name)) as file:
                assert file.getparams()[:4] == (1, 2, 24_000, len(PCM) // 2)
                assert file.readframes(-1) == PCM
        assert (tmp_path / "c.pcm").read_bytes() == PCM
        assert (tmp_path / "d.mp3").read_bytes() == MP3

    def test_a_file_that_cannot_be_written_leaves_the_old_one(
        self, chat: Chat, mimo: FakeMiMo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is written beside the old one and renamed, so a full disk takes nothing away."""
        mimo.queue(Reply(audio=WAV))
        message = chat(model=TTS).invoke("Hello.")
        (tmp_path / "a.wav").write_bytes(b"an old recording")

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(MiMoInvalidRequestError, match=r"not written: No space left .*a\.wav"):
            save_audio(message, tmp_path / "a.wav")
        assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
        assert (tmp_path / "a.wav").read_bytes() == b"an old recording"

    def test_a_directory_that_is_not_there(
        self, chat: Chat, mimo: FakeMiMo, tmp_path: Path
    ) -> None:
        mimo.queue(Reply(audio=WAV))
        message = chat(model=TTS).invoke("Hello.")
        with pytest.raises(MiMoInvalidRequestError, match="not written: No such file"):
            save_audio(message, tmp_path / "none" / "a.wav")

    def test_of_a_message_from_a_log(self) -> None:
        text = base64.b64encode(MP3).decode()
        message = AIMessage(
            "",
            additional_kwargs={"audio": {"data": text}},
            response_metadata={"model_provider": "mimo"},
        )
        assert message.content_blocks == [
            {"type": "audio", "base64": text, "mime_type": "audio/mpeg"}
        ]

    def test_there_is_none(self) -> None:
        with pytest.raises(MiMoInvalidResponseError, match="no audio"):
            audio_of(AIMessage("Hello."))

    def test_it_stays_out_of_later_requests(self, chat: Chat, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=WAV), "ok")
        spoken = chat(model=TTS).invoke("Hello.")
        chat().invoke([("human", "Speak."), spoken, ("human", "Thanks.")])
        assert "audio" not in str(mimo.last_request.body)


class TestTranscription:
    @pytest.mark.parametrize(
        "block",
        [
            create_audio_block(base64=base64.b64encode(WAV).decode(), mime_type="audio/wav"),
            create_audio_block(base64=base64.b64encode(WAV).decode(), mime_type="audio/x-wav"),
            {"type": "input_audio", "input_audio": {"data": WAV_URL}},
            {
                "type": "input_audio",
                "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"},
            },
            {"type": "audio", "url": WAV_URL},
            {"type": "audio", "source_type": "base64", "data": WAV_URL.partition(",")[2]},
            {
                "type": "audio",
                "source": {"type": "base64", "media_type": "audio/wav", "data": WAV_URL[22:]},
            },
            {"type": "file", "base64": WAV_URL.partition(",")[2], "mime_type": "audio/wav"},
        ],
    )
    async def test_a_block(
        self, chat: Chat, mimo: FakeMiMo, ask: Callable[..., Any], block: dict[str, Any]
    ) -> None:
        mimo.queue(Reply("Hello world."))
        model = chat(model=ASR, asr_options={"language": "en"})
        message = await ask(model, [HumanMessage([block])])
        body = mimo.last_request.body
        assert body["messages"] == [
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": WAV_URL}}],
            }
        ]
        assert body["asr_options"] == {"language": "en"}
        assert message.text == "Hello world."
        assert message.usage_metadata["input_token_details"]["audio_seconds"] == 2
        assert message.response_metadata["token_usage"]["seconds"] == 2

    def test_mp3(self, chat: Chat, mimo: FakeMiMo) -> None:
        text = base64.b64encode(MP3).decode()
        for format in ("mp3", "mpeg"):
            block = {"type": "input_audio", "input_audio": {"data": text, "format": format}}
            chat(model=ASR, asr_options={"language": None}).invoke([HumanMessage([block])])
            (part,) = mimo.last_request.body["messages"][0]["content"]
            assert part["input_audio"]["data"] == f"data:audio/mpeg;base64,{text}"
            assert "asr_options" not in mimo.last_request.body

    @pytest.mark.parametrize(
        ("conversation", "words"),
        [
            ([], "one audio block"),
            ("Hello.", "one audio block"),
            ([HumanMessage(["Write:", {"type": "audio", "url": WAV_URL}])], "one audio block"),
            (
                [HumanMessage([{"type": "audio", "url": "https://a.example/b.wav"}])],
                "not take a URL",
            ),
        ],
    )
    def test_refused_before_sending(
        self, chat: Chat, mimo: FakeMiMo, conversation: Any, words: str
    ) -> None:
        with pytest.raises(MiMoInvalidRequestError, match=words):
            chat(model=ASR).invoke(conversation)
        assert not mimo.requests

    def test_the_limits(self, chat: Chat, mimo: FakeMiMo) -> None:
        for block, words in (
            (create_audio_block(base64="AAAA", mime_type="audio/ogg"), "WAV or MP3"),
            (create_audio_block(base64="A" * (MAX_ENCODED + 4), mime_type="audio/wav"), "10"),
        ):
            with pytest.raises((MiMoInvalidRequestError, MiMoUnsupportedInputError), match=words):
                chat(model=ASR).invoke([HumanMessage(content_blocks=[block])])
        with pytest.raises(MiMoInvalidRequestError, match="auto, zh, en"):
            chat(model=ASR, asr_options={"language": "fr"}).invoke(
                [HumanMessage([{"type": "audio", "url": WAV_URL}])]
            )
        assert not mimo.requests

    def test_what_was_spoken_is_transcribed(self, chat: Chat, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=WAV), Reply("Hello."))
        blocks: Any = chat(model=TTS).invoke("Hello.").content_blocks
        assert chat(model=ASR).invoke([HumanMessage(blocks)]).content == "Hello."
        with wave.open(BytesIO(WAV)) as file:
            assert file.getnframes() == len(PCM) // 2


class TestCutAnswers:
    """What is missing at the end cannot be heard, nor seen in a transcript: a warning says so."""

    async def test_speech(self, chat: Chat, mimo: FakeMiMo, ask: Callable[..., Any]) -> None:
        mimo.queue(Reply(audio=PCM, finish_reason="length"))
        with pytest.warns(UserWarning, match=r"The audio of .*tts was cut .*split the text"):
            message = await ask(chat(model=TTS, audio={"format": "pcm"}), "Hello.")
        assert message.response_metadata["finish_reason"] == "length"

    async def test_a_transcript(self, chat: Chat, mimo: FakeMiMo, ask: Callable[..., Any]) -> None:
        mimo.queue(Reply("Good", finish_reason="length"))
        block = create_audio_block(base64=base64.b64encode(WAV).decode(), mime_type="audio/wav")
        with pytest.warns(UserWarning, match=r"The text of .*asr was cut .*split the recording"):
            message = await ask(chat(model=ASR), [HumanMessage(content_blocks=[block])])
        assert message.content == "Good"
