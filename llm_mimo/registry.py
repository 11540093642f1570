"""Which models are registered: those of the table, and those of the saved list."""

from __future__ import annotations

from collections.abc import Iterator

from llm_mimo.chat_models import AsyncChatModel, ChatModel
from llm_mimo.models import MiMoModel
from llm_mimo.saved_models import saved_ids
from llm_mimo.speech_models import (
    AsyncSpeechModel,
    AsyncTranscriptionModel,
    SpeechModel,
    TranscriptionModel,
)
from mimo_core.models import DEFAULT_MODEL, MODELS, Kind, ModelInfo, model_info

_ALIASES = {DEFAULT_MODEL: ("mimo",), "mimo-v2.6-flash": ("mimo-flash",)}

_CLASSES: dict[Kind, tuple[type[MiMoModel], type[MiMoModel]]] = {
    "chat": (ChatModel, AsyncChatModel),
    "tts": (SpeechModel, AsyncSpeechModel),
    "asr": (TranscriptionModel, AsyncTranscriptionModel),
}


def model_infos() -> list[ModelInfo]:
    """The table of models, then the saved ids that it does not have."""
    return [*MODELS.values(), *(model_info(id) for id in saved_ids() if id not in MODELS)]


def registrations() -> Iterator[tuple[MiMoModel, MiMoModel, tuple[str, ...]]]:
    """Every model with its asynchronous twin and its aliases."""
    for info in model_infos():
        model, async_model = _CLASSES[info.kind]
        yield model(info), async_model(info), _ALIASES.get(info.id, ())
