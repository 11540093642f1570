"""Answers that are not event streams: a refusal, a page, a whole answer; read within the limits."""

from __future__ import annotations

from collections.abc import Callable

from mimo_core._response.accumulate import empty_response
from mimo_core._response.normalise import as_chunks
from mimo_core._response.stage import COMPLETE, FAILED, WAITING
from mimo_core.errors import InvalidResponseError, MiMoError
from mimo_core.limits import Limits, size_text
from mimo_core.types import ChatChunk, ChatResponse

_LIMITS = Limits()


class BodyReader:
    """Collects the body of an answer, no further than the limits.

    Attributes:
        has_enough: reading on is useless: the rest of a refusal, or of an answer without end.
    """

    __slots__ = ("_is_answer", "_largest", "_limit", "_pieces", "_size", "has_enough")

    def __init__(self, *, is_answer: bool, limits: Limits = _LIMITS) -> None:
        """
        Args:
            is_answer: whether the status says so; of a refusal the beginning will do.
            limits: the most that is read.
        """
        self._is_answer = is_answer
        self._largest = min(limits.body, limits.answer) if is_answer else limits.error
        self._limit = "body" if limits.body < limits.answer else "answer"
        self._pieces: list[bytes] = []
        self._size = 0
        self.has_enough = False

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._pieces.append(data)
        self._size += len(data)
        self.has_enough = self._size > self._largest

    def body(self) -> bytes:
        """What has been read: the whole body, or the beginning of a refusal.

        Raises:
            InvalidResponseError: it is an answer, and larger than may be.
        """
        if self._is_answer and self.has_enough:
            raise InvalidResponseError(
                f"The answer is larger than {size_text(self._largest)}, so it was not read "
                f"further. If it is meant to be, raise limits ({self._limit})."
            )
        body = b"".join(self._pieces)
        return body if self._is_answer else body[: self._largest]


class BodyDecoder:
    """The decoder for an answer that is not an event stream: a refusal, a page, a whole answer.

    It has `StreamDecoder`'s interface, so that the clients need not know which one they feed.
    """

    __slots__ = ("_answer", "_reader", "_response", "stage", "trailing")

    def __init__(self, answer: Callable[[bytes], ChatResponse], reader: BodyReader) -> None:
        """
        Args:
            answer: reads the whole body, or raises the error that it means.
            reader: collects it.
        """
        self._answer = answer
        self._reader = reader
        self._response: ChatResponse | None = None
        self.stage = WAITING
        self.trailing = 0

    def response(self) -> ChatResponse:
        """The answer; an empty one until the body has been read."""
        return self._response or empty_response()

    def feed(self, data: bytes) -> list[ChatChunk]:
        self._reader.feed(data)
        if self._reader.has_enough:
            self.stage = FAILED
        return []

    def close(self) -> list[ChatChunk]:
        """The answer as chunks. Raises the error that the body means."""
        self._response = self._answer(self._reader.body())
        chunks = as_chunks(self._response)  # where it raises, the answer is not complete
        self.stage = COMPLETE
        return chunks

    def interrupted(self, reason: str) -> MiMoError:
        return InvalidResponseError(f"The answer broke off: {reason}. Send the request again.")
