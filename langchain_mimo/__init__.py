"""Xiaomi MiMo for LangChain."""

from langchain_mimo._version import __version__
from langchain_mimo.chat_models import ChatMiMo
from langchain_mimo.errors import (
    MiMoAuthenticationError,
    MiMoConnectionError,
    MiMoContentFilterError,
    MiMoContextOverflowError,
    MiMoInsufficientBalanceError,
    MiMoInvalidRequestError,
    MiMoInvalidResponseError,
    MiMoModelError,
    MiMoNotFoundError,
    MiMoOutputCheckError,
    MiMoPermissionDeniedError,
    MiMoRateLimitError,
    MiMoServerError,
    MiMoStreamInterruptedError,
    MiMoTimeoutError,
    MiMoUnsupportedInputError,
)
from langchain_mimo.media import media_block
from langchain_mimo.speech import audio_of, save_audio

__all__ = [
    "ChatMiMo",
    "MiMoAuthenticationError",
    "MiMoConnectionError",
    "MiMoContentFilterError",
    "MiMoContextOverflowError",
    "MiMoInsufficientBalanceError",
    "MiMoInvalidRequestError",
    "MiMoInvalidResponseError",
    "MiMoModelError",
    "MiMoNotFoundError",
    "MiMoOutputCheckError",
    "MiMoPermissionDeniedError",
    "MiMoRateLimitError",
    "MiMoServerError",
    "MiMoStreamInterruptedError",
    "MiMoTimeoutError",
    "MiMoUnsupportedInputError",
    "__version__",
    "audio_of",
    "media_block",
    "save_audio",
]
