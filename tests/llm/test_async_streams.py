"""Leaving an asynchronous stream before its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import llm
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")
LONG = Reply("one two three four five six seven", chunk_size=2)

_LEAVES = """
import asyncio
import llm

async def main():
    for what in ("text", "events") * 5:
        response = llm.get_async_model("mimo").prompt("Count")
        async for _ in response if what == "text" else response.astream_events():
            break

asyncio.run(main())
"""


@pytest.mark.slow
def test_break_leaves_no_word_on_stderr(mimo: FakeMiMo) -> None:
    """Each time "asynchronous generator is already running", where generators are nested."""
    mimo.queue(*[LONG] * 10)
    Path("leaves.py").write_text(_LEAVES)
    done = subprocess.run(
        [sys.executable, "leaves.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(mimo.requests) == 10


async def test_closing_it_closes_the_connection(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("one two three four five", chunk_size=2, interval=0.05))
    events = llm.get_async_model("mimo").prompt("Count").astream_events()
    async for _ in events:
        break
    await events.aclose()
    mimo.queue(Reply("Hello!"))
    assert await llm.get_async_model("mimo").prompt("Hi").text() == "Hello!"


async def test_a_slow_reader_gets_everything_in_order(mimo: FakeMiMo) -> None:
    text = " ".join(map(str, range(500)))
    mimo.queue(Reply(text, chunk_size=2))
    assert await llm.get_async_model("mimo").prompt("Count").text() == text


async def test_what_broke_is_raised_after_what_arrived(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(reply=LONG, cut="mid_stream", after=6))
    arrived: list[str] = []

    async def read() -> None:
        async for text in llm.get_async_model("mimo").prompt("Count"):
            arrived.append(text)

    with pytest.raises(llm.ModelError, match="The stream broke"):
        await read()
    assert "".join(arrived).strip()
    assert "one two three four five six seven".startswith("".join(arrived).strip())
