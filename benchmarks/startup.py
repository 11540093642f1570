"""What is paid once: imports, construction, the shell's start; and work without a network."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_TIMED = "import time, sys; t = time.perf_counter(); {}; print((time.perf_counter() - t) * 1e3)"
_CORE = "import langchain_core.language_models.chat_models, httpx2"
_MODELS = "from langchain_mimo import ChatMiMo; ChatMiMo(api_key='sk-bench')"
_LATER = (
    "import time; from langchain_mimo import ChatMiMo; ChatMiMo(api_key='sk-bench');"
    "t = time.perf_counter(); [ChatMiMo(api_key='sk-bench') for _ in range(100)];"
    "print((time.perf_counter() - t) * 10)"
)
_FIRST = (
    "import time; from langchain_mimo import ChatMiMo; t = time.perf_counter();"
    "ChatMiMo(api_key='sk-bench'); print((time.perf_counter() - t) * 1e3)"
)
_COLLECT = """
import time
from pydantic_core import from_json
from mimo_core import collect
line = b'{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"word000 "}}]}'
def read(): return [from_json(line) for _ in range(100_000)]
chunks = read()
t = time.perf_counter(); collect(chunks); print((time.perf_counter() - t) * 10)
"""
_PREPARE = """
import time
from mimo_core import prepare
messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}] * 1000
request = {"model": "mimo-v2.5-pro", "messages": messages}
prepare(request)
t = time.perf_counter(); prepare(request); print((time.perf_counter() - t) * 1e6 / 2000)
"""
_FIRST_CHUNK = """
import statistics, subprocess, sys, time
import httpx2
from langchain_mimo import ChatMiMo
server = subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE, text=True)
base = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
client, body = httpx2.Client(), {"model": "text-1-burst", "messages": [], "stream": True}
model = ChatMiMo(model="text-1-burst", api_key="sk-bench", base_url=base)
def raw():
    with client.stream("POST", base + "/chat/completions", json=body) as response:
        next(response.iter_bytes())
def ours():
    stream = model.stream("hi")
    next(stream)
    stream.close()
def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3
timed(raw), timed(ours)
pairs = [(timed(ours), timed(raw)) for _ in range(100)]
server.kill(); server.communicate()
print(statistics.median(a - b for a, b in pairs))
"""
_TO_REQUEST = """
import llm.cli, time
start = time.perf_counter()
import httpx2
def sent(*args, **kwargs):
    print((time.perf_counter() - start) * 1e3)
    raise SystemExit
httpx2.Client.send = sent
import llm
list(llm.get_model("mimo-v2.5-pro").prompt("hi", key="sk-bench"))
"""
_LLM = "import sys; sys.argv = ['llm', '--version']; import llm.cli"
# What is measured: code that prints a number.
_SCRIPTS: dict[str, str] = {
    "import langchain_core + httpx2": _TIMED.format(_CORE),
    "import langchain_mimo": _TIMED.format("import langchain_mimo"),
    "import langchain_openai": _TIMED.format("import langchain_openai"),
    "first ChatMiMo()": _FIRST,
    "each later ChatMiMo()": _LATER,
    "collect, a chunk of 100,000": _COLLECT,
    "prepare, a message of 2,000": _PREPARE,
    "first chunk, more than httpx2 alone": _FIRST_CHUNK,
    "llm -m mimo-v2.5-pro, from llm.cli to the request": _TO_REQUEST,
    "llm.cli without the plugin": _TIMED.format(_LLM),
    "llm.cli with the plugin": _TIMED.format(_LLM),
}
_UNITS = {"collect, a chunk of 100,000": "µs", "prepare, a message of 2,000": "µs"}


def startup_rows(rounds: int) -> list[dict[str, Any]]:
    """Medians over `rounds` fresh processes each, interleaved."""
    figures: dict[str, list[float]] = {name: [] for name in _SCRIPTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, code in _SCRIPTS.items():
                env = {**os.environ, "LLM_USER_PATH": folder}
                env.pop("PYTHONDONTWRITEBYTECODE", None)  # or compiling would be measured
                env["LLM_LOAD_PLUGINS"] = "" if "without" in name else "mimo-plugins"
                done = subprocess.run(
                    [sys.executable, "-c", code],
                    capture_output=True,
                    text=True,
                    env=env,
                    check=False,
                )
                if done.returncode:
                    raise SystemExit(f"{name}: {done.stderr}")
                if number:
                    figures[name].append(float(done.stdout.split()[-1]))
    return [
        {"name": name, "median": statistics.median(values), "unit": _UNITS.get(name, "ms")}
        for name, values in figures.items()
    ]
