"""What only the messages protocol has: signatures, marks for the cache, and what it refuses.

Everything else is the same on both protocols, and tested in the other files: those that are marked
with both run once on each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError
from mimo_core.testing.emulator import FakeMiMo, Reply

pytestmark = [
    pytest.mark.protocols("messages"),
    pytest.mark.filterwarnings("ignore:.*is in beta.*"),
]

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]

MARK = {"type": "ephemeral"}
CALL = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}
SIGNED = Reply(
    "Let me look.",
    reasoning="Hm.",
    signature="EqMB+/==",
    tool_calls=[("get_weather", {"city": "Paris"}, "call_1")],
)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


def marked(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **fields, "cache_control": MARK}


class TestSignatures:
    """MiMo's are empty. A relay that puts another model behind the same name may sign."""

    @pytest.mark.parametrize("output_version", ["v0", "v1"])
    async def test_it_goes_back_unchanged(
        self, mimo: FakeMiMo, chat: Chat, ask: Ask, output_version: str
    ) -> None:
        mimo.queue(SIGNED, "Fine.")
        model = chat(output_version=output_version).bind_tools([get_weather])
        answer = await ask(model)
        assert answer.additional_kwargs["reasoning_signature"] == "EqMB+/=="
        await ask(model, [("human", "Hi"), answer, get_weather.invoke(answer.tool_calls[0])])
        assert thinking(mimo) == [{"type": "thinking", "thinking": "Hm.", "signature": "EqMB+/=="}]

    def test_after_v3_events(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(SIGNED, "Fine.")
        model = chat().bind_tools([get_weather])
        events: Any = model.stream_events("Hi", version="v3")
        answer = events.output
        model.invoke([("human", "Hi"), answer, get_weather.invoke(answer.tool_calls[0])])
        assert thinking(mimo)[0]["signature"] == "EqMB+/=="

    def test_an_empty_one_goes_back_empty(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Hello", reasoning="Hm."), "Fine.")
        answer = chat().invoke("Hi")
        assert answer.additional_kwargs == {"reasoning_content": "Hm."}
        chat().invoke([("human", "Hi"), answer, ("human", "So?")])
        assert thinking(mimo) == [{"type": "thinking", "thinking": "Hm.", "signature": ""}]

    def test_a_second_attempt_has_it_too(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Sunny.", reasoning="Hm.", signature="EqMB"), SIGNED)
        chat().bind_tools([get_weather], tool_choice="any").invoke("Weather?")
        assert thinking(mimo)[0]["signature"] == "EqMB"

    def test_it_stays_where_the_reasoning_stays(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Hello", reasoning="Hm.", signature="EqMB"), "Fine.")
        model = chat(pass_back_reasoning=False)
        model.invoke([("human", "Hi"), model.invoke("Hi"), ("human", "So?")])
        assert b"EqMB" not in mimo.last_request.raw

    @pytest.mark.protocols("chat_completions")
    def test_chat_completions_have_none(self, mimo: FakeMiMo, chat: Chat) -> None:
        """A history from the other protocol goes on here without it."""
        signed = {"reasoning_content": "Hm.", "reasoning_signature": "EqMB"}
        answer = AIMessage("Hello", additional_kwargs=signed)
        history: list[Any] = [("human", "Hi"), answer, ("human", "So?")]
        chat().invoke(history)
        assert mimo.last_request.messages[1]["reasoning_content"] == "Hm."
        assert b"EqMB" not in mimo.last_request.raw


def thinking(mimo: FakeMiMo) -> list[dict[str, Any]]:
    """The first block of each assistant message of the last request."""
    messages = mimo.last_request.body["messages"]
    return [message["content"][0] for message in messages if message["role"] == "assistant"]


class TestCacheControl:
    """Anthropic's convention: a block is marked, and everything up to it is cached."""

    def test_every_kind_of_message(self, mimo: FakeMiMo, chat: Chat) -> None:
        picture = {"type": "image", "url": "https://a/b.png", "cache_control": MARK}
        said = AIMessage([{"type": "text", "text": "Let me "}, marked("look.")], tool_calls=[CALL])
        history = [
            SystemMessage([{"type": "text", "text": "Be brief."}, marked("A long manual.")]),
            HumanMessage([marked("A long text."), picture]),
            AIMessage([marked("Yes?")]),
            HumanMessage("Weather?"),
            said,
            ToolMessage([marked("18 °C")], tool_call_id="call_1"),
        ]
        chat(model="mimo-v2.5").invoke(history)
        body = mimo.last_request.body
        assert body["system"] == [{"type": "text", "text": "Be brief."}, marked("A long manual.")]
        user, yes, _, look, result = body["messages"]
        assert user["content"] == [
            marked("A long text."),
            {
                "type": "image",
                "source": {"type": "url", "url": "https://a/b.png"},
                "cache_control": MARK,
            },
        ]
        assert yes["content"] == [marked("Yes?")]
        # Its text is one block, so the mark is at the end of the message.
        assert [block["type"] for block in look["content"]] == ["thinking", "text", "tool_use"]
        assert [block.get("cache_control") for block in look["content"]] == [None, None, MARK]
        assert result["content"][0]["content"] == [marked("18 °C")]

    def test_as_v1_blocks_have_it(self, mimo: FakeMiMo, chat: Chat) -> None:
        block: Any = {"type": "text", "text": "Long.", "extras": {"cache_control": MARK}}
        chat().invoke([HumanMessage(content_blocks=[block])])
        assert mimo.last_request.body["messages"][0]["content"] == [marked("Long.")]

    def test_tools(self, mimo: FakeMiMo, chat: Chat) -> None:
        function = {"name": "f", "description": "A function.", "parameters": {}}
        spec = {"type": "function", "function": function, "cache_control": MARK}
        chat().bind_tools([get_weather, spec]).invoke("Hi")
        marks = [sent.get("cache_control") for sent in mimo.last_request.body["tools"]]
        assert marks == [None, MARK]

    def test_the_instructions_of_structured_output_follow_it(
        self, mimo: FakeMiMo, chat: Chat
    ) -> None:
        """What is cached stays the same, whatever schema is asked for."""
        mimo.queue(Reply(json={"a": 1}))
        schema = {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}}
        history = [SystemMessage([marked("A long manual.")]), HumanMessage("Go")]
        chat().with_structured_output(schema).invoke(history)
        manual, instruction = mimo.last_request.body["system"]
        assert manual == marked("A long manual.")
        assert "cache_control" not in instruction

    @pytest.mark.protocols("chat_completions")
    def test_on_chat_completions(self, mimo: FakeMiMo, chat: Chat) -> None:
        """Marks on parts stay, for relays that read them; a whole text has no place for one."""
        history = [
            SystemMessage([marked("A long manual.")]),
            HumanMessage([marked("A long text.")]),
            AIMessage([marked("Yes?")]),
            HumanMessage("Weather?"),
        ]
        chat().invoke(history)
        assert mimo.last_request.body["messages"] == [
            {"role": "system", "content": [marked("A long manual.")]},
            {"role": "user", "content": [marked("A long text.")]},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Weather?"},
        ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"frequency_penalty": 0.5}, "'frequency_penalty'"),
        ({"presence_penalty": 0.5}, "'presence_penalty'"),
        ({"model": "mimo-v2.5-tts", "audio": {"voice": "Mia"}}, "The model mimo-v2.5-tts"),
    ],
)
def test_what_it_does_not_have(
    mimo: FakeMiMo, chat: Chat, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(MiMoInvalidRequestError) as raised:
        chat(**fields).invoke([("human", "Hi"), ("ai", "Hello")])
    assert str(raised.value).startswith(f"{named} is not supported by the messages protocol; use ")
    assert "protocol='chat_completions'" in str(raised.value)
    assert mimo.requests == []


@pytest.mark.parametrize("choice", [None, "any"])
def test_it_does_not_search(mimo: FakeMiMo, chat: Chat, choice: Any) -> None:
    model = chat().bind_tools([get_weather, {"type": "web_search"}], tool_choice=choice)
    with pytest.raises(MiMoInvalidRequestError, match=r"'web_search' is not supported.*chat_compl"):
        model.invoke("News?")
    assert mimo.requests == []


def test_the_default_limit_is_the_models_own(mimo: FakeMiMo, chat: Chat) -> None:
    """`max_tokens` is required here."""
    for model in ("mimo-v2.5-pro", "mimo-v2.5", "mimo-v2-flash"):
        chat(model=model).invoke("Hi")
    sent = [request.body["max_tokens"] for request in mimo.requests]
    assert sent == [131_072, 32_768, 65_536]
