"""The rows of a job's file, and what is computed of them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mimo_core._response.letters import whole
from mimo_core.batches._lines import line_of, request_body
from mimo_core.batches._upload import MAX_FILE
from mimo_core.errors import InvalidRequestError
from mimo_core.gateways import Endpoint

MAX_LINES = 50_000
"""Requests of one batch: OpenAI's limit, because the vendor's page names none."""


class Row(NamedTuple):
    """A request, and what is known of it."""

    position: int
    model: str
    body: bytes
    digest: str
    note: str
    state: str
    attempt: int
    part: int | None
    answer: bytes | None
    """The line of the results."""
    said: str | None
    """Why there is no line."""

    @property
    def custom_id(self) -> str:
        """By which its answer is found; another one for each attempt."""
        return custom_id_of(self.position, self.attempt, self.digest)

    @property
    def line(self) -> bytes:
        """Of the input file."""
        return line_of(self.body, self.custom_id)


class Part(NamedTuple):
    """The requests that go into one batch."""

    id: int
    name: str
    lines: int
    state: str
    file_id: str | None
    batch_id: str | None
    status: str | None
    completed: int | None
    failed: int | None
    output_file_id: str | None
    error_file_id: str | None
    created_at: float | None
    unknown: int
    """Lines of its results that belong to no request of it."""


def kept(
    requests: Iterable[tuple[Mapping[str, Any], str]], endpoint: Endpoint
) -> Iterator[tuple[int, str, bytes, str, str]]:
    """Each request as it is kept: its position, model, body, digest and note.

    Args:
        requests: each with its note.
        endpoint: of the server that will answer.

    Raises:
        InvalidRequestError: one cannot be sent.
    """
    for position, (request, note) in enumerate(requests):
        try:
            model, body = request_body(request, endpoint)
        except InvalidRequestError as error:
            error.args = (f"Request {position + 1}: {error}", *error.args[1:])
            raise
        digest = hashlib.sha256(body).hexdigest()
        if line_size(position, 99, len(body)) > MAX_FILE:
            raise InvalidRequestError(
                f"Request {position + 1} is larger than a batch file may be, "
                f"{MAX_FILE // 10**6} MB. Ask for it with MiMoClient.",
                param="requests",
            )
        yield position, model, body, digest, whole(note)


def line_size(position: int, attempt: int, body: int) -> int:
    """The bytes of a line."""
    return len(line_of(b"", custom_id_of(position, attempt, "0" * 64))) + body


def custom_id_of(position: int, attempt: int, digest: str) -> str:
    """By which the answer to an attempt is found."""
    return f"{position}-{attempt}-{digest[:16]}"


def packed(waiting: Iterable[tuple[int, int, str, int]]) -> Iterator[list[int]]:
    """The positions of each part."""
    positions: list[int] = []
    size, of_model = 0, None
    for position, attempt, model, body in waiting:
        own = line_size(position, attempt, body)
        full = size + own > MAX_FILE or len(positions) == MAX_LINES or model != of_model
        if positions and full:
            yield positions
            positions, size = [], 0
        positions.append(position)
        size, of_model = size + own, model
    if positions:
        yield positions


def numbers_of(custom_id: str) -> tuple[int, int]:
    """The position and the attempt of an id; (-1, -1) where it is none of ours."""
    position, _, rest = custom_id.partition("-")
    attempt = rest.partition("-")[0]
    if not (position.isdecimal() and attempt.isdecimal() and len(position + attempt) < 16):
        return -1, -1
    return int(position), int(attempt)
