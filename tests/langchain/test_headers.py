"""Headers and parameters of the URL, for every request or one call; their credentials unseen."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps
from pydantic import SecretStr

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, MiMoModelError
from mimo_core.testing.emulator import FakeMiMo, Fault
from tests.conftest import KEY

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]

SECRET = "hidden-4711-value"
CREDENTIALS = [
    "authorization",
    "api-key",
    "X-Api-Key",
    "cookie",
    "proxy-authorization",
    "x-auth-token",
    "x-gateway-secret",
]


class Recorder(BaseCallbackHandler):
    """Everything that a tracer is told when a model starts."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.told.append((serialized, kwargs))


class TestForOneCall:
    """What they do with ChatOpenAI: part of how a request is sent, and not of its body."""

    OPTIONS: dict[str, Any] = {  # noqa: RUF012
        "extra_headers": {"x-team": "a"},
        "extra_query": {"api-version": "2", "tag": ["a", "b"]},
        "timeout": 30,
    }

    @pytest.mark.protocols("chat_completions", "messages")
    @pytest.mark.parametrize("where", ["bound", "bound-tools", "call"])
    async def test_they_are_sent_with_the_request(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask, where: str
    ) -> None:
        model: Any = chat()
        if where == "call":
            await model.ainvoke("Hi", **self.OPTIONS)
            list(model.stream("Hi", **self.OPTIONS))
        else:
            bound = model.bind_tools([], **self.OPTIONS) if where == "bound-tools" else None
            await ask(bound or model.bind(**self.OPTIONS))
        for request in mimo.requests:
            assert request.headers["x-team"] == "a"
            assert request.path.endswith("?api-version=2&tag=a&tag=b")
            assert self.OPTIONS.keys().isdisjoint(request.body)

    async def test_a_timeout(self, mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
        mimo.queue(Fault(hang=True))
        with pytest.raises(MiMoModelError, match="Raise timeout"):
            await ask(chat().bind(request_timeout=0.2))

    def test_they_go_over_the_models_own(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat(default_headers={"x-team": "a", "x-b": "b"}, default_query={"v": "1"})
        model.invoke("Hi", extra_headers={"X-Team": "c"})
        assert mimo.last_request.headers["x-team"] == "c"
        assert mimo.last_request.headers["x-b"] == "b"
        model.invoke("Hi")
        assert mimo.last_request.headers["x-team"] == "a"

    @pytest.mark.parametrize("name", ["extra_headers", "extra_query"])
    def test_in_the_constructor_they_have_another_name(self, chat: Chat, name: str) -> None:
        instead = name.replace("extra", "default")
        for given in ({name: {"a": "b"}}, {"model_kwargs": {name: {"a": "b"}}}):
            with pytest.raises(MiMoInvalidRequestError, match=f"it is {instead}"):
                chat(**given)

    @pytest.mark.parametrize("name", ["extra_headers", "extra_query", "timeout"])
    def test_what_they_cannot_be(self, mimo: FakeMiMo, chat: Chat, name: str) -> None:
        given: dict[str, Any] = {name: "no"}
        with pytest.raises(MiMoInvalidRequestError, match=name):
            chat().invoke("Hi", **given)
        assert mimo.requests == []


def test_default_query(mimo: FakeMiMo, chat: Chat) -> None:
    """ChatOpenAI has it."""
    model = chat(default_query={"api-version": "2", "key": SECRET})
    model.invoke("Hi")
    assert mimo.last_request.path.endswith(f"?api-version=2&key={SECRET}")
    assert SECRET not in repr(model) + dumps(model) + str(model._identifying_params)


@pytest.mark.parametrize("header", CREDENTIALS)
class TestCredentials:
    def test_they_are_sent(self, mimo: FakeMiMo, chat: Chat, header: str) -> None:
        model = chat(default_headers={header: SECRET, "x-team": "a"})
        assert model.default_headers == {header: SecretStr(SECRET), "x-team": "a"}
        for sender in (model, pickle.loads(pickle.dumps(model)), model.model_copy(deep=True)):
            sender.invoke("Hi")
            assert mimo.last_request.headers[header.lower()] == SECRET
            assert mimo.last_request.headers["x-team"] == "a"

    async def test_they_are_shown_nowhere(self, chat: Chat, ask: Ask, header: str) -> None:
        recorder = Recorder()
        model = chat(default_headers={header: SECRET, "x-team": "a"}, callbacks=[recorder])
        copy = model.model_copy(update={"default_headers": {header: SECRET}})
        bound = model.bind(extra_headers={header: SECRET})
        await ask(model)
        await ask(copy)
        await ask(bound)
        await model.ainvoke("Hi", extra_headers={header: SECRET})
        list(model.stream("Hi", extra_headers={header: SECRET}))
        assert len(recorder.told) == 5
        shown: list[Any] = [recorder.told]
        for one in (model, copy, bound):
            shown += [repr(one), str(one), dumps(one), json.dumps(dumpd(one))]
        for one in (model, copy):
            shown += [one.model_dump_json(exclude={"callbacks"}), one._identifying_params]
            shown += [one._get_llm_string(extra_headers={header: SECRET})]
        assert SECRET not in str(shown)
        assert dumpd(model)["kwargs"]["default_headers"] == {"x-team": "a"}

    def test_the_cache_tells_them_apart(self, mimo: FakeMiMo, chat: Chat, header: str) -> None:
        """Another tenant's key may mean another tenant's answers."""
        cache = InMemoryCache()
        for headers in ({header: SECRET}, {header: "another-4712-value"}, {"x-team": "a"}, None):
            for _ in range(2):
                chat(cache=cache, default_headers=headers).invoke("Hi")
        assert len(mimo.requests) == 4
        for headers in ({header: SECRET}, {header: "another-4712-value"}):
            for _ in range(2):
                chat(cache=cache).invoke("Hi", extra_headers=headers)
        assert len(mimo.requests) == 6
        assert SECRET not in str(cache._cache.keys())

    def test_not_over_http(self, header: str) -> None:
        """The core's rule, found in the constructor."""
        with pytest.raises(MiMoInvalidRequestError, match="unencrypted") as raised:
            ChatMiMo(api_key="", base_url="http://10.1.2.3/v1", default_headers={header: SECRET})
        assert SECRET not in str(raised.value)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_dump_can_be_loaded(mimo: FakeMiMo, chat: Chat) -> None:
    """Without the credentials, as it is without the key."""
    from langchain_core.load import load

    model = chat(default_headers={"x-team": "a", "cookie": SECRET})
    loaded = load(
        dumpd(model),
        valid_namespaces=["langchain_mimo"],
        allowed_objects=[ChatMiMo],
        secrets_map={"MIMO_API_KEY": KEY},
    )
    loaded.invoke("Hi")
    assert mimo.last_request.headers["x-team"] == "a"
    assert "cookie" not in mimo.last_request.headers
    loaded.close()
