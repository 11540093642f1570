"""MiMo's errors as LangChain's.

Each class is both the transport's error and the `ModelError` that LangChain's middleware (retry,
summarisation, refusal) looks for, so that code catching either works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core import exceptions as lc

from mimo_core import errors as core
from mimo_core.errors import one_line

if TYPE_CHECKING:
    from langchain_core.exceptions import ModelInvalidRequestError as _ModelRefusalError
else:  # ModelRefusalError is there since langchain-core 1.7.5
    _ModelRefusalError = getattr(lc, "ModelRefusalError", lc.ModelInvalidRequestError)


class MiMoModelError(core.MiMoError, lc.ModelError):
    """Base of what `ChatMiMo` raises; `is_retryable` says whether trying again may help."""


class MiMoAuthenticationError(
    MiMoModelError, core.AuthenticationError, lc.ModelAuthenticationError
):
    """401: no key, or not one for this gateway."""


class MiMoInsufficientBalanceError(
    MiMoModelError, core.InsufficientBalanceError, lc.ModelPermissionDeniedError
):
    """402: no balance."""


class MiMoPermissionDeniedError(
    MiMoModelError, core.PermissionDeniedError, lc.ModelPermissionDeniedError
):
    """403: region or risk control."""


class MiMoNotFoundError(MiMoModelError, core.NotFoundError, lc.ModelNotFoundError):
    """404: no such endpoint or model."""


class MiMoInvalidRequestError(
    MiMoModelError, core.InvalidRequestError, lc.ModelInvalidRequestError
):
    """400: found before sending, or by the service."""


class MiMoContextOverflowError(MiMoModelError, core.ContextOverflowError, lc.ContextOverflowError):
    """The messages do not fit the context window."""


class MiMoUnsupportedInputError(
    MiMoModelError, core.UnsupportedInputError, lc.ModelInvalidRequestError
):
    """The model does not take this kind of input."""


class MiMoContentFilterError(MiMoModelError, core.ContentFilterError, _ModelRefusalError):
    """421: the content filter refused."""


class MiMoRateLimitError(MiMoModelError, core.RateLimitError, lc.ModelRateLimitError):
    """429: too many requests, or the quota is used up."""

    is_retryable = True


class MiMoServerError(MiMoModelError, core.ServerError, lc.ModelAPIError):
    """5xx."""

    is_retryable = True


class MiMoConnectionError(MiMoModelError, core.APIConnectionError, lc.ModelConnectionError):
    """The service could not be reached."""

    is_retryable = True


class MiMoTimeoutError(MiMoModelError, core.APITimeoutError, lc.ModelTimeoutError):
    """The service was silent for too long."""

    is_retryable = True


class MiMoStreamInterruptedError(
    MiMoModelError, core.StreamInterruptedError, lc.ModelConnectionError
):
    """A stream ended before its answer did; `partial` holds what had arrived."""

    is_retryable = True


class MiMoInvalidResponseError(MiMoModelError, core.InvalidResponseError, lc.ModelAPIError):
    """What came back is not an answer."""

    is_retryable = False


class MiMoOutputCheckError(MiMoModelError, core.OutputCheckError, lc.OutputParserException):
    """The answer is not what was asked for: structured output, a forced call. `answer` holds it.

    It is an `OutputParserException` too: `llm_output` is the text of the answer.
    """

    observation: str | None = None
    llm_output: str | None = None
    send_to_llm = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.args = (one_line(message),)  # LangChain's class adds a second line


_MODEL_ERRORS: dict[type[core.MiMoError], type[MiMoModelError]] = {
    core.MiMoError: MiMoModelError,
    core.AuthenticationError: MiMoAuthenticationError,
    core.InsufficientBalanceError: MiMoInsufficientBalanceError,
    core.PermissionDeniedError: MiMoPermissionDeniedError,
    core.NotFoundError: MiMoNotFoundError,
    core.InvalidRequestError: MiMoInvalidRequestError,
    core.ContextOverflowError: MiMoContextOverflowError,
    core.UnsupportedInputError: MiMoUnsupportedInputError,
    core.ContentFilterError: MiMoContentFilterError,
    core.RateLimitError: MiMoRateLimitError,
    core.ServerError: MiMoServerError,
    core.APIConnectionError: MiMoConnectionError,
    core.APITimeoutError: MiMoTimeoutError,
    core.StreamInterruptedError: MiMoStreamInterruptedError,
    core.InvalidResponseError: MiMoInvalidResponseError,
    core.OutputCheckError: MiMoOutputCheckError,
}


def as_model_error(error: core.MiMoError) -> MiMoModelError:
    """`error` with everything it carries, as the class that is LangChain's too."""
    if isinstance(error, MiMoModelError):
        return error
    kind = next(_MODEL_ERRORS[kind] for kind in type(error).__mro__ if kind in _MODEL_ERRORS)
    model_error = kind(str(error))
    model_error.__dict__.update(error.__dict__)
    if isinstance(model_error, MiMoOutputCheckError) and model_error.answer:
        model_error.llm_output = model_error.answer["choices"][0]["message"].get("content") or ""
    return model_error


@contextmanager
def model_errors() -> Iterator[None]:
    """Raises what the transport raises as LangChain's errors."""
    try:
        yield
    except MiMoModelError:
        raise
    except core.MiMoError as error:
        raise as_model_error(error) from error
