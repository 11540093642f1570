"""No test goes live by itself, whenever and wherever its model was made."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from langchain_mimo import ChatMiMo
from mimo_core import AsyncMiMoClient, MiMoClient
from mimo_core.testing import (
    CassetteError,
    FakeMiMo,
    LiveRequestRefused,
    Reply,
    block,
    register,
    use_cassette,
)
from mimo_core.testing.cassettes.vcrpy import VCR
from mimo_core.testing.live import all_requests_to, environment, loopback_allowed
from tests.conftest import KEY

HELLO = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}
LIVE = MiMoClient(KEY, base_url="https://api.xiaomimimo.com/v1", max_retries=0)
"""Made when this module is imported, with a key, as many programs do."""
ADDRESSES = [
    "https://api.xiaomimimo.com/v1",
    "https://genaiapi.cloudsway.net/v1/ai/path",
    "https://openrouter.ai/api/v1",
    "http://gpu7.example.localhost:8000/v1",
]


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


@pytest.fixture(scope="module", autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    LIVE.close()


@pytest.fixture
def led() -> Iterator[FakeMiMo]:
    with FakeMiMo(lambda request: Reply("From the emulator.")) as mimo, all_requests_to(mimo):
        yield mimo


def test_a_model_that_was_made_before(led: FakeMiMo) -> None:
    assert text_of(LIVE.chat(HELLO)) == "From the emulator."
    assert len(list(LIVE.stream(HELLO))) > 1
    assert [request.path for request in led.requests] == ["/v1/chat/completions"] * 2


@pytest.mark.parametrize("address", ADDRESSES)
def test_whatever_the_address(led: FakeMiMo, address: str) -> None:
    with MiMoClient("or-key", base_url=address) as client:
        client.chat(HELLO)
    assert len(led.requests) == 1


def test_the_messages_protocol_and_the_list_of_models(led: FakeMiMo) -> None:
    with MiMoClient(KEY, protocol="messages", base_url="https://api.xiaomimimo.com/v1") as client:
        assert text_of(client.chat(HELLO)) == "From the emulator."
        assert "mimo-v2.6-pro" in client.models()


async def test_in_tasks_and_in_threads(led: FakeMiMo) -> None:
    async with AsyncMiMoClient(KEY, base_url=ADDRESSES[0]) as client:
        await asyncio.gather(*(client.chat(HELLO) for _ in range(3)))
    thread = threading.Thread(target=LIVE.chat, args=(HELLO,))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert len(led.requests) == 4


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_with_a_client_of_the_users(led: FakeMiMo, library: Any) -> None:
    with library.Client() as http:
        MiMoClient(KEY, base_url=ADDRESSES[0], http_client=http).chat(HELLO)
    assert len(led.requests) == 1


def test_no_proxy_is_asked(led: FakeMiMo, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        with MiMoClient(KEY, base_url=ADDRESSES[0]) as client:
            client.chat(HELLO)
        with httpx2.Client(proxy=address) as http:
            client = MiMoClient(KEY, base_url=ADDRESSES[0], http_client=http)
            with pytest.raises(LiveRequestRefused, match="through a proxy"):
                client.chat(HELLO)
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert len(led.requests) == 1


def test_another_emulator_keeps_its_own_requests(led: FakeMiMo) -> None:
    with FakeMiMo() as other, MiMoClient(KEY, base_url=other.base_url) as client:
        client.chat(HELLO)
        assert (len(other.requests), len(led.requests)) == (1, 0)


def test_afterwards_nothing_is_led(led: FakeMiMo) -> None:
    with block(), FakeMiMo() as mimo:
        with all_requests_to(mimo):
            LIVE.chat(HELLO)
        LIVE.chat(HELLO)  # the outer one again
    assert len(led.requests) == 1


def test_block_refuses_and_says_what_to_do() -> None:
    with block("The test is not allowed to"), pytest.raises(LiveRequestRefused) as refused:
        LIVE.chat(HELLO)
    line = str(refused.value)
    assert line.startswith("The test is not allowed to: the request to api.xiaomimimo.com was")
    assert "fake_mimo" in line
    assert "--record-mode=rewrite" in line
    assert KEY not in line


async def test_block_refuses_asynchronous_requests_and_those_of_threads() -> None:
    with block():
        async with AsyncMiMoClient(KEY, base_url=ADDRESSES[0]) as client:
            with pytest.raises(LiveRequestRefused):
                await client.chat(HELLO)
            with pytest.raises(LiveRequestRefused):
                [chunk async for chunk in client.stream(HELLO)]
        with pytest.raises(LiveRequestRefused):
            await asyncio.to_thread(LIVE.chat, HELLO)


def test_block_lets_through_what_does_not_leave_the_machine(mimo: FakeMiMo) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        message = {"role": "assistant", "content": "Mocked."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return httpx2.Response(200, json={"choices": [choice]})

    mocked = httpx2.Client(transport=httpx2.MockTransport(answer))
    with block(), MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(HELLO)
        own = MiMoClient(KEY, base_url=ADDRESSES[0], http_client=mocked)
        assert text_of(own.chat(HELLO)) == "Mocked."


@pytest.mark.parametrize("value", ["false", "0", "No"])
def test_an_operator_can_refuse_too(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MIMO_LIVE", value)
    with pytest.raises(LiveRequestRefused, match="MIMO_LIVE"):
        LIVE.chat(HELLO)


def test_a_cassette_answers_a_model_that_was_made_before(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with use_cassette(path, emulate=["Recorded."]):
        assert text_of(LIVE.chat(HELLO)) == "Recorded."
    with block(), use_cassette(path):
        assert text_of(LIVE.chat(HELLO)) == "Recorded."


def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "recorded.yaml"
    with use_cassette(path, emulate=["Recorded."]):
        LIVE.chat(HELLO)
    return path


async def test_a_cassette_decorates_every_kind_of_function(tmp_path: Path) -> None:
    cassette = use_cassette(recorded(tmp_path))

    @cassette
    def plain() -> str:
        return text_of(LIVE.chat(HELLO))

    @cassette
    async def coroutine() -> str:
        async with AsyncMiMoClient(KEY, base_url=ADDRESSES[0]) as client:
            return text_of(await client.chat(HELLO))

    @cassette
    def generator() -> Iterator[str]:
        yield text_of(LIVE.chat(HELLO))

    @cassette
    async def async_generator() -> AsyncIterator[str]:
        yield text_of(LIVE.chat(HELLO))

    class Case:
        @cassette
        def method(self) -> str:
            return text_of(LIVE.chat(HELLO))

    with block():
        said = [plain(), await coroutine(), Case().method(), *generator()]
        said += [text async for text in async_generator()]
        assert said == ["Recorded."] * 5
        assert plain() == "Recorded."  # opened anew for each call


def test_what_cannot_be_decorated_is_refused(tmp_path: Path) -> None:
    cassette = use_cassette(recorded(tmp_path))
    with pytest.raises(TypeError, match="decorate the methods of a class"):
        cassette(FakeMiMo)

    async def coroutine() -> None: ...

    @cassette
    def hidden() -> Any:
        return coroutine()

    with pytest.raises(TypeError, match="whose body would run after the context has ended"):
        hidden()


def test_sockets_that_are_blocked_reach_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As pytest-socket blocks them, and as pytest-recording does."""

    class Guarded(socket.socket):
        def __new__(cls, *arguments: Any, **named: Any) -> Any:
            raise RuntimeError("blocked")

    def refuse(self: socket.socket, address: Any) -> None:
        raise RuntimeError("not allowed")

    def is_refused(address: tuple[str, int]) -> bool:
        try:
            with socket.socket() as one:
                one.connect(address)
        except RuntimeError:
            return True
        return False

    for name, value in (("socket", Guarded), ("connect", refuse)):
        with monkeypatch.context() as patch:
            patch.setattr(socket if name == "socket" else socket.socket, name, value, raising=False)
            held = socket.socket
            with loopback_allowed(), FakeMiMo() as mimo, all_requests_to(mimo):
                LIVE.chat(HELLO)
                assert is_refused(("192.0.2.1", 80))
            assert socket.socket is held
            assert is_refused(("127.0.0.1", 9))


