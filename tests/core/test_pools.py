"""Pools of connections: who shares one, and when it is closed."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from mimo_core import (
    APITimeoutError,
    AsyncMiMoClient,
    InvalidRequestError,
    MiMoClient,
    MiMoError,
    collect,
)
from mimo_core._http import own_client, pools
from mimo_core._http.network.asyncio_backend import AsyncioTransport
from mimo_core._http.network.socket_backend import SocketTransport
from mimo_core._http.own_client import PoolSettings
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY
from tests.core.helpers import Request

OTHER_KEY = "sk-another-account-1"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that nobody uses is closed at once."""
    monkeypatch.setattr(pools, "LINGER", 0.0)


def made(mimo: FakeMiMo) -> int:
    """How many connections a server has seen."""
    return mimo.connections_open + mimo.disconnects


def wait_until(condition: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 5
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


def test_clients_of_the_same_settings_share_connections(mimo: FakeMiMo, hello: Request) -> None:
    for _ in range(20):  # each is gone before the next is made
        MiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    assert made(mimo) == 1


async def test_asynchronous_ones_too(mimo: FakeMiMo, hello: Request) -> None:
    for _ in range(20):
        await AsyncMiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    assert made(mimo) == 1


async def test_twenty_that_start_together_make_one_pool() -> None:
    clients = [AsyncMiMoClient(KEY) for _ in range(20)]
    assert len({id(http) for http in await asyncio.gather(*(c._http() for c in clients))}) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": OTHER_KEY},
        {"default_headers": {"x-api-key": "another-account"}},
        {"default_headers": {"authorization": f"Bearer {OTHER_KEY}"}},
        {"base_url": "https://127.0.0.1/v1"},  # the loopback of the others is not encrypted
        {"base_url": "https://mimo.test/v1"},  # nor is it reached through a proxy
    ],
)
def test_what_a_connection_depends_on_keeps_pools_apart(options: dict[str, Any]) -> None:
    one = MiMoClient(KEY, base_url="http://127.0.0.1:9/v1")
    other = MiMoClient(**{"api_key": KEY, "base_url": "http://127.0.0.1:9/v1"} | options)
    assert one._http() is not other._http()


def test_settings_of_a_request_share_a_pool() -> None:
    """They travel with it, and the connection does not know them."""
    one = MiMoClient(KEY, base_url="http://127.0.0.1:9/v1")
    other = MiMoClient(
        KEY,
        base_url="http://127.0.0.1:10/v1",
        timeout=3,
        max_retries=0,
        deadline=5,
        default_headers={"user-agent": "app"},
        protocol="messages",
    )
    assert one._http() is other._http()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "NO_PROXY", "MIMO_PLAIN_HTTP"])
