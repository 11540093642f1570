"""Requests to speak and to recognise speech, and the audio in their answers. Pure but for files.

Both are chat completions of a special shape (vendor's parameter reference and its pages on speech,
June 2026): what is to be spoken is the *assistant* message, how to speak it the *user* message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from io import BytesIO
from typing import Any, BinaryIO, TypeGuard

from mimo_core.audio import AudioDecoder, audio_format, decode_audio, encode_file
from mimo_core.errors import InvalidRequestError, InvalidResponseError, UnsupportedInputError
from mimo_core.files import open_regular
from mimo_core.media import (
    LANGUAGES,
    MAX_RECORDING,
    RECORDING_TYPES,
    SPEECH_FORMATS,
    STREAMED_FORMATS,
    canonical_type,
)
from mimo_core.models import MODELS, ModelInfo, VoiceSource, model_info
from mimo_core.values import quoted

MAX_ENCODED = MAX_RECORDING
"""The most characters of base64 that a sample or a recording may have."""

_DATA_URL = re.compile(r"data:([^;,]*)[^,]*;base64,", re.IGNORECASE)
_AUDIO_OPTIONS = frozenset({"voice", "format", "optimize_text_preview"})
_NO_AUDIO = "The answer holds no audio. Check the model id, or send the request again."
Audio = bytes | str | os.PathLike[str]
"""Bytes of a WAV or MP3 file, the path of one, or a data URL."""


# Requests


def speech_request(
    model: str,
    text: str,
    *,
    style: str | None = None,
    voice: str | None = None,
    sample: Audio | None = None,
    format: str | None = None,
    optimize_text_preview: bool | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The request that lets `model` speak `text`.

    Args:
        model: one of the `mimo-…-tts…` models.
        text: what to say. It may hold style tags: `(…)` at the start and `[…]` anywhere, for
            `mimo-v2-tts` `<style>…</style>` at the start.
        style: how to say it, in words. Voice design: the description of the voice, required.
        voice: a built-in voice (`ModelInfo.voices`); the service's default is `mimo_default`. It
            is never opened as a file, whoever wrote it.
        sample: voice clone: a recording of the voice, WAV or MP3, up to 10 MB as base64.
        format: `wav` (the service's default), `mp3`, `pcm` or `pcm16`.
        optimize_text_preview: voice design: let the service polish the text; with it, `text` may
            be empty and is made up from the description.
        stream: whether the request will be streamed. Streams are `pcm16` only.

    Raises:
        InvalidRequestError: something is missing, or the model does not take it.
        UnsupportedInputError: the sample is neither WAV nor MP3.
    """
    _check_texts(model=model, text=text)
    _check_texts(style=style, voice=voice, format=format, can_be_none=True)
    _check_switches(optimize_text_preview=optimize_text_preview, stream=stream)
    info = model_info(model)
    if info.kind != "tts" and info.known:
        raise InvalidRequestError(f"{model} does not speak; {_speakers()} do.", param="model")
    audio: dict[str, Any] = {}
    if chosen := _voice(info, voice, sample):
        audio["voice"] = chosen
    if chosen_format := _format(format, stream=stream):
        audio["format"] = chosen_format
    if optimize_text_preview is not None:
        _only_for(info, "description", "optimize_text_preview")
        audio["optimize_text_preview"] = optimize_text_preview
    messages = []
    if style and style.strip():
        messages.append({"role": "user", "content": style})
    elif info.voice_source == "description":
        raise InvalidRequestError(
            f"{model} needs a description of the voice, as the style.", param="style"
        )
    if text.strip():
        messages.append({"role": "assistant", "content": text})
    elif not (info.voice_source == "description" and optimize_text_preview):
        raise InvalidRequestError("There is no text to speak.", param="messages")
    request: dict[str, Any] = {"model": model, "messages": messages}
    if audio:
        request["audio"] = audio
    return request


def transcription_request(
    model: str, audio: Audio, *, language: str | None = None
) -> dict[str, Any]:
    """The request that lets `model` write down what is said in a recording.

    Args:
        model: `mimo-v2.5-asr`.
        audio: WAV or MP3, up to 10 MB as base64.
        language: `auto` (the service's default), `zh` or `en`.

    Raises:
        InvalidRequestError: the recording is too large or cannot be read; another language.
        UnsupportedInputError: the recording is neither WAV nor MP3.
    """
    _check_texts(model=model)
    _check_texts(language=language, can_be_none=True)
    info = model_info(model)
    if info.known and info.kind != "asr":
        able = ", ".join(m.id for m in MODELS.values() if m.kind == "asr")
        raise InvalidRequestError(f"{model} cannot transcribe; use {able}.", param="model")
    if language not in (None, *LANGUAGES):
        raise InvalidRequestError(
            f"language is {quoted(language)}; it can be {', '.join(LANGUAGES)}.",
            param="asr_options",
        )
    part = {"type": "input_audio", "input_audio": {"data": audio_data_url(audio)}}
    request: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": [part]}]}
    if language is not None:
        request["asr_options"] = {"language": language}
    return request


