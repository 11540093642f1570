"""Other clients than ours, run against the emulator; `make peers` asks for it (`MIMO_PEERS=1`).

They are in an environment of their own. What came of each is compared with docs/peers.json, and
with `MIMO_PEERS=write` written into it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.contestant import Cell, Contestant, Service
from tests.peers.results import Results

ASKED = os.environ.get("MIMO_PEERS", "")  # read here: the suite takes such variables away
NOT_ASKED = "runs other clients, for which MIMO_PEERS=1 has to ask: make peers"

Meet = Callable[[Service], Contestant]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A row is a test for each client; where nobody asked, one test that is skipped."""
    if "contestant" in metafunc.fixturenames:
        names: list[str] = ["every client"]
        if ASKED:
            from tests.peers.contestants import CONTESTANTS

            names = list(CONTESTANTS)
        metafunc.parametrize("contestant", names, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # those of other people's code
            if not ASKED:
                item.add_marker(pytest.mark.skip(reason=NOT_ASKED))


@pytest.fixture(scope="session")
def results() -> Iterator[Results]:
    """What was found before, and what is found now."""
    results = Results.load(write=ASKED == "write")
    yield results
    results.close()


@pytest.fixture(autouse=True)
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """llm's folder is the test's; no key of the machine's; LiteLLM's prices come with it."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "user"))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LITELLM_MODE", "PRODUCTION")  # no .env file
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that wants to call somebody else fails, and shows it."""
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if internet and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a client wanted to connect to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture
def mimo() -> Iterator[Service]:
    """The emulated service."""
    with Service() as mimo:
        yield mimo


@pytest.fixture
def contestant(request: pytest.FixtureRequest, tmp_path: Path) -> Meet:
    """A client, which is set up for the server that it is called with."""
    from tests.peers.contestants import CONTESTANTS

    made = CONTESTANTS[request.param]
    return lambda mimo: made(mimo, tmp_path)


@pytest.fixture
def hand_in(request: pytest.FixtureRequest, results: Results) -> Callable[[Cell], None]:
    """Hand in what came of this row for this client; it has to be what docs/peers.json says."""
    row = request.function.__name__.removeprefix("test_")
    name = request.node.callspec.params["contestant"]
    return lambda cell: results.hand_in(row, name, cell)
