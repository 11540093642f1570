"""LangChain's integration tests once more, replayed: the emulator's answers from cassettes.

Recorded with `pytest tests/langchain/test_standard_recorded.py --record-mode=rewrite`, which starts
the emulator; without that option nothing is listening anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mimo_core.testing import ignore
from mimo_core.testing.emulator import FakeMiMo
from tests.langchain import test_standard_integration as live
from tests.langchain.pretend_model import respond

pytestmark = pytest.mark.vcr
# LangChain's helper for few-shot examples makes new ones each time.
NEW_CALL_IDS = ignore("messages[*].tool_calls[*].id", "messages[*].tool_call_id")
NOWHERE = "xiaomi+http://127.0.0.1:9/v1"  # the emulator speaks as the service does


@pytest.fixture(scope="module")
def served(pytestconfig: pytest.Config) -> Iterator[str]:
    """Where requests go: to the emulator while recording, else to a port nobody listens on."""
    if pytestconfig.getoption("--record-mode") in (None, "none"):
        yield NOWHERE
        return
    with FakeMiMo(respond) as server:
        yield server.named_base_url


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return "cassettes/standard"


@pytest.fixture
def vcr_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The suite allows nobody to override a test, so that none can have a marker of its own."""
    with_new_ids = request.node.name == "test_structured_few_shot_examples"
    return {"match": NEW_CALL_IDS} if with_new_ids else {}


@pytest.fixture(autouse=True)
def _no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    live.no_downloads(monkeypatch)


class TestReplayed(live.TestChatMiMo):
    @pytest.fixture(autouse=True)
    def _server(self, served: str) -> None:
        self.where = {"base_url": served}
