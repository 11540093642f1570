"""The canary: a marked key goes in by every way there is, and a hostile server sends it back.

In every place and spelling. Then everything that came of it is searched: errors and their frames,
and logs. (What the hosts make of it, traces, caches, output: `tests/langchain`, `tests/llm`; files
that are recorded: `tests/testing/test_canary_cassettes.py`.)

A message's content is what the model said, and the user's to read: it is not altered.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
from pydantic import SecretStr

from mimo_core import AsyncMiMoClient, MiMoClient, MiMoError
from tests.hostile import IN_BODIES, IN_HEADS, HostileServer, delta, fits_a_head, stream
from tests.leaks import everything_in, shows
from tests.spellings import spellings_at

KEY = "Canary9x7Q2/mK4+vB8zT1wLp6Rn"
"""Nothing tells it from any other text, and every encoding changes it."""
LIKE_A_KEY = "sk-Canary9x7Q2mK4vB8zT1wLp6Rn"
REQUEST = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "Hi"}]}
Log = Callable[[], str]


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Log:
    """What all loggers said, at any level, with the arguments that were not formatted."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    return lambda: "\n".join(f"{r.getMessage()} {r.args!r}" for r in caplog.records)


def check(error: BaseException, key: str, where: str = "") -> None:
    for place, text in everything_in(error):
        assert not shows(text, key), f"{where} {place}: {text}"


