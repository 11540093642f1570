"""The canary in LangChain: by every way into a model, then errors, traces, caches, copies searched.

(`tests/test_canary.py` says what the canary is.)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import langchain_core
import pydantic
import pytest
import requests
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps
from langchain_core.tracers import LangChainTracer
from langsmith import Client
from pydantic import SecretStr, ValidationError

from langchain_mimo import ChatMiMo, MiMoModelError
from tests.hostile import IN_BODIES, IN_HEADS, HostileServer, delta, http, stream
from tests.leaks import OURS, everything_in, shows

KEY = "Canary9x7Q2/mK4+vB8zT1wLp6Rn"
ECHO = IN_BODIES["message"](KEY)
ANSWER = http(
    "200 OK",
    json.dumps({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}),
    "application/json",
    **{"x-request-id": KEY, "server": KEY},
)
OTHER = "sk-another-one-0123"
IN_MODEL: dict[str, dict[str, Any]] = {
    "api_key": {"api_key": KEY},
    "SecretStr": {"api_key": SecretStr(KEY)},
    "another class's name": {"openai_api_key": KEY},
    "header": {"api_key": OTHER, "default_headers": {"x-api-key": KEY}},
    "SecretStr in any header": {"api_key": OTHER, "default_headers": {"x-a": SecretStr(KEY)}},
    "query": {"api_key": OTHER, "default_query": {"token": KEY}},
    "body": {"api_key": OTHER, "extra_body": {"gateway_token": KEY}},
    "model_kwargs": {"api_key": OTHER, "model_kwargs": {"session": KEY}},
}
IN_CALL: dict[str, dict[str, Any]] = {
    "extra header": {"extra_headers": {"x-auth-token": KEY}},
    "SecretStr in an extra header": {"extra_headers": {"x-team": SecretStr(KEY)}},
    "extra query": {"extra_query": {"token": KEY}},
    "extra body": {"extra_body": {"gateway_token": KEY}},
}
Log = Callable[[], str]


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Log:
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(f"{r.getMessage()} {r.args!r}" for r in caplog.records)


class Uploads(requests.Session):
    """What a LangSmith client sends: its HTTP session, which keeps everything."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.client = Client(
            api_url="http://127.0.0.1:9", api_key="none", session=self, auto_batch_tracing=False
        )

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        data = kwargs.get("data") or b""
        self.sent.append(f"{args} {data.decode() if isinstance(data, bytes) else data} {kwargs}")
        answer = requests.Response()
        answer.status_code = 202
        return answer

    @property
    def tracer(self) -> LangChainTracer:
        return LangChainTracer(client=self.client)


def check(error: BaseException, where: str = "") -> None:
    for place, text in everything_in(error):
        assert not shows(text, KEY), f"{where} {place}: {text}"


