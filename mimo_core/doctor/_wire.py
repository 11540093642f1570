"""What passed over the wire, seen beside the client: it shows how an answer was framed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2


@dataclass
class Exchange:
    """One request and what came back, as far as it was read.

    Attributes:
        sent: when the request began, in `time.monotonic()`.
        path: of its URL.
        status: of HTTP; 0 where no answer began.
        headers: of the answer, by lower-cased name.
        pieces: of the body, each with the time at which it was read.
    """

    sent: float
    path: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """What was read of the body, decompressed."""
        body = b"".join(piece for _, piece in self.pieces)
        if "content-encoding" not in self.headers:
            return body
        return httpx2.Response(200, headers=dict(self.headers), content=body).content

    @property
    def plain_pieces(self) -> list[tuple[float, bytes]]:
        """The pieces; of a body that was compressed all the same, one, as late as the last."""
        if self.pieces and "content-encoding" in self.headers:
            return [(self.pieces[-1][0], self.body)]
        return self.pieces

    @property
    def payload(self) -> dict[str, Any]:
        """The JSON object in the body; empty where it is something else."""
        text = self.body.strip().removeprefix(b"data:")
        try:
            payload = json.loads(text)
        except ValueError:
            return {}
        return payload if isinstance(payload, dict) else {}

    @property
    def message(self) -> dict[str, Any]:
        """The assistant message as the server sent it; empty where there is none."""
        choices = self.payload.get("choices") or [{}]
        message = choices[0].get("message")
        return message if isinstance(message, dict) else {}


class _Read(httpx2.AsyncByteStream):
    """A body on its way to the client, with the times at which its pieces were read."""

    def __init__(self, body: Any, exchange: Exchange) -> None:
        self._body = body
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._exchange.pieces.append((time.monotonic(), piece))
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


class Watch:
    """Sees every exchange of an HTTP client; the last one is `last`.

    Args:
        http: an asynchronous client of httpx2. Its event hooks are replaced.
    """

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.last: Exchange | None = None
        self.requests = 0
        http.headers["accept-encoding"] = "identity"  # compressed pieces say nothing
        http.event_hooks = {"request": [self._request], "response": [self._response]}

    def forget(self) -> None:
        """Begin anew: what was last is not the next probe's."""
        self.last = None

    async def _request(self, request: httpx2.Request) -> None:
        self.requests += 1
        self.last = Exchange(time.monotonic(), request.url.path)

    async def _response(self, response: httpx2.Response) -> None:
        exchange = self.last
        if exchange is None:
            return
        exchange.status = response.status_code
        exchange.headers = {name.lower(): value for name, value in response.headers.items()}
        response.stream = _Read(response.stream, exchange)
