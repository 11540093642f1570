"""A user's tests of a LangChain agent on MiMo; `test_plugin.py` runs them in a project."""

from typing import Any

import httpx
import httpx2
import pytest
from langchain.agents import create_agent

from langchain_mimo import ChatMiMo

ASKED: Any = {"messages": [{"role": "user", "content": "What is the weather in Paris?"}]}


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: light rain"


@pytest.mark.vcr
def test_agent() -> None:
    agent = create_agent(ChatMiMo(), [get_weather])
    assert agent.invoke(ASKED)["messages"][-1].content == "Light rain in Paris."


@pytest.mark.vcr
def test_agent_streamed() -> None:
    agent = create_agent(ChatMiMo(streaming=True), [get_weather])
    stream: Any = agent.stream(ASKED, stream_mode="messages")
    pieces = [piece.text for piece, _ in stream]
    assert len(pieces) > 4
    assert "".join(pieces).endswith("Light rain in Paris.")


@pytest.mark.vcr
async def test_agent_async() -> None:
    agent = create_agent(ChatMiMo(), [get_weather])
    answer = await agent.ainvoke(ASKED)
    assert answer["messages"][-1].content == "Light rain in Paris."


@pytest.mark.vcr
@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_of_ones_own(library: Any) -> None:
    with library.Client() as client:
        model = ChatMiMo(http_client=client)
        assert model.invoke("Hello").content == "Hi."
        assert "".join(chunk.text for chunk in model.stream("Hello")) == "Hi again."


@pytest.mark.vcr
@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_an_async_client_of_ones_own(library: Any) -> None:
    async with library.AsyncClient() as client:
        model = ChatMiMo(http_async_client=client)
        assert (await model.ainvoke("Hello")).content == "Hi."
        assert "".join([chunk.text async for chunk in model.astream("Hello")]) == "Hi again."
