"""The shared transport under `langchain_mimo` and `llm_mimo`.

Names are imported when they are first used, so that reading the model table (which the llm plugin
does at every start of `llm`) costs neither httpx2 nor a TLS context.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mimo_core._request.prepare import prepare as prepare
    from mimo_core._response.accumulate import collect as collect
    from mimo_core.batches import AsyncBatchClient as AsyncBatchClient
    from mimo_core.batches import BatchClient as BatchClient
    from mimo_core.client import AsyncMiMoClient as AsyncMiMoClient
    from mimo_core.client import AsyncStream as AsyncStream
    from mimo_core.client import MiMoClient as MiMoClient
    from mimo_core.client import Stream as Stream
    from mimo_core.errors import APIConnectionError as APIConnectionError
    from mimo_core.errors import APITimeoutError as APITimeoutError
    from mimo_core.errors import AuthenticationError as AuthenticationError
    from mimo_core.errors import ContentFilterError as ContentFilterError
    from mimo_core.errors import ContextOverflowError as ContextOverflowError
    from mimo_core.errors import InsufficientBalanceError as InsufficientBalanceError
    from mimo_core.errors import InvalidRequestError as InvalidRequestError
    from mimo_core.errors import InvalidResponseError as InvalidResponseError
    from mimo_core.errors import MiMoError as MiMoError
    from mimo_core.errors import NotFoundError as NotFoundError
    from mimo_core.errors import OutputCheckError as OutputCheckError
    from mimo_core.errors import PermissionDeniedError as PermissionDeniedError
    from mimo_core.errors import RateLimitError as RateLimitError
    from mimo_core.errors import ServerError as ServerError
    from mimo_core.errors import StreamInterruptedError as StreamInterruptedError
    from mimo_core.errors import UnsupportedInputError as UnsupportedInputError
    from mimo_core.gateways import Endpoint as Endpoint
    from mimo_core.models import MODELS as MODELS
    from mimo_core.models import ModelInfo as ModelInfo
    from mimo_core.models import model_info as model_info
    from mimo_core.types import ChatChunk as ChatChunk
    from mimo_core.types import ChatRequest as ChatRequest
    from mimo_core.types import ChatResponse as ChatResponse

_MODULES = {
    "batches": ("BatchClient", "AsyncBatchClient"),
    "client": ("MiMoClient", "AsyncMiMoClient", "Stream", "AsyncStream"),
    "gateways": ("Endpoint",),
    "errors": (
        "APIConnectionError",
        "APITimeoutError",
        "AuthenticationError",
        "ContentFilterError",
        "ContextOverflowError",
        "InsufficientBalanceError",
        "InvalidRequestError",
        "InvalidResponseError",
        "MiMoError",
        "NotFoundError",
        "OutputCheckError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServerError",
        "StreamInterruptedError",
        "UnsupportedInputError",
    ),
    "models": ("MODELS", "ModelInfo", "model_info"),
    "_request.prepare": ("prepare",),
    "_response.accumulate": ("collect",),
    "types": ("ChatChunk", "ChatRequest", "ChatResponse"),
}
_HOME = {name: f"mimo_core.{module}" for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605  # a list of texts, which the rule cannot see


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mimo_core' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
