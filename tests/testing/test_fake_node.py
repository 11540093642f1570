"""Clients of another language: the Vercel AI SDK, openai's and Anthropic's packages for node.

`MIMO_NODE=1` asks for it, because it fetches the packages of `node/package-lock.json` from the npm
registry (about 15 s); `MIMO_NODE=DIRECTORY` keeps them there for the next time. The versions are
the newest for node 20 (November 2026); the AI SDK 7 and openai 7 want node 22.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, provenance_of
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.emulator.listener import Listener
from mimo_core.testing.fake_command import script_file
from mimo_core.testing.fake_command.proxy import RecordProxy
from mimo_core.testing.fake_command.recorder import Recorder
from mimo_core.testing.fake_command.replay import Replay
from tests.conftest import KEY

HERE = Path(__file__).parent / "node"
ASKED = os.environ.get("MIMO_NODE", "")  # read here: the suite takes such variables away
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not ASKED, reason="fetches packages of npm, for which MIMO_NODE=1 has to ask"
    ),
    pytest.mark.skipif(not shutil.which("npm"), reason="node and npm are not installed"),
]

HELLO = "Hello from the script."
RAIN = "It rains in Paris."
ADA = {"name": "Ada", "age": 36}
AI_SDK: dict[str, Any] = {
    "chat": {"text": HELLO, "reasoningText": "The user greets.", "finishReason": "stop"},
    "stream": {"text": HELLO, "inPieces": True},
    # Two steps: the SDK passes the reasoning back, or the emulator would refuse the second.
    "tools": {"text": RAIN, "steps": 2, "calls": [{"city": "Paris"}]},
    "tools in a stream": {"text": RAIN, "steps": 2},
    "object": ADA,
    "error": {"error": "APICallError", "status": 429},
    "broken stream": {"error": "APICallError", "status": 200},
}
EXPECTED: dict[str, Any] = {
    **{f"ai {name}": result for name, result in AI_SDK.items()},
    **{f"ai-anthropic {name}": result for name, result in AI_SDK.items()},
    "openai chat": {"text": HELLO, "reasoning": "The user greets."},
    "openai stream": {"text": HELLO, "inPieces": True},
    "openai tools": RAIN,
    "openai object": ADA,
    "openai models": True,
    "openai error": {"error": "RateLimitError", "status": 429},
    "openai broken stream": {"error": "TypeError", "status": None},  # node's own: "terminated"
    "anthropic chat": ["The user greets.", HELLO],
    "anthropic stream": ["The user greets.", HELLO],
    "anthropic error": {"error": "RateLimitError", "status": 429},
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository with the packages and the program."""
    folder = tmp_path_factory.mktemp("node") if ASKED == "1" else Path(ASKED)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "package-lock.json"
    fresh = lock.is_file() and lock.read_bytes() == (HERE / lock.name).read_bytes()
    for name in ("package.json", "package-lock.json", "ask.mjs"):
        shutil.copy(HERE / name, folder)
    if not (fresh and (folder / "node_modules").is_dir()):
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, check=True, timeout=300)
    return folder


def ask(packages: Path, url: str) -> dict[str, Any]:
    """What each client got from the server there."""
    done = subprocess.run(
        ["node", "ask.mjs", url],
        cwd=packages,
        env={**os.environ, "MARKER_KEY": KEY, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got: dict[str, Any] = json.loads(done.stdout[done.stdout.index("\n{") :])
    return got


@pytest.fixture
def scripted() -> Iterator[FakeMiMo]:
    with FakeMiMo(keys=[KEY]) as mimo:
        script_file.read(HERE / "script.yaml").apply(mimo)
        yield mimo


@contextmanager
def recording(url: str, path: Path) -> Iterator[str]:
    troubles: list[str] = []
    recorder = Recorder(path, note="clients for node", trouble=troubles.append)
    proxy = RecordProxy(url, recorder, lambda line: None)
    listener = Listener(proxy.handle, name="proxy")
    listener.start()
    recorder.start()
    try:
        yield listener.root_url
    finally:
        listener.stop()
        recorder.stop()
        proxy.close()
    assert troubles == []


def test_through_the_emulator_the_proxy_and_the_replay(
    packages: Path, scripted: FakeMiMo, tmp_path: Path
) -> None:
    path = tmp_path / "node.yaml"
    assert ask(packages, scripted.root_url) == EXPECTED
    with recording(scripted.root_url, path) as url:
        assert ask(packages, url) == EXPECTED
    whose = provenance_of(path)
    assert whose is not None
    assert whose.kind == "emulator"
    assert KEY not in path.read_text()
    assert len(read(path)["interactions"]) == len(scripted.requests) / 2
    listener = Listener(Replay(path, repeat=False, log=lambda line: None).handle, name="replay")
    listener.start()
    try:
        assert ask(packages, listener.root_url) == EXPECTED
    finally:
        listener.stop()
