"""What the tests of `langchain_mimo` share: a model that talks to the emulator, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from langchain_mimo import ChatMiMo, notices
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY
from tests.langchain.batch_server import BatchServer


@pytest.fixture(autouse=True)
def _all_said_anew() -> None:
    """A warning comes once for each process; here, once for each test."""
    notices.forget_warnings()


@pytest.fixture
def chat(mimo: FakeMiMo, protocol: str) -> Iterator[Callable[..., ChatMiMo]]:
    """Makes `ChatMiMo`s that talk to the emulator on `protocol`, and closes them."""
    where: dict[str, Any] = {"base_url": mimo.base_url}
    if protocol == "messages":
        where = {"base_url": mimo.messages_base_url, "protocol": "messages"}
    models: list[ChatMiMo] = []

    def make(**kwargs: Any) -> ChatMiMo:
        kwargs.setdefault("max_retries", 0)
        models.append(ChatMiMo(**{"api_key": KEY, **where, **kwargs}))
        return models[-1]

    yield make
    for model in models:
        model.close()


@pytest.fixture
def wire(mimo: FakeMiMo, chat: Callable[..., ChatMiMo]) -> Callable[..., list[dict[str, Any]]]:
    """The messages that a LangChain history becomes on the wire, in the shape of chat completions
    (the emulator has accepted them)."""

    def of(*history: Any, **kwargs: Any) -> list[dict[str, Any]]:
        mimo.queue("ok")
        chat(**{"model": "mimo-v2.5", **kwargs}).invoke(list(history))
        return mimo.last_request.messages

    return of


@pytest.fixture
def batch_server(mimo: FakeMiMo) -> Iterator[BatchServer]:
    """Files and Batches of a foreign server, whose lines the emulator answers."""
    mimo.respond = lambda request: f"About {request.text_of('user')}"
    with BatchServer(mimo.base_url) as server:
        yield server


@pytest.fixture
def batch_chat(batch_server: BatchServer) -> Iterator[Callable[..., ChatMiMo]]:
    """Makes `ChatMiMo`s that talk to `batch_server`, and closes them."""
    with ExitStack() as models:

        def make(**kwargs: Any) -> ChatMiMo:
            where = {"base_url": f"xiaomi+{batch_server.base_url}", "max_retries": 0}
            model = ChatMiMo(**{"api_key": KEY, **where, **kwargs})
            models.callback(model.close)
            return model

        yield make


@pytest.fixture
def job_path(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


def added_up(chunks: Iterable[BaseMessage]) -> AIMessageChunk:
    """The message that a stream's chunks add up to."""
    whole: Any = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


@pytest.fixture(params=["invoke", "stream", "ainvoke", "astream"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`await ask(model)`: the one message of an answer, fetched in each of the four ways."""

    async def of(model: Any, prompt: Any = "Hi") -> AIMessage:
        match request.param:
            case "invoke":
                answer = model.invoke(prompt)
            case "stream":
                answer = added_up(list(model.stream(prompt)))
            case "ainvoke":
                answer = await model.ainvoke(prompt)
            case _:
                answer = added_up([chunk async for chunk in model.astream(prompt)])
        assert isinstance(answer, AIMessage)
        return answer

    return of