def test_cassettes_end_from_the_innermost_outwards(tmp_path: Path) -> None:
    """However they are left: vcrpy's patches are the whole process's."""
    first, second = use_cassette(recorded(tmp_path)), use_cassette(recorded(tmp_path))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with block():
        assert text_of(LIVE.chat(HELLO)) == "Recorded."
    second.__exit__(None, None, None)
    with block(), pytest.raises(LiveRequestRefused):
        LIVE.chat(HELLO)


async def test_no_cassette_beside_that_of_another_thread_or_task(tmp_path: Path) -> None:
    path = recorded(tmp_path)

    def in_a_thread() -> str:
        with use_cassette(path):
            return text_of(LIVE.chat(HELLO))

    async def in_a_task() -> str:
        with use_cassette(path):
            await asyncio.sleep(0.05)
            return text_of(LIVE.chat(HELLO))

    with use_cassette(path), pytest.raises(CassetteError, match="around all of them"):
        await asyncio.to_thread(in_a_thread)
    told = await asyncio.gather(in_a_task(), in_a_task(), return_exceptions=True)
    assert told[0] == "Recorded."
    assert isinstance(told[1], CassetteError)
    assert in_a_thread() == "Recorded."


def test_an_emulator_within_a_cassette_answers(tmp_path: Path) -> None:
    with use_cassette(recorded(tmp_path)):
        with FakeMiMo(lambda request: Reply("From within.")) as mimo, all_requests_to(mimo):
            assert text_of(LIVE.chat(HELLO)) == "From within."
        assert text_of(LIVE.chat(HELLO)) == "Recorded."


def test_what_a_filter_leaves_to_the_network_is_refused(tmp_path: Path) -> None:
    vcr = register(VCR(record_mode="once", before_record_request=lambda request: None))
    with block(), vcr.use_cassette(str(tmp_path / "a.yaml")), pytest.raises(LiveRequestRefused):
        LIVE.chat(HELLO)


def test_subprocesses_of_a_replay_may_not_ask(tmp_path: Path) -> None:
    before = os.environ.get("MIMO_LIVE")
    with use_cassette(recorded(tmp_path)):
        assert os.environ["MIMO_LIVE"] == "false"
    with block():
        assert os.environ["MIMO_LIVE"] == "false"
    assert os.environ.get("MIMO_LIVE") == before


def test_the_environment_is_put_back_in_any_order() -> None:
    first, second = environment(MIMO_X="1"), environment(MIMO_X="2")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert os.environ["MIMO_X"] == "2"
    second.__exit__(None, None, None)
    assert "MIMO_X" not in os.environ


async def test_a_langchain_model_does_not_stay_with_the_emulator() -> None:
    """Its asynchronous client is made at its first use, when the environment led elsewhere."""
    chat = ChatMiMo(model="mimo-v2.6-pro", api_key=KEY, base_url=None)
    with FakeMiMo() as mimo, all_requests_to(mimo):
        await chat.ainvoke("Hello")
    with block(), pytest.raises(LiveRequestRefused, match="xiaomimimo"):
        await chat.ainvoke("Hello")
