"""Every type hint of what is public resolves, and LangChain's own look at them works.

langchain-core asks `typing.get_type_hints` what a method returns before it offers it on a model
with fallbacks; a name that is imported for type checkers alone is a `NameError` there.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.runnables import Runnable
from langchain_core.tools import tool

import langchain_mimo
import llm_mimo
import mimo_core.testing
from langchain_mimo import ChatMiMo
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply

Chat = Callable[..., ChatMiMo]
PACKAGES = ("langchain_mimo", "llm_mimo", "mimo_core")


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


def modules_of(package: Any) -> Iterator[Any]:
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def public_objects() -> Iterator[tuple[str, Any]]:
    """What the packages export, and all of `langchain_mimo` but what begins with `_`."""
    for package in (mimo_core, mimo_core.testing, llm_mimo):
        for name in getattr(package, "__all__", dir(package)):
            if not name.startswith("_"):
                yield f"{package.__name__}.{name}", getattr(package, name)
    for module in modules_of(langchain_mimo):
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__:
                yield f"{module.__name__}.{name}", value


def public_callables() -> dict[str, Any]:
    """Every public class and function by name; of a class its methods and properties too."""
    found: dict[str, Any] = {}
    for name, value in public_objects():
        if getattr(value, "__module__", "").partition(".")[0] not in PACKAGES:
            continue
        if inspect.isfunction(value):
            found[name] = value
        elif inspect.isclass(value):
            found[name] = value
            found |= {f"{name}.{method}": function for method, function in public_methods(value)}
    return found


def public_methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(kind).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = getattr(value, "fget", None) or getattr(value, "func", None) or value
        function = getattr(function, "__func__", function)  # a class or static method's
        if inspect.isfunction(function):
            yield name, function


CALLABLES = public_callables()


def test_there_is_something_to_look_at() -> None:
    for name in (
        "langchain_mimo.chat_models.ChatMiMo.bind_tools",
        "langchain_mimo.speech.save_audio",
        "llm_mimo.",
        "mimo_core.MiMoClient.chat",
        "mimo_core.testing.FakeMiMo",
    ):
        assert any(found.startswith(name) for found in CALLABLES), name


@pytest.mark.parametrize("name", sorted(CALLABLES))
def test_every_hint_resolves(name: str) -> None:
    typing.get_type_hints(CALLABLES[name], include_extras=True)


class TestFallbacks:
    @pytest.fixture
    def model(self, chat: Chat) -> Any:
        return chat().with_fallbacks([chat(model="mimo-v2.5")])

    def test_their_attributes(self, model: Any) -> None:
        assert not hasattr(model, "no_such_attribute")
        assert hasattr(model, "bind_tools")
        assert hasattr(model, "with_structured_output")
        assert model.model_name == "mimo-v2.6-pro"
        for name in vars(ChatMiMo):  # (of LangChain's own methods, some do not resolve)
            if not name.startswith("_"):
                hasattr(model, name)

    def test_tools_are_bound_to_all(self, mimo: FakeMiMo, model: Any) -> None:
        bound = model.bind_tools([get_weather])
        assert isinstance(bound, Runnable)
        mimo.queue(Fault("server"), Reply(tool_calls=[("get_weather", {"city": "Oslo"})]))
        assert bound.invoke("Weather?").tool_calls[0]["args"] == {"city": "Oslo"}
        assert [request.model for request in mimo.requests] == ["mimo-v2.6-pro", "mimo-v2.5"]
        assert all(request.body["tools"] for request in mimo.requests)

    def test_a_schema_is_asked_of_all(self, mimo: FakeMiMo, model: Any) -> None:
        schema = {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}}
        mimo.queue(Fault("server"), Reply(json={"a": "one"}), Reply(json={"a": 1}))
        assert model.with_structured_output(schema).invoke("Hi") == {"a": 1}
        assert [request.model for request in mimo.requests][1:] == ["mimo-v2.5"] * 2

    def test_an_agent(self, mimo: FakeMiMo, model: Any) -> None:
        agents = pytest.importorskip("langchain.agents")
        mimo.queue(
            Fault("server"),
            Reply(tool_calls=[("get_weather", {"city": "Oslo"}, "call_1")]),
            "It is sunny.",
        )
        agent = agents.create_agent(model, tools=[get_weather])
        answer = agent.invoke({"messages": [("user", "Weather in Oslo?")]})
        assert answer["messages"][-1].content == "It is sunny."
        assert answer["messages"][-2].content == "Sunny in Oslo"
