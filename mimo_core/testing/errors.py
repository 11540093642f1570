"""Errors of cassettes: one line that says what to do next."""

from __future__ import annotations

from typing import Any

from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]


class CassetteError(Exception):
    """A cassette is missing, cannot be read, or must not be written."""


class NoRecordedAnswer(CannotOverwriteExistingCassetteException):  # type: ignore[misc]
    """A cassette holds no answer (any more) for a request, and nothing may be sent."""

    def __init__(self, message: str, *, cassette: Any, failed_request: Any) -> None:
        self.cassette = cassette
        self.failed_request = failed_request
        Exception.__init__(self, message)
