"""Errors of cassettes: one line that says what to do next."""

from __future__ import annotations

from typing import Any

from mimo_core.testing.cassettes.vcrpy import CannotOverwriteExistingCassetteException


class CassetteError(Exception):
    """A cassette is missing, cannot be read, or must not be written."""


class NoRecordedAnswer(CannotOverwriteExistingCassetteException):
    """A cassette does not hold an answer to a request, or not one more, and nothing may be sent.

    Attributes:
        cassette: vcrpy's cassette.
        failed_request: the request, without its keys and large payloads.
    """

    def __init__(self, message: str, *, cassette: Any, failed_request: Any) -> None:
        self.cassette = cassette
        self.failed_request = failed_request
        Exception.__init__(self, message)
