"""A server that nobody here wrote: the LiteLLM proxy, on loopback, on both protocols.

It answers with its own mock responses, and passes requests on to the emulated service, where it
translates them its own way. Its packages do not go together with those of the hosts, so it has an
environment of its own (`make litellm`); where that is not there, the test is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core import InvalidRequestError, MiMoClient, RateLimitError, collect
from mimo_core.testing.emulator import FakeMiMo, Reply
from tests.conftest import KEY

pytestmark = pytest.mark.slow  # it starts the proxy

PROTOCOLS = ("chat_completions", "messages")
START = 120.0  # seconds; it takes 10 of them to import itself, on two slow cores more
HELLO = [{"role": "user", "content": "Hello"}]
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


def litellm() -> str:
    """The program, or a skip with the reason."""
    own = Path(__file__).parents[2] / ".venv-litellm" / "bin" / "litellm"
    program = str(own) if own.exists() else shutil.which("litellm")
    if program is None:
        pytest.skip("the LiteLLM proxy is not installed: make litellm")
    return program


def configuration(mimo: FakeMiMo) -> dict[str, Any]:
    """What LiteLLM serves: model names with a relay's prefix, and what stands behind each."""
    behind: dict[str, dict[str, Any]] = {
        "xiaomi/mimo-v2.5-pro": {"mock_response": "Hello from LiteLLM"},
        "busy/mimo-v2.5-pro": {"mock_response": "litellm.RateLimitError"},
        "chat_completions/mimo-v2.5-pro": {"api_base": mimo.base_url},
        "messages/mimo-v2.5-pro": {
            "api_base": mimo.messages_base_url,
            "model": "anthropic/mimo-v2.5-pro",
        },
    }
    served = {"model": "openai/mimo-v2.5-pro", "api_key": "none"}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": served | params}
            for name, params in behind.items()
        ],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }


@contextmanager
def proxy(program: str, config: dict[str, Any], home: Path) -> Iterator[str]:
    """The proxy's base URL, while it runs."""
    (home / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # its price list would come from the network
        "LITELLM_MODE": "PRODUCTION",  # no .env file
    }
    command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        root = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START
        while not _is_up(root):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"LiteLLM does not start:\n{(home / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield f"{root}/v1"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_up(root: str) -> bool:
    try:
        return httpx2.get(f"{root}/health/liveliness", verify=False).status_code == 200
    except httpx2.TransportError:
        return False


def answers(client: MiMoClient, request: dict[str, Any]) -> list[Any]:
    """The answer to a request, plain and streamed."""
    return [client.chat(request), collect(client.stream(request))]


def check_mock_responses(client: MiMoClient) -> None:
    for answer in answers(client, {"model": "xiaomi/mimo-v2.5-pro", "messages": HELLO}):
        (choice,) = answer["choices"]
        assert choice["message"] == {"role": "assistant", "content": "Hello from LiteLLM"}
        assert choice["finish_reason"] == "stop"
        assert answer["model"] == "xiaomi/mimo-v2.5-pro"
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def check_failures(client: MiMoClient) -> None:
    for ask in (client.chat, lambda request: list(client.stream(request))):
        with pytest.raises(RateLimitError, match="mock rate limit error"):
            ask({"model": "busy/mimo-v2.5-pro", "messages": HELLO})
        with pytest.raises(InvalidRequestError, match="Invalid model name"):
            ask({"model": "mimo-v0", "messages": HELLO})


def check_turn_with_a_tool(client: MiMoClient, mimo: FakeMiMo, protocol: str) -> None:
    """Two turns through it: the emulator refuses the second where the reasoning has got lost."""
    request = {
        "model": f"{protocol}/mimo-v2.5-pro",
        "messages": HELLO,
        "tools": [ADD],
        "max_tokens": 500,
    }
    mimo.queue(*[Reply("I add.", reasoning="Add them.", tool_calls=[("add", {"a": 1}, "c1")])] * 2)
    for answer in answers(client, request):
        (choice,) = answer["choices"]
        message = choice["message"]
        assert choice["finish_reason"] == "tool_calls"
        assert (message["content"], message["reasoning_content"]) == ("I add.", "Add them.")
        (call,) = message["tool_calls"]
        assert (call["id"], call["function"]["name"]) == ("c1", "add")
        assert json.loads(call["function"]["arguments"]) == {"a": 1}
        result = {"role": "tool", "tool_call_id": "c1", "content": "3"}
        mimo.queue("Three.")
        second = client.chat({**request, "messages": [*HELLO, message, result]})
        assert second["choices"][0]["message"]["content"] == "Three."
        assert mimo.last_request.messages[1]["reasoning_content"] == "Add them."
    assert {seen.protocol for seen in mimo.requests if seen.method == "POST"} == {protocol}
    mimo.reset()


def test_the_litellm_proxy(mimo: FakeMiMo, tmp_path: Path) -> None:
    """One test, so that one worker starts one proxy."""
    program = litellm()
    with proxy(program, configuration(mimo), tmp_path) as base_url:
        for protocol in PROTOCOLS:
            options: dict[str, Any] = {"base_url": base_url, "max_retries": 0}
            with MiMoClient(KEY, protocol=protocol, **options) as client:
                check_mock_responses(client)
                check_failures(client)
                check_turn_with_a_tool(client, mimo, protocol)
                assert "xiaomi/mimo-v2.5-pro" in client.models()
