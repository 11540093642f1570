"""Reads the chunks of an asynchronous answer in a task of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, Self

from mimo_core.client import AsyncMiMoClient, AsyncStream
from mimo_core.types import ChatChunk, ChatResponse

_READ_AHEAD = 64  # chunks
_tasks: set[asyncio.Task[None]] = set()  # an event loop holds only weak references to its tasks


class AsyncChunks:
    """The chunks of one answer, streamed or not. `aclose()` ends the request.

    Why a task: a stream is a chain of asynchronous generators, down to the HTTP library's. If a
    caller leaves its loop with `break`, the event loop closes all of them at its end at the same
    time, and they fail with "asynchronous generator is already running". Tasks are cancelled
    before that, and a cancelled task closes its generators one after the other.
    """

    def __init__(self, client: AsyncMiMoClient, request: dict[str, Any], *, stream: bool) -> None:
        """
        Args:
            client: sends the request.
            request: in the shape of chat completions.
            stream: whether to stream the answer.
        """
        self._client = client
        self._request = request
        self._streams = stream
        self._stream: AsyncStream | None = None
        self._queue: asyncio.Queue[ChatChunk | None] = asyncio.Queue(_READ_AHEAD)
        self._task = asyncio.create_task(self._read())
        _tasks.add(self._task)
        self._task.add_done_callback(_tasks.discard)

    @property
    def response(self) -> ChatResponse:
        """The whole answer so far; final after the last chunk."""
        assert self._stream is not None, "no chunk has arrived yet"
        return self._stream.response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatChunk:
        """The next chunk.

        Raises:
            MiMoError: the request failed, or its stream broke off.
            StopAsyncIteration: the answer is complete.
        """
        chunk = await self._queue.get()
        if chunk is not None:
            return chunk
        await self._task  # raises what the reading raised
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the request if it has not ended."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # marks it as seen: __anext__ raised it, or the caller has left

    async def _read(self) -> None:
        try:
            async with aclosing(await self._open()) as chunks:
                async for chunk in chunks:
                    await self._queue.put(chunk)
        except asyncio.CancelledError:
            raise  # aclose() was called: nobody waits for a chunk
        except BaseException:  # whatever it is, the reader must not wait for ever
            await self._queue.put(None)
            raise
        await self._queue.put(None)

    async def _open(self) -> AsyncStream:
        if self._streams:
            self._stream = self._client.stream(self._request)
        else:
            self._stream = AsyncStream.of(await self._client.chat(self._request))
        return self._stream
