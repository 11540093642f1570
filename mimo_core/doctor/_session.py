"""One server, asked: the public client and, beside it, a watch on its wire. All I/O is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from mimo_core._http.errors import error_for, error_in_answer
from mimo_core._http.own_client import PoolSettings
from mimo_core._http.pools import AsyncClients
from mimo_core._response.body import BodyReader
from mimo_core.audio import AudioDecoder
from mimo_core.client import AsyncMiMoClient
from mimo_core.doctor._probe import Answered, Asked, Probe
from mimo_core.doctor._wire import Watch
from mimo_core.errors import APIConnectionError, APITimeoutError, InvalidResponseError, MiMoError
from mimo_core.gateways import Endpoint, ProtocolName
from mimo_core.limits import Limits

_CONNECT = 10.0  # seconds
_RETRIES = 1
_LIMITS = Limits(answer=16 * 2**20)  # a few seconds of speech are the most that is asked for

Connect = Callable[[Endpoint], AbstractAsyncContextManager[httpx2.AsyncClient]]
"""Opens the HTTP client for an address."""


@asynccontextmanager
async def own_client(endpoint: Endpoint) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client as the library's own client makes it: proxies, certificates, connections."""
    clients = AsyncClients(PoolSettings(direct=endpoint.is_loopback))
    try:
        yield await clients.get()
    finally:
        await clients.aclose()


@dataclass
class Session:
    """The clients of one server and key.

    Attributes:
        endpoint: the server, with the protocol that is spoken first.
        limit: seconds that one question may take.
    """

    endpoint: Endpoint
    limit: float
    _watch: Watch
    _clients: dict[ProtocolName, AsyncMiMoClient]

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._watch.requests

    @property
    def server(self) -> str:
        """The `server` header of the last answer."""
        return self._watch.last.headers.get("server", "") if self._watch.last else ""

    async def models(self) -> tuple[Answered, list[str]]:
        """`GET /models`."""
        ids: list[str] = []

        async def ask() -> Answered:
            ids.extend(await self._clients["chat_completions"].models())
            return Answered()

        return await self._within_limit(ask, self.limit), ids

    async def ask(
        self,
        probe: Probe,
        asked: Asked,
        *,
        protocol: ProtocolName | None = None,
        limit: float | None = None,
    ) -> Answered:
        """Ask a probe's question.

        Args:
            probe: the question.
            asked: what its request is made of.
            protocol: in the place of the probe's own.
            limit: seconds, in the place of the session's.

        Returns:
            What came back. An error of the library's family is in it, and is not raised.
        """
        client = self._clients[protocol or probe.protocol]

        async def ask() -> Answered:
            body = probe.body(asked)
            if probe.how == "raw":
                return await self._raw(client, body)
            if probe.how == "stream":
                return await _streamed(client, body)
            return Answered(response=await client.chat(body))

        return await self._within_limit(ask, self.limit if limit is None else limit)

    async def _within_limit(self, ask: Callable[[], Awaitable[Answered]], limit: float) -> Answered:
        self._watch.forget()
        try:
            async with asyncio.timeout(limit):
                answered = await ask()
        except TimeoutError:
            late = f"no answer from {self.endpoint.base_url} within {limit:.3g} s"
            answered = Answered(error=APITimeoutError(late, code="read"))
        except MiMoError as error:
            answered = Answered(error=error)
        except Exception as error:  # a defect of this library's must not end the round
            defect = f"this library cannot read it: {type(error).__name__}: {error}"
            answered = Answered(error=InvalidResponseError(defect))
        answered.exchange = self._watch.last
        return answered

    async def _raw(self, client: AsyncMiMoClient, body: dict[str, Any]) -> Answered:
        """A body that the client would not send, to the same address with the same key."""
        http, endpoint, key = self._watch.http, client.endpoint, client.endpoint.api_key
        url, headers = endpoint.url("/chat/completions"), endpoint.headers()
        request = http.build_request("POST", url, json=body, headers=headers, timeout=self.limit)
        try:
            response = await http.send(request, stream=True)
            async with aclosing(response):
                reader = BodyReader(is_answer=response.status_code == 200, limits=_LIMITS)
                async for piece in response.aiter_bytes():
                    reader.feed(piece)
                    if reader.has_enough:
                        break
        except httpx2.HTTPError as error:
            why = str(error) or type(error).__name__
            raise APIConnectionError(f"No answer from {endpoint.base_url}: {why}.") from None
        content = reader.body()
        if response.status_code != 200:
            found = error_for(response.status_code, response.headers, content, key=key)
            return Answered(error=found)
        payload = self._watch.last.payload if self._watch.last else {}
        if payload.get("error"):
            return Answered(error=error_in_answer(payload, response.headers, key=key, hints=None))
        if not payload.get("choices"):
            page = error_for(200, response.headers, content, key=key)
            return Answered(error=page)
        return Answered(response={"choices": payload["choices"], "usage": payload.get("usage")})


async def _streamed(client: AsyncMiMoClient, body: dict[str, Any]) -> Answered:
    decoder, sound = AudioDecoder(), bytearray()
    stream = client.stream(body)
    async with aclosing(stream):
        async for chunk in stream:
            audio = chunk["choices"][0]["delta"].get("audio")
            if audio and isinstance(audio.get("data"), str):
                sound += decoder.feed(audio["data"])
    sound += decoder.close()
    return Answered(response=stream.response, audio=bytes(sound))


@asynccontextmanager
async def session(
    api_key: str | None,
    base_url: str | None,
    protocol: str | None,
    *,
    limit: float,
    connect: Connect = own_client,
) -> AsyncIterator[Session]:
    """A session with one server.

    Args:
        api_key: as for the client.
        base_url: as for the client.
        protocol: as for the client.
        limit: seconds that one question may take.
        connect: makes the HTTP client.

    Raises:
        MiMoError: the address or the key is not one.
    """
    endpoint = Endpoint.resolve(api_key, base_url, protocol)
    async with connect(endpoint) as http:
        names: tuple[ProtocolName, ...] = ("chat_completions", "messages")
        clients = {
            name: AsyncMiMoClient(
                api_key,
                base_url=base_url,
                protocol=name,
                timeout=(min(_CONNECT, limit), limit),
                max_retries=_RETRIES,
                limits=_LIMITS,
                http_client=http,
            )
            for name in names
        }
        yield Session(endpoint, limit, Watch(http), clients)
