"""What is paid once: imports, construction, the shell's start; and work without a network."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
_TIMED = "import time, sys; t = time.perf_counter(); {}; print((time.perf_counter() - t) * 1e3)"
_CORE = "import langchain_core.language_models.chat_models, httpx2"
_AFTER_CORE = (
    f"import time; {_CORE}; t = time.perf_counter(); import langchain_mimo;"
    "print((time.perf_counter() - t) * 1e3)"
)
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
request = {"model": "mimo-v2.6-pro", "messages": messages}
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
list(llm.get_model("mimo-v2.6-pro").prompt("hi", key="sk-bench"))
"""
_PLUGIN = """
import llm.cli, time
from llm.plugins import pm
start = time.perf_counter()
import llm_mimo
pm.register(llm_mimo, "mimo")
print((time.perf_counter() - start) * 1e3)
"""
_OPENAI = "import langchain_openai"
# What is measured: code that prints a number, and whether llm is to load the plugin by itself.
_SCRIPTS: dict[str, str] = {
    "import langchain_mimo": _AFTER_CORE,
    "all of it": _TIMED.format(f"{_CORE}; import langchain_mimo"),
    "langchain_openai": _TIMED.format(_OPENAI),
    "the first ChatMiMo()": _FIRST,
    "each later ChatMiMo()": _LATER,
    "collect, a chunk of 100,000": _COLLECT,
    "prepare, a message of 2,000": _PREPARE,
    "the first chunk": _FIRST_CHUNK,
    "the plugin in llm --version": _PLUGIN,
    "llm -m mimo-v2.6-pro, to the request": _TO_REQUEST,
}
UNITS = {
    "collect, a chunk of 100,000": " µs",
    "prepare, a message of 2,000": " µs",
    "importing all of it": "",
}


def derived() -> list[tuple[str, str, float]]:
    """The rows of the report: what, beside what, and what it should stay below."""
    return [
        ("import langchain_mimo", "langchain_core and httpx2 imported", 15),
        ("importing all of it", "langchain_openai", 0.65),
        ("the first ChatMiMo()", "", 1),
        ("each later ChatMiMo()", "", 0.1),
        ("collect, a chunk of 100,000", "", 1),
        ("prepare, a message of 2,000", "", 10),
        ("the first chunk", "httpx2's first bytes", 1),
        ("the plugin in llm --version", "llm.cli imported", 5),
        ("llm -m mimo-v2.6-pro, to the request", "llm.cli imported", 60),
    ]


def startup_figures(rounds: int) -> dict[str, float]:
    """Medians over `rounds` fresh processes each, interleaved, by the rows' names; 0 for one."""
    figures: dict[str, list[float]] = {name: [] for name in _SCRIPTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, code in _SCRIPTS.items():
                value = _printed(name, code, folder)
                if number or not rounds:  # the first round compiles
                    figures[name].append(value)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    medians["importing all of it"] = medians.pop("all of it") / medians.pop("langchain_openai")
    return medians


def _printed(name: str, code: str, folder: str) -> float:
    env = {**os.environ, "LLM_USER_PATH": folder}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # or compiling would be measured
    env["LLM_LOAD_PLUGINS"] = "mimo-plugins" if code is _TO_REQUEST else ""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, env=env, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    return float(done.stdout.split()[-1])
