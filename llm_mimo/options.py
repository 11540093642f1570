"""The options that users set with `-o name value`: a class for each family of models.

An option that is not set is not sent. The ranges and defaults in the descriptions are Xiaomi's
(vendor's parameter reference, 3 June 2026); other servers have their own, so the core checks them,
which knows the server.
"""

# Without `from __future__ import annotations`: pydantic would evaluate the types of every class.
import json
from contextlib import suppress
from typing import Annotated, Any, Literal

import llm
from pydantic import BeforeValidator, ConfigDict, Field

from mimo_core.models import MODELS, ModelInfo, VoiceSource
from mimo_core.types import ChatRequest


def _stop_sequences(value: Any) -> Any:
    """`-o stop END` is one sequence, `-o stop '["a", "b"]'` several."""
    if isinstance(value, str):
        sequences = [value]
        if value.lstrip().startswith("["):
            with suppress(ValueError, RecursionError):  # a sequence that begins with a bracket
                sequences = json.loads(value)
    else:
        sequences = value
    # Not checked by pydantic: its error names a list element by number, on which llm 0.36 fails
    # with a traceback.
    if sequences is not None and not (
        isinstance(sequences, list | tuple)
        and sequences
        and all(isinstance(sequence, str) and sequence for sequence in sequences)
    ):
        raise ValueError("Give one text, or a JSON list of texts")
    return sequences


StopSequences = Annotated[list[str], BeforeValidator(_stop_sequences)]


def _ids(*, thinking_default: bool) -> str:
    return ", ".join(
        info.id
        for info in MODELS.values()
        if info.kind == "chat" and info.thinking_default is thinking_default
    )


class SharedOptions(llm.Options):
    """Options of every MiMo model."""

    # Build validators on first use: a prompt uses only one of these classes.
    model_config = ConfigDict(defer_build=True)

    timeout: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="Seconds to wait for a connection, and for the next bytes. "
        "Default: 10 to connect, 600 for bytes.",
    )
    deadline: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="Seconds that an answer may take in all, further attempts included. "
        "Default: any.",
    )

    @property
    def times(self) -> tuple[float | None, float | None]:
        """`timeout` and `deadline`, for a client."""
        return self.timeout, self.deadline


class SamplingOptions(SharedOptions):
    """Options of the chat and the speech models."""

    temperature: float | None = Field(
        default=None,
        ge=0,
        description="Sampling temperature, 0 to 1.5; higher is more varied. Most models ignore it "
        "while they think: combine it with thinking=false.",
    )
    top_p: float | None = Field(
        default=None,
        ge=0,
        description="Nucleus sampling: the share of probability to choose from, 0.01 to 1. "
        "Set this or temperature, not both.",
    )


class ChatOptions(SamplingOptions):
    """Options of the chat models."""

    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="The most tokens to generate, thinking included, 1 to 131072.",
    )
    stop: StopSequences | None = Field(
        default=None,
        description="A text at which the answer ends, or a JSON list of up to 4 such texts.",
    )
    frequency_penalty: float | None = Field(
        default=None,
        description="Penalise tokens by how often they have occurred, -2 to 2.",
    )
    presence_penalty: float | None = Field(
        default=None,
        description="Penalise tokens that have occurred at all, -2 to 2.",
    )
    reasoning_effort: str | None = Field(
        default=None,
        description="none, low, medium or high: none turns thinking off, the others turn it on and "
        "mean the same at Xiaomi so far. Other servers may know more.",
    )
    thinking: bool | None = Field(
        default=None,
        description="Whether the model thinks before it answers, true or false. "
        f"Default: true; false for {_ids(thinking_default=False)}.",
    )
    json_object: bool | None = Field(
        default=None,
        description="Answer with one JSON object, true or false; describe it in the prompt. "
        "--schema does both.",
    )
    cache: bool | None = Field(
        default=None,
        description="Mark the system prompt and the first message, with its fragments, for the "
        "prompt cache of the messages protocol, true or false. Chat completions have no marks.",
    )


