"""The clients: two thin shells around `Exchange`, one that waits and one that awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self

from mimo_core._http.clients import (
    ClientErrors,
    Timeout,
    abody_of,
    body_of,
    client_errors,
    ends_soon,
)
from mimo_core._http.exchange import Answer, ChatCall, Exchange
from mimo_core._http.pools import AsyncClients, SyncClients
from mimo_core._http.settings import ClientSettings
from mimo_core._redact import sealed_values
from mimo_core._response.body import BodyDecoder
from mimo_core._response.decode import StreamDecoder
from mimo_core._response.stage import COMPLETE, FAILED, STARTED
from mimo_core._response.stream import AsyncStream as AsyncStream
from mimo_core._response.stream import Stream as Stream
from mimo_core.types import ChatChunk, ChatResponse

_LINE_ENDS = 4  # bytes that may follow the last event of a stream


def _delay_or_raise(call: Exchange[Any], cause: Exception, kinds: ClientErrors) -> float:
    """Seconds until the next attempt. Raises the error where there is to be none."""
    error = call.failure(cause, kinds)
    delay = call.delay_before_retry(error)
    if delay is not None:
        return delay
    call.tell_attempts(error)
    if error is cause:
        raise error
    raise error from cause


def _is_over(decoder: StreamDecoder | BodyDecoder, response: Any) -> bool:
    """Whether to stop reading. A body that ends leaves its connection usable; one
    that goes on after its answer is closed."""
    if decoder.stage is COMPLETE:
        return decoder.trailing > _LINE_ENDS or not ends_soon(response)
    return decoder.stage is FAILED


def _options(http: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"stream": True}
    if getattr(http, "follow_redirects", False):  # it would take `api-key` along to another host
        options["follow_redirects"] = False
    return options


class MiMoClient(ClientSettings):
    """A synchronous client. It can be shared between threads and used after a fork.

    >>> with MiMoClient() as client:
    ...     client.chat({"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}]})
    """

    _clients: SyncClients
    _new_clients = SyncClients
    _closes_by = "close"

    def chat(
        self,
        request: Mapping[str, Any],
        *,
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: Timeout | None = None,
    ) -> ChatResponse:
        """One answer, unstreamed.

        Args:
            request: a `ChatRequest`. It is checked and adapted (`prepare`), never changed.
            extra_headers: for this request, over the client's own. A value can be a `SecretStr`.
            extra_query: parameters of the URL, for this request, over the client's own.
            timeout: for this request, in the client's forms.

        Returns:
            The whole answer.

        Raises:
            MiMoError: one of its family; `str(error)` says what to do next.
        """
        extra_headers, extra_query = sealed_values(extra_headers), sealed_values(extra_query)
        return self._ask(self._call(request, extra_headers, extra_query, timeout, stream=False))

    def stream(
        self,
        request: Mapping[str, Any],
        *,
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: Timeout | None = None,
    ) -> Stream:
        """One answer, chunk by chunk.

        Args:
            request: as for `chat`.
            extra_headers: as for `chat`.
            extra_query: as for `chat`.
            timeout: as for `chat`.

        Returns:
            An iterator of chunks. The last one alone has `finish_reason` and `usage`; iterating
            raises `StreamInterruptedError` where the answer ends without it, and the other errors
            of `chat`. Closing it closes the connection.

        Raises:
            InvalidRequestError: the request is not one that MiMo takes. Nothing has been sent.
        """
        extra_headers, extra_query = sealed_values(extra_headers), sealed_values(extra_query)
        call = self._call(request, extra_headers, extra_query, timeout, stream=True)
        return Stream(self._chunks(call), lambda: call.response)

    def _chunks(self, call: ChatCall) -> Generator[ChatChunk, None, None]:
        http = self._http()
        kinds = client_errors(http)
        while True:
            try:
                with closing(http.send(self._request(http, call), **_options(http))) as response:
                    decoder = call.decoder(response.status_code, response.headers)
                    waiting: float | None = None
                    for data in body_of(response, call.received):
                        if chunks := decoder.feed(data):
                            yield from chunks
                            waiting = None
                        else:
                            waiting = call.check_waiting(waiting)
                        if self._deadline is not None:
                            call.check_deadline()
                        if decoder.stage is not STARTED and _is_over(decoder, response):
                            break
                    yield from decoder.close()
                return
            except kinds.all as cause:
                if call.stage is COMPLETE:  # what fails afterwards does not matter
                    return
                response, data, chunks = None, b"", []  # what a hostile answer repeats
                delay = _delay_or_raise(call, cause, kinds)
            time.sleep(delay)

    def models(self) -> list[str]:
        """The ids of the models that this key can use, as the service lists them."""
        return self._ask(self._model_list())

    def close(self) -> None:
        """Close the connections, unless another client of the same key and settings uses them too.
        The client can still be used, and opens new ones."""
        for clients in self._all_clients():
            clients.close()

    def _ask(self, call: Exchange[Answer]) -> Answer:
        http = self._http()
        kinds = client_errors(http)
        while True:
            try:
                with closing(http.send(self._request(http, call), **_options(http))) as response:
                    reader = call.reader(response.status_code)
                    for data in body_of(response, call.received):
                        reader.feed(data)
                        if self._deadline is not None:
                            call.check_deadline()
                        if reader.has_enough:
                            break
                    return call.answer(response.status_code, response.headers, reader.body())
            except kinds.all as cause:
                response, data = None, b""  # what a hostile answer repeats
                delay = _delay_or_raise(call, cause, kinds)
            time.sleep(delay)

    def _http(self) -> Any:
        return self._http_client or self._own_clients().get()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncMiMoClient(ClientSettings):
    """An asynchronous client, for asyncio and uvloop. One can serve several event loops in turn."""

    _clients: AsyncClients
    _new_clients = AsyncClients
    _closes_by = "aclose"

    async def chat(
        self,
        request: Mapping[str, Any],
        *,
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: Timeout | None = None,
    ) -> ChatResponse:
        """`MiMoClient.chat`, awaited: the same arguments, result and errors."""
        extra_headers, extra_query = sealed_values(extra_headers), sealed_values(extra_query)
        call = self._call(request, extra_headers, extra_query, timeout, stream=False)
        return await self._ask(call)

    def stream(
        self,
        request: Mapping[str, Any],
        *,
        extra_headers: Mapping[str, Any] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        timeout: Timeout | None = None,
    ) -> AsyncStream:
        """`MiMoClient.stream`, asynchronously: the same arguments, chunks and errors.

        `aclose()` and cancellation close the connection.
        """
        extra_headers, extra_query = sealed_values(extra_headers), sealed_values(extra_query)
        call = self._call(request, extra_headers, extra_query, timeout, stream=True)
        return AsyncStream(self._chunks(call), lambda: call.response)

    async def _chunks(self, call: ChatCall) -> AsyncGenerator[ChatChunk, None]:
        http = await self._http()
        kinds = client_errors(http)
        while True:
            try:
                async with aclosing(
                    await http.send(self._request(http, call), **_options(http))
                ) as response:
                    decoder = call.decoder(response.status_code, response.headers)
                    waiting: float | None = None
                    async for data in abody_of(response, call.received):
                        if chunks := decoder.feed(data):
                            for chunk in chunks:
                                yield chunk
                            waiting = None
                        else:
                            waiting = call.check_waiting(waiting)
                        if self._deadline is not None:
                            call.check_deadline()
                        if decoder.stage is not STARTED and _is_over(decoder, response):
                            break
                    for chunk in decoder.close():
                        yield chunk
                return
            except kinds.all as cause:
                if call.stage is COMPLETE:  # what fails afterwards does not matter
                    return
                response, data, chunks, chunk = None, b"", [], None  # what a hostile answer repeats
                delay = _delay_or_raise(call, cause, kinds)
            await asyncio.sleep(delay)

    async def models(self) -> list[str]:
        """`MiMoClient.models`, awaited."""
        return await self._ask(self._model_list())

    async def aclose(self) -> None:
        """`MiMoClient.close`, for the running loop's connections."""
        for clients in self._all_clients():
            await clients.aclose()

    async def _ask(self, call: Exchange[Answer]) -> Answer:
        http = await self._http()
        kinds = client_errors(http)
        while True:
            try:
                async with aclosing(
                    await http.send(self._request(http, call), **_options(http))
                ) as response:
                    reader = call.reader(response.status_code)
                    async for data in abody_of(response, call.received):
                        reader.feed(data)
                        if self._deadline is not None:
                            call.check_deadline()
                        if reader.has_enough:
                            break
                    return call.answer(response.status_code, response.headers, reader.body())
            except kinds.all as cause:
                response, data = None, b""  # what a hostile answer repeats
                delay = _delay_or_raise(call, cause, kinds)
            await asyncio.sleep(delay)

    async def _http(self) -> Any:
        return self._http_client or await self._own_clients().get()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