def test_a_change_of_the_environment_gives_another_pool(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one = MiMoClient(KEY)
    before = one._http()
    monkeypatch.setenv(name, {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "x"}.get(name, "1"))
    assert MiMoClient(KEY)._http() is not before
    assert one._http() is before


def test_closing_one_client_leaves_the_others_their_connections(
    mimo: FakeMiMo, hello: Request
) -> None:
    one, other = (MiMoClient(KEY, base_url=mimo.base_url) for _ in range(2))
    one.chat(hello)
    other.chat(hello)
    one.close()
    other.chat(hello)
    assert made(mimo) == 1
    one.chat(hello)  # it can still be used, and shares again
    assert made(mimo) == 1
    one.close()
    other.close()
    assert mimo.wait_for_idle()


async def test_and_asynchronous_ones(mimo: FakeMiMo, hello: Request) -> None:
    one, other = (AsyncMiMoClient(KEY, base_url=mimo.base_url) for _ in range(2))
    await one.chat(hello)
    await other.chat(hello)
    await one.aclose()
    await one.aclose()
    await other.chat(hello)
    assert made(mimo) == 1
    await other.aclose()
    assert await asyncio.to_thread(mimo.wait_for_idle)


@pytest.mark.usefixtures("quick")
def test_the_last_one_that_is_dropped_closes_the_pool(mimo: FakeMiMo, hello: Request) -> None:
    one, other = (MiMoClient(KEY, base_url=mimo.base_url) for _ in range(2))
    one.chat(hello)
    other.chat(hello)
    http = other._http()
    del one
    gc.collect()
    time.sleep(0.05)
    assert not http.is_closed
    del other
    gc.collect()
    assert wait_until(lambda: http.is_closed)
    assert mimo.wait_for_idle()
    assert http not in [pool.client for pool in pools._pools.values()]


@pytest.mark.usefixtures("quick")
async def test_the_last_asynchronous_one_too(mimo: FakeMiMo, hello: Request) -> None:
    one, other = (AsyncMiMoClient(KEY, base_url=mimo.base_url) for _ in range(2))
    await one.chat(hello)
    await other.chat(hello)
    http = await other._http()
    del one
    gc.collect()
    await asyncio.sleep(0.05)
    assert not http.is_closed
    del other
    gc.collect()
    assert await asyncio.to_thread(mimo.wait_for_idle)
    assert http.is_closed


@pytest.mark.usefixtures("quick")
def test_whoever_comes_while_a_pool_lingers_keeps_it(hello: Request, mimo: FakeMiMo) -> None:
    MiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        http = client._http()
        time.sleep(0.1)
        assert not http.is_closed
        client.chat(hello)


def test_a_pool_that_is_closed_is_never_given_out(mimo: FakeMiMo, hello: Request) -> None:
    """Whatever the list of them says."""
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(hello)
        key, closed = next(
            item for item in pools._pools.items() if client._http() is item[1].client
        )
    pools._pools[key] = closed
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(hello)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_shares_no_pool_with_its_parent(mimo: FakeMiMo, hello: Request) -> None:
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(hello)
        inherited = client._http()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                fresh = MiMoClient(KEY, base_url=mimo.base_url)
                code = 0 if fresh._http() is not inherited else 2
                client.close()
                del client, fresh
                gc.collect()
                code = code or (3 if inherited.is_closed else 0)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        client.chat(hello)
        assert made(mimo) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_closes_all_it_inherited_leaves_its_parents_stream(
    mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Reply("word " * 20, interval=0.01))
    with MiMoClient(KEY, base_url=mimo.base_url, max_retries=0) as client:
        stream = client.stream(hello)
        next(stream)
        if (child := os.fork()) == 0:
            try:
                stream.close()  # as the end of the child's interpreter does
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert collect(stream)["choices"][0]["finish_reason"] == "stop"


def test_loops_that_are_closed_by_hand_are_let_go(mimo: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url)
    loops = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.chat(hello))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        loops.append(weakref.ref(loop))
        del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # nobody closed their connections
        asyncio.run(client.chat(hello))
        gc.collect()
    assert [loop() for loop in loops] == [None] * 3


@pytest.mark.parametrize(
    ("state", "kind"), [("full", APITimeoutError), ("shut down", InvalidRequestError)]
)
async def test_a_first_call_waits_for_no_place_in_the_loops_executor(
    mimo: FakeMiMo,
    hello: Request,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    kind: type[MiMoError],
) -> None:
    """asyncio looks names up there, within the time to connect; what it raises is of our family."""
    monkeypatch.setattr(own_client, "_is_imported", False)
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    release = threading.Event()
    if state == "full":
        executor.submit(release.wait)
    else:
        executor.shutdown()
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url, timeout=(0.2, 5), max_retries=0)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(kind):
                await client.chat(hello)
            await client.aclose()
    finally:
        release.set()
        executor.shutdown()


