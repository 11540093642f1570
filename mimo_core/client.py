"""The clients: two thin shells around `Exchange`, one that waits and one that awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self

from mimo_core._http.clients import (
    AsyncClients,
    ClientErrors,
    SyncClients,
    Timeout,
    abody_of,
    body_of,
    client_errors,
    ends_soon,
    own_request,
    timeout_for,
)
from mimo_core._http.exchange import Answer, ChatCall, Exchange, ModelListCall
from mimo_core._http.options import RequestOptions, request_options
from mimo_core._request.body import LargeBody
from mimo_core._response.decode import COMPLETE, FAILED, STARTED, BodyDecoder, StreamDecoder
from mimo_core._response.stream import AsyncStream as AsyncStream
from mimo_core._response.stream import Stream as Stream
from mimo_core._version import __version__
from mimo_core.errors import InvalidRequestError
from mimo_core.gateways import Endpoint
from mimo_core.types import ChatChunk, ChatResponse

USER_AGENT = f"mimo-plugins/{__version__}"
_DEFAULT_RETRIES = 2
_LINE_ENDS = 4  # bytes that may follow the last event of a stream


class _Settings:
    """What both clients are made of. Building one does no I/O and imports no HTTP library."""

    _closes_by: str

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        protocol: str | None = None,
        auth: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int = _DEFAULT_RETRIES,
        default_headers: Mapping[str, Any] | None = None,
        default_query: Mapping[str, Any] | None = None,
        http_client: Any = None,
    ) -> None:
        """
        Args:
            api_key: else `MIMO_API_KEY`.
            base_url: a URL, or `xiaomi`, `token-plan-cn`, `token-plan-sgp`, `token-plan-ams`,
                `cloudsway`; else `MIMO_BASE_URL`, else `xiaomi` (`token-plan-cn` for a `tp-` or
                `ttp-` key).
            protocol: `"chat_completions"` or `"messages"`; default `"messages"` for a `base_url` of
                that protocol (`…/anthropic`, `…/v1/messages`), else `"chat_completions"`.
            auth: `"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`.
            timeout: seconds, one number or `(connect, read)`, or an httpx `Timeout`. Default 10 s
                to connect and 600 s of silence; a comment line in a stream ends a silence.
            max_retries: further attempts after a failed connection or a 429, 500, 502, 503 or 504,
                as long as no answer has begun; 0 means one attempt.
            default_headers: sent with every request, over the library's own. A value can be a
                `SecretStr`.
            default_query: parameters of the URL of every request.
            http_client: a client of `httpx2` or `httpx`; it stays yours to close. Without
                `timeout`, its own timeout holds.

        Raises:
            AuthenticationError: no key, and the gateway needs one.
            InvalidRequestError: an argument is not what it should be.
        """
        self.endpoint = Endpoint.resolve(api_key, base_url, protocol, auth)
        given = request_options(default_headers, default_query, "default")
        if not given.authenticates:  # else the user's choice alone
            self.endpoint.require_key()
        own = {"user-agent": USER_AGENT, **self.endpoint.headers()}
        secrets = frozenset([self.endpoint.api_key] if self.endpoint.api_key else [])
        self._options = given.over(RequestOptions(own, secrets=secrets))
        self.endpoint.check_credentials(given.secrets)
        if not isinstance(max_retries, int) or max_retries < 0:
            raise InvalidRequestError(
                f"max_retries is {max_retries!r}; it must be 0 or more.", param="max_retries"
            )
        self._max_retries = max_retries
        needed = ("build_request", "send", self._closes_by)
        if http_client is not None and not all(hasattr(http_client, name) for name in needed):
            raise InvalidRequestError(
                f"http_client is a {type(http_client).__name__}; {type(self).__name__} needs "
                f"a client of httpx2 or httpx with {self._closes_by}().",
                param="http_client",
            )
        self._http_client = http_client
        use_clients_own_timeout = http_client is not None and timeout is None
        self._timeout: Any = None if use_clients_own_timeout else timeout_for(timeout)
        self._clients = self._new_clients(direct=self.endpoint.is_loopback)

    @staticmethod
    def _new_clients(*, direct: bool) -> Any:
        raise NotImplementedError

    def _call(
        self,
        request: Mapping[str, Any],
        extra_headers: Mapping[str, Any] | None,
        extra_query: Mapping[str, Any] | None,
        timeout: Timeout | None,
        *,
        stream: bool,
    ) -> ChatCall:
        options = self._options
        if extra_headers is not None or extra_query is not None:
            options = request_options(extra_headers, extra_query, "extra").over(options)
        call = ChatCall(
            self.endpoint,
            request,
            stream=stream,
            max_retries=self._max_retries,
            options=options,
        )
        if timeout is not None:
            call.timeout = timeout_for(timeout)
        return call

    def _model_list(self) -> ModelListCall:
        return ModelListCall(self.endpoint, max_retries=self._max_retries, options=self._options)

    def _request(self, http: Any, call: Exchange[Any]) -> Any:
        content: Any = call.content
        if isinstance(content, LargeBody) and not hasattr(http, "__enter__"):
            content = content.asynchronous()
        timeout = call.timeout or self._timeout
        if self._http_client is None:
            return own_request(http, call.method, call.url, call.headers, content, timeout)
        options = {} if timeout is None else {"timeout": timeout}
        return http.build_request(
            call.method, call.url, headers=call.headers, content=content, **options
        )


def _delay_or_raise(call: Exchange[Any], cause: Exception, kinds: ClientErrors) -> float:
    """Seconds until the next attempt. Raises the error where there is to be none."""
    error = call.failure(cause, kinds)
    delay = call.delay_before_retry(error)
    if delay is not None:
        return delay
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


class MiMoClient(_Settings):
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
        call = self._call(request, extra_headers, extra_query, timeout, stream=True)
        return Stream(self._chunks(call), lambda: call.response)

    def _chunks(self, call: ChatCall) -> Generator[ChatChunk, None, None]:
        http = self._http()
        kinds = client_errors(http)
        while True:
            try:
                with closing(http.send(self._request(http, call), **_options(http))) as response:
                    decoder = call.decoder(response.status_code, response.headers)
                    for data in body_of(response):
                        yield from decoder.feed(data)
                        if decoder.stage is not STARTED and _is_over(decoder, response):
                            break
                    yield from decoder.close()
                return
            except kinds.all as cause:
                if call.stage is COMPLETE:  # what fails afterwards does not matter
                    return
                delay = _delay_or_raise(call, cause, kinds)
            time.sleep(delay)

    def models(self) -> list[str]:
        """The ids of the models that this key can use, as the service lists them."""
        return self._ask(self._model_list())

    def close(self) -> None:
        """Close the connections. The client can still be used, and opens new ones."""
        self._clients.close()

    def _ask(self, call: Exchange[Answer]) -> Answer:
        http = self._http()
        kinds = client_errors(http)
        while True:
            try:
                with closing(http.send(self._request(http, call), **_options(http))) as response:
                    return call.answer(response.status_code, response.headers, response.read())
            except kinds.all as cause:
                delay = _delay_or_raise(call, cause, kinds)
            time.sleep(delay)

    def _http(self) -> Any:
        return self._http_client or self._clients.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncMiMoClient(_Settings):
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
                    async for data in abody_of(response):
                        for chunk in decoder.feed(data):
                            yield chunk
                        if decoder.stage is not STARTED and _is_over(decoder, response):
                            break
                    for chunk in decoder.close():
                        yield chunk
                return
            except kinds.all as cause:
                if call.stage is COMPLETE:  # what fails afterwards does not matter
                    return
                delay = _delay_or_raise(call, cause, kinds)
            await asyncio.sleep(delay)

    async def models(self) -> list[str]:
        """`MiMoClient.models`, awaited."""
        return await self._ask(self._model_list())

    async def aclose(self) -> None:
        """Close the running loop's connections. The client can still be used."""
        await self._clients.aclose()

    async def _ask(self, call: Exchange[Answer]) -> Answer:
        http = await self._http()
        kinds = client_errors(http)
        while True:
            try:
                async with aclosing(
                    await http.send(self._request(http, call), **_options(http))
                ) as response:
                    body = await response.aread()
                    return call.answer(response.status_code, response.headers, body)
            except kinds.all as cause:
                delay = _delay_or_raise(call, cause, kinds)
            await asyncio.sleep(delay)

    async def _http(self) -> Any:
        return self._http_client or await self._clients.get()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
