"""A call that is not whole is never run.

The tool that could be run by mistake deletes files, and has a default for its one argument: to
LangChain, a call of it whose arguments never came is a valid call without arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.language_models._compat_bridge import chunks_to_events
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_mimo import ChatMiMo
from langchain_mimo.answers import ChunkMapper
from langchain_mimo.notices import forget_warnings
from mimo_core.checks import call_problem
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.langchain.conftest import added_up
from tests.langchain.test_agents import CONFIG, WAYS

Chat = Callable[..., ChatMiMo]

pytestmark = [
    pytest.mark.protocols("chat_completions", "messages"),
    pytest.mark.filterwarnings("ignore:.*is in beta.*"),
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:.*which is not run"),
]

CUT = ["length", "content_filter", "repetition_truncation"]
PIECES = ["", "{", '{"pattern": "*', '{"pattern": "*"', '{"pattern": "*\\', "[1]", '"*"', "null"]
QUESTION: Any = {"messages": [("human", "Tidy up, please.")]}


class Runs:
    """How often the tool was run."""

    def __init__(self) -> None:
        self.patterns: list[str] = []

    @property
    def tool(self) -> BaseTool:
        @tool
        def delete_files(pattern: str = "*") -> str:
            """Delete the files whose names fit a pattern."""
            self.patterns.append(pattern)
            return "Deleted."

        return delete_files


def a_call(arguments: str, finish_reason: str | None, name: str = "delete_files") -> Reply:
    return Reply(
        "Hm.",
        tool_calls=[(name, arguments, "call_1")],
        finish_reason=finish_reason,
        arguments_size=3,
    )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("arguments", ["", '{"pattern": "*'])
@pytest.mark.parametrize("finish_reason", CUT)
async def test_an_agent_does_not_run_a_cut_call(
    mimo: FakeMiMo,
    chat: Chat,
    protocol: str,
    finish_reason: str,
    arguments: str,
    output_version: str,
    way: Any,
) -> None:
    """The agent ends with the answer as it is, and the conversation can go on."""
    runs = Runs()
    model = chat(output_version=output_version)
    agent = create_agent(model, [runs.tool], checkpointer=InMemorySaver())
    mimo.queue(a_call(arguments, finish_reason), "You are welcome.")
    await way(agent, QUESTION)
    assert runs.patterns == []
    last = agent.get_state(CONFIG).values["messages"][-1]
    assert last.tool_calls == []
    assert [call["name"] for call in last.invalid_tool_calls] == ["delete_files"]
    assert last.response_metadata["finish_reason"] == finish_reason
    await way(agent, {"messages": [("human", "Thanks!")]})
    assert agent.get_state(CONFIG).values["messages"][-1].text == "You are welcome."
    for message in mimo.last_request.messages:
        for call in message.get("tool_calls") or ():
            assert list(json.loads(call["function"]["arguments"])) in ([], ["_raw"])


@pytest.mark.parametrize("arguments", PIECES)
async def test_each_way_to_ask(
    mimo: FakeMiMo, chat: Chat, protocol: str, ask: Any, arguments: str
) -> None:
    """The message says which call it was, and keeps what came of it. (Unstreamed, the messages
    protocol has objects for arguments, and no text to keep.)"""
    mimo.queue(a_call(arguments, "length"))
    message: AIMessage = await ask(chat().bind_tools([Runs().tool]))
    assert message.tool_calls == []
    [call] = message.invalid_tool_calls
    assert (call["name"], call["id"]) == ("delete_files", "call_1")
    if protocol == "chat_completions":
        assert (call["args"] or "").startswith(arguments)


TOKENS = st.sampled_from(["{", "}", "[", "]", '"', "\\", ":", ",", "a", "1", "null", " ", "\n"])


@given(pieces=st.lists(TOKENS, max_size=12).map("".join) | st.sampled_from(PIECES))
def test_any_arguments_that_are_not_whole(pieces: str) -> None:
    """However langchain-core closes them: as chunks added up, and as its v3 events."""
    call: Any = {"index": 0, "id": "c", "function": {"name": "f", "arguments": pieces}}
    mapper = ChunkMapper()
    delta: Any = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    end: Any = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    chunks = [
        chunk
        for chunk in (mapper.map(delta), mapper.end(end, {"tool_calls": [call]}))
        if chunk is not None
    ]
    whole = added_up([chunk.message for chunk in chunks])
    events: Any = chunks_to_events(iter(chunks))
    blocks = [e["content"] for e in events if e["event"] == "content-block-finish"]
    if call_problem(call) is not None:
        assert whole.tool_calls == []
        assert len(whole.invalid_tool_calls) == 1
        assert [block["type"] for block in blocks] == ["invalid_tool_call"]
    else:
        assert [call["args"] for call in whole.tool_calls] == [json.loads(pieces, strict=False)]


@pytest.mark.protocols("chat_completions")
async def test_a_call_that_names_no_tool(mimo: FakeMiMo, chat: Chat, ask: Any) -> None:
    mimo.queue(a_call('{"pattern": "*"}', None, name=""))
    message: AIMessage = await ask(chat().bind_tools([Runs().tool]))
    assert message.tool_calls == []
    assert len(message.invalid_tool_calls) == 1


async def test_a_whole_call_beside_a_cut_one(mimo: FakeMiMo, chat: Chat, ask: Any) -> None:
    calls = [("delete_files", {"pattern": "a"}, "call_1"), ("delete_files", "", "call_2")]
    mimo.queue(Reply(tool_calls=calls, finish_reason="length"))
    message: AIMessage = await ask(chat().bind_tools([Runs().tool]))
    assert [call["args"] for call in message.tool_calls] == [{"pattern": "a"}]
    assert [call["id"] for call in message.invalid_tool_calls] == ["call_2"]


async def test_no_arguments_are_none_where_the_answer_is_whole(
    mimo: FakeMiMo, chat: Chat, ask: Any
) -> None:
    """The tool needs none, and the model was not interrupted."""
    mimo.queue(a_call("", None))
    message: AIMessage = await ask(chat().bind_tools([Runs().tool]))
    assert [call["args"] for call in message.tool_calls] == [{}]
    assert message.invalid_tool_calls == []


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("streamed", [True, False])
def test_a_cut_call_is_told(mimo: FakeMiMo, chat: Chat, streamed: bool) -> None:
    """An agent ends there with an empty answer, and says nothing."""
    forget_warnings()
    mimo.queue(Reply(tool_calls=[("delete_files", '{"pattern": "*')], finish_reason="length"))
    model = chat().bind_tools([Runs().tool])
    told = r"was cut at max_tokens in its call of 'delete_files', which is not run"
    with pytest.warns(UserWarning, match=told):
        list(model.stream("Tidy up")) if streamed else model.invoke("Tidy up")
