"""Clients: made when they are needed, for each loop and process; copied, pickled and closed."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import pytest
from langchain_core.runnables import ConfigurableField, RunnableConfig

from langchain_mimo import ChatMiMo, MiMoConnectionError
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY, STRICT

Chat = Callable[..., ChatMiMo]

ENDLESS = Reply("word " * 500, interval=0.02)


@pytest.mark.slow
def test_construction_imports_no_http_and_no_tls() -> None:
    """The TLS context costs 20 ms; it is built with the first request."""
    program = (
        "from langchain_mimo import ChatMiMo\n"
        "from mimo_core._http import own_client\n"
        "import httpx2\n"
        "def refuse(*_, **__): raise AssertionError('a client or a context was made')\n"
        "httpx2.Client.__init__ = httpx2.AsyncClient.__init__ = refuse\n"
        "httpx2.create_ssl_context = refuse\n"
        "model = ChatMiMo(api_key='sk-test')\n"
        "repr(model), model.bind_tools([]), model.with_structured_output(), model.profile\n"
        "model._identifying_params, model._get_ls_params()\n"
        "assert not own_client._contexts\n"
    )
    subprocess.run([sys.executable, *STRICT, "-c", program], check=True, timeout=60)


class TestLoops:
    def test_each_run_of_asyncio_has_its_own_client(self, mimo: FakeMiMo, chat: Chat) -> None:
        """A shared one would raise "Event loop is closed" in the second."""
        model = chat()
        for answer in "abc":
            mimo.queue(answer)
            assert asyncio.run(model.ainvoke("Hi")).content == answer
        assert mimo.wait_for_idle()

    def test_also_with_streams_and_a_sync_call_between(self, mimo: FakeMiMo, chat: Chat) -> None:
        async def streamed() -> str:
            return "".join([chunk.text async for chunk in model.astream("Hi")])

        model = chat()
        mimo.queue("a", "b", "c")
        assert asyncio.run(streamed()) == "a"
        assert model.invoke("Hi").content == "b"
        assert asyncio.run(streamed()) == "c"

    def test_loops_in_threads(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat()
        mimo.respond = lambda request: request.text_of("user")

        def ask(number: int) -> Any:
            return asyncio.run(model.ainvoke(f"{number}")).content

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, range(12))) == [str(number) for number in range(12)]

    def test_threads_share_one_client(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat()
        mimo.respond = lambda request: request.text_of("user")
        barrier = threading.Barrier(4)

        def ask(number: int) -> Any:
            barrier.wait(5)  # the first use of all of them at once
            return model.invoke(f"{number}").content

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, range(4))) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("used", [False, True], ids=["before-use", "after-use"])
@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: model.model_copy(update={"max_tokens": 50}),
    ],
    ids=["copy", "deepcopy", "pickle", "model_copy"],
)
async def test_copies(mimo: FakeMiMo, chat: Chat, copied: Any, used: bool) -> None:
    model = chat(default_headers={"x-team": "a"}, stop=["END"])
    if used:
        model.invoke("Hi")
        await model.ainvoke("Hi")
        list(model.stream("Hi"))
    twin = copied(model)
    mimo.queue("a", "b")
    assert twin.invoke("Hi").content == "a"
    assert (await twin.ainvoke("Hi")).content == "b"
    assert mimo.last_request.headers["x-team"] == "a"
    assert mimo.last_request.body["stop"] == ["END"]
    assert model.invoke("Hi").content
    await twin.aclose()
    await model.aclose()
    twin.close()


def test_a_copy_with_another_key_uses_it(mimo: FakeMiMo, chat: Chat) -> None:
    """The clients of the original stay with the original."""
    model = chat(auth="bearer")
    model.invoke("Hi")
    other = model.model_copy(update={"default_headers": {"x-team": "b"}, "auth": "api-key"})
    other.invoke("Hi")
    assert mimo.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert mimo.requests[1].headers["api-key"] == KEY
    assert mimo.requests[1].headers["x-team"] == "b"
    other.close()


@pytest.mark.protocols("chat_completions", "messages")
class TestClosing:
    def test_close(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat()
        model.invoke("Hi")
        assert mimo.connections_open == 1
        model.close()
        assert mimo.wait_for_idle()
        assert model.invoke("Hi").content  # it can still be used
        model.close()

    async def test_aclose(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat()
        await model.ainvoke("Hi")
        assert mimo.connections_open == 1
        await model.aclose()
        assert await asyncio.to_thread(mimo.wait_for_idle)
        assert (await model.ainvoke("Hi")).content
        await model.aclose()

    async def test_closing_what_was_never_used(self, chat: Chat) -> None:
        chat().close()
        await chat().aclose()

    def test_a_stream_that_is_closed_early(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(ENDLESS)
        stream: Any = chat().stream("Hi")
        next(stream)
        stream.close()
        assert mimo.wait_for_disconnect()

    async def test_an_async_stream_that_is_closed_early(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(ENDLESS)
        model = chat()
        stream: Any = model.astream("Hi")
        await anext(stream)
        await stream.aclose()
        assert await asyncio.to_thread(mimo.wait_for_disconnect)
        await model.aclose()

    async def test_an_async_stream_that_is_left(self, mimo: FakeMiMo, chat: Chat) -> None:
        """A `break` alone is enough, as soon as the loop runs on."""
        mimo.queue(ENDLESS)
        model = chat()
        async for _ in model.astream("Hi"):
            break
        assert await asyncio.to_thread(mimo.wait_for_disconnect)
        await model.aclose()

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_task_that_is_cancelled(
        self, mimo: FakeMiMo, chat: Chat, streamed: bool
    ) -> None:
        model = chat()
        mimo.queue(ENDLESS if streamed else Fault(hang=True))

        async def ask() -> None:
            if streamed:
                async for _ in model.astream("Hi"):
                    pass
            else:
                await model.ainvoke("Hi")

        task = asyncio.create_task(ask())
        await asyncio.to_thread(mimo.wait_for_requests)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(mimo.wait_for_disconnect)
        await model.aclose()

    def test_a_forced_choice_in_a_stream_that_is_closed_early(
        self, mimo: FakeMiMo, chat: Chat
    ) -> None:
        """Nothing goes out before the call, so it is the call that goes on and on."""
        mimo.queue(Reply(tool_calls=[("f", {"text": "word " * 10_000})], interval=0.01))
        tool = {"name": "f", "description": "A function.", "parameters": {}}
        stream: Any = chat().bind_tools([tool], tool_choice="any").stream("Hi")
        next(stream)
        stream.close()
        assert mimo.wait_for_disconnect()


class TestInjectedClients:
    @pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
    def test_sync(self, mimo: FakeMiMo, chat: Chat, library: Any) -> None:
        with library.Client(headers={"x-app": "mine"}) as client:
            model = chat(http_client=client)
            mimo.queue("a", "b")
            assert model.invoke("Hi").content == "a"
            assert "".join(chunk.text for chunk in model.stream("Hi")) == "b"
            model.close()
            assert not client.is_closed  # it stays its owner's to close
        assert [request.headers["x-app"] for request in mimo.requests] == ["mine", "mine"]

    @pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
    async def test_async(self, mimo: FakeMiMo, chat: Chat, library: Any) -> None:
        async with library.AsyncClient(headers={"x-app": "mine"}) as client:
            model = chat(http_async_client=client)
            mimo.queue("a", "b")
            assert (await model.ainvoke("Hi")).content == "a"
            assert "".join([chunk.text async for chunk in model.astream("Hi")]) == "b"
            await model.aclose()
            assert not client.is_closed
        assert [request.headers["x-app"] for request in mimo.requests] == ["mine", "mine"]

    @pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
    def test_their_errors_are_ours(self, mimo: FakeMiMo, chat: Chat, library: Any) -> None:
        def fail(_: Any) -> Any:
            raise library.ConnectError("no route")

        with (
            library.Client(transport=library.MockTransport(fail)) as client,
            pytest.raises(MiMoConnectionError, match="no route"),
        ):
            chat(http_client=client).invoke("Hi")

    def test_a_deep_copy_shares_them(self, mimo: FakeMiMo, chat: Chat) -> None:
        """They cannot be copied. (Nor pickled: that is an error, not another way out.)"""
        with httpx2.Client(headers={"x-app": "mine"}) as client:
            model = chat(http_client=client)
            model.invoke("Hi")
            copy.deepcopy(model).invoke("Hi")
            with pytest.raises(TypeError, match="pickle"):
                pickle.dumps(model)
        assert [request.headers["x-app"] for request in mimo.requests] == ["mine", "mine"]

    def test_they_are_not_shown(self, chat: Chat) -> None:
        with httpx2.Client() as client:
            assert "http_client" not in repr(chat(http_client=client))


class TestSharedConnections:
    def test_models_made_for_each_call_share_a_connection(self, mimo: FakeMiMo, chat: Chat) -> None:
        for temperature in range(10):
            chat(temperature=temperature / 10, thinking=False).invoke("Hi")
        assert mimo.connections_open + mimo.disconnects == 1

    async def test_and_so_do_configured_copies(self, mimo: FakeMiMo, chat: Chat) -> None:
        field = ConfigurableField(id="temperature")
        model = chat(thinking=False).configurable_fields(temperature=field)
        for temperature in range(10):
            config: RunnableConfig = {"configurable": {"temperature": temperature / 10}}
            await model.ainvoke("Hi", config)
        assert [request.body["temperature"] for request in mimo.requests] == [
            temperature / 10 for temperature in range(10)
        ]
        assert mimo.connections_open + mimo.disconnects == 1
