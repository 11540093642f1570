"""The emulated service, and one suite for both clients.

`connect(...)` makes a client of either kind behind one blocking interface (`Driver`), so that a
test is written once and runs twice.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
import uvloop

from mimo_core import AsyncMiMoClient, MiMoClient
from mimo_core.testing.emulator import FakeMiMo
from tests.conftest import KEY

Run = Callable[[Coroutine[Any, Any, Any]], Any]
DATA = Path(__file__).parent / "data"


class Driver(Protocol):
    """A client of either kind, driven from ordinary test code."""

    kind: str
    client: Any

    def chat(self, request: dict[str, Any], **options: Any) -> Any: ...
    def stream(self, request: dict[str, Any], **options: Any) -> Iterator[Any]: ...
    def models(self) -> list[str]: ...
    def close(self) -> None: ...


class SyncDriver:
    kind = "sync"

    def __init__(self, **options: Any) -> None:
        self.client = MiMoClient(**options)

    def chat(self, request: dict[str, Any], **options: Any) -> Any:
        return self.client.chat(request, **options)

    def stream(self, request: dict[str, Any], **options: Any) -> Iterator[Any]:
        yield from self.chunks(self.client.stream(request, **options))

    def chunks(self, stream: Any) -> Iterator[Any]:
        with closing(stream):
            yield from stream

    def models(self) -> list[str]:
        return self.client.models()

    def close(self) -> None:
        self.client.close()


class AsyncDriver:
    kind = "async"
    loop_factory: Any = None

    def __init__(self, **options: Any) -> None:
        self._runner = asyncio.Runner(loop_factory=self.loop_factory)
        self.client = AsyncMiMoClient(**options)

    def chat(self, request: dict[str, Any], **options: Any) -> Any:
        return self._runner.run(self.client.chat(request, **options))

    def stream(self, request: dict[str, Any], **options: Any) -> Iterator[Any]:
        yield from self.chunks(self.client.stream(request, **options))

    def chunks(self, stream: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._runner.run(anext(stream))
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(stream.aclose())

    def models(self) -> list[str]:
        return self._runner.run(self.client.models())

    def close(self) -> None:
        self._runner.run(self.client.aclose())
        self._runner.close()


class UvloopDriver(AsyncDriver):
    loop_factory = staticmethod(uvloop.new_event_loop)


@pytest.fixture(params=[None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs coroutines on one loop; nothing may be left open when it ends."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run
    gc.collect(1)  # an unclosed transport warns, and warnings are errors


@pytest.fixture(params=[SyncDriver, AsyncDriver, UvloopDriver], ids=["sync", "async", "uvloop"])
def connect(request: pytest.FixtureRequest, mimo: FakeMiMo) -> Iterator[Callable[..., Driver]]:
    """Makes clients of the emulated service; closes them when the test is over."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(request.param(**{"api_key": KEY, "base_url": mimo.base_url, **options}))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the clients would have slept between attempts; nobody sleeps."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr("mimo_core.client.time", SimpleNamespace(sleep=delays.append))
    monkeypatch.setattr("mimo_core.client.asyncio", SimpleNamespace(sleep=sleep))
    return delays


@pytest.fixture
def hello() -> dict[str, Any]:
    """The smallest request there is."""
    return {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def sample() -> Callable[[str], Any]:
    """A body of the real service, published by the vendor or a gateway (see data/README.md)."""

    def load(name: str) -> Any:
        return json.loads((DATA / f"{name}.json").read_text())

    return load
