"""The speech models and the transcription model: one prompt, one answer, no conversation."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Any, cast

import llm
from llm.parts import AttachmentPart, StreamEvent, TextPart

from llm_mimo.attachments import content_of
from llm_mimo.errors import InputError, llm_errors
from llm_mimo.messages import system_prompt
from llm_mimo.models import MiMoModel
from llm_mimo.notes import cut_reason, note, note_after_answer

if TYPE_CHECKING:
    from llm_mimo.audio_files import AudioFile
    from llm_mimo.options import SharedOptions
    from mimo_core.types import ChatResponse


class _OneAnswer(MiMoModel):
    """One request and one whole answer."""

    supports_conversation = False

    def _build_request(self, prompt: llm.Prompt) -> dict[str, Any]:
        raise NotImplementedError

    def _deliver(self, answer: ChatResponse, prompt: llm.Prompt, response: Any) -> str:
        """Log the answer, and return the text that llm prints."""
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

        Args:
            prompt: what to send.
            stream: not used; the answer comes at once.
            response: gets the usage and the record for the log.
            conversation: not used.
            key: the API key. None sends the request without one.

        Yields:
            One text: the path of the audio file, or the transcript.

        Raises:
            llm.ModelError: the request failed, or the audio cannot be written; one line.
        """
        with llm_errors():
            from llm_mimo.clients import sync_client
            from mimo_core.credentials import sealed_key

            key = sealed_key(key)
            request = self._build_request(prompt)
            client = sync_client(key, *_options(prompt).times)
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
        """Do what `execute` of the synchronous model does, asynchronously."""
        with llm_errors():
            from llm_mimo.clients import async_client
            from mimo_core.credentials import sealed_key

            key = sealed_key(key)
            request = self._build_request(prompt)
            client = async_client(key, *_options(prompt).times)
            text = self._deliver(await client.chat(request), prompt, response)
        yield text


class _Speech(_OneAnswer):
    """All but the sending: from a prompt to a request, from an answer to a file."""

    def _build_request(self, prompt: llm.Prompt) -> dict[str, Any]:
        from llm_mimo.options import sampling_fields
        from mimo_core.speech import speech_request

        options: Any = prompt.options  # which options there are depends on the model
        request = speech_request(
            self.model_id,
            _user_text(prompt),
            style=self._style(prompt),
            voice=getattr(options, "voice", None),
            sample=self._reference_audio(prompt),
            format=self._audio_file(prompt).format,
            optimize_text_preview=getattr(options, "optimize_text_preview", None),
        )
        return request | sampling_fields(options)

    def _deliver(self, answer: ChatResponse, prompt: llm.Prompt, response: Any) -> str:
        from llm_mimo.answers import log_answer
        from llm_mimo.audio_files import audio_record
        from mimo_core.speech import audio_bytes

        file = self._audio_file(prompt)
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

    def _audio_file(self, prompt: llm.Prompt) -> AudioFile:
        from llm_mimo.audio_files import AudioFile

        options: Any = prompt.options
        if options.output == "-":
            raise InputError(
                "llm ends its output with a line break, which does not belong into audio. "
                "Use: llm mimo speak TEXT -o -"
            )
        return AudioFile.choose(options.output, options.format)

    def _style(self, prompt: llm.Prompt) -> str | None:
        options: Any = prompt.options
        style: str | None = options.style
        system = system_prompt(prompt)
        if style and system:
            raise InputError("The style is given twice: drop -o style or the system prompt.")
        return style or system or None

    def _reference_audio(self, prompt: llm.Prompt) -> bytes | None:
        """Voice clone: the attached recording of the voice to imitate."""
        if self.info.voice_source != "sample":
            return None
        return _one_recording(prompt, f"{self.model_id} needs a recording of the voice")


class _Transcription(_OneAnswer):
    """All but the sending: from an attached recording to a request, from an answer to its text."""

    def _build_request(self, prompt: llm.Prompt) -> dict[str, Any]:
        from mimo_core.speech import transcription_request

        recording = _one_recording(prompt, f"{self.model_id} needs a recording")
        if _user_text(prompt).strip() or system_prompt(prompt):
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
    """Speaks a text with a built-in, a described or an imitated voice, into an audio file."""


class AsyncSpeechModel(_Speech, _Async):
    """Speaks a text into an audio file, asynchronous."""


class TranscriptionModel(_Transcription, _Sync):
    """Writes down what is said in an attached recording."""


class AsyncTranscriptionModel(_Transcription, _Async):
    """Writes down what is said in an attached recording, asynchronous."""


def _options(prompt: llm.Prompt) -> SharedOptions:
    return cast("SharedOptions", prompt.options)


def _user_text(prompt: llm.Prompt) -> str:
    return "\n".join(
        part.text
        for message in prompt.messages
        if message.role == "user"
        for part in message.parts
        if isinstance(part, TextPart)
    )


def _one_recording(prompt: llm.Prompt, need: str) -> bytes:
    """The bytes of the one attachment.

    Raises:
        InputError: the prompt has no attachment, or more than one.
    """
    recordings = [
        part.attachment
        for message in prompt.messages
        for part in message.parts
        if isinstance(part, AttachmentPart) and part.attachment is not None
    ]
    if len(recordings) != 1:
        raise InputError(f"{need}: attach one WAV or MP3 file with -a FILE, not {len(recordings)}.")
    return content_of(recordings[0])