def failure(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(MiMoModelError) as caught:
        act()
    return caught.value


def made(server: HostileServer, **arguments: Any) -> ChatMiMo:
    return ChatMiMo(base_url=server.base_url, max_retries=0, **arguments)


@pytest.mark.parametrize("place", [*IN_BODIES, *IN_HEADS])
def test_no_error_shows_a_key_that_is_sent_back(
    place: str, server: HostileServer, logged: Log
) -> None:
    server.answer = {**IN_BODIES, **IN_HEADS}[place](KEY)
    model = made(server, api_key=KEY)
    check(failure(lambda: model.invoke("Hi")))
    check(failure(lambda: list(model.stream("Hi"))))
    model.close()
    assert not shows(logged(), KEY)


@pytest.mark.parametrize("way", IN_MODEL)
def test_it_can_go_into_a_model_by_any_way(way: str, server: HostileServer, logged: Log) -> None:
    """Nothing that is written down of the model, its traces or its cache holds it."""
    uploads, cache = Uploads(), InMemoryCache()
    model = made(server, cache=cache, **IN_MODEL[way])
    copy = model.model_copy(update=IN_MODEL[way])
    for one in (model, copy):
        cache.clear()
        written = f"{one!r} {one} {one._identifying_params} {dumpd(one)} {dumps(one)}"
        assert "not_implemented" not in written  # it can be written down, without its credentials
        assert not shows(written, KEY)
        server.answer = ECHO
        check(failure(lambda one=one: one.invoke("Hi", {"callbacks": [uploads.tracer]})))  # type: ignore[misc]
        assert KEY.encode() in server.requests[-1].replace(b"%2F", b"/").replace(b"%2B", b"+")
        server.answer = ANSWER
        said = one.invoke("Hi", {"callbacks": [uploads.tracer], "tags": ["canary"]})
        assert not shows(f"{said!r}", KEY)
        one.close()
    assert any("canary" in sent for sent in uploads.sent)
    assert not shows("\n".join(uploads.sent), KEY)
    assert cache._cache
    assert not shows(str(cache._cache), KEY)
    assert not shows(logged(), KEY)


@pytest.mark.parametrize("bound", [True, False], ids=["bound", "given"])
@pytest.mark.parametrize("way", IN_CALL)
def test_it_can_go_into_a_call(way: str, bound: bool, server: HostileServer, logged: Log) -> None:
    uploads, cache = Uploads(), InMemoryCache()
    base = made(server, api_key=OTHER, cache=cache)
    model: Any = base.bind(**IN_CALL[way]) if bound else base
    arguments = {} if bound else IN_CALL[way]
    assert not bound or not shows(f"{model!r} {dumps(model)}", KEY)
    config = {"callbacks": [uploads.tracer], "tags": ["canary"]}
    server.answer = ECHO
    check(failure(lambda: model.invoke("Hi", config, **arguments)))
    check(failure(lambda: list(model.stream("Hi", config, **arguments))))
    check(failure(lambda: model.invoke("Hi", config, tools=[5], **arguments)))  # before it is sent
    server.answer = ANSWER
    model.invoke("Hi", config, **arguments)
    base.close()
    assert any("canary" in sent for sent in uploads.sent)
    assert not shows("\n".join(uploads.sent), KEY)
    assert cache._cache
    assert not shows(str(cache._cache), KEY)
    assert not shows(logged(), KEY)


@pytest.mark.parametrize("way", IN_CALL)
def test_it_can_go_into_structured_output_and_tools(way: str, server: HostileServer) -> None:
    model = made(server, api_key=OTHER)
    server.answer = ECHO
    check(failure(lambda: model.with_structured_output(**IN_CALL[way]).invoke("Hi")))
    check(failure(lambda: model.bind_tools([], **IN_CALL[way]).invoke("Hi")))
    check(failure(lambda: model.bind_tools([5], **IN_CALL[way])))  # type: ignore[list-item]
    model.close()


WRONG: dict[str, dict[str, Any]] = {
    "a user in base_url": {"base_url": f"https://user:{KEY}@mimo.test/v1"},
    "a key as base_url": {"base_url": KEY},
    "a fragment in base_url": {"api_base": f"https://mimo.test/v1#{KEY}"},
    "bytes as base_url": {"base_url": KEY.encode()},
    "blanks": {"api_key": f"{KEY[:9]} {KEY[9:]}"},
    "bytes": {"api_key": f"{KEY}\n ".encode(), "protocol": "grpc"},
    "retries": {"api_key": KEY, "max_retries": -1},
    "two keys": {"api_key": KEY, "openai_api_key": KEY[::-1]},
    "another argument": {"api_key": KEY, "protocol": "grpc"},
    "an argument of another class": {"api_key": KEY, "organization": "x"},
    "a misspelled argument": {"api_key": KEY, "temprature": 1},
    "a wrong type": {"api_key": KEY, "temperature": "hot"},
    "unencrypted": {"api_key": KEY, "base_url": "http://mimo.test/v1"},
    "headers": {"api_key": OTHER, "default_headers": {"x-api-key": KEY, "host": "x"}},
    "headers that are none": {"api_key": OTHER, "default_headers": {"x-api-key": f"{KEY}\n"}},
    "body": {"api_key": OTHER, "extra_body": {"token": KEY}, "protocol": "grpc"},
}


@pytest.mark.filterwarnings("ignore:ChatMiMo does not know")
@pytest.mark.parametrize("way", WRONG)
def test_an_error_of_the_constructor_holds_no_key_in_its_frames(way: str) -> None:
    with pytest.raises((MiMoModelError, ValidationError)) as caught:
        ChatMiMo(**WRONG[way])
    check(caught.value)
    if isinstance(caught.value, ValidationError):
        assert not shows(f"{caught.value.errors()} {caught.value.json()}", KEY)
    elif not {"base_url", "api_base"} & WRONG[way].keys():
        update = {name: WRONG[way][name] for name in WRONG[way] if name != "api_key"}
        with suppress(MiMoModelError):
            try:
                ChatMiMo(api_key=KEY).model_copy(update=update)
            except MiMoModelError as error:
                check(error)
                raise


@pytest.mark.parametrize("address", [KEY, f"https://user:{KEY}@host/v1", f"https://host/v1#{KEY}"])
def test_an_address_is_in_no_frame_of_langchain_and_pydantic_either(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given, or in the environment, from which the field of the model takes it."""
    everybodys = (*OURS, *(str(Path(one.__path__[0])) for one in (langchain_core, pydantic)))
    with pytest.raises(MiMoModelError) as caught:
        ChatMiMo(api_key=OTHER, base_url=address)
    assert "base_url" in str(caught.value)
    for place, text in everything_in(caught.value, everybodys):
        assert not shows(text, KEY), f"{place}: {text}"
    monkeypatch.setenv("MIMO_BASE_URL", address)
    with pytest.raises(MiMoModelError) as caught:
        ChatMiMo(api_key=OTHER)
    for place, text in everything_in(caught.value, everybodys):
        assert not shows(text, KEY), f"{place}: {text}"


def test_what_the_model_says_is_not_altered(server: HostileServer) -> None:
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    server.answer = stream(delta(content=f"It is {KEY}."), end, "data: [DONE]")
    model = made(server, api_key=KEY)
    assert "".join(str(chunk.content) for chunk in model.stream("Hi")) == f"It is {KEY}."
    model.close()
