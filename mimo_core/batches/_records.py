"""What the service says of files and batches, checked for the types that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mimo_core._redact import Scrubber
from mimo_core._response.letters import whole
from mimo_core.errors import InvalidResponseError

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""The states in which nothing of a batch changes any more."""


class RemoteFile(NamedTuple):
    """A file in the service's store, which forgets it after 30 days (vendor, September 2026)."""

    id: str
    name: str = ""
    size: int | None = None
    """Bytes."""
    created_at: int | None = None
    """Seconds since 1970."""


class Batch(NamedTuple):
    """A batch as the service describes it. A field that it left out is None or empty."""

    id: str
    status: str
    """`validating`, `in_progress`, `finalizing`, `completed`, `failed`, `expired`, `cancelling` or
    `cancelled` (vendor's page, September 2026); a new word passes."""
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    created_at: int | None = None
    """Seconds since 1970."""
    problems: tuple[str, ...] = ()
    """Why the service did not take the input file."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.status in ENDED


class Page(NamedTuple):
    """A part of the list of batches."""

    batches: tuple[Batch, ...]
    after: str | None
    """What gives the next page; None where this is the last."""


class Reader:
    """Reads records of one server, whose ids must not repeat the key: they are kept and shown.

    Args:
        secrets: as they were sent.
    """

    def __init__(self, secrets: frozenset[str]) -> None:
        self._scrub = Scrubber(secrets)

    def _hide(self, text: str) -> str:
        """Without the key, and without halves of surrogate pairs, which no file of a job takes."""
        return self._scrub(whole(text))

    def file(self, record: Mapping[str, Any]) -> RemoteFile:
        """A file. Raises `InvalidResponseError` without a usable id."""
        name = record.get("filename")
        return RemoteFile(
            self._id(record.get("id"), "file"),
            self._hide(name) if isinstance(name, str) else "",
            _count(record.get("bytes")),
            _count(record.get("created_at")),
        )

    def batch(self, record: Mapping[str, Any]) -> Batch:
        """A batch. Raises `InvalidResponseError` without a usable id and a status."""
        status = record.get("status")
        if not isinstance(status, str) or not status:
            raise InvalidResponseError("A batch of the answer has no status. Check base_url.")
        counts = record.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        return Batch(
            self._id(record.get("id"), "batch"),
            _SPELLED.get(word := self._text(status).strip().lower(), word),
            self._optional(record.get("input_file_id"), "input file") or "",
            self._optional(record.get("output_file_id"), "output file"),
            self._optional(record.get("error_file_id"), "error file"),
            _count(counts.get("total")),
            _count(counts.get("completed")),
            _count(counts.get("failed")),
            _count(record.get("created_at")),
            self._problems(record.get("errors")),
        )

    def page(self, record: Mapping[str, Any]) -> Page:
        """A page of batches. Raises `InvalidResponseError` where it is none."""
        data = record.get("data")
        if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
            raise InvalidResponseError("The answer holds no list of batches. Check base_url.")
        batches = tuple(map(self.batch, data))
        # A server that does not say whether there is more is asked until it has none.
        more = bool(batches) and record.get("has_more") in (True, None)
        return Page(batches, batches[-1].id if more else None)

    def _id(self, value: Any, kind: str) -> str:
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 256:
            raise InvalidResponseError(f"A {kind} of the answer has no id. Check base_url.")
        if self._hide(value) != value:
            raise InvalidResponseError(f"The id of a {kind} repeats the key. Check base_url.")
        return value

    def _optional(self, value: Any, kind: str) -> str | None:
        return None if value is None or value == "" else self._id(value, kind)

    def _problems(self, errors: Any) -> tuple[str, ...]:
        data = errors.get("data", [errors]) if isinstance(errors, dict) else errors
        listed = data if isinstance(data, list) else [data]
        found = [one.get("message") if isinstance(one, dict) else one for one in listed]
        return tuple(self._text(text)[:300] for text in found if isinstance(text, str))[:20]

    def _text(self, value: str) -> str:
        """Without the key, and without halves of characters, which no file can hold."""
        return self._hide(value).encode(errors="replace").decode()


_SPELLED = {"canceled": "cancelled", "canceling": "cancelling"}
_LARGEST = 2**53  # that JSON numbers hold exactly; SQLite's are not much larger


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST else None
