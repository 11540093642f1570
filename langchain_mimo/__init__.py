"""Xiaomi MiMo for LangChain."""

from typing import TYPE_CHECKING, Any

from langchain_mimo import errors as _errors
from langchain_mimo._version import __version__ as __version__
from langchain_mimo.chat_models import ChatMiMo as ChatMiMo
from langchain_mimo.errors import *  # noqa: F403  # its `__all__` are the error classes
from langchain_mimo.media import media_block as media_block
from langchain_mimo.speech import audio_of as audio_of
from langchain_mimo.speech import save_audio as save_audio

if TYPE_CHECKING:
    from langchain_mimo.batch_jobs import abatch_job as abatch_job
    from langchain_mimo.batch_jobs import batch_job as batch_job

if not TYPE_CHECKING:  # type checkers go by the imports: they cannot read a computed `__all__`
    __all__ = ["ChatMiMo", "__version__", "abatch_job", "audio_of", "batch_job", "media_block"]
    __all__ += ["save_audio"]
    __all__ += _errors.__all__

    def __getattr__(name: str) -> Any:
        """`batch_job` and `abatch_job`, whose modules few programs need."""
        if name in ("abatch_job", "batch_job"):
            from langchain_mimo import batch_jobs

            return getattr(batch_jobs, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
