"""Agents: the request of every later turn, on `create_agent` and on plain LangGraph.

What breaks other classes on MiMo is the second request: each assistant message with calls must
carry its reasoning again. The emulator refuses a history without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from langchain_mimo import ChatMiMo, MiMoInsufficientBalanceError, MiMoRateLimitError
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply

Chat = Callable[..., ChatMiMo]

pytestmark = [
    pytest.mark.protocols("chat_completions", "messages"),
    pytest.mark.filterwarnings("ignore:.*is in beta.*"),
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


class Weather(BaseModel):
    """The weather."""

    city: str
    sunny: bool


TWO_CALLS = Reply(
    "Let me look.",
    reasoning="Two cities, two calls.",
    tool_calls=[
        ("get_weather", {"city": "Paris"}, "call_1"),
        ("get_weather", {"city": "Oslo"}, "call_2"),
    ],
)
ONE_CALL = Reply(reasoning="And Rome.", tool_calls=[("get_weather", {"city": "Rome"}, "call_3")])
DONE = Reply("Sunny everywhere.", reasoning="All are sunny.")


def on_the_wire(id_: str, city: str) -> dict[str, Any]:
    arguments = json.dumps({"city": city})
    return {
        "id": id_,
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    }


def result(id_: str, city: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": f"Sunny in {city}"}


FIRST_TURN = [
    {"role": "user", "content": "Weather in Paris, Oslo and Rome?"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "reasoning_content": "Two cities, two calls.",
        "tool_calls": [on_the_wire("call_1", "Paris"), on_the_wire("call_2", "Oslo")],
    },
    result("call_1", "Paris"),
    result("call_2", "Oslo"),
    {
        "role": "assistant",
        "content": " ",
        "reasoning_content": "And Rome.",
        "tool_calls": [on_the_wire("call_3", "Rome")],
    },
    result("call_3", "Rome"),
]
SECOND_TURN = [
    *FIRST_TURN,
    {
        "role": "assistant",
        "content": "Sunny everywhere.",
        "reasoning_content": "All are sunny.",
    },
    {"role": "user", "content": "Thanks!"},
]
CONFIG: Any = {"configurable": {"thread_id": "1"}}
QUESTION: Any = {"messages": [("human", "Weather in Paris, Oslo and Rome?")]}
THANKS: Any = {"messages": [("human", "Thanks!")]}


def an_agent(model: Any) -> Any:
    return create_agent(model, [get_weather], checkpointer=InMemorySaver())


def a_graph(model: Any) -> Any:
    """The same by hand, on plain LangGraph."""
    bound = model.bind_tools([get_weather])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [bound.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([get_weather]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=InMemorySaver())


async def invoke(agent: Any, given: Any) -> None:
    agent.invoke(given, CONFIG)


async def ainvoke(agent: Any, given: Any) -> None:
    await agent.ainvoke(given, CONFIG)


async def stream_values(agent: Any, given: Any) -> None:
    list(agent.stream(given, CONFIG, stream_mode="values"))


async def stream_messages(agent: Any, given: Any) -> None:
    list(agent.stream(given, CONFIG, stream_mode="messages"))


async def astream_messages_and_updates(agent: Any, given: Any) -> None:
    stream = agent.astream(given, CONFIG, stream_mode=["messages", "updates"])
    assert [mode async for mode, _ in stream]


async def stream_messages_v2(agent: Any, given: Any) -> None:
    list(agent.stream(given, CONFIG, stream_mode="messages", version="v2"))


async def astream_events_v2(agent: Any, given: Any) -> None:
    events = [event async for event in agent.astream_events(given, CONFIG, version="v2")]
    ends = [event for event in events if event["event"] == "on_chat_model_end"]
    assert all(type(end["data"]["output"]) is AIMessage or end["data"]["output"] for end in ends)


async def stream_events_v3(agent: Any, given: Any) -> None:
    assert agent.stream_events(given, CONFIG, version="v3").output


async def astream_events_v3(agent: Any, given: Any) -> None:
    stream = await agent.astream_events(given, CONFIG, version="v3")
    assert await stream.output()


WAYS = [
    invoke,
    ainvoke,
    stream_values,
    stream_messages,
    astream_messages_and_updates,
    stream_messages_v2,
    astream_events_v2,
    stream_events_v3,
    astream_events_v3,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("make", [an_agent, a_graph])
async def test_every_later_request(
    mimo: FakeMiMo, chat: Chat, make: Any, output_version: str, way: Any
) -> None:
    """The checkpointer serialises the history between the turns (and gives it back whole)."""
    agent = make(chat(output_version=output_version))
    mimo.queue(TWO_CALLS, ONE_CALL, DONE, "You are welcome.")
    await way(agent, QUESTION)
    await way(agent, THANKS)
    requests = [request.messages for request in mimo.requests]
    assert requests[0] == FIRST_TURN[:1]
    assert sorted(requests[1][2:], key=str) == sorted(FIRST_TURN[2:4], key=str)
    assert [requests[1][1], requests[2][4]] == [FIRST_TURN[1], FIRST_TURN[4]]
    assert len(requests[2]) == 6
    assert requests[3] == SECOND_TURN
    final = agent.get_state(CONFIG).values["messages"]
    assert final[-1].text == "You are welcome."
    assert [call["args"] for call in final[1].tool_calls] == [{"city": "Paris"}, {"city": "Oslo"}]


def test_the_tokens_of_an_agent(mimo: FakeMiMo, chat: Chat) -> None:
    """`stream_mode="messages"`: text as it comes, and one whole call."""
    mimo.queue(ONE_CALL, Reply("Sunny.", chunk_size=3))
    pieces: Any = create_agent(chat(), [get_weather]).stream(QUESTION, stream_mode="messages")
    texts = [
        message.text
        for message, info in pieces
        if info["langgraph_node"] == "model" and message.text
    ]
    assert texts == ["Sun", "ny."]


def test_a_model_that_goes_on_after_another(mimo: FakeMiMo, chat: Chat) -> None:
    """Half a conversation with thinking off, the rest with it on: calls get an empty reasoning."""
    saver = InMemorySaver()
    mimo.queue(ONE_CALL, DONE, "You are welcome.")
    create_agent(chat(thinking=False), [get_weather], checkpointer=saver).invoke(QUESTION, CONFIG)
    create_agent(chat(), [get_weather], checkpointer=saver).invoke(THANKS, CONFIG)
    assistant = mimo.last_request.messages[1]
    assert assistant["reasoning_content"] == ""
    assert assistant["tool_calls"] == [on_the_wire("call_3", "Rome")]


def test_summarisation(mimo: FakeMiMo, chat: Chat) -> None:
    """Its trigger reads the usage that MiMo reported; the calls it keeps keep their reasoning."""
    model = chat()
    summarise = SummarizationMiddleware(model, trigger=("tokens", 5_000), keep=("messages", 2))
    agent: Any = create_agent(
        model, [get_weather], middleware=[summarise], checkpointer=InMemorySaver()
    )
    mimo.queue("Hello.", Reply(**{**_fields(ONE_CALL), "usage": {"prompt_tokens": 6_000}}))
    mimo.queue("The user asked for the weather.", DONE)
    agent.invoke({"messages": [("human", "Hi")]}, CONFIG)
    agent.invoke(QUESTION, CONFIG)
    assert len(mimo.requests) == 4
    summary = mimo.requests[2].body
    assert "tools" not in summary
    assert "Weather in Paris" in str(summary["messages"])
    first, *kept = mimo.requests[3].messages
    assert first["role"] == "user"
    assert "The user asked for the weather." in first["content"]
    assert kept == FIRST_TURN[4:]


def test_summarisation_by_the_size_of_the_model(mimo: FakeMiMo, chat: Chat) -> None:
    """A fraction needs `profile["max_input_tokens"]`."""
    model = chat()
    summarise = SummarizationMiddleware(model, trigger=("fraction", 0.001), keep=("messages", 1))
    agent = create_agent(model, [], middleware=[summarise])
    mimo.queue("A long story.", "Fine.")
    long = "word " * 2_000
    agent.invoke({"messages": [HumanMessage(long), AIMessage("Yes."), HumanMessage("And?")]})
    assert len(mimo.requests) == 2
    assert "A long story." in mimo.last_request.messages[0]["content"]


INVALID_CALL = Reply("Hm.", tool_calls=[("get_weather", "no JSON", "call_1")])


def test_an_invalid_call_does_not_spoil_the_conversation(mimo: FakeMiMo, chat: Chat) -> None:
    """The agent ends at it. `create_agent` answers it on the next turn, so it goes along.

    (Streamed: on the messages protocol, arguments are text in streams only.)"""
    agent = an_agent(chat(streaming=True))
    mimo.queue(INVALID_CALL, "You are welcome.")
    agent.invoke(QUESTION, CONFIG)
    agent.invoke(THANKS, CONFIG)
    _, assistant, answer, _ = mimo.last_request.messages
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"_raw": "no JSON"}'
    assert answer["role"] == "tool"
    assert "malformed" in answer["content"]


def test_an_invalid_call_that_nobody_answers(mimo: FakeMiMo, chat: Chat) -> None:
    """On plain LangGraph it stays without an answer, so it is left out."""
    agent = a_graph(chat(streaming=True))
    mimo.queue(INVALID_CALL, "You are welcome.")
    agent.invoke(QUESTION, CONFIG)
    agent.invoke(THANKS, CONFIG)
    assert mimo.last_request.messages[1] == {"role": "assistant", "content": "Hm."}


def test_a_tool_that_fails(mimo: FakeMiMo, chat: Chat) -> None:
    @tool
    def fail() -> str:
        """Fail."""
        return ""

    agent = create_agent(chat(), [fail])
    mimo.queue(Reply(tool_calls=[("fail", {"surplus": 1}, "1"), ("unknown", {}, "2")]), "Oh.")
    agent.invoke(QUESTION)
    results = mimo.last_request.messages[2:]
    assert [message["role"] for message in results] == ["tool", "tool"]
    assert any("unknown is not a valid tool" in message["content"] for message in results)


def test_an_image_from_a_tool(mimo: FakeMiMo, chat: Chat, protocol: str) -> None:
    """It follows in a user message; on the messages protocol it stays in the result."""

    @tool
    def plot() -> list[dict[str, Any]]:
        """Plot something."""
        return [{"type": "image", "base64": "AAAA", "mime_type": "image/png"}]

    mimo.queue(Reply(tool_calls=[("plot", {}, "call_1")]), "A line.")
    create_agent(chat(model="mimo-v2.5"), [plot]).invoke(QUESTION)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    if protocol == "messages":
        source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
        [message] = mimo.last_request.body["messages"][2:]
        [result] = message["content"]
        assert (result["type"], result["tool_use_id"]) == ("tool_result", "call_1")
        assert result["content"] == [{"type": "image", "source": source}]
        return
    assert mimo.last_request.messages[2:] == [
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": "The output follows in the next user message.",
        },
        {
            "role": "user",
            "content": [{"type": "text", "text": "Output of the tool call call_1:"}, image],
        },
    ]


@pytest.mark.protocols("chat_completions")
def test_web_search_beside_functions(mimo: FakeMiMo, chat: Chat) -> None:
    search = {"type": "web_search", "force_search": True, "limit": 2}
    mimo.queue(ONE_CALL, Reply("Done.", annotations=[{"type": "url_citation", "url": "https://a"}]))
    answer = create_agent(chat(), [get_weather, search]).invoke(QUESTION)["messages"][-1]
    assert [request.body["tools"][1] for request in mimo.requests] == [search, search]
    assert answer.content_blocks[0]["annotations"] == [{"type": "citation", "url": "https://a"}]


class TestResponseFormat:
    SUNNY = Weather(city="Rome", sunny=True)

    @pytest.mark.parametrize("form", ["plain", "strategy"])
    def test_tool_strategy(self, mimo: FakeMiMo, chat: Chat, form: str) -> None:
        """A raw schema ends up here too: the profile says that MiMo does not enforce schemas."""
        response_format: Any = Weather if form == "plain" else ToolStrategy(Weather)
        agent = create_agent(chat(), [get_weather], response_format=response_format)
        mimo.queue(ONE_CALL, Reply(tool_calls=[("Weather", self.SUNNY.model_dump(), "call_4")]))
        assert agent.invoke(QUESTION)["structured_response"] == self.SUNNY
        for request in mimo.requests:
            assert request.tool_names == ["get_weather", "Weather"]
            assert request.chat["tool_choice"] == "required"
            assert request.messages[0]["content"] == (
                "Answer by calling one of the tools, not with text."
            )
        assert mimo.last_request.messages[2] == FIRST_TURN[4]

    def test_tool_strategy_with_a_model_that_answers_in_text(
        self, mimo: FakeMiMo, chat: Chat
    ) -> None:
        agent = create_agent(chat(), [], response_format=ToolStrategy(Weather))
        mimo.queue("It is sunny.", Reply(tool_calls=[("Weather", self.SUNNY.model_dump())]))
        assert agent.invoke(QUESTION)["structured_response"] == self.SUNNY
        assert "Call one of the tools now." in mimo.last_request.messages[-1]["content"]

    def test_tool_strategy_with_a_wrong_object(self, mimo: FakeMiMo, chat: Chat) -> None:
        """The agent itself sends the validator's message back."""
        agent = create_agent(chat(), [], response_format=ToolStrategy(Weather))
        mimo.queue(
            Reply(tool_calls=[("Weather", {"city": "Rome"}, "call_1")]),
            Reply(tool_calls=[("Weather", self.SUNNY.model_dump(), "call_2")]),
        )
        assert agent.invoke(QUESTION)["structured_response"] == self.SUNNY
        assert "sunny" in mimo.last_request.messages[-1]["content"]

    def test_provider_strategy(self, mimo: FakeMiMo, chat: Chat, protocol: str) -> None:
        """Tool calls pass; the answer is validated, and asked for again. The messages protocol has
        no `response_format`: the prompt says it all."""
        agent = create_agent(chat(), [get_weather], response_format=ProviderStrategy(Weather))
        mimo.queue(ONE_CALL, Reply(json={"city": "Rome"}), Reply(json=self.SUNNY.model_dump()))
        assert agent.invoke(QUESTION)["structured_response"] == self.SUNNY
        if protocol == "chat_completions":
            assert mimo.requests[0].body["response_format"]["type"] == "json_schema"
        assert '"sunny"' in mimo.requests[0].messages[0]["content"]
        assert mimo.requests[1].messages[2] == FIRST_TURN[4]
        assert "'sunny' is a required property" in mimo.last_request.messages[-1]["content"]

    def test_provider_strategy_without_tools(self, mimo: FakeMiMo, chat: Chat) -> None:
        agent = create_agent(chat(), response_format=ProviderStrategy(Weather))
        mimo.queue(Reply(json=self.SUNNY.model_dump()))
        assert agent.invoke(QUESTION)["structured_response"] == self.SUNNY
        assert "tools" not in mimo.last_request.body

    async def test_streamed(self, mimo: FakeMiMo, chat: Chat) -> None:
        for strategy in (ToolStrategy(Weather), ProviderStrategy(Weather)):
            sunny = self.SUNNY.model_dump()
            mimo.queue(
                Reply(tool_calls=[("Weather", sunny)])
                if isinstance(strategy, ToolStrategy)
                else Reply(json=sunny)
            )
            agent: Any = create_agent(chat(), response_format=strategy)
            states = agent.astream(QUESTION, stream_mode=["values", "messages"])
            values = [state async for mode, state in states if mode == "values"]
            assert values[-1]["structured_response"] == self.SUNNY


