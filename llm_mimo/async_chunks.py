"""The chunks of an asynchronous answer, read by a task of their own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, Self

from mimo_core.client import AsyncMiMoClient, AsyncStream
from mimo_core.types import ChatChunk, ChatResponse

_AHEAD = 64  # chunks that are read before they are asked for
_tasks: set[asyncio.Task[None]] = set()  # an event loop knows its tasks weakly only


class AsyncChunks:
    """The chunks of one answer, streamed or not. `aclose()` ends the request.

    A stream is a chain of asynchronous generators, down to the HTTP library's. Where a reader
    leaves its loop with `break`, the event loop finds them all at its end and closes them all at
    once, each while another one closes it: "asynchronous generator is already running". A task is
    ended before that, and closes its generators in order.
    """

    def __init__(self, client: AsyncMiMoClient, request: dict[str, Any], *, stream: bool) -> None:
        """
        Args:
            client: who sends the request.
            request: of chat completions.
            stream: whether to stream it.
        """
        self._client = client
        self._request = request
        self._streams = stream
        self._stream: AsyncStream | None = None
        self._queue: asyncio.Queue[ChatChunk | None] = asyncio.Queue(_AHEAD)
        self._task = asyncio.create_task(self._read())
        _tasks.add(self._task)
        self._task.add_done_callback(_tasks.discard)

    @property
    def response(self) -> ChatResponse:
        """The whole answer so far; final after the last chunk."""
        assert self._stream is not None, "there are no chunks yet"
        return self._stream.response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatChunk:
        """The next chunk.

        Raises:
            MiMoError: of the request, or of its stream.
        """
        chunk = await self._queue.get()
        if chunk is not None:
            return chunk
        await self._task  # raises what the reading raised
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the request; nothing happens where it has ended."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # raised already, or of no interest to one who has left

    async def _read(self) -> None:
        try:
            async with aclosing(await self._open()) as chunks:
                async for chunk in chunks:
                    await self._queue.put(chunk)
        except asyncio.CancelledError:
            raise  # nobody waits for the end
        except BaseException:
            await self._queue.put(None)
            raise
        await self._queue.put(None)

    async def _open(self) -> AsyncStream:
        if self._streams:
            self._stream = self._client.stream(self._request)
        else:
            self._stream = AsyncStream.of(await self._client.chat(self._request))
        return self._stream
