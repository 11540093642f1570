"""Servers that nobody here wrote, on loopback. `make foreign` asks for them (`MIMO_FOREIGN=1`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from langchain_mimo import notices
from llm_mimo.clients import close_clients
from scripts.foreign.engineless_server import Engineless, engineless_server
from scripts.foreign.llama_server import llama_server
from scripts.foreign.processes import UnavailableError
from scripts.foreign.relay import Relay, relay
from tests.foreign.hosts import WAYS

ASKED = os.environ.get("MIMO_FOREIGN") == "1"  # read here: the suite takes such variables away
NOT_ASKED = "starts another server, for which MIMO_FOREIGN=1 has to ask: make foreign"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("foreign") and not ASKED:
            item.add_marker(pytest.mark.skip(reason=NOT_ASKED))


def _started(manager: AbstractContextManager[str]) -> Iterator[str]:
    try:
        root = manager.__enter__()
    except UnavailableError as error:
        pytest.skip(str(error))
    try:
        yield root
    finally:
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def llama_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """llama.cpp's own server."""
    yield from _started(llama_server(tmp_path_factory.mktemp("llama") / "log"))


@pytest.fixture(scope="session")
def _vllm_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _started(engineless_server("vllm", tmp_path_factory.mktemp("vllm") / "log"))


@pytest.fixture(scope="session")
def _sglang_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _started(engineless_server("sglang", tmp_path_factory.mktemp("sglang") / "log"))


@pytest.fixture
def llama(llama_root: str) -> Iterator[Relay]:
    """llama.cpp's own server, behind a relay that keeps what passes."""
    with relay(llama_root) as kept:
        yield kept


@pytest.fixture(params=["vllm", "sglang"])
def server_name(request: pytest.FixtureRequest) -> str:
    """Whose HTTP layer it is."""
    return str(request.param)


@pytest.fixture
def engineless(server_name: str, request: pytest.FixtureRequest) -> Engineless:
    """vLLM's or SGLang's HTTP layer; nothing is queued, nothing was asked."""
    server = Engineless(request.getfixturevalue(f"_{server_name}_root"))
    server.received()
    return server


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """A host, sync or async, whole or streamed."""
    return str(request.param)


@pytest.fixture
def address(protocol: str) -> Callable[[str], str]:
    """The base URL that a user gives for a server's root, which says the protocol too."""
    path = {"chat_completions": "/v1", "messages": "/v1/messages"}[protocol]
    return lambda root: root + path


@pytest.fixture(autouse=True)
def own_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """llm's directory is the test's; no key, no base URL; warnings come anew."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "user"))
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL", "LLM_MODEL", "LLM_LOAD_PLUGINS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    notices.forget_warnings()
    yield
    close_clients()