def failure(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(MiMoError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return caught.value


# What comes back


@pytest.mark.parametrize(("number", "place"), list(enumerate([*IN_BODIES, *IN_HEADS])))
def test_no_error_of_the_core_shows_a_key_that_is_sent_back(
    number: int, place: str, server: HostileServer, logged: Log
) -> None:
    """Whole and streamed, in one spelling of three, and with `make fuzz` in every one."""
    build = {**IN_BODIES, **IN_HEADS}[place]
    with MiMoClient(KEY, base_url=server.base_url, max_retries=0) as client:
        for name, spelled in spellings_at(number).items():
            said = spelled(KEY)
            if place in IN_HEADS and not fits_a_head(said):
                continue
            server.answer = build(said)
            for ask in (client.chat, lambda request: list(client.stream(request))):
                check(failure(lambda ask=ask: ask(REQUEST)), KEY, name)  # type: ignore[misc]
    assert not shows(logged(), KEY)


async def aask(client: AsyncMiMoClient, *, streamed: bool) -> Any:
    if streamed:
        return [chunk async for chunk in client.stream(REQUEST)]
    return await client.chat(REQUEST)


@pytest.mark.parametrize("streamed", [True, False])
def test_nor_does_the_asynchronous_client(
    streamed: bool, server: HostileServer, logged: Log
) -> None:
    with asyncio.Runner() as runner:
        client = AsyncMiMoClient(KEY, base_url=server.base_url, max_retries=0)
        for place, build in {**IN_BODIES, **IN_HEADS}.items():
            server.answer = build(KEY)
            check(failure(lambda: runner.run(aask(client, streamed=streamed))), KEY, place)
        runner.run(client.aclose())
    assert not shows(logged(), KEY)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_nor_with_a_client_that_was_given(library: Any, server: HostileServer, logged: Log) -> None:
    with library.Client() as http:
        client = MiMoClient(KEY, base_url=server.base_url, max_retries=0, http_client=http)
        for place, build in {**IN_BODIES, **IN_HEADS}.items():
            server.answer = build(KEY)
            check(failure(lambda: client.chat(REQUEST)), KEY, place)
            check(failure(lambda: list(client.stream(REQUEST))), KEY, place)
    assert not shows(logged(), KEY)


def test_what_looks_like_a_key_is_hidden_though_another_one_was_sent(
    server: HostileServer,
) -> None:
    with MiMoClient(KEY, base_url=server.base_url, max_retries=0) as client:
        for place, build in {**IN_BODIES, **IN_HEADS}.items():
            if "pieces" in place or "two lines" in place:
                continue  # nobody can know that these are one
            server.answer = build(LIKE_A_KEY)
            check(failure(lambda: client.chat(REQUEST)), LIKE_A_KEY, place)


def test_what_the_model_says_is_not_altered(server: HostileServer) -> None:
    """Neither in an answer nor in what had arrived of one."""
    with MiMoClient(KEY, base_url=server.base_url, max_retries=0) as client:
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        server.answer = stream(delta(content=f"It is {KEY}."), end, "data: [DONE]")
        whole = client.stream(REQUEST)
        assert next(iter(whole))["choices"][0]["delta"]["content"] == f"It is {KEY}."
        server.answer = stream(delta(content=f"It is {KEY}."), f"data: {KEY}")
        error: Any = failure(lambda: list(client.stream(REQUEST)))
        assert error.partial["choices"][0]["message"]["content"] == f"It is {KEY}."
        check(error, KEY)


# How it goes in

ECHO = IN_BODIES["message"](KEY)
WAYS: dict[str, dict[str, Any]] = {
    "api_key": {"api_key": KEY},
    "api_key, SecretStr": {"api_key": SecretStr(KEY)},
    "api-key header": {"default_headers": {"api-key": KEY}},
    "Authorization header": {"default_headers": {"Authorization": f"Bearer {KEY}"}},
    "a cookie": {"default_headers": {"Cookie": f"session={KEY}"}},
    "SecretStr in any header": {"default_headers": {"x-team": SecretStr(KEY)}},
    "query": {"default_query": {"api_key": KEY}},
    "SecretStr in any parameter": {"default_query": {"team": SecretStr(KEY)}},
    "several in the query": {"default_query": {"token": [KEY, KEY[::-1]]}},
}
CALLS: dict[str, dict[str, Any]] = {
    "extra header": {"extra_headers": {"x-auth-token": KEY}},
    "SecretStr in an extra header": {"extra_headers": {"x-team": SecretStr(KEY)}},
    "extra query": {"extra_query": {"token": KEY}},
}


@pytest.mark.parametrize("way", [*WAYS, "env"])
def test_it_can_go_into_a_client_by_any_way(
    way: str, server: HostileServer, logged: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "env":
        monkeypatch.setenv("MIMO_API_KEY", KEY)
    server.answer = ECHO
    with MiMoClient(base_url=server.base_url, max_retries=0, **WAYS.get(way, {})) as client:
        check(failure(lambda: client.chat(REQUEST)), KEY)
        assert KEY.encode() in server.requests[-1].replace(b"%2F", b"/").replace(b"%2B", b"+")
        assert not shows(f"{client!r} {client.endpoint!r} {vars(client)!r}", KEY)
        twin = pickle.loads(pickle.dumps(client))
        check(failure(lambda: twin.chat(REQUEST)), KEY)
        twin.close()
    assert not shows(logged(), KEY)


@pytest.mark.parametrize("way", CALLS)
def test_it_can_go_into_a_call(way: str, server: HostileServer, logged: Log) -> None:
    server.answer = ECHO
    with MiMoClient("sk-another-one-0123", base_url=server.base_url, max_retries=0) as client:
        check(failure(lambda: client.chat(REQUEST, **CALLS[way])), KEY)
        check(failure(lambda: list(client.stream(REQUEST, **CALLS[way]))), KEY)
        wrong = {**REQUEST, "messages": []}
        check(failure(lambda: client.chat(wrong, **CALLS[way])), KEY)
        check(failure(lambda: client.stream(wrong, **CALLS[way])), KEY)
    assert not shows(logged(), KEY)


def test_it_can_go_into_the_body(server: HostileServer, logged: Log) -> None:
    """There the name says that it is one. The frame of `chat` holds the request as it was given."""
    server.answer = ECHO
    with MiMoClient("sk-another-one-0123", base_url=server.base_url, max_retries=0) as client:
        error = failure(lambda: client.chat({**REQUEST, "extra_body": {"gateway_token": KEY}}))
    assert f'"gateway_token":"{KEY}"'.encode() in server.requests[-1]
    shown = [place for place, text in everything_in(error) if shows(text, KEY)]
    assert set(shown) <= {"AuthenticationError: frames"}
    assert not shows(logged(), KEY)


PLAIN = KEY.translate({ord("/"): "a", ord("+"): "b"})
NO_ADDRESSES: dict[str, str] = {
    "a user in base_url": f"https://user:{KEY}@mimo.test/v1",
    "a user in a gateway's base_url": f"vllm+https://{KEY}@mimo.test/v1",
    "a slash in the password": f"https://user:{KEY}/@mimo.test:x/v1",
    "a query in base_url": f"https://mimo.test/v1?key={KEY}",
    "a fragment in base_url": f"https://mimo.test/v1#{KEY}",
    "a port in base_url": f"http://127.0.0.1:{PLAIN}/v1",
    "an IPv6 address as base_url": f"http://[{PLAIN}]/v1",
    "half an IPv6 address as base_url": f"http://[{PLAIN}",
    "a key as base_url": KEY,
    "a key with its prefix as base_url": LIKE_A_KEY,
    "a key as a gateway in base_url": f"{KEY}+https://mimo.test/v1",
    "a gateway and a key as base_url": f"vllm+{KEY}",
    "a line break in base_url": f"https://mimo.test/v1\n{KEY}",
    "no scheme in base_url": f"user:{KEY}@mimo.test/v1",
    "another scheme in base_url": f"ftp://mimo.test/{KEY}",
    "no host in base_url": f"https:///{KEY}",
}
WRONG: dict[str, dict[str, Any]] = {
    **{name: {"base_url": address} for name, address in NO_ADDRESSES.items()},
    "bytes as base_url": {"base_url": KEY.encode()},
    "a list as base_url": {"base_url": [KEY]},
    "blanks": {"api_key": f"{KEY[:9]} {KEY[9:]}"},
    "no ASCII": {"api_key": f"{KEY}é"},
    "bytes": {"api_key": KEY.encode()},
    "a list": {"api_key": [KEY]},
    "unencrypted": {"api_key": KEY, "base_url": "http://mimo.test/v1"},
    "an unencrypted header": {"base_url": "http://mimo.test/v1"}
    | {"default_headers": {"x-api-key": KEY}},
    "another argument": {"api_key": KEY, "protocol": "grpc"},
    "max_retries": {"api_key": KEY, "max_retries": -1},
    "timeout": {"api_key": KEY, "timeout": "soon"},
    "limits": {"api_key": KEY, "limits": {"nothing": 1}},
    "http_client": {"api_key": KEY, "http_client": "none"},
    "a header that is none": {"default_headers": {"api-key": KEY.encode()}},
    "a header with a line break": {"default_headers": {"api-key": f"{KEY}\n"}},
    "headers as pairs": {"default_headers": [("api-key", KEY)]},
    "a parameter that is none": {"default_query": {"token": KEY.encode()}},
    "headers that are HTTP's": {"default_headers": {"host": "x", "api-key": KEY}},
}


@pytest.mark.parametrize("way", WRONG)
@pytest.mark.parametrize("kind", [MiMoClient, AsyncMiMoClient])
def test_an_error_of_the_constructor_holds_no_key_in_its_frames(kind: Any, way: str) -> None:
    """A tracer that prints local variables (Sentry's does) would print it."""
    with pytest.raises(MiMoError) as caught:
        kind(**WRONG[way])
    for key in (KEY, PLAIN, LIKE_A_KEY):
        check(caught.value, key)


def test_nor_does_one_with_the_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    with pytest.raises(MiMoError) as caught:
        MiMoClient(protocol="grpc")
    check(caught.value, KEY)


@pytest.mark.parametrize("address", NO_ADDRESSES.values(), ids=NO_ADDRESSES)
def test_nor_does_one_with_it_in_the_environments_base_url(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMO_BASE_URL", address)
    with pytest.raises(MiMoError) as caught:
        MiMoClient("sk-another-one-0123")
    for key in (KEY, PLAIN, LIKE_A_KEY):
        check(caught.value, key)
