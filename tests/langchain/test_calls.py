"""What one call is made of: its request, how it is sent, and what a user is told about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, notices
from mimo_core.testing.emulator import FakeMiMo

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nobody_has_been_told() -> Iterator[None]:
    notices.forget_warnings()
    yield
    notices.forget_warnings()


class TestWhatHasNoEffect:
    """A model that thinks takes `temperature` and `top_p`, and uses its own."""

    @pytest.mark.parametrize("name", ["temperature", "top_p"])
    async def test_it_is_said_once(self, chat: Chat, ask: Ask, name: str) -> None:
        model = chat(**{name: 0.5})
        with pytest.warns(UserWarning, match=f"{name} has no effect while mimo-v2.6-pro thinks"):
            await ask(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await ask(model)
            await ask(chat(**{name: 0.1}))

    def test_at_the_users_own_line(self, chat: Chat) -> None:
        def ask_twice() -> None:
            chat(temperature=0).invoke("Hi")
            list(chat(top_p=0.5).stream("Hi"))

        with pytest.warns(UserWarning, match="has no effect") as caught:
            ask_twice()
        assert [warning.filename for warning in caught] == [__file__] * 2

    def test_for_each_model(self, chat: Chat) -> None:
        for name in ("mimo-v2.6-pro", "mimo-v2.5"):
            with pytest.warns(UserWarning, match=f"while {name} thinks"):
                chat(model=name).invoke("Hi", temperature=0)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"thinking": False},
            {"thinking": {"type": "disabled"}},
            {"extra_body": {"thinking": {"type": "disabled"}}},
            {"reasoning_effort": "none"},
            {"model": "mimo-v2-flash"},
            {"model": "mimo-v2.5-tts"},
            {"model": "mimo-v2-pro"},
            {"temperature": None},
        ],
    )
    def test_not_where_it_has_one(self, chat: Chat, arguments: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            chat(**{"temperature": 0.5, **arguments}).invoke("Hi")


class TestOptions:
    """They say how a call goes; they are never in its body."""

    OPTIONS: dict[str, Any] = {  # noqa: RUF012
        "extra_headers": {"x-team": "a"},
        "extra_query": {"tenant": "b"},
        "timeout": 30,
    }

    @pytest.mark.parametrize("bound", [False, True])
    async def test_they_reach_the_wire(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask, bound: bool
    ) -> None:
        model: Any = chat().bind(**self.OPTIONS)
        if not bound:
            model = chat().bind(extra_headers={"x-team": "other"}).bind(**self.OPTIONS)
        await ask(model)
        assert mimo.last_request.headers["x-team"] == "a"
        assert mimo.last_request.path.endswith("?tenant=b")
        assert mimo.last_request.body.keys() - {"stream_options"} == {"model", "messages", "stream"}

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("audio", "Mia", "audio must be a dict, not of type str"),
            ("asr_options", "zh", "asr_options must be a dict, not of type str"),
            ("extra_body", [1], "extra_body must be a dict, not of type list"),
            ("model", 5, "model must be an id, such as 'mimo-v2.6-pro', not of type int"),
            ("extra_headers", [1], "extra_headers is a list"),
            ("extra_query", "a=b", "extra_query is a str"),
            ("timeout", "soon", "timeout is 'soon'"),
        ],
    )
    async def test_wrong_kinds_are_named(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask, name: str, value: Any, said: str
    ) -> None:
        with pytest.raises(MiMoInvalidRequestError, match=said) as raised:
            await ask(chat().bind(**{name: value}))
        assert raised.value.param == name
        assert mimo.requests == []
