"""`llm` run against the emulator: no key, no network beyond loopback, nothing of the user's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from click.testing import CliRunner, Result
from llm.cli import cli
from llm.migrations import migrate

from llm_mimo.clients import close_clients
from mimo_core.testing import BatchPlan, FakeMiMo
from tests.conftest import KEY


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # llm leaves its database open at the end of a command; Python 3.13 says so.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"))


@pytest.fixture(scope="session")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty logs.db: llm takes longer to make one than for all the rest of a prompt."""
    path = tmp_path_factory.mktemp("log") / "logs.db"
    db = sqlite_utils.Database(path)
    migrate(db)
    db.close()
    return path


@pytest.fixture(autouse=True)
def _own_user(tmp_path: Path, empty_log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """llm's directory, keys and working directory are the test's; connections end with it."""
    (tmp_path / "user").mkdir()
    shutil.copy(empty_log, tmp_path / "user")
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "user"))
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    monkeypatch.delenv("MIMO_BASE_URL", raising=False)
    monkeypatch.delenv("LLM_LOAD_PLUGINS", raising=False)
    monkeypatch.delenv("LLM_MODEL", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    yield
    close_clients()


@pytest.fixture
def user_path(tmp_path: Path) -> Path:
    """llm's own directory."""
    return tmp_path / "user"


@pytest.fixture
def mimo(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> Iterator[FakeMiMo]:
    """The emulator, with `MIMO_BASE_URL` set to its address, which decides on the protocol.

    A test gives it arguments with `@mimo_with(extra_models=[…])`.
    """
    with FakeMiMo(**getattr(request, "param", {})) as fake:
        base_urls = {
            "chat_completions": fake.named_base_url,
            "messages": f"xiaomi+{fake.messages_base_url}",
        }
        monkeypatch.setenv("MIMO_BASE_URL", base_urls[protocol])
        yield fake


def mimo_with(**arguments: Any) -> pytest.MarkDecorator:
    """Give the fixture `mimo` these arguments of `FakeMiMo`."""
    return pytest.mark.parametrize("mimo", [pytest.param(arguments, id="mimo")], indirect=True)


class Llm:
    """The `llm` command in this process."""

    def __call__(self, *arguments: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=input)

    def ok(self, *arguments: str, input: str | bytes | None = None) -> Result:
        """Run it, and expect that it works."""
        result = self(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result

    def fails(self, *arguments: str, input: str | bytes | None = None) -> str:
        """Run it, expect one line of error without a traceback; returns that line."""
        result = self(*arguments, input=input)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        *_, last = result.stderr.strip().splitlines()
        assert last.startswith("Error: ")
        return last


@pytest.fixture
def run() -> Llm:
    return Llm()


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Arguments for a synchronous and an asynchronous model."""
    return ("--async",) if request.param == "async" else ()


@pytest.fixture(params=["stream", "no-stream"])
def both(request: pytest.FixtureRequest, mode: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments for {sync, async} x {stream, no-stream}."""
    return (*mode, "--no-stream") if request.param == "no-stream" else mode


@pytest.fixture
def logged(run: Llm) -> Any:
    """The last prompt as the log has it."""

    def last() -> Any:
        return json.loads(run.ok("logs", "-n", "1", "--json").stdout)[0]

    return last


Submit = Callable[..., str]


@pytest.fixture
def submit(run: Llm, mimo: FakeMiMo) -> Submit:
    """Sends a job of three prompts, with further arguments, and gives the path of its file. Its
    batch is completed at the second look."""
    mimo.batches.default = BatchPlan(["in_progress", "completed"])
    Path("prompts.txt").write_text("Name a river.\n\nName a lake.\r\nName a sea.\n")
    command = ("mimo", "batch", "submit", "prompts.txt", "-m", "mimo-v2.6-flash", "--yes")
    return lambda *arguments: run.ok(*command, *arguments).stdout.strip()
