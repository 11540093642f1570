"""From `ChatOpenAI(base_url=…)` to `ChatMiMo`: the same arguments, and what no longer breaks.

The second half runs `ChatOpenAI` itself against the emulator and documents what goes wrong there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import SecretStr

from langchain_mimo import ChatMiMo
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.conftest import KEY
from tests.langchain.conftest import added_up

openai = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")

ARGUMENTS: dict[str, Any] = {
    "model": "mimo-v2-flash",  # on later ones the sampling is fixed while they think
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 100,
    "stop": ["END"],
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "reasoning_effort": "low",
    "timeout": 30,
    "max_retries": 0,
    "default_headers": {"x-team": "a"},
    "streaming": False,
    "model_kwargs": {"parallel_tool_calls": True},
    "extra_body": {"provider": {"order": ["xiaomi"]}},
}
OTHER_NAMES: dict[str, Any] = {
    "model_name": "mimo-v2.5-pro",
    "max_completion_tokens": 100,
    "request_timeout": 30,
    "stop_sequences": ["END"],
    "max_retries": None,
    "stream_usage": True,
}


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


CALL = Reply(reasoning="I must look.", tool_calls=[("get_weather", {"city": "Paris"}, "call_1")])
TOOLS = [get_weather]


@pytest.fixture
def chat_openai(mimo: FakeMiMo) -> Callable[..., Any]:
    def make(**kwargs: Any) -> Any:
        given = {"model": "mimo-v2.5-pro", "max_retries": 0, **kwargs}
        return openai.ChatOpenAI(api_key=KEY, base_url=mimo.base_url, **given)

    return make


class TestTheSwap:
    @pytest.mark.parametrize("arguments", [ARGUMENTS, OTHER_NAMES], ids=["names", "other-names"])
    def test_the_same_arguments_make_the_same_request(
        self, mimo: FakeMiMo, arguments: dict[str, Any]
    ) -> None:
        bodies = []
        for kind in (openai.ChatOpenAI, ChatMiMo):
            mimo.queue("Hello")
            model = kind(api_key=KEY, base_url=mimo.base_url, **arguments)
            model.bind_tools(TOOLS).invoke([("system", "Be brief."), ("human", "Hi")])
            body = mimo.last_request.body
            assert mimo.last_request.headers["authorization"] == f"Bearer {KEY}"
            bodies.append({key: value for key, value in body.items() if key != "stream"})
        assert bodies[0] == bodies[1]

    def test_the_oldest_names(self, mimo: FakeMiMo) -> None:
        model = ChatMiMo(openai_api_key=KEY, openai_api_base=mimo.base_url)
        assert model.invoke("Hi").content
        assert mimo.last_request.headers["authorization"] == f"Bearer {KEY}"
        model.close()

    def test_clients(self, mimo: FakeMiMo) -> None:
        with httpx.Client(headers={"x-app": "mine"}) as client:
            for kind in (openai.ChatOpenAI, ChatMiMo):
                given: dict[str, Any] = {"model": "mimo-v2.5", "http_client": client}
                model = kind(api_key=SecretStr(KEY), base_url=mimo.base_url, **given)
                assert model.invoke("Hi").content
                assert mimo.last_request.headers["x-app"] == "mine"

    def test_thinking_moves_out_of_extra_body(self, mimo: FakeMiMo) -> None:
        """Where it has to be with ChatOpenAI, and may stay."""
        arguments: list[dict[str, Any]] = [
            {"extra_body": {"thinking": {"type": "disabled"}}},
            {"thinking": False},
        ]
        for kwargs in arguments:
            model = ChatMiMo(api_key=KEY, base_url=mimo.base_url, **kwargs)
            model.invoke("Hi")
            assert mimo.last_request.body["thinking"] == {"type": "disabled"}
            model.close()

    @pytest.mark.parametrize("choice", ["any", "required", "get_weather", True, "auto", "none"])
    def test_the_same_tool_choices(
        self, mimo: FakeMiMo, chat_openai: Any, chat: Any, choice: Any
    ) -> None:
        mimo.respond = lambda request: CALL if request.body.get("tools") else Reply("Hello")
        sent = []
        for model in (chat_openai(), chat()):
            model.bind_tools(TOOLS, tool_choice=choice).invoke("Hi")
            sent.append(mimo.last_request.body.get("tool_choice"))
        assert sent[0] == sent[1] or (choice == "none" and sent[1] is None)

    def test_a_history_that_chat_openai_began(
        self, mimo: FakeMiMo, chat_openai: Any, chat: Any
    ) -> None:
        """ChatOpenAI has dropped the reasoning, so the call goes on with an empty one."""
        mimo.queue(CALL, "Sunny.")
        history: list[BaseMessage] = [HumanMessage("Weather?")]
        history.append(chat_openai().bind_tools(TOOLS).invoke(history))
        history.append(ToolMessage("Sunny in Paris", tool_call_id="call_1"))
        assert chat().bind_tools(TOOLS).invoke(history).content == "Sunny."
        assistant = mimo.last_request.body["messages"][1]
        assert (assistant["content"], assistant["reasoning_content"]) == (" ", "")


class TestWhatBreaksWithChatOpenAI:
    """Facts about langchain-openai, so that a change there is noticed here."""

    def two_turns(self, model: Any) -> AIMessage:
        history: list[Any] = [HumanMessage("Weather?")]
        history.append(model.invoke(history))
        history += [get_weather.invoke(call) for call in history[-1].tool_calls]
        answer = model.invoke(history)
        assert isinstance(answer, AIMessage)
        return answer

    def test_the_second_turn_of_a_tool_loop(
        self, mimo: FakeMiMo, chat_openai: Any, chat: Any
    ) -> None:
        """It sends neither the reasoning nor a content. MiMo answers 400."""
        mimo.queue(CALL)
        with pytest.raises(Exception, match="400"):
            self.two_turns(chat_openai().bind_tools(TOOLS))
        refused = mimo.last_request.body["messages"][1]
        assert "reasoning_content" not in refused
        assert refused["content"] is None

        mimo.queue(CALL, "Sunny.")
        assert self.two_turns(chat().bind_tools(TOOLS)).content == "Sunny."
        accepted = mimo.last_request.body["messages"][1]
        assert accepted["reasoning_content"] == "I must look."
        assert accepted["content"] == " "
        assert accepted["tool_calls"] == refused["tool_calls"] or (
            accepted["tool_calls"][0]["id"] == refused["tool_calls"][0]["id"]
        )

    def test_the_reasoning_alone_is_reason_enough(self, mimo: FakeMiMo, chat_openai: Any) -> None:
        """With some text beside the call, what is left is the refusal the whole world reported."""
        mimo.queue(Reply("One moment.", reasoning="Hm.", tool_calls=CALL.tool_calls))
        with pytest.raises(Exception, match="Param Incorrect") as raised:
            self.two_turns(chat_openai().bind_tools(TOOLS))
        refused: Any = raised.value
        assert refused.body["param"] == (
            "The reasoning_content in the thinking mode must be passed back to the API."
        )

    def test_reasoning_is_lost(self, mimo: FakeMiMo, chat_openai: Any, chat: Any) -> None:
        kinds = []
        for model in (chat_openai(), chat()):
            mimo.queue(Reply("Hello", reasoning="Hm."))
            kinds.append([block["type"] for block in model.invoke("Hi").content_blocks])
        assert kinds == [["text"], ["reasoning", "text"]]

    def test_a_stream_has_no_usage(self, mimo: FakeMiMo, chat_openai: Any, chat: Any) -> None:
        """ChatOpenAI does not ask for it where `base_url` is set; MiMo sends it all the same."""
        usages = []
        for model in (chat_openai(), chat()):
            mimo.queue("Hello")
            usages.append(added_up(list(model.stream("Hi"))).usage_metadata)
            assert "stream_options" not in mimo.last_request.body or model.__class__ is ChatMiMo
        assert usages[1] is not None
        assert usages[1]["total_tokens"] > 0

    def test_thinking_per_call(self, mimo: FakeMiMo, chat_openai: Any, chat: Any) -> None:
        with pytest.raises(TypeError, match="thinking"):
            chat_openai().invoke("Hi", thinking={"type": "disabled"})
        chat().invoke("Hi", thinking={"type": "disabled"})
        assert mimo.last_request.body["thinking"] == {"type": "disabled"}

    def test_web_search_goes_elsewhere(self, mimo: FakeMiMo, chat_openai: Any, chat: Any) -> None:
        """To `/responses`, which knows another tool of that name."""
        search = {"type": "web_search", "force_search": True}
        with pytest.raises(Exception):  # noqa: B017
            chat_openai().bind_tools([search]).invoke("News?")
        assert mimo.last_request.path.endswith("/responses")
        mimo.queue(Reply("News.", annotations=[{"type": "url_citation", "url": "https://a"}]))
        answer = chat().bind_tools([search]).invoke("News?")
        assert mimo.last_request.body["tools"] == [search]
        assert answer.content_blocks[0]["annotations"][0]["url"] == "https://a"

    def test_a_forced_call_that_does_not_come(
        self, mimo: FakeMiMo, chat_openai: Any, chat: Any
    ) -> None:
        """MiMo does not enforce `tool_choice`: None, or an object in the second attempt."""
        schema = {"title": "Weather", "type": "object", "properties": {"city": {"type": "string"}}}
        mimo.queue("Sunny.", "Sunny.", Reply(tool_calls=[("Weather", {"city": "Paris"})]))
        made = [
            model.with_structured_output(schema, method="function_calling").invoke("Weather?")
            for model in (chat_openai(), chat())
        ]
        assert made == [None, {"city": "Paris"}]

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "video", "url": "https://example.com/v"},
            {"type": "audio", "url": "https://example.com/a"},
        ],
    )
    def test_video_and_audio_by_url(
        self, mimo: FakeMiMo, chat_openai: Any, chat: Any, block: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"not supported|not found|Block of type|audio"):
            chat_openai(model="mimo-v2.5").invoke([HumanMessage([block])])
        assert chat(model="mimo-v2.5").invoke([HumanMessage([block])]).content
