"""Which error a refusal means, and the one line that says so.

Pure: status, headers and body in, a `MiMoError` out. The body shapes are the observed ones; the
inner code decides where it differs from the HTTP status, because it says what happened.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mimo_core._addresses import shown
from mimo_core._redact import Scrubber, printable
from mimo_core.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextOverflowError,
    ErrorResponse,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnsupportedInputError,
)

_MAX_TEXT = 1000  # characters that are worth a line: some servers repeat the whole request

# What llama.cpp's server calls 500 and is the request's fault (build b11669, November 2026).
_CALLERS_FAULT = re.compile(
    r"json schema error at #|failed to parse (tools|tool call arguments)|"
    r"while executing \w+ at line"
)

# How a model that is not served is refused: with 400, or 404 and advice to migrate.
_NO_SUCH_MODEL = re.compile(
    r"(unsupported|not supported) model|model \S+ (is|was) not supported|not a valid model"
)

_BY_STATUS: dict[int, type[MiMoError]] = {
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    421: ContentFilterError,
    429: RateLimitError,
}

# The messages protocol names its errors and gives no number.
_BY_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 503,
    "timeout_error": 504,
}

_HINTS: dict[type[MiMoError], str] = {
    AuthenticationError: "Check MIMO_API_KEY; keys are made at https://platform.xiaomimimo.com",
    InsufficientBalanceError: "Top up the account at https://platform.xiaomimimo.com",
    PermissionDeniedError: "The account or its region may not use this; another gateway or cluster "
    "may serve it (base_url)",
    NotFoundError: "Check base_url and the model id (in Python mimo_core.MODELS, at the shell "
    "`llm mimo models` list them)",
    ContextOverflowError: "Shorten the messages or lower max_tokens",
    UnsupportedInputError: "Take a model that accepts it, or remove it from the whole history",
    ContentFilterError: "Rephrase the request; sent unchanged it will be refused again",
    ServerError: "Try again later",
    InvalidResponseError: "Check base_url, and what stands between here and the service",
}


Keys = str | Iterable[str] | None
"""Credentials that were sent."""


Hints = Mapping[type[MiMoError], str]
"""The next step for an error of a class; an empty one counts as none."""


class Sentence(NamedTuple):
    """What a body says about the failure."""

    text: str
    code: str | None = None
    param: str | None = None
    type: str | None = None


def error_for(
    status: int,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    key: Keys = None,
    hints: Hints | None = None,
) -> MiMoError:
    """The error for an answer that is not 200.

    Args:
        status: the HTTP status.
        headers: the response's headers.
        body: the response's body, whatever it is.
        key: the credentials that were sent; they are removed wherever the answer repeats them.
        hints: next steps that fit better here than the general ones.
    """
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    hide = Scrubber(key)
    text = hide(text)
    says = _scrubbed(_redirect(status, headers) or _sentence(text, status), hide)
    effective = _number(says.code) or status
    number = f"HTTP {status}" if status == effective else f"HTTP {status}, code {effective}"
    kind = _kind(effective, says)
    retry_after = seconds_to_wait(headers.get("retry-after"))
    return kind(
        _line(kind, number, says, hints, retry_after),
        status=effective,
        code=says.code,
        param=says.param,
        request_id=hide(request_id(headers) or "") or None,
        response=ErrorResponse(status, _safe_headers(headers, hide), text),
        retry_after=retry_after,
    )


def error_in_answer(
    payload: dict[str, Any], headers: Mapping[str, str], *, key: Keys, hints: Hints | None
) -> MiMoError:
    """The error for `{"error": …}` after a 200, in a stream or as the whole answer.

    Without a code in it `status` is None: the HTTP status says nothing about it.
    """
    hide = Scrubber(key)
    text = hide(json.dumps(payload, ensure_ascii=False))
    says = _scrubbed(_from_json(payload) or Sentence(text), hide)
    code = _number(says.code) or _BY_TYPE.get(says.type or "")
    kind = _kind(code or 500, says)
    retry_after = seconds_to_wait(headers.get("retry-after"))
    number = f"code {code}" if code else "sent after HTTP 200"
    return kind(
        _line(kind, number, says, hints, retry_after),
        status=code,
        code=says.code,
        param=says.param,
        request_id=hide(request_id(headers) or "") or None,
        response=ErrorResponse(200, _safe_headers(headers, hide), text),
        retry_after=retry_after,
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id that the vendor's support asks for."""
    return headers.get("x-request-id") or headers.get("request-id") or None