class MediaChatOptions(ChatOptions):
    """Options of the chat models that see images and videos and hear audio."""

    fps: float | None = Field(
        default=None,
        ge=0.1,
        le=10,
        description="Frames a second to look at in video attachments, 0.1 to 10. Default: 2.",
    )
    media_resolution: Literal["default", "max"] | None = Field(
        default=None,
        description="Resolution to look at video attachments with, default or max.",
    )


def _voices() -> str:
    """The voices with ASCII names: llm fails to print others in a narrow encoding."""
    names = {name: None for model in MODELS.values() for name in model.voices if name.isascii()}
    return ", ".join(names)


class SpeechOptions(SamplingOptions):
    """Options of all speech models."""

    temperature: float | None = Field(
        default=None,
        ge=0,
        description="Sampling temperature, 0 to 1.5; higher is more varied. Default: 0.6.",
    )

    output: str | None = Field(
        default=None,
        description="File to write the audio to; an existing one is overwritten. "
        "Default: a new file mimo-DATE-TIME in the current directory.",
    )
    format: Literal["wav", "mp3", "pcm", "pcm16"] | None = Field(
        default=None,
        description="wav, mp3 or pcm (pcm16 is the same: 24 kHz, mono, 16 bit, no header). "
        "Default: what the ending of output says, else wav.",
    )


class StyledSpeechOptions(SpeechOptions):
    """Options of the speech models that do not make their voice from `style`."""

    style: str | None = Field(
        default=None,
        description="How to speak, in words, e.g. 'cheerful and fast'. The system prompt does "
        "the same.",
    )


class VoiceSpeechOptions(StyledSpeechOptions):
    """Options of the speech models with built-in voices."""

    voice: str | None = Field(
        default=None,
        description=f"One of the model's built-in voices, e.g. {_voices()}; `llm mimo models` "
        "lists those of each model. Default: mimo_default.",
    )


class VoiceDesignOptions(SpeechOptions):
    """Options of the speech models that make a voice from a description."""

    style: str | None = Field(
        default=None,
        description="The description of the voice, e.g. 'a warm, deep, elderly voice'; required, "
        "here or as the system prompt.",
    )
    optimize_text_preview: bool | None = Field(
        default=None,
        description="Let the service polish the text before speaking it, true or false. "
        "With true, the text may be missing: it is then made up from the description.",
    )


class VoiceCloneOptions(StyledSpeechOptions):
    """Options of the speech models that imitate the voice in an attached recording."""


class TranscriptionOptions(SharedOptions):
    """Options of the transcription models."""

    language: Literal["auto", "zh", "en"] | None = Field(
        default=None,
        description="The language that is spoken: auto, zh or en. Default: auto.",
    )


_SPEECH_OPTIONS: dict[VoiceSource | None, type[SpeechOptions]] = {
    "built_in": VoiceSpeechOptions,
    "description": VoiceDesignOptions,
    "sample": VoiceCloneOptions,
}


def options_class(info: ModelInfo) -> type[SharedOptions]:
    """Find the class of a model's options.

    Args:
        info: the model.

    Returns:
        One of the classes of this module.
    """
    if info.kind == "asr":
        return TranscriptionOptions
    if info.kind == "tts":
        return _SPEECH_OPTIONS[info.voice_source]
    return MediaChatOptions if "video" in info.inputs else ChatOptions


def sampling_fields(options: SharedOptions) -> dict[str, Any]:
    """Find the options that have the name of a request field.

    Args:
        options: of a prompt.

    Returns:
        Those that are set. (`max_tokens` is sent under another name, so it is not among them.)
    """
    names = (type(options).model_fields.keys() & ChatRequest.__annotations__) - {"max_tokens"}
    fields = {name: getattr(options, name) for name in sorted(names)}
    return {name: value for name, value in fields.items() if value is not None}
