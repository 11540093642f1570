"""Speech and transcription: what a conversation means to these models, and the audio in answers."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from langchain_mimo.errors import model_errors
from mimo_core.audio import AudioDecoder, audio_format, decode_audio, encode_file, wav_header
from mimo_core.errors import InvalidRequestError, InvalidResponseError
from mimo_core.files import replacing
from mimo_core.media import SPEECH_FORMATS, STREAMED_FORMATS
from mimo_core.models import model_info
from mimo_core.speech import speech_request, transcription_request

# A piece of whole samples (2 bytes) that is whole in base64 too (3 bytes): pieces can then be
# played one by one, and their base64 can be put together as text.
_PIECE = 6
_FILE_FORMATS = SPEECH_FORMATS.keys() - STREAMED_FORMATS  # which need the whole file


def adapt_for_model_kind(request: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """A chat request as the service wants it for the kind of its model.

    Args:
        request: with `messages` in request form.
        stream: whether the answer is streamed.

    Returns:
        The request itself for a chat model; for another, a new one of the shape that it takes.

    Raises:
        InvalidRequestError: the messages, `audio` or `asr_options` do not fit the model.
    """
    kind = model_info(request["model"]).kind
    if kind == "tts":
        return _adapt_to_speak(request, stream=stream and not needs_whole_file(request))
    if kind == "asr":
        return _adapt_to_transcribe(request)
    return request


def needs_whole_file(request: Mapping[str, Any]) -> bool:
    """Whether the answer is a file, which cannot be streamed: `stream()` then gives one chunk.

    (It has to give something: LangGraph streams every model below `stream_mode="messages"`.)

    Args:
        request: in the shape of chat completions.
    """
    if model_info(request["model"]).kind != "tts":
        return False
    return (request.get("audio") or {}).get("format") in _FILE_FORMATS


def spoken_format(request: Mapping[str, Any]) -> str:
    """The format of the audio in the answer to a request.

    Args:
        request: in the shape of chat completions.

    Returns:
        One of `SPEECH_FORMATS`.
    """
    return str((request.get("audio") or {}).get("format") or "wav")


def _adapt_to_speak(request: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """A last AIMessage is spoken (so that `chat | speech` works), else the last human message.

    A human or system message before it says how to speak it, for voice design with what voice.
    `audio` may hold `voice` (a name; for voice clone the reference audio as `Path`, bytes or data
    URL), `format` and `optimize_text_preview`.
    """
    info = model_info(request["model"])
    audio = dict(request.get("audio") or {})
    voice = audio.pop("voice", None)
    # A text may have come from a model, by way of `bind`: it is never opened as a file.
    is_reference_audio = isinstance(voice, bytes | os.PathLike)
    text, style = _find_text_and_style(
        request["messages"], describes=info.voice_source == "description", audio=audio
    )
    spoken = speech_request(
        request["model"],
        text,
        style=style,
        voice=None if is_reference_audio else voice,
        sample=voice if is_reference_audio else None,
        format=audio.pop("format", None),
        optimize_text_preview=audio.pop("optimize_text_preview", None),
        stream=stream,
    )
    if audio:  # what the service may know and we do not
        spoken["audio"] = {**audio, **spoken.get("audio", {})}
    return {**request, **spoken}


def _adapt_to_transcribe(request: dict[str, Any]) -> dict[str, Any]:
    """Only the last message's audio is sent: a transcription takes one recording."""
    content = request["messages"][-1].get("content") if request["messages"] else None
    parts: list[dict[str, Any]] = content if isinstance(content, list) else [{"type": "text"}]
    if len(parts) != 1 or parts[0].get("type") != "input_audio":
        raise InvalidRequestError(
            f"{request['model']} takes a message with one audio block and nothing else; "
            'e.g. {"type": "audio", "base64": …, "mime_type": "audio/wav"}.',
            param="messages",
        )
    options = {k: v for k, v in (request.get("asr_options") or {}).items() if v is not None}
    transcription = transcription_request(
        request["model"], _make_data_url(parts[0]["input_audio"]), language=options.get("language")
    )
    if options:
        transcription["asr_options"] = options
    return {**{k: v for k, v in request.items() if k != "asr_options"}, **transcription}


def _make_data_url(audio: Mapping[str, Any]) -> str:
    data = str(audio.get("data") or "")
    if data[:5].lower() == "data:":
        return data
    if data.startswith(("http:", "https:")):
        raise InvalidRequestError(
            "Transcription does not take a URL; send the recording itself: media_block(PATH).",
            param="messages",
        )
    return f"data:audio/{audio.get('format') or 'wav'};base64,{data}"


def _find_text_and_style(
    messages: list[dict[str, Any]], *, describes: bool, audio: Mapping[str, Any]
) -> tuple[str, str]:
    said = [
        (m["role"], _join_spoken_text(m.get("content"))) for m in messages if m["role"] != "tool"
    ]
    said = [(role, text) for role, text in said if text.strip()]
    if describes and audio.get("optimize_text_preview") and all(r != "assistant" for r, _ in said):
        return "", "\n".join(text for _, text in said)  # the service makes the text up
    if not said:
        raise InvalidRequestError("There is no text to speak.", param="messages")
    spoken = next((i for i, (r, _) in reversed(list(enumerate(said))) if r == "assistant"), None)
    if spoken is None or (said[-1][0] == "user" and not describes):
        spoken = len(said) - 1
    before = said[spoken - 1] if spoken else ("", "")
    systems = [text for role, text in said[:spoken] if role in ("system", "developer")]
    style = [*systems, *([before[1]] if before[0] == "user" else [])]
    return said[spoken][1], "\n".join(style)


