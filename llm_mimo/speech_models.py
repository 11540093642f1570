"""The models that speak and the one that listens: one prompt, one answer, no conversation."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Any

import llm
from llm.parts import AttachmentPart, StreamEvent, TextPart

from llm_mimo.attachments import attachment_types, content_of
from llm_mimo.errors import InputError, llm_errors
from llm_mimo.messages import system_prompt
from llm_mimo.models import LazyOptions, MiMoModel
from llm_mimo.notes import cut_reason, note, note_after_answer
from mimo_core.media import RECORDING_TYPES
from mimo_core.models import ModelInfo

if TYPE_CHECKING:
    from llm_mimo.audio_files import AudioFile
    from mimo_core.types import ChatResponse


class _OneAnswer(MiMoModel):
    """One request, one answer, unstreamed: what speech and recognition have in common."""

    supports_conversation = False

    def _request(self, prompt: llm.Prompt) -> dict[str, Any]:
        raise NotImplementedError

    def _deliver(self, answer: ChatResponse, prompt: llm.Prompt, response: Any) -> str:
        """The text to answer with; logs the rest."""
        raise NotImplementedError


class _Sync(_OneAnswer, llm.KeyModel):
    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None,
    ) -> Iterator[str | StreamEvent]:
        """Send the prompt and yield the answer.

        Raises:
            llm.ModelError: no answer, or nowhere to put it; one line.
        """
        with llm_errors():
            from llm_mimo.clients import sync_client

            request = self._request(prompt)
            client = sync_client(key, prompt.options.timeout)  # type: ignore[attr-defined]
            text = self._deliver(client.chat(request), prompt, response)
        yield text


class _Async(_OneAnswer, llm.AsyncKeyModel):
    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
        key: str | None,
    ) -> AsyncGenerator[str | StreamEvent, None]:
        """`execute` of the synchronous model, asynchronously."""
        with llm_errors():
            from llm_mimo.clients import async_client

            request = self._request(prompt)
            client = async_client(key, prompt.options.timeout)  # type: ignore[attr-defined]
            text = self._deliver(await client.chat(request), prompt, response)
        yield text


class _Speech(_OneAnswer):
    def _request(self, prompt: llm.Prompt) -> dict[str, Any]:
        from llm_mimo.options import sampling_fields
        from mimo_core.speech import speech_request

        options: Any = prompt.options
        request = speech_request(
            self.model_id,
            _text(prompt),
            style=self._style(prompt),
            voice=getattr(options, "voice", None),
            sample=self._sample(prompt),
            format=self._file(prompt).format,
            optimize_text_preview=getattr(options, "optimize_text_preview", None),
        )
        return request | sampling_fields(options)

    def _deliver(self, answer: ChatResponse, prompt: llm.Prompt, response: Any) -> str:
        from llm_mimo.answers import log_answer
        from llm_mimo.audio_files import audio_record
        from mimo_core.speech import audio_bytes

        file = self._file(prompt)
        audio = audio_bytes(answer, file.format)
        path = os.path.abspath(file.write(audio))  # the log is read from elsewhere
        choice = answer["choices"][0]
        record: dict[str, Any] = {
            **{key: answer.get(key) for key in ("id", "model", "created")},
            "audio": audio_record(path, audio, file.format),
            "finish_reason": choice.get("finish_reason"),
            "usage": answer.get("usage"),
        }
        if said := choice["message"].get("final_text_preview"):
            record["final_text_preview"] = said
        log_answer(response, record)
        if cut := cut_reason(choice.get("finish_reason"), "speech"):
            note_after_answer(cut)
        return path

    def _file(self, prompt: llm.Prompt) -> AudioFile:
        from llm_mimo.audio_files import AudioFile

        options: Any = prompt.options
        if options.output == "-":
            raise InputError(
                "llm ends its output with a line break, which does not belong into audio. "
                "Use: llm mimo speak TEXT -o -"
            )
        return AudioFile.choose(options.output, options.format)

    def _style(self, prompt: llm.Prompt) -> str | None:
        style: str | None = prompt.options.style  # type: ignore[attr-defined]
        system = system_prompt(prompt)
        if style and system:
            raise InputError("The style is given twice: drop -o style or the system prompt.")
        return style or system or None

    def _sample(self, prompt: llm.Prompt) -> bytes | None:
        if self.info.voice_source != "sample":
            return None
        return _one_recording(prompt, f"{self.model_id} needs a sample of the voice")


class _Recognition(_OneAnswer):
    def __init__(self, info: ModelInfo) -> None:
        super().__init__(info)
        self.attachment_types = attachment_types(info, only=RECORDING_TYPES)

    def _request(self, prompt: llm.Prompt) -> dict[str, Any]:
        from mimo_core.speech import transcription_request

        recording = _one_recording(prompt, f"{self.model_id} needs a recording")
        if _text(prompt).strip() or system_prompt(prompt):
            note(f"{self.model_id} only writes down what is said: the prompt is not used.")
        options: Any = prompt.options
        return transcription_request(self.model_id, recording, language=options.language)

    def _deliver(self, answer: ChatResponse, prompt: llm.Prompt, response: Any) -> str:
        from llm_mimo.answers import log_answer

        log_answer(response, dict(answer))
        choice = answer["choices"][0]
        if cut := cut_reason(choice.get("finish_reason"), "transcript"):
            note_after_answer(cut)
        return choice["message"].get("content") or ""


class SpeechModel(_Speech, _Sync):
    """Speaks with a built-in voice."""

    Options = LazyOptions("VoiceSpeechOptions")  # type: ignore[assignment]


class AsyncSpeechModel(_Speech, _Async):
    """`SpeechModel`, asynchronously."""

    Options = LazyOptions("VoiceSpeechOptions")  # type: ignore[assignment]


class VoiceDesignModel(_Speech, _Sync):
    """Speaks with a voice made from a description."""

    Options = LazyOptions("VoiceDesignOptions")  # type: ignore[assignment]


class AsyncVoiceDesignModel(_Speech, _Async):
    """`VoiceDesignModel`, asynchronously."""

    Options = LazyOptions("VoiceDesignOptions")  # type: ignore[assignment]


class _VoiceClone(_Speech):
    def __init__(self, info: ModelInfo) -> None:
        super().__init__(info)
        self.attachment_types = attachment_types(info, only=RECORDING_TYPES)


class VoiceCloneModel(_VoiceClone, _Sync):
    """Speaks with the voice in an attached sample."""

    Options = LazyOptions("VoiceCloneOptions")  # type: ignore[assignment]


class AsyncVoiceCloneModel(_VoiceClone, _Async):
    """`VoiceCloneModel`, asynchronously."""

    Options = LazyOptions("VoiceCloneOptions")  # type: ignore[assignment]


class RecognitionModel(_Recognition, _Sync):
    """Writes down what is said in an attached recording."""

    Options = LazyOptions("RecognitionOptions")  # type: ignore[assignment]


class AsyncRecognitionModel(_Recognition, _Async):
    """`RecognitionModel`, asynchronously."""

    Options = LazyOptions("RecognitionOptions")  # type: ignore[assignment]


def _text(prompt: llm.Prompt) -> str:
    return "\n".join(
        part.text
        for message in prompt.messages
        if message.role == "user"
        for part in message.parts
        if isinstance(part, TextPart)
    )


def _one_recording(prompt: llm.Prompt, need: str) -> bytes:
    recordings = [
        part.attachment
        for message in prompt.messages
        for part in message.parts
        if isinstance(part, AttachmentPart) and part.attachment is not None
    ]
    if len(recordings) != 1:
        raise InputError(f"{need}: attach one WAV or MP3 file with -a FILE, not {len(recordings)}.")
    return content_of(recordings[0])
