"""The chunks of an asynchronous answer, read by a task of their own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, Self

from mimo_core.client import AsyncMiMoClient
from mimo_core.response import ChatChunk, chunk_from

_AHEAD = 64  # chunks that are read before they are asked for
_tasks: set[asyncio.Task[None]] = set()  # an event loop knows its tasks weakly only


class AsyncChunks:
    """The chunks of one answer; one chunk where it is not streamed. `aclose()` ends the request.

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
        self._queue: asyncio.Queue[ChatChunk | None] = asyncio.Queue(_AHEAD)
        self._task = asyncio.create_task(_read(client, request, self._queue, stream=stream))
        _tasks.add(self._task)
        self._task.add_done_callback(_tasks.discard)

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


async def _read(
    client: AsyncMiMoClient,
    request: dict[str, Any],
    queue: asyncio.Queue[ChatChunk | None],
    *,
    stream: bool,
) -> None:
    try:
        if stream:
            async with aclosing(client.stream(request)) as chunks:
                async for chunk in chunks:
                    await queue.put(chunk)
        else:
            await queue.put(chunk_from(await client.chat(request)))
    except asyncio.CancelledError:
        raise  # nobody waits for the end
    except BaseException:
        await queue.put(None)
        raise
    await queue.put(None)