def _join_spoken_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    for part in content or ():
        if part.get("type") != "text":
            raise InvalidRequestError(
                f"A speech model takes text only, not {part.get('type')!r}.", param="messages"
            )
    return "\n".join(part["text"] for part in content or ())


class AudioPieces:
    """The audio of a stream, cut anew so that each piece can be played and put together.

    Args:
        format: of the audio: `wav`, `mp3`, `pcm` or `pcm16`.
    """

    def __init__(self, format: str = "pcm16") -> None:
        self._format = format
        self._decoder = AudioDecoder()
        self._bytes = b""
        self._described = False

    def feed(self, audio: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take the audio of a chunk.

        Args:
            audio: the delta's `audio`, with base64 cut anywhere.

        Returns:
            `additional_kwargs["audio"]` of the LangChain chunk, or None while nothing is complete.
        """
        self._bytes += self._decoder.feed(audio.get("data") or "")
        whole = len(self._bytes) - len(self._bytes) % _PIECE
        piece, self._bytes = self._bytes[:whole], self._bytes[whole:]
        return self._piece(piece, audio)

    def close(self) -> dict[str, Any] | None:
        """The last piece, of what is left."""
        rest = self._bytes + self._decoder.close()
        self._bytes = b""
        return self._piece(rest, {})

    def _piece(self, data: bytes, audio: Mapping[str, Any]) -> dict[str, Any] | None:
        piece: dict[str, Any] = {}
        if data:
            piece["data"] = encode_file(BytesIO(data))
        if audio.get("transcript"):
            piece["transcript"] = audio["transcript"]
        if data and not self._described:  # said once: merging chunks puts texts together
            self._described = True
            piece["format"] = self._format
            if audio.get("id"):
                piece["id"] = audio["id"]
        return piece or None


def make_audio_block(audio: Mapping[str, Any], *, streamed: bool) -> dict[str, Any] | None:
    """LangChain's block for `additional_kwargs["audio"]`, or None where it holds no data.

    A chunk's block has `data` instead of `base64`: langchain-core's v3 events put only that
    together, and would keep the last piece of the other.

    Args:
        audio: `additional_kwargs["audio"]` of a message or chunk.
        streamed: whether it is one chunk's.
    """
    data = audio.get("data")
    if not data:
        return None
    if not streamed:
        return {"type": "audio", "base64": data, "mime_type": _find_mime_type(data, audio)}
    block = {"type": "audio", "data": data}
    if "format" in audio:  # the first piece: said once, merging puts texts together
        block["mime_type"] = SPEECH_FORMATS[audio["format"]]
    return block


def _find_mime_type(data: str, audio: Mapping[str, Any]) -> str:
    """The type of whole audio in base64."""
    return SPEECH_FORMATS[_find_format(base64.b64decode(data[:16]), audio)]


def _find_format(head: bytes, audio: Mapping[str, Any]) -> str:
    """The format that was asked for. Where that is WAV or unknown, the first bytes decide."""
    found, asked = audio_format(head), audio.get("format")
    if found == "wav" or asked in (None, "wav"):
        return found or "pcm16"
    return str(asked)


def audio_of(message: AIMessage) -> bytes:
    """The audio of an answer, streamed or not, as raw bytes in the format that was asked for.

    Args:
        message: from a speech model; of v0, of `output_version="v1"`, or chunks added up.

    Returns:
        The decoded bytes: a whole WAV or MP3 file, or PCM samples.

    Raises:
        MiMoInvalidResponseError: it holds no audio.
    """
    with model_errors():
        return _find_audio(message)


def _find_audio(message: AIMessage) -> bytes:
    data = (message.additional_kwargs.get("audio") or {}).get("data")
    for block in message.content if isinstance(message.content, list) else ():
        if not data and isinstance(block, dict) and block.get("type") == "audio":
            data = block.get("base64") or block.get("data")
    if not data:
        raise InvalidResponseError("The message holds no audio; is it a speech model's answer?")
    return decode_audio(data)


def save_audio(message: AIMessage, path: str | os.PathLike[str]) -> Path:
    """Write the audio of an answer to a file.

    Raw PCM (what a stream gives) written to a `.wav` gets its header: 24 kHz, mono, 16 bit. An
    older file is replaced by a whole one, or stays as it was.

    Args:
        message: from a speech model; of v0, of `output_version="v1"`, or chunks added up.
        path: the file.

    Returns:
        The path.

    Raises:
        MiMoInvalidResponseError: the message holds no audio.
        MiMoInvalidRequestError: the file cannot be written.
    """
    path = Path(path)
    data = audio_of(message)
    audio = message.additional_kwargs.get("audio") or {}
    is_raw = _find_format(data[:16], audio) not in _FILE_FORMATS
    with model_errors():
        try:
            with replacing(path) as file:
                if path.suffix.lower() == ".wav" and is_raw:
                    file.write(wav_header(len(data)))
                file.write(data)
        except OSError as error:
            raise InvalidRequestError(
                f"The audio was not written: {error.strerror or error}: {path}. "
                "The old file, where there was one, is unchanged.",
                param="path",
            ) from error
    return path
