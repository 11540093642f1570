"""The core under damage: the decoder and both clients, whatever comes and however it is split."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mimo_core import AsyncMiMoClient, MiMoClient, MiMoError, collect
from tests.conftest import KEY
from tests.core.peer import Peer
from tests.damage import Damaged, damaged
from tests.damage_trial import (
    BASE_URLS,
    REQUEST,
    RERUNS,
    SHARDS,
    Outcome,
    Read,
    Wire,
    expected,
    failures,
    problems,
    report,
    seeds,
    split,
)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire.in_the_place_of_sockets(monkeypatch)


def client_of(kind: Any, protocol: str) -> Any:
    return kind(KEY, base_url=BASE_URLS[protocol], protocol=protocol, max_retries=0)


def outcome_of(response: Any, chunks: list[Any] | None = None) -> Outcome:
    """An answer of the core, checked for the types that it promises."""
    choice = response["choices"][0]
    message = choice["message"]
    calls = message.get("tool_calls") or []
    outcome = Outcome(
        message.get("content") or "",
        message.get("reasoning_content") or "",
        choice.get("finish_reason"),
        [(call["function"].get("name") or "", call["function"]["arguments"]) for call in calls],
        chunks,
    )
    outcome.problems = list(wrong_types(response, chunks or []))
    return outcome


def wrong_types(response: Any, chunks: list[Any]) -> Iterator[str]:
    """What has not the type that `ChatResponse` and `ChatChunk` promise."""
    for holder, parts in [("message", [response]), ("delta", chunks)]:
        for choice in (part["choices"][0] for part in parts):
            message = choice[holder]
            for name in ("role", "content", "reasoning_content", "error_message"):
                if not isinstance(message.get(name), str | None):
                    yield f"{name} is {message[name]!r:.40}"
            if type(choice.get("index")) not in (int, type(None)):
                yield f"index is {choice['index']!r:.40}"
            for call in message.get("tool_calls") or []:
                types = (type(call.get("index")), type(call["function"].get("arguments")))
                if types not in [(int, str), (type(None), str)]:
                    yield f"a call is {call!r:.80}"
    for part in chunks[:-1]:
        if part["choices"][0].get("finish_reason") is not None or part.get("usage") is not None:
            yield f"this is no middle chunk: {part!r:.80}"
    usage = response.get("usage") or {}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if type(usage.get(name, 0)) is not int or usage.get(name, 0) < 0:
            yield f"{name} is {usage[name]!r:.40}"


def streamed(client: Any, read: Any) -> Outcome:
    stream = client.stream(REQUEST)
    chunks: list[Any] = []
    try:
        read(stream, chunks)
    except MiMoError as error:
        outcome = outcome_of(error.partial or stream.response, chunks)
        outcome.error = error
        return outcome
    outcome = outcome_of(stream.response, chunks)
    if outcome_of(collect(chunks)).shown() != outcome_of(stream.response).shown():
        outcome.problems.append("the chunks are not the answer")
    return outcome


def read_request(connection: Any) -> None:
    """Read one request with its body."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    head, _, body = request.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while len(body) < (int(found[1]) if found else 0):
        body += connection.recv(65_536)


@pytest.fixture
def ways() -> Iterator[dict[str, dict[str, Read]]]:
    """The ways to read with the core: streamed, and whole."""
    with asyncio.Runner() as runner:
        sync = {p: client_of(MiMoClient, p) for p in BASE_URLS}
        other = {p: client_of(AsyncMiMoClient, p) for p in BASE_URLS}

        async def take(stream: AsyncIterator[Any], chunks: list[Any]) -> None:
            async for chunk in stream:
                chunks.append(chunk)

        def stream(case: Damaged) -> Outcome:
            return streamed(sync[case.protocol], lambda stream, chunks: chunks.extend(stream))

        def astream(case: Damaged) -> Outcome:
            client = other[case.protocol]
            return streamed(client, lambda stream, chunks: runner.run(take(stream, chunks)))

        def chat(case: Damaged) -> Outcome:
            return outcome_of(sync[case.protocol].chat(REQUEST))

        def achat(case: Damaged) -> Outcome:
            return outcome_of(runner.run(other[case.protocol].chat(REQUEST)))

        yield {
            "streamed": {
                "whole": stream,
                "stream": stream,
                "stream again": stream,
                "async": astream,
            },
            "whole": {"whole": chat, "chat": chat, "async": achat},
        }
        for client in sync.values():
            client.close()
        for client in other.values():
            runner.run(client.aclose())


@pytest.mark.parametrize("shard", SHARDS)
@pytest.mark.parametrize("form", ["streamed", "whole"])
def test_any_damage(form: str, shard: int, wire: Wire, ways: dict[str, dict[str, Read]]) -> None:
    found, readings = failures(
        seeds(shard, 300, 18_000),
        wire,
        ways[form],
        streamed=form == "streamed",
        family=MiMoError,
    )
    assert not found, report(found)
    assert readings or RERUNS


@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
def test_over_real_sockets(kind: Any) -> None:
    """A sample of the same answers from a peer that sends each in its own pieces."""
    body: list[bytes] = []
    head = b""

    def script(connection: Any) -> None:
        read_request(connection)  # all of it: what is left unread would reset the connection
        connection.sendall(head)
        for piece in body:
            connection.sendall(piece)

    with Peer(script) as peer, asyncio.Runner() as runner:
        for seed in [*seeds(0, 60, 4_000)]:
            case = damaged(seed)
            if case.status != 200:
                continue
            body[:] = split(case.body, random.Random(seed))
            content_type = case.headers["content-type"].encode()
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
            head += b"content-type: " + content_type + b"\r\n\r\n"
            url = f"http://127.0.0.1:{peer.port}/v1"
            client = kind(KEY, base_url=url, protocol=case.protocol, max_retries=0, timeout=20)

            async def read(client: Any = client) -> Outcome:
                async with client:
                    stream = client.stream(REQUEST)
                    try:
                        chunks = [chunk async for chunk in stream]
                    except MiMoError as error:
                        return Outcome(error=error)
                    return outcome_of(stream.response, chunks)

            if kind is MiMoClient:
                with client:
                    outcome = streamed(client, lambda stream, chunks: chunks.extend(stream))
            else:
                outcome = runner.run(read())
            reading = expected(case, streamed=True)
            assert not problems(case, reading, outcome, MiMoError), (seed, case.body)