def seconds_to_wait(retry_after: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds in a `Retry-After` header (a number of seconds or an HTTP date), else None."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime  # here, because a start need not wait for it

    try:
        when = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _redirect(status: int, headers: Mapping[str, str]) -> Sentence | None:
    where = headers.get("location")
    if not 300 <= status < 400 or not where:
        return None
    return Sentence(
        f"The address redirects to {shown(where)[:200]!r}. The key is not sent on: if you trust "
        "that address, set base_url to it"
    )


def _sentence(text: str, status: int) -> Sentence:
    stripped = text.strip().removeprefix("data:").strip()
    try:
        body = json.loads(stripped)
    except (ValueError, RecursionError):
        return Sentence(_from_text(stripped, status))
    return _from_json(body) or Sentence(stripped or f"HTTP {status} without a body")


def _from_json(body: Any) -> Sentence | None:
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, str):
        return Sentence(error) if error else None
    if not isinstance(error, dict):
        return None
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, str) and raw.strip():  # a relay's wrapping: the service's words are inside
        try:
            inner = _from_json(json.loads(raw.strip().removeprefix("data:")))
        except (ValueError, RecursionError):
            inner = Sentence(raw)
        if inner is not None:
            return inner if inner.code else inner._replace(code=_text(error.get("code")))
    message, param = _text(error.get("message")) or "", _text(error.get("param"))
    if param and (" " in param or not message):
        message = f"{message}: {param}" if message else param
    elif param:
        message = f"{message} ({param})"
    if not message and isinstance(error.get("detail"), str):  # FastAPI's, and so vLLM's
        message = error["detail"]
    if not message and not error.get("code"):
        return None
    code = _text(error.get("code"))
    return Sentence(message or f"code {code}", code, param, _text(error.get("type")))


def _from_text(text: str, status: int) -> str:
    if not text:
        return f"HTTP {status} without a body"
    if "<" in text and re.search(r"<(!doctype|html|head|body)", text, re.IGNORECASE):
        from html import unescape  # its table of entities takes 2 ms

        words = unescape(_title(text) or _without_tags(text))
        return f"a page instead of an answer, from a gateway or proxy: {printable(words)[:200]}"
    return text


def _title(page: str) -> str:
    """The title of a page. By `find`: a pattern would go back and forth in a page of brackets."""
    lower = page.lower()
    if len(lower) != len(page):  # a letter that is longer in lower case: positions would differ
        return ""
    start = lower.find(">", max(lower.find("<title"), 0)) + 1
    end = lower.find("</title", start)
    return page[start:end] if "<title" in lower and 0 < start < end else ""


def _without_tags(page: str) -> str:
    first, *parts = page.split("<")
    return " ".join([first, *(part.partition(">")[2] for part in parts)])


def _kind(status: int, says: Sentence) -> type[MiMoError]:
    words = f"{says.text} {says.code or ''} {says.type or ''}".lower()
    if status in (400, 413, 422) and _speaks_of_length(words):
        return ContextOverflowError
    if (
        status in (400, 404, 500)
        and "support" in words
        and re.search(r"(image|audio|video) input", words)
    ):
        return UnsupportedInputError
    if says.type == "content_filter" or "moderation block" in words:
        return ContentFilterError
    if status in (400, 404) and _NO_SUCH_MODEL.search(words):
        return NotFoundError
    if known := _BY_STATUS.get(status):
        return known
    if status == 500 and _CALLERS_FAULT.search(words):
        return InvalidRequestError
    if status >= 500:
        return ServerError
    if status < 400:
        return InvalidResponseError
    return InvalidRequestError


def _speaks_of_length(words: str) -> bool:
    return bool(
        re.search(r"context[ _-]?(length|window)|maximum context|max_model_len", words)
        or (
            re.search(r"(prompt|input|messages?|tokens?)\b.{0,60}\b(too long|exceeds?)\b", words)
            and "token" in words
            and "max_completion_tokens" not in words
            and "max_tokens" not in words
        )
    )


def _line(
    kind: type[MiMoError],
    number: str,
    says: Sentence,
    hints: Hints | None,
    retry_after: float | None,
) -> str:
    if retry_after is not None and kind is RateLimitError:
        hint = f"The service asks to wait {retry_after:.0f} s"
    elif kind is RateLimitError:
        hint = "Slow down, or see whether the Token Plan's quota is used up"
    else:
        hint = (hints or {}).get(kind) or _HINTS.get(kind, "")
    text = printable(says.text)
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]}…"
    line = f"{text.rstrip('.')} ({number})"
    return f"{line}. {hint}." if hint else f"{line}."


def _scrubbed(says: Sentence, hide: Scrubber) -> Sentence:
    """Once more after decoding: a JSON text can spell a key in ways that its bytes do not show."""
    fields = {name: value and hide(value) for name, value in says._asdict().items()}
    return says._replace(**fields)


def _safe_headers(headers: Mapping[str, str], hide: Scrubber) -> dict[str, str]:
    """The headers, without the cookies and what an address may hold beside host and path."""
    safe = {name.lower(): hide(value) for name, value in headers.items()}
    safe.pop("set-cookie", None)
    return {n: shown(v) if n in ("location", "refresh") else v for n, v in safe.items()}


def _number(code: str | None) -> int | None:
    """The inner code, where it is one that an error can have."""
    return int(code) if code and re.fullmatch(r"[45][0-9][0-9]", code) else None


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
