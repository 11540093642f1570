"""Any history is accepted, or refused at the first turn by the number of the message.

Histories are made of LangChain's message classes, as any provider's class, an agent or a trimmed
thread can leave them: cut arguments, dangling calls, results without calls, empty blocks, media of
every kind in every place, unknown blocks, roles of older APIs, in any order. The emulator judges
what `ChatMiMo` makes of them: it refuses what the service refuses.

`HYPOTHESIS_PROFILE=fuzz` looks for longer.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError, MiMoUnsupportedInputError
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.conftest import KEY
from tests.langchain import any_message

MODELS = ["mimo-v2.6-pro", "mimo-v2.5-pro", "mimo-v2-flash"]
PROTOCOLS = ["chat_completions", "messages"]
GO_ON = HumanMessage("Go on.")
CUT = AIMessage(
    "", invalid_tool_calls=[{"name": "look", "args": '{"a": 1', "id": "call_1", "error": None}]
)
NOT_JSON = ToolMessage("Not JSON.", tool_call_id="call_1", status="error")
CALL = AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "call_1"}])
A_PDF = ToolMessage([{"type": "file", "file": {"file_id": "f"}}], tool_call_id="call_1")
A_PICTURE = ToolMessage(
    [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    tool_call_id="call_1",
)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeMiMo]:
    with FakeMiMo() as server:
        yield server


@pytest.fixture(scope="module")
def model(served: FakeMiMo) -> Iterator[Callable[..., ChatMiMo]]:
    """`model(id, protocol)`, made once."""
    made: dict[tuple[str, str], ChatMiMo] = {}

    def get(id_: str, protocol: str) -> ChatMiMo:
        url = served.messages_base_url if protocol == "messages" else served.base_url
        if (id_, protocol) not in made:
            made[id_, protocol] = ChatMiMo(
                model=id_, api_key=KEY, base_url=url, protocol=protocol, max_retries=0
            )
        return made[id_, protocol]

    yield get
    for one in made.values():
        one.close()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Empty and cut answers are warned of; that is not what is looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def refused(model: ChatMiMo, history: Sequence[BaseMessage], served: FakeMiMo) -> int | None:
    """The number of the message that is refused before anything is sent, or None.

    Any other error, the server's refusals among them, fails the test."""
    sent = len(served.requests)
    said = None
    try:
        model.invoke(list(history))
    except (MiMoInvalidRequestError, MiMoUnsupportedInputError) as error:
        said = str(error)
    if said is None:
        return None
    assert len(served.requests) == sent, f"refused by the server: {said}"
    named = re.search(r"messages\[(\d+)\]", said)
    assert named, f"names no message: {said}"
    return int(named[1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(
    history=st.lists(any_message.MESSAGES, min_size=1, max_size=5),
    id_=st.sampled_from(MODELS),
    tools=st.booleans(),
)
@example(history=[CUT, NOT_JSON], id_="mimo-v2.6-pro", tools=False)
@example(history=[CALL, A_PICTURE], id_="mimo-v2.5-pro", tools=False)
@example(history=[CALL, A_PDF], id_="mimo-v2.6-pro", tools=True)
@example(history=[CALL, CALL, NOT_JSON, NOT_JSON], id_="mimo-v2.6-pro", tools=False)
@example(history=[SystemMessage(""), HumanMessage([""])], id_="mimo-v2.6-pro", tools=False)
@pytest.mark.slow
def test_each_message_is_taken_or_refused_by_its_number(
    model: Callable[..., ChatMiMo],
    served: FakeMiMo,
    history: list[BaseMessage],
    id_: str,
    tools: bool,
    protocol: str,
) -> None:
    """Turn by turn: a thread that worked goes on, unless the new message itself is refused."""
    asked: Any = model(id_, protocol)
    if tools:  # a forced call puts an instruction before the history
        asked = asked.bind_tools([look], tool_choice="any")
        served.respond = lambda request: Reply(tool_calls=[("look", {})])
    else:
        served.respond = None
    thread: list[BaseMessage] = []
    for message in history:
        number = refused(asked, [*thread, message, GO_ON], served)
        if number is None:
            thread.append(message)
            continue
        assert number == len(thread), "another message than the new one is refused"
        assert any_message.may_be_refused(message), f"{message!r} is refused"


@tool
def look() -> str:
    """Look."""
    return "Nothing."


REPLIES = st.builds(
    Reply,
    st.sampled_from(["", " ", "Hello."]),
    reasoning=st.none() | st.sampled_from(["", "Hm."]),
    tool_calls=st.lists(
        st.tuples(
            st.sampled_from(["fetch", "fetch", "unknown", "odd name"]),
            st.sampled_from(["", "{}", "{", '{"what": 0', '{"what": "x"}', "[1]", '{"a": NaN}'])
            | st.integers(0, 3).map(lambda what: {"what": what}),
            st.sampled_from(["call_1", "call_2", None]),
        ),
        max_size=2,
        unique_by=lambda call: call[2],
    ),
    finish_reason=st.none()
    | st.sampled_from(["stop", "length", "content_filter", "repetition_truncation"]),
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(
    history=st.lists(any_message.MESSAGES, max_size=2),
    replies=st.lists(REPLIES, min_size=1, max_size=4),
    results=st.lists(any_message.RESULTS, min_size=1, max_size=4),
    id_=st.sampled_from(MODELS),
    streaming=st.booleans(),
    output_version=st.sampled_from(["v0", "v1"]),
)
@settings(max_examples=settings().max_examples // 3)  # an agent of three turns takes its time
@pytest.mark.slow
def test_an_agents_thread_goes_on(
    model: Callable[..., ChatMiMo],
    served: FakeMiMo,
    history: list[BaseMessage],
    replies: list[Reply],
    results: list[Any],
    id_: str,
    streaming: bool,
    output_version: str,
    protocol: str,
) -> None:
    """Whatever a thread begins with, the model answers and the tools return, the next turn is
    accepted."""

    @tool
    def fetch(what: int = 0) -> Any:
        """Fetch something."""
        return results[what % len(results)]

    changes = {"streaming": streaming, "output_version": output_version}
    asked = model(id_, protocol).model_copy(update=changes)
    agent: Any = create_agent(asked, [fetch], checkpointer=InMemorySaver())
    served.respond = None
    thread = [message for message in history if refused(asked, [message, GO_ON], served) is None]
    waiting = iter(replies)
    served.respond = lambda request: next(waiting, Reply("Done."))
    config: Any = {"configurable": {"thread_id": "1"}}
    for prompt in ("Fetch.", "And now?", "Thanks."):
        agent.invoke({"messages": [*thread, HumanMessage(prompt)]}, config)
        thread = []
    assert agent.get_state(config).values["messages"][-1].type == "ai"
