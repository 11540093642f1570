"""Which models there are: the table's, and those of the saved list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llm_mimo import models, speech_models
from llm_mimo.saved_models import saved_ids
from mimo_core.models import DEFAULT_MODEL, MODELS, ModelInfo, model_info

_ALIASES = {DEFAULT_MODEL: ("mimo",), "mimo-v2.6-flash": ("mimo-flash",)}

_SPEECH: dict[str | None, tuple[Any, Any]] = {
    "built_in": (speech_models.SpeechModel, speech_models.AsyncSpeechModel),
    "description": (speech_models.VoiceDesignModel, speech_models.AsyncVoiceDesignModel),
    "sample": (speech_models.VoiceCloneModel, speech_models.AsyncVoiceCloneModel),
}


def model_infos() -> list[ModelInfo]:
    """The table, then the saved ids that it does not have."""
    return [*MODELS.values(), *(model_info(id) for id in saved_ids() if id not in MODELS)]


def registrations() -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    """Each model with its asynchronous sibling and its aliases."""
    for info in model_infos():
        model, async_model = model_classes(info)
        yield model(info), async_model(info), _ALIASES.get(info.id, ())


def model_classes(info: ModelInfo) -> tuple[Any, Any]:
    """The synchronous and the asynchronous class for a model."""
    if info.kind == "tts":
        return _SPEECH[info.voice_source]
    if info.kind == "asr":
        return speech_models.RecognitionModel, speech_models.AsyncRecognitionModel
    if "video" in info.inputs:
        return models.MediaChatModel, models.AsyncMediaChatModel
    return models.ChatModel, models.AsyncChatModel
