"""What `stream()` gives: the chunks of one answer, and the answer so far."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Self

from mimo_core._response.normalise import as_chunks
from mimo_core.types import ChatChunk, ChatResponse


class Stream:
    """The chunks of one answer: iterate it once, from one thread at a time.

    >>> with client.stream(request) as stream:
    ...     for chunk in stream:
    ...         print(chunk["choices"][0]["delta"].get("content") or "", end="")
    >>> stream.response["usage"]
    """

    def __init__(
        self, chunks: Generator[ChatChunk, None, None], answer: Callable[[], ChatResponse]
    ) -> None:
        self._chunks = chunks
        self._answer = answer

    @classmethod
    def of(cls, response: ChatResponse) -> Self:
        """The chunks of an answer that is there already, with the promises of a stream's."""
        return cls((chunk for chunk in as_chunks(response)), lambda: response)

    @property
    def response(self) -> ChatResponse:
        """The whole answer as far as it has arrived, which may be further than the chunks that
        were taken. Its `finish_reason` is None until its end has arrived. Audio data that was
        streamed is in the chunks only."""
        return self._answer()

    def close(self) -> None:
        """End the request, where it has not ended. Nothing is raised."""
        self._chunks.close()

    def __iter__(self) -> Iterator[ChatChunk]:
        return self._chunks  # itself: a `__next__` of ours would cost each chunk a call

    def __next__(self) -> ChatChunk:
        return next(self._chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncStream:
    """`Stream`, asynchronously."""

    def __init__(
        self, chunks: AsyncGenerator[ChatChunk, None], answer: Callable[[], ChatResponse]
    ) -> None:
        self._chunks = chunks
        self._answer = answer

    @classmethod
    def of(cls, response: ChatResponse) -> Self:
        """As `Stream.of`."""

        async def chunks() -> AsyncGenerator[ChatChunk, None]:
            for chunk in as_chunks(response):
                yield chunk

        return cls(chunks(), lambda: response)

    @property
    def response(self) -> ChatResponse:
        """As `Stream.response`."""
        return self._answer()

    async def aclose(self) -> None:
        """End the request, where it has not ended."""
        await self._chunks.aclose()

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self._chunks

    async def __anext__(self) -> ChatChunk:
        return await anext(self._chunks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()
