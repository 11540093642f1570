"""What the service refuses of the speech models: synthesis and recognition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimo_core.models import ModelInfo
from mimo_core.testing.emulator.audio import decode_data_url
from mimo_core.testing.emulator.policy import Rejection, param_incorrect
from mimo_core.testing.emulator.received import content_text

MAX_ENCODED = 10 * 1024 * 1024
_CHAT_ONLY = ("stop", "thinking", "tools", "tool_choice", "response_format")
_FORMATS = ("wav", "mp3", "pcm", "pcm16")
_SAMPLE_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/mp3", "audio/mpeg")


def not_for_speech(request: Mapping[str, Any], info: ModelInfo) -> Rejection | None:
    """Parameters that speech models do not support."""
    for name in _CHAT_ONLY:
        if request.get(name) is not None:
            said = f"{name} is not supported by {info.id}"
            return param_incorrect("not for speech models", said)
    return None


def other_models_rejection(request: Mapping[str, Any], info: ModelInfo) -> Rejection | None:
    """Options of speech for a model that has none; the emulator does not know new models' kinds."""
    for name, kind in (("audio", "tts"), ("asr_options", "asr")):
        if info.known and info.kind != kind and request.get(name) is not None:
            return param_incorrect("speech options", f"{name} is not supported by {info.id}")
    return None


def speech_rejection(request: Mapping[str, Any], info: ModelInfo) -> Rejection | None:
    """Rules of synthesis: what is spoken, by which voice, in which format."""
    audio = request.get("audio")
    if audio is not None and not isinstance(audio, dict):
        return param_incorrect("speech options", "audio must be an object")
    audio = audio or {}
    preview = audio.get("optimize_text_preview")
    if not isinstance(preview, bool | None) or (preview and info.voice_source != "description"):
        said = f"optimize_text_preview must be a boolean, and is not supported by {info.id}"
        return param_incorrect("speech options", said)
    return (
        _texts_rejection(request["messages"])
        or _spoken_rejection(request["messages"], audio, info)
        or _format_rejection(audio.get("format"), stream=request.get("stream") is True)
        or _voice_rejection(audio.get("voice"), info)
    )


def _spoken_rejection(
    messages: list[dict[str, Any]], audio: Mapping[str, Any], info: ModelInfo
) -> Rejection | None:
    """The spoken text is the assistant's message, the style the user's; nobody else speaks."""
    roles = {message["role"] for message in messages}
    if roles & {"system", "developer"}:
        return param_incorrect("speech instructions", "system role is not allowed for TTS model")
    described = info.voice_source == "description"
    optional = described and audio.get("optimize_text_preview") is True
    if "assistant" not in roles and not optional:
        return param_incorrect(
            "speech without text", "messages must contain an assistant role for TTS model"
        )
    if described and "user" not in roles:
        return param_incorrect(
            "speech description", "messages must contain a user role for voicedesign model"
        )
    return None


def _texts_rejection(messages: list[dict[str, Any]]) -> Rejection | None:
    """Who speaks, and what is said: texts, of a user and an assistant who calls no tools."""
    for message in messages:
        if message["role"] == "tool" or message.get("tool_calls"):
            return param_incorrect("speech messages", "tools are not supported by TTS models")
        content = message.get("content")
        if any(part["type"] != "text" for part in _parts(message)):
            return param_incorrect("speech messages", "messages must hold text only for TTS model")
        if not isinstance(content, str | list) or not content_text(content).strip():
            return param_incorrect("empty text", "`text` is not set")
    return None


def _format_rejection(format: Any, *, stream: bool) -> Rejection | None:
    """Streams are PCM only; `pcm` and `pcm16` are the same."""
    if format is None:
        return None
    allowed = _FORMATS[2:] if stream else _FORMATS
    if format in allowed:
        return None
    when = " when stream is true" if stream else ""
    return param_incorrect(
        "speech format", f"audio.format must be one of {', '.join(allowed)}{when}"
    )


def _voice_rejection(voice: Any, info: ModelInfo) -> Rejection | None:
    if info.voice_source == "description":
        return (
            param_incorrect("speech voice", f"voice is not supported by {info.id}")
            if voice
            else None
        )
    if info.voice_source == "sample":
        return _sample_rejection("voice sample", voice, "audio.voice")
    if voice is None or voice in info.voices:
        return None
    return param_incorrect("speech voice", f"voice {voice} is not one of {', '.join(info.voices)}")


def recognition_rejection(request: Mapping[str, Any]) -> Rejection | None:
    """Rules of recognition: one recording in one user message, a language the model knows."""
    given = [part for message in request["messages"] for part in _parts(message)]
    parts = [part for part in given if part["type"] == "input_audio"]
    if len(parts) != 1:
        return param_incorrect(
            "recording", "messages must contain exactly one input_audio for ASR model"
        )
    if any(part["type"] == "text" for part in given):
        said = "ASR request must not include text parts"
        return param_incorrect("recording with text", said)
    others = any(part is not parts[0] for part in given)
    if others or any(message["role"] != "user" for message in request["messages"]):
        said = "messages must contain one user message with one input_audio for ASR model"
        return param_incorrect("recording", said)
    held = parts[0].get("input_audio")
    data = held.get("data") if isinstance(held, dict) else None
    if rejection := _sample_rejection("recording", data, "input_audio.data"):
        return rejection
    options = request.get("asr_options") or {}
    language = options.get("language") if isinstance(options, dict) else options
    if language not in (None, "auto", "zh", "en"):
        said = "asr_options.language must be one of auto, zh, en"
        return param_incorrect("recording language", said)
    return None


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a message; a text that is not empty is one."""
    content = message.get("content")
    if isinstance(content, str) and content:
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _sample_rejection(rule: str, url: Any, name: str) -> Rejection | None:
    """A recording is a data URL of WAV or MP3, its base64 at most 10 MB."""
    if not url:
        return param_incorrect(rule, f"{name} is not set")
    type = url[5:].split(";", 1)[0] if isinstance(url, str) and url.startswith("data:") else ""
    if type not in _SAMPLE_TYPES or decode_data_url(url) is None:
        return param_incorrect(rule, f"{name} must be a data URL with base64 of wav or mp3")
    if len(url.split(",", 1)[1]) > MAX_ENCODED:
        return param_incorrect(rule, f"{name} must not be larger than 10 MB")
    return None
