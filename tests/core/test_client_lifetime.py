"""Both clients over real HTTP on loopback: when a connection ends; threads, loops, processes."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from typing import Any

import httpx2
import pytest

from mimo_core import (
    AsyncMiMoClient,
    MiMoClient,
    StreamInterruptedError,
    collect,
)
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY
from tests.core.helpers import Connect, Request, failed, text_of

# The end of a connection


def test_stopping_early_closes_the_connection(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Reply("x" * 1000, interval=0.01), "Hi")
    driver = connect()
    stream = driver.stream(hello)
    next(stream)
    stream.close()
    assert mimo.wait_for_disconnect()
    assert text_of(driver.chat(hello)) == "Hi"


def test_an_exception_in_the_consumer_closes_the_connection(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Reply("x" * 1000, interval=0.01))
    driver = connect()

    def consume() -> None:
        with closing(driver.stream(hello)) as stream:
            for _ in stream:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert mimo.wait_for_disconnect()


def test_a_sync_stream_that_is_forgotten_closes_the_connection(
    mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Reply("x" * 1000, interval=0.01))
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        for _ in client.stream(hello):
            break
        gc.collect()
        assert mimo.wait_for_disconnect()


async def test_cancelling_a_task_closes_the_connection(mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Fault(hang_after=2), Fault(hang=True), Fault(hang=True))
    async with AsyncMiMoClient(KEY, base_url=mimo.base_url) as client:
        got = asyncio.Event()

        async def read() -> None:
            async for _ in client.stream(hello):
                got.set()

        reading = asyncio.create_task(read())
        await asyncio.wait_for(got.wait(), 5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(mimo.wait_for_disconnect)

        async def ask() -> None:
            await client.chat(hello)

        for count, act in ((2, read), (3, ask)):
            waiting = asyncio.create_task(act())
            assert await asyncio.to_thread(mimo.wait_for_requests, count)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await asyncio.to_thread(mimo.wait_for_disconnect, count=count)
        assert text_of(await client.chat(hello))


async def test_cancelling_while_it_waits_for_the_next_attempt(
    mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(Fault("overloaded", retry_after=50))
    async with AsyncMiMoClient(KEY, base_url=mimo.base_url) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat(hello), 0.3)
    assert len(mimo.requests) == 1


async def test_an_async_stream_that_is_left_closes_the_connection(
    mimo: FakeMiMo, hello: Request
) -> None:
    mimo.queue(*[Reply("x" * 1000, interval=0.01)] * 2)
    async with AsyncMiMoClient(KEY, base_url=mimo.base_url) as client:
        async with aclosing(client.stream(hello)) as stream:
            async for _ in stream:
                break
        assert await asyncio.to_thread(mimo.wait_for_disconnect)
        async for _ in client.stream(hello):  # forgotten: the loop closes it
            break
        assert await asyncio.to_thread(mimo.wait_for_disconnect, count=2)


def test_a_finished_stream_leaves_its_connection_to_the_next(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    driver = connect()
    for _ in range(3):
        list(driver.stream(hello))
        driver.chat(hello)
    driver.models()
    mimo.queue(Fault("bad_request"), Fault(error_event="bad_request"))
    failed(lambda: driver.chat(hello))
    assert mimo.connections_open == 1
    assert mimo.disconnects == 0


def test_closing_closes_and_the_client_can_be_used_again(
    connect: Connect, mimo: FakeMiMo, hello: Request
) -> None:
    driver = connect()
    driver.close() if driver.kind == "sync" else None  # closing what is not open is fine
    driver.chat(hello)
    assert mimo.connections_open == 1
    if driver.kind == "sync":
        driver.close()
    else:
        driver._runner.run(driver.client.aclose())
        driver._runner.run(driver.client.aclose())
    assert mimo.wait_for_idle()
    assert text_of(driver.chat(hello))


def test_a_client_that_is_dropped_closes_its_connections(mimo: FakeMiMo, hello: Request) -> None:
    MiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    gc.collect()
    assert mimo.wait_for_idle()


# Threads, loops, processes


def test_threads_share_a_client(mimo: FakeMiMo, hello: Request) -> None:
    mimo.respond = lambda request: Reply(f"to {request.text_of('user')}")

    def ask(number: int) -> bool:
        request = {**hello, "messages": [{"role": "user", "content": str(number)}]}
        answer = collect(client.stream(request)) if number % 2 else client.chat(request)
        return text_of(answer) == f"to {number}"

    with MiMoClient(KEY, base_url=mimo.base_url) as client, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))
        assert mimo.connections_open <= 8


def test_threads_that_start_together_make_one_http_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []

    def slow(name: str, settings: Any) -> Any:
        time.sleep(0.05)
        made.append(httpx2.Client())
        return made[-1]

    monkeypatch.setattr("mimo_core._http.pools.new_client", slow)
    monkeypatch.setattr("mimo_core._http.pools._pools", {})  # none that another test left
    client = MiMoClient(KEY)
    barrier = threading.Barrier(6)

    def get() -> Any:
        barrier.wait()
        return client._http()

    with ThreadPoolExecutor(6) as pool:
        assert len({id(http) for http in pool.map(lambda _: get(), range(6))}) == 1
    assert len(made) == 1
    client.close()


def test_closing_while_another_thread_reads(mimo: FakeMiMo, hello: Request) -> None:
    """Whatever it meets, the reader gets an error of this library."""
    mimo.queue(Fault(reply=Reply("Hello"), hang_after=2))
    client = MiMoClient(KEY, base_url=mimo.base_url, max_retries=0, timeout=(5, 1))
    reached, errors = threading.Event(), []

    def read() -> None:
        try:
            for _ in client.stream(hello):
                reached.set()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert reached.wait(5)
    client.close()
    thread.join(5)
    assert [type(error) for error in errors] == [StreamInterruptedError]


def test_one_async_client_in_several_event_loops(mimo: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url)

    loops: list[weakref.ref[Any]] = []

    async def ask() -> str:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await asyncio.gather(client.chat(hello), client.chat(hello))
        return text_of(collect([chunk async for chunk in client.stream(hello)]))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert asyncio.run(ask())
            gc.collect()
            assert mimo.wait_for_idle()  # the loop's end closed its connections
    assert [loop() for loop in loops] == [None] * 3  # the client keeps none of them


async def test_closing_while_another_task_reads(mimo: FakeMiMo, hello: Request) -> None:
    mimo.queue(Fault(reply=Reply("Hello"), hang_after=2))
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url, max_retries=0, timeout=(5, 1))
    reached = asyncio.Event()

    async def read() -> None:
        async for _ in client.stream(hello):
            reached.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(reached.wait(), 5)
    await client.aclose()
    with pytest.raises(StreamInterruptedError):
        await reading


def test_event_loops_in_several_threads_at_once(mimo: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url)

    loops: list[weakref.ref[Any]] = []

    async def ask() -> bool:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        answers = await asyncio.gather(*(client.chat(hello) for _ in range(3)))
        return all(map(text_of, answers))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: asyncio.run(ask()), range(8)))
    gc.collect()
    assert [loop() for loop in loops] == [None] * 8
    assert mimo.wait_for_idle()


def test_an_event_loop_closed_by_hand_is_forgotten(mimo: FakeMiMo, hello: Request) -> None:
    client = AsyncMiMoClient(KEY, base_url=mimo.base_url)
    loop = asyncio.new_event_loop()
    http = loop.run_until_complete(client._http())
    loop.run_until_complete(http.aclose())
    loop.close()
    closed = weakref.ref(loop)
    del loop, http
    asyncio.run(client.chat(hello))
    gc.collect()
    assert closed() is None


async def test_an_async_client_that_is_dropped_closes_its_connections(
    mimo: FakeMiMo, hello: Request
) -> None:
    await AsyncMiMoClient(KEY, base_url=mimo.base_url).chat(hello)
    gc.collect()
    assert await asyncio.to_thread(mimo.wait_for_idle)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections(mimo: FakeMiMo, hello: Request) -> None:
    from mimo_core._http import pools as transport

    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(hello)
        inherited = client._http()
        with transport._lock:  # held by some thread while another one forks
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    holder = threading.Thread(target=client.chat, args=(hello,))
                    holder.start()
                    holder.join(10)
                    fresh = client._http() is not inherited
                    code = 0 if fresh and not holder.is_alive() else 2
                    client.close()
                finally:
                    os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert client._http() is inherited
        assert text_of(client.chat(hello))  # the parent's connection was left alone
    assert len(mimo.requests) == 3
