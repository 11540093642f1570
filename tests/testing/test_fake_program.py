"""`python -m mimo_core.testing.emulator`: the emulator as a program."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

pytestmark = pytest.mark.slow  # each starts a process

USER = {"role": "user", "content": "hi"}


@contextlib.contextmanager
def program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-m", "mimo_core.testing.emulator", *arguments]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(5)]
            yield process, {line.split("  ")[0]: line.split("  ")[-1].strip() for line in lines}
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_stopped(stop: signal.Signals) -> None:
    with program("--port", "0") as (process, said):
        assert "an emulator of the MiMo service" in next(iter(said))
        body = {"model": "mimo-v2.5", "messages": [USER], "max_tokens": 100}
        chat = httpx2.post(f"{said['chat completions']}/chat/completions", json=body)
        assert "emulator" in chat.json()["choices"][0]["message"]["content"]
        messages = httpx2.post(f"{said['messages']}/v1/messages", json=body)
        assert "emulator" in messages.json()["content"][1]["text"]
        process.send_signal(stop)
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0
        assert err == ""
        assert "POST /v1/chat/completions mimo-v2.5 -> 200" in out


def test_keys_and_models() -> None:
    with program("--port", "0", "--key", "k", "--model", "mimo-v9") as (_, said):
        url = f"{said['chat completions']}/chat/completions"
        body = {"model": "mimo-v9", "messages": [USER]}
        assert httpx2.post(url, json=body).status_code == 401
        assert httpx2.post(url, json=body, headers={"api-key": "k"}).status_code == 200


def test_lenient() -> None:
    with program("--port", "0", "--lenient") as (_, said):
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        asked = {"role": "assistant", "content": "", "tool_calls": [call]}
        result = {"role": "tool", "tool_call_id": "c", "content": "42"}
        body = {"model": "mimo-v2.5", "messages": [USER, asked, result]}
        url = f"{said['chat completions']}/chat/completions"
        assert httpx2.post(url, json=body).status_code == 200


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "mimo_core.testing.emulator", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"cannot listen on port {port}: Address already in use\n"
