"""MiMo's errors as LangChain's.

Each class is both the transport's error and the `ModelError` that LangChain's middleware (retry,
summarisation, refusal) looks for, so that code catching either works.

A new error of the core needs one class here, with the bases `MiMoModelError`, the core's class and
LangChain's class, in this order. `as_model_error` and `langchain_mimo.__all__` are derived from it.
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


class MiMoServerError(MiMoModelError, core.ServerError, lc.ModelAPIError):
    """5xx."""


class MiMoConnectionError(MiMoModelError, core.APIConnectionError, lc.ModelConnectionError):
    """The service could not be reached."""


class MiMoTimeoutError(MiMoModelError, core.APITimeoutError, lc.ModelTimeoutError):
    """The service was silent for too long."""


class MiMoStreamInterruptedError(
    MiMoModelError, core.StreamInterruptedError, lc.ModelConnectionError
):
    """A stream ended before its answer did; `partial` holds what had arrived."""


class MiMoInvalidResponseError(MiMoModelError, core.InvalidResponseError, lc.ModelAPIError):
    """What came back is not an answer."""


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


def _find_model_errors() -> dict[type[core.MiMoError], type[MiMoModelError]]:
    """The core's classes, each with the class above that stands for it here."""
    found: dict[type[core.MiMoError], type[MiMoModelError]] = {core.MiMoError: MiMoModelError}
    for model_error in MiMoModelError.__subclasses__():
        _, core_error, *_ = model_error.__bases__
        found[core_error] = model_error
    return found


_MODEL_ERRORS = _find_model_errors()  # once: classes that a program adds are not looked at

if not TYPE_CHECKING:  # mypy would take the names that a computed `__all__` leaves out for private
    __all__ = [kind.__name__ for kind in _MODEL_ERRORS.values()]


def as_model_error(error: core.MiMoError) -> MiMoModelError:
    """The error as the class that is LangChain's too.

    Args:
        error: any error of the core.

    Returns:
        An error of the nearest class, with everything that `error` carries.
    """
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
    """Raise the core's errors as LangChain's.

    Raises:
        MiMoModelError: the block raised one of the core's errors, which is its cause.
    """
    try:
        yield
    except MiMoModelError:
        raise
    except core.MiMoError as error:
        raise as_model_error(error) from error