def check_speech(body: Mapping[str, Any], info: ModelInfo) -> None:
    """Check a request to a speech model that was not made here.

    Args:
        body: a request in the shape of chat completions.
        info: its model, of kind `tts` or `asr`.

    Raises:
        InvalidRequestError: a message, the voice or the recording is not what the model takes.
    """
    messages = body.get("messages")
    roles = {m.get("role") for m in messages or () if isinstance(m, dict)}
    if info.kind == "asr":
        parts = [p for m in messages or () for p in _content_parts(m)]
        if roles - {"user"} or [p.get("type") for p in parts] != ["input_audio"]:
            raise InvalidRequestError(
                f"{info.id} takes one user message with one recording (input_audio), and no text.",
                param="messages",
            )
        return
    if roles - {"user", "assistant"}:
        raise InvalidRequestError(
            f"{info.id} speaks the assistant message in the style that the user message describes; "
            "it takes no other messages.",
            param="messages",
        )
    audio = body.get("audio") or {}
    if not isinstance(audio, Mapping):
        raise InvalidRequestError("audio must be an object.", param="audio")
    for name in audio.keys() - _AUDIO_OPTIONS:  # what the service may learn passes, a typo does not
        if close := get_close_matches(str(name), _AUDIO_OPTIONS, n=1, cutoff=0.75):
            raise InvalidRequestError(
                f"audio has no {str(name)[:80]!r}; did you mean {close[0]!r}?", param="audio"
            )
    voice = audio.get("voice")
    if info.known and info.voices and voice is not None and voice not in info.voices:
        raise InvalidRequestError(
            f"{quoted(voice)} is not a voice of {info.id}; its voices are "
            f"{', '.join(info.voices)}.",
            param="audio",
        )


def _content_parts(message: Any) -> list[dict[str, Any]]:
    """The parts of a message; a text counts as one."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str) and content:
        return [{"type": "text", "text": content}]
    parts = content if isinstance(content, list | tuple) else ()
    return [part if isinstance(part, dict) else {"type": "text"} for part in parts]


def is_data_url(value: object) -> TypeGuard[str]:
    """Whether a value is a text that begins as a data URL does.

    Args:
        value: anything.
    """
    return isinstance(value, str) and value[:5].lower() == "data:"


def audio_data_url(audio: Audio) -> str:
    """A recording as the data URL that the service takes.

    Args:
        audio: bytes of a WAV or MP3 file, its path, or a data URL, which is checked only. What
            is no regular file (a pipe, a device) is not opened.

    Raises:
        InvalidRequestError: it is larger than 10 MB as base64, or cannot be read.
        UnsupportedInputError: it is neither WAV nor MP3.
    """
    if is_data_url(audio):
        return _checked_data_url(audio)
    if isinstance(audio, bytes):
        _check_size(_encoded_size(len(audio)))
        return _data_url(audio[:16], BytesIO(audio))
    if not isinstance(audio, str | os.PathLike):
        raise InvalidRequestError(
            f"The audio must be bytes, a path or a data URL, not of type {type(audio).__name__}.",
            param="audio",
        )
    try:
        with open_regular(audio) as file:
            _check_size(_encoded_size(os.fstat(file.fileno()).st_size))
            head = file.read(16)
            file.seek(0)
            return _data_url(head, file)
    except OSError as error:
        raise InvalidRequestError(
            f"The audio cannot be read: {error.strerror}: {os.fspath(audio)!r:.200}.",
            param="audio",
        ) from error


def _check_texts(*, can_be_none: bool = False, **arguments: object) -> None:
    for name, value in arguments.items():
        if not isinstance(value, str) and not (can_be_none and value is None):
            raise InvalidRequestError(
                f"{name} is {quoted(value)}; it must be a text.", param=_FIELDS.get(name, name)
            )


def _check_switches(**arguments: object) -> None:
    for name, value in arguments.items():
        if not isinstance(value, bool | None):
            raise InvalidRequestError(
                f"{name} is {quoted(value)}; it must be true or false.",
                param=_FIELDS.get(name, name),
            )


# The arguments that go into a field of another name.
_FIELDS = {"voice": "audio", "format": "audio", "optimize_text_preview": "audio"} | {
    "text": "messages",
    "language": "asr_options",
}


def _data_url(head: bytes, file: BinaryIO) -> str:
    format = audio_format(head)
    if format is None:
        # Nothing of what it holds: whoever sees the error need not be who may read the file.
        found = "neither WAV nor MP3" if head else "empty"
        raise UnsupportedInputError(
            f"The audio is {found}. Convert it, e.g. with: ffmpeg -i FILE out.mp3", param="audio"
        )
    return encode_file(file, prefix=f"data:{SPEECH_FORMATS[format]};base64,")


def _voice(info: ModelInfo, voice: str | None, sample: Audio | None) -> str | None:
    """What goes into `audio.voice`, checked against where the model's voice comes from."""
    if sample is not None and voice is not None:
        raise InvalidRequestError(
            "A sample of the voice and a voice were given; give one of them.", param="audio"
        )
    if sample is not None:
        _only_for(info, "sample", "a sample of the voice")
        return audio_data_url(sample)
    if info.voice_source == "sample":
        if voice is None:
            raise InvalidRequestError(
                f"{info.id} needs a sample of the voice: a WAV or MP3 file.", param="audio"
            )
        if not is_data_url(voice):
            raise InvalidRequestError(
                f"The voice of {info.id} is a sample, and a text is not opened as a file: give "
                "bytes, a pathlib.Path or a data URL of WAV or MP3.",
                param="audio",
            )
        return audio_data_url(voice)
    if voice is None or not info.voices:
        if voice is not None and info.voice_source is not None:
            _only_for(info, "built_in", "voice")
        return voice
    spellings = {name.lower(): name for name in info.voices}
    if voice.lower() not in spellings:
        raise InvalidRequestError(
            f"{quoted(voice)} is not a voice of {info.id}; its voices are "
            f"{', '.join(info.voices)}.",
            param="audio",
        )
    return spellings[voice.lower()]


