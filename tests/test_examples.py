"""The examples run as they stand, without a key, and print what their pages show."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import STRICT

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NEEDS = {"mcp_tools": "langchain_mcp_adapters"}
TYPED = {"terminal_chat": "Which year is it?\n"}

pytestmark = pytest.mark.slow  # each is a process


def printed(name: str) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, *STRICT, str(EXAMPLES / f"{name}.py")],
        input=TYPED.get(name, ""),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["agent_memory", "extraction", "terminal_chat", "mcp_tools"])
def test_an_example_prints_what_its_page_shows(name: str) -> None:
    if find_spec(NEEDS.get(name, "langchain")) is None:
        pytest.skip(f"{NEEDS[name]} is not installed here; `make docs-check` has it")
    assert printed(name) == (EXAMPLES / "output" / f"{name}.txt").read_text("utf-8")


def test_the_endpoint_streams_and_notices_that_the_client_leaves() -> None:
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        pytest.skip("FastAPI is not installed here; `make docs-check` has it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "web_chat.py"), str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/chat?question=Hello") as answer:
            assert answer.read(5) == b"word "
        said = process.stdout.readline()  # the answer takes six seconds; the reader has left
        found = re.fullmatch(r"(\d+) pieces: the client left, or it broke\n", said)
        assert found, said
        assert int(found[1]) < 100
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
