"""The error family. One class for each thing a caller can do about it.

    MiMoError
    ├── AuthenticationError            401
    ├── InsufficientBalanceError       402
    ├── PermissionDeniedError          403
    ├── NotFoundError                  404
    ├── InvalidRequestError            400, or found before anything is sent
    │   ├── ContextOverflowError
    │   └── UnsupportedInputError
    ├── ContentFilterError             421
    ├── RateLimitError                 429
    ├── ServerError                    5xx
    ├── APIConnectionError
    │   └── APITimeoutError
    ├── InvalidResponseError           what came back cannot be read
    ├── StreamInterruptedError         a stream ended before its answer did
    └── OutputCheckError               the answer is not what was asked for

`str(error)` is one line that names what the service said and what to do next. No error carries
the API key: not in its text, not in its `response`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from mimo_core._redact import Scrubber
from mimo_core._redact import one_line as one_line


@dataclass(frozen=True)
class ErrorResponse:
    """The HTTP response behind an error, without the request (which holds the key).

    It has the few names of httpx's `Response` that tracers read, and it can be pickled.
    """

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError` where it is not JSON."""
        return json.loads(self.text)


class MiMoError(Exception):
    """Base of everything this library raises about a request.

    Attributes:
        status: HTTP status, or the service's inner code where the two differ; None where no
            response was received.
        code: the service's own code, as a string (`"401"`, `"421"`), or None.
        param: the service's `param`, which often holds the useful sentence, or None.
        request_id: the id to quote to the vendor, or None.
        response: the `ErrorResponse`, or None.
        is_retryable: whether the same request may succeed later.
        retry_after: seconds the service asked to wait, or None.
        partial: what had arrived of an answer before the error, as a `ChatResponse`
            whose `finish_reason` is None; None where nothing had. Audio data is not kept.
    """

    is_retryable = False
    partial: Mapping[str, Any] | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        response: ErrorResponse | None = None,
        retry_after: float | None = None,
    ) -> None:
        # One line without keys, whatever was quoted in it: a user's values end up in errors.
        super().__init__(one_line(message))
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.response = response
        self.retry_after = retry_after

    def without(self, secrets: Iterable[str]) -> Self:
        """This error, without credentials in any of its texts.

        Args:
            secrets: as they were sent.
        """
        hide = Scrubber(secrets)
        self.args = (hide(str(self)), *self.args[1:])
        for name in ("code", "param", "request_id"):
            if (text := getattr(self, name)) is not None:
                setattr(self, name, hide(text))
        if (response := self.response) is not None:
            headers = {k: hide(v) for k, v in response.headers.items()}
            self.response = ErrorResponse(response.status_code, headers, hide(response.text))
        return self


class AuthenticationError(MiMoError):
    """No key, a key the service does not know, or a key of another host (401)."""


class InsufficientBalanceError(MiMoError):
    """The account has no balance (402)."""


class PermissionDeniedError(MiMoError):
    """Region or risk control (403)."""


class NotFoundError(MiMoError):
    """No such endpoint or model (404)."""


class InvalidRequestError(MiMoError):
    """The request is not one the service takes (400), found here or by the service."""


class ContextOverflowError(InvalidRequestError):
    """The messages are longer than the model's context window."""


class UnsupportedInputError(InvalidRequestError):
    """The model does not take this kind of input, e.g. an image sent to a text model."""


class ContentFilterError(MiMoError):
    """The service's content filter refused the request (421)."""


class RateLimitError(MiMoError):
    """Too many requests, or the Token Plan's quota is used up (429)."""

    is_retryable = True


class ServerError(MiMoError):
    """The service or a gateway failed (5xx)."""

    is_retryable = True


class APIConnectionError(MiMoError):
    """The service could not be reached, or the connection broke before an answer began."""

    is_retryable = True


class APITimeoutError(APIConnectionError):
    """The service could not be reached, or was silent, for longer than `timeout`."""


class InvalidResponseError(MiMoError):
    """The answer is not one: HTML from a proxy, broken JSON, no `choices`."""


class StreamInterruptedError(MiMoError):
    """A stream ended before its answer did; `partial` holds what had arrived."""

    is_retryable = True

    def __init__(
        self, message: str, *, partial: Mapping[str, Any] | None = None, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.partial = partial


class OutputCheckError(MiMoError):
    """The answer is whole, or was cut, and is not what was asked for, after all attempts.

    Attributes:
        problem: what is wrong with it, in one line.
        attempts: the requests that were made.
        answer: the last answer, a `ChatResponse`.
    """

    def __init__(
        self,
        message: str,
        *,
        problem: str = "",
        attempts: int = 1,
        answer: Mapping[str, Any] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.problem = problem
        self.attempts = attempts
        self.answer = answer
