"""The first asynchronous call of a process leaves its event loop free."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mimo_core.testing.emulator import FakeMiMo

PROGRAM = """
import asyncio, sys, threading
from langchain_mimo import ChatMiMo

model = ChatMiMo(api_key="sk-0123456789", base_url=sys.argv[1])
in_the_loop = []

class Watch:
    def find_spec(self, name, *_):
        if threading.current_thread() is threading.main_thread():
            in_the_loop.append(name)

sys.meta_path.insert(0, Watch())

async def stream():
    return [chunk async for chunk in model.astream("Hi")]

async def chat():
    return await asyncio.gather(*(model.ainvoke("Hi") for _ in range(3)))

assert asyncio.run(locals()[sys.argv[2]]())
assert not in_the_loop, in_the_loop
"""


@pytest.mark.slow
@pytest.mark.parametrize("call", ["chat", "stream"])
def test_nothing_is_imported_in_the_loops_thread(mimo: FakeMiMo, call: str) -> None:
    """LangChain's tracers, HTTP and its connections take 40 ms of imports together."""
    command = [sys.executable, "-c", PROGRAM, mimo.base_url, call]
    subprocess.run(command, check=True, timeout=60)