class TestRetries:
    def test_what_can_be_retried_is(self, mimo: FakeMiMo, chat: Chat) -> None:
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
        agent = create_agent(chat(), [], middleware=[retry])
        mimo.queue(Fault("rate_limit"), Fault("server"), "Hello")
        assert agent.invoke(QUESTION)["messages"][-1].text == "Hello"

    def test_what_cannot_is_not(self, mimo: FakeMiMo, chat: Chat) -> None:
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
        agent = create_agent(chat(), [], middleware=[retry])
        mimo.queue(Fault("balance"), "Hello")
        with pytest.raises(MiMoInsufficientBalanceError, match="Top up the account"):
            agent.invoke(QUESTION)
        assert len(mimo.requests) == 1

    def test_without_it_the_error_comes_through(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Fault("rate_limit"))
        with pytest.raises(MiMoRateLimitError):
            create_agent(chat(), []).invoke(QUESTION)


def _fields(reply: Reply) -> dict[str, Any]:
    return {"reasoning": reply.reasoning, "tool_calls": reply.tool_calls}


def test_tool_messages_by_hand(mimo: FakeMiMo, chat: Chat) -> None:
    """The loop of LangChain's own documentation."""
    model = chat().bind_tools([get_weather])
    mimo.queue(ONE_CALL, DONE)
    messages: list[Any] = [HumanMessage("Weather in Paris, Oslo and Rome?")]
    messages.append(model.invoke(messages))
    messages += [get_weather.invoke(call) for call in messages[-1].tool_calls]
    assert isinstance(messages[-1], ToolMessage)
    assert model.invoke(messages).text == "Sunny everywhere."
    assert mimo.last_request.messages == [FIRST_TURN[0], *FIRST_TURN[4:]]
