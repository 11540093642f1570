"""Two floors: what waking up for an event costs, and what LangChain's objects cost."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

PROMPT = "Say something."
_END = b"0\r\n\r\n"  # of a body in chunks


class _Events:
    """Finds the events in what arrives (one event is one HTTP chunk here) and parses their JSON."""

    def __init__(self) -> None:
        from pydantic_core import from_json

        self._from_json = from_json
        self._rest = b""
        self.count = 0
        self.ended = False

    def add(self, data: bytes) -> None:
        whole, _, self._rest = (self._rest + data).rpartition(b"\n")
        for line in whole.split(b"\n"):
            if line.startswith(b"data: {"):
                self._from_json(line[6:])
                self.count += 1
        self.ended = data.endswith(_END) or self._rest.endswith(_END)


class _Protocol(asyncio.Protocol):
    """One connection, and the task that is woken for each piece that arrives."""

    def __init__(self) -> None:
        self.transport: Any = None
        self._waiter: asyncio.Future[bytes] | None = None
        self._arrived: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(data)
        else:
            self._arrived.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("the server ended the stream early"))

    async def read(self) -> bytes:
        if self._arrived:
            return self._arrived.pop(0)
        self._waiter = asyncio.get_running_loop().create_future()
        return await self._waiter


class WakeUp:
    """The floor where events come one by one: a bare socket, or asyncio's own transport and one
    task that it wakes; each event's JSON is parsed, and nothing is checked."""

    def __init__(self, base_url: str) -> None:
        self._address = urlsplit(base_url)
        self._context = ssl.create_default_context() if self._address.scheme == "https" else None
        self._socket: socket.socket | None = None
        self._idle: list[_Protocol] = []

    def _request(self, model: str) -> bytes:
        messages = [{"role": "user", "content": PROMPT}]
        body = json.dumps({"model": model, "messages": messages, "stream": True}).encode()
        return b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )

    def stream(self, model: str) -> int:
        host, port = self._address.hostname or "", self._address.port or 0
        if self._socket is None:
            self._socket = socket.create_connection((host, port))
            if self._context is not None:
                self._socket = self._context.wrap_socket(self._socket, server_hostname=host)
        self._socket.sendall(self._request(model))
        events = _Events()
        while not events.ended:
            if not (data := self._socket.recv(65536)):
                raise ConnectionError("the server ended the stream early")
            events.add(data)
        return events.count

    async def astream(self, model: str) -> int:
        if self._idle:
            protocol = self._idle.pop()
        else:
            host, port = self._address.hostname or "", self._address.port or 0
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_connection(_Protocol, host, port, ssl=self._context)
        protocol.transport.write(self._request(model))
        events = _Events()
        while not events.ended:
            events.add(await protocol.read())
        self._idle.append(protocol)
        return events.count


def core_floor(base_url: str) -> Any:
    """langchain-core building and yielding chunks by its public constructors, without a network."""
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

    class Floor(BaseChatModel):
        count: int = 0
        held: bool = False
        """Whether other tasks run between two chunks, so that all streams hold theirs at once."""

        @property
        def _llm_type(self) -> str:
            return "floor"

        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("word " * 150))])

        async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
            return self._generate()

        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
            for _ in range(self.count):
                yield ChatGenerationChunk(message=AIMessageChunk(content="word000 "))

        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
            for chunk in self._stream():
                if self.held:
                    await asyncio.sleep(0)
                yield chunk

    class Contestant:
        def make(self, model: str = "") -> Any:
            return Floor()

        def stream(self, model: str) -> int:
            floor = Floor(count=int(model.split("-")[1]))
            return sum(1 for _ in floor.stream(PROMPT))

        async def astream(self, model: str) -> int:
            floor = Floor(count=int(model.split("-")[1]), held="BENCH_HELD" in os.environ)
            return len([1 async for _ in floor.astream(PROMPT)])

        def invoke(self, model: str) -> None:
            Floor().invoke(PROMPT)

        async def ainvoke(self, model: str) -> None:
            await Floor().ainvoke(PROMPT)

        def messages_setup(self, model: str, size: int) -> None:
            self._history = [HumanMessage("What is the weather in Paris?") for _ in range(size)]

        def messages(self, model: str, size: int) -> None:
            Floor().invoke(self._history)

        turns_setup = messages_setup
        turns = messages

    return Contestant()