@pytest.mark.usefixtures("quick")
def test_a_thread_that_cannot_be_started_is_tried_again(
    mimo: FakeMiMo, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    first = MiMoClient(KEY, base_url=mimo.base_url)
    first.chat(hello)
    with monkeypatch.context() as patch:
        patch.setattr(pools, "start_new_thread", too_many)
        del first
        gc.collect()
    MiMoClient(OTHER_KEY, base_url=mimo.base_url).chat(hello)  # and is dropped
    gc.collect()
    assert mimo.wait_for_idle()


@pytest.mark.usefixtures("quick")
def test_a_pool_that_cannot_be_closed_does_not_keep_the_others(
    mimo: FakeMiMo, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MiMoClient(OTHER_KEY, base_url=mimo.base_url)
    http = client._http()

    def broken() -> None:
        raise OSError("it cannot be closed")

    real = http.close
    monkeypatch.setattr(http, "close", broken)
    del client
    gc.collect()
    time.sleep(0.05)
    MiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    gc.collect()
    assert mimo.wait_for_idle()
    real()


def test_what_a_server_remembers_is_not_kept() -> None:
    """Cookies would gather in a client that many share; none is ever sent."""
    http = own_client.new_client("Client", PoolSettings(direct=True, tls=False))
    request = httpx2.Request("GET", "http://127.0.0.1/")
    answer = httpx2.Response(200, headers={"set-cookie": "a=1"}, request=request)
    http.cookies.extract_cookies(answer)
    assert len(http.cookies.jar) == 0
    http.close()


def test_a_full_pool_says_so(
    mimo: FakeMiMo, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_client, "MAX_CONNECTIONS", 1)
    mimo.queue(Fault(hang_after=1))
    key = "sk-full-pool-0123"  # a pool of its own
    with MiMoClient(key, base_url=mimo.base_url, timeout=(0.2, 5), max_retries=0) as client:
        stream = client.stream(hello)
        next(stream)
        with pytest.raises(APITimeoutError, match="All connections are in use") as caught:
            client.chat(hello)
        stream.close()
    assert caught.value.code == "pool"


async def test_an_operator_can_have_httpx2_as_it_is(
    mimo: FakeMiMo, hello: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ours(http: Any) -> bool:
        return isinstance(http._transport, SocketTransport | AsyncioTransport)

    for value, is_ours in [("1", False), ("0", True)]:
        monkeypatch.setenv("MIMO_PLAIN_HTTP", value)
        with MiMoClient(KEY, base_url=mimo.base_url) as client:
            assert ours(client._http()) is is_ours
            client.chat(hello)
        async with AsyncMiMoClient(KEY, base_url=mimo.base_url) as aclient:
            assert ours(await aclient._http()) is is_ours
            assert [chunk async for chunk in aclient.stream(hello)]


def test_unencrypted_connections_make_no_tls_context() -> None:
    """Neither do they trust anybody: were one encrypted, it would fail."""
    own_client._contexts.clear()
    http = own_client.new_client("Client", PoolSettings(direct=True, tls=False))
    assert not own_client._contexts
    assert http._transport._pool._ssl_context.verify_mode.name == "CERT_REQUIRED"
    assert http._transport._pool._ssl_context.get_ca_certs() == []
    http.close()


@pytest.mark.slow
def test_the_first_asynchronous_call_imports_and_makes_nothing_in_the_loops_thread() -> None:
    """It takes 60 ms, in which a server would serve nobody."""
    program = """
import asyncio, sys, threading
from mimo_core import AsyncMiMoClient, APIConnectionError
import httpx2
made = []
real = httpx2.create_ssl_context
def watched(*args, **options):
    made.append(threading.current_thread() is threading.main_thread())
    return real(*args, **options)
httpx2.create_ssl_context = watched
class Watch:
    def find_spec(self, name, *_):
        if threading.current_thread() is threading.main_thread():
            made.append(name)
sys.meta_path.insert(0, Watch())
async def main():
    await asyncio.gather(*(AsyncMiMoClient("sk-0123456789")._http() for _ in range(8)))
asyncio.run(main())
network = ("h11", "httpcore2", "anyio")
heavy = [name for name in made if name is True or str(name).startswith(network)]
assert not heavy, heavy
assert made.count(False) == 1, made
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_the_http_client_is_httpx2s() -> None:
    assert type(MiMoClient(KEY)._http()) is httpx2.Client