def _only_for(info: ModelInfo, source: VoiceSource, what: str) -> None:
    if info.known and info.voice_source != source:
        raise InvalidRequestError(
            f"{info.id} does not take {what}; {_speakers(source)} would.", param="audio"
        )


def _speakers(source: VoiceSource | None = None) -> str:
    return ", ".join(
        m.id for m in MODELS.values() if m.kind == "tts" and source in (None, m.voice_source)
    )


def _format(format: str | None, *, stream: bool) -> str | None:
    if format is not None and format not in SPEECH_FORMATS:
        raise InvalidRequestError(
            f"format is {quoted(format)}; it can be {', '.join(SPEECH_FORMATS)}.", param="audio"
        )
    if not stream:
        return format
    if format not in (None, *STREAMED_FORMATS):
        raise InvalidRequestError(
            f"Speech is streamed as pcm16 only, not as {format}. Do not stream it.", param="audio"
        )
    return "pcm16"


def _checked_data_url(url: str) -> str:
    head = _DATA_URL.match(url)
    sent = canonical_type(head.group(1)) if head else ""
    if head is None or sent not in RECORDING_TYPES:
        raise UnsupportedInputError(
            f"The audio must be WAV or MP3 as 'data:audio/wav;base64,…' or "
            f"'data:audio/mpeg;base64,…', not {url[:40].partition(',')[0]!r}.",
            param="audio",
        )
    _check_size(len(url) - head.end())
    wanted = f"data:{sent};base64,"
    return url if url.startswith(wanted) else wanted + url[head.end() :]


def _encoded_size(size: int) -> int:
    return (size + 2) // 3 * 4


def _check_size(encoded: int) -> None:
    if encoded > MAX_ENCODED:
        raise InvalidRequestError(
            f"The audio is {encoded / 1024 / 1024:.1f} MB as base64; the service takes up to 10. "
            "Cut it, or compress it, e.g. with: ffmpeg -i FILE -b:a 64k out.mp3",
            param="audio",
        )


# Answers


def audio_bytes(response: Mapping[str, Any], format: str | None = None) -> bytes:
    """The audio in a whole answer.

    Args:
        response: a `ChatResponse`.
        format: what was asked for; None for no check. Samples without a header are not checked.

    Raises:
        InvalidResponseError: it holds no audio, or not in base64, or not of that format.
    """
    message = response["choices"][0].get("message") or {}
    data = (message.get("audio") or {}).get("data")
    if not data:
        raise InvalidResponseError(_NO_AUDIO)
    audio = decode_audio(data)
    if format in ("wav", "mp3") and audio_format(audio[:16]) is None:
        raise InvalidResponseError(
            f"The answer holds something that is neither WAV nor MP3 ({audio[:16]!r}). "
            "Send the request again."
        )
    return audio


def audio_pieces(chunks: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The audio of a stream, piece by piece: PCM, whose samples may be cut between two pieces.

    Raises:
        InvalidResponseError: no audio came, or it is not base64.
    """
    decoder = AudioDecoder()
    arrived = False
    for chunk in chunks:
        if piece := decoder.feed(audio_data(chunk)):
            arrived = True
            yield piece
    if rest := decoder.close():
        arrived = True
        yield rest
    if not arrived:
        raise InvalidResponseError(_NO_AUDIO)


def audio_data(chunk: Mapping[str, Any]) -> str:
    """The base64 in one chunk of a stream, empty where it holds none."""
    return ((chunk["choices"][0].get("delta") or {}).get("audio") or {}).get("data") or ""
