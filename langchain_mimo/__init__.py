"""Xiaomi MiMo for LangChain."""

from typing import TYPE_CHECKING

from langchain_mimo import errors as _errors
from langchain_mimo._version import __version__ as __version__
from langchain_mimo.chat_models import ChatMiMo as ChatMiMo
from langchain_mimo.errors import *  # noqa: F403  # its `__all__` are the error classes
from langchain_mimo.media import media_block as media_block
from langchain_mimo.speech import audio_of as audio_of
from langchain_mimo.speech import save_audio as save_audio

if not TYPE_CHECKING:  # type checkers go by the imports: they cannot read a computed `__all__`
    __all__ = ["ChatMiMo", "__version__", "audio_of", "media_block", "save_audio"]
    __all__ += _errors.__all__
