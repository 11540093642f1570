"""What only a fresh process shows: its first asynchronous call, and what that does to its event
loop; the connections that fresh instances open; the memory that streams hold.

A child is `python fresh.py MODE NAME URL`, on the client's core, and prints one number.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contestants import CONTESTANTS
from floors import PROMPT

HERE = Path(__file__).parent
MODEL = "plain-1-events"
PEERS = ("ChatMiMo", "ChatMistralAI", "ChatOpenAI")
INSTANCES, STREAMS = 20, 200
Figures = dict[str, dict[str, list[float]]]
"""By row and contestant: one number a round."""


@dataclass(frozen=True)
class Fresh:
    """One row.

    Attributes:
        target: what ChatMiMo should not exceed, in the row's unit; of `peer`'s figure, where one is
            named.
        floor: contestants; what they need together, or `slowest` of them, is the row's floor.
    """

    name: str
    mode: str
    unit: str
    target: float
    who: tuple[str, ...]
    floor: tuple[str, ...]
    peer: str = ""
    slowest: bool = False
    rounds: int = 5


ROWS = (
    Fresh("the first ainvoke of a process", "first", "ms", 20,
          (*PEERS, "httpx2 + JSON", "langchain-core"), ("httpx2 + JSON", "langchain-core")),
    Fresh("the longest block of the event loop in it", "block", "ms", 5,
          (*PEERS, "httpx2 + JSON", "langchain-core", "idle loop"),
          ("idle loop", "langchain-core"), slowest=True),
    Fresh("from an empty process to the first answer of ainvoke", "whole", "ms of CPU", 0.65, PEERS,
          (), peer="ChatOpenAI", rounds=3),
    Fresh("connections of 20 fresh instances, invoke", "connections", "", 1,
          (*PEERS, "httpx2 + JSON"), ("httpx2 + JSON",), rounds=1),
    Fresh("connections of 20 fresh instances, ainvoke", "aconnections", "", 1,
          (*PEERS, "httpx2 + JSON"), ("httpx2 + JSON",), rounds=1),
    Fresh("memory that a stream of 200 holds, 200 at once", "memory", "KB", 0.6,
          ("ChatMiMo", "ChatOpenAI", "langchain-core"), ("langchain-core",), peer="ChatOpenAI",
          rounds=2),
)  # fmt: skip


def measure(
    row: Fresh, base_url: str, env: dict[str, str], *, short: bool
) -> dict[str, list[float]]:
    """One figure a round for each contestant, interleaved; the first round, which compiles, is not
    counted."""
    figures: dict[str, list[float]] = {name: [] for name in row.who}
    for number in range(1 if short else row.rounds + 1):
        shift = number % len(row.who)
        for name in row.who[shift:] + row.who[:shift]:
            command = [sys.executable, str(HERE / "fresh.py"), row.mode, name, base_url]
            done = subprocess.run(
                command, cwd=HERE, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{row.name}, {name}: {done.stderr}")
            if number or short:
                figures[name].append(float(done.stdout.split()[-1]))
    mine = statistics.median(figures["ChatMiMo"])
    print(f"{row.name}: {mine:.3g} {row.unit}", file=sys.stderr, flush=True)
    return figures


def floor_of(row: Fresh, figures: dict[str, list[float]]) -> float:
    """The row's floor, of the medians."""
    parts = [statistics.median(figures[name]) for name in row.floor]
    return max(parts) if row.slowest else sum(parts)


class _Idle:
    """Nothing but a loop that turns."""

    async def ainvoke(self, model: str) -> None:
        await asyncio.sleep(0.03)


async def _first(contestant: Any) -> float:
    start = time.perf_counter()
    await contestant.ainvoke(MODEL)
    return (time.perf_counter() - start) * 1e3


async def _whole(contestant: Any) -> float:
    """CPU time of the process until its first answer: interpreter, imports, the model, the call."""
    await contestant.ainvoke(MODEL)
    return time.process_time() * 1e3


async def _block(contestant: Any) -> float:
    """The longest time, in ms, in which the loop did not turn while the call ran."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.02)
    longest = 0.0
    await contestant.ainvoke(MODEL)
    ticking.cancel()
    return longest * 1e3


def _accepted(base_url: str) -> int:
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/connections") as answer:
        return int(answer.read())


def _connections(contestant: Any, base_url: str) -> float:
    before = _accepted(base_url)
    for _ in range(INSTANCES):
        if hasattr(contestant, "make"):
            contestant.make(MODEL).invoke(PROMPT)
        else:
            contestant.invoke(MODEL)
    return _accepted(base_url) - before - 1  # the question itself is one


async def _aconnections(contestant: Any, base_url: str) -> float:
    before = _accepted(base_url)
    for _ in range(INSTANCES):
        if hasattr(contestant, "make"):
            await contestant.make(MODEL).ainvoke(PROMPT)
        else:
            await contestant.ainvoke(MODEL)
    return _accepted(base_url) - before - 1


def _status(key: str) -> int:
    """A line of `/proc/self/status`, in KB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{key}:")[2].split()[0])


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM starts anew


async def _memory(contestant: Any) -> float:
    """KB by which the process grew at most, a stream, after one stream alone."""
    model = "text-200-events"
    await contestant.astream(model)
    gc.collect()
    _forget_peak()
    before = _status("VmRSS")
    await asyncio.gather(*(contestant.astream(model) for _ in range(STREAMS)))
    return (_status("VmHWM") - before) / STREAMS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("name")
    parser.add_argument("base_url")
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["BENCH_HELD"] = "1"  # langchain-core's streams take turns
    contestant = _Idle() if given.name == "idle loop" else CONTESTANTS[given.name](given.base_url)
    if hasattr(contestant, "model"):
        contestant.model(MODEL)  # made and imported: what is measured is the call
    if given.mode == "connections":
        print(_connections(contestant, given.base_url))
    elif given.mode == "aconnections":
        print(asyncio.run(_aconnections(contestant, given.base_url)))
    else:
        work = {"first": _first, "whole": _whole, "block": _block, "memory": _memory}[given.mode]
        print(asyncio.run(work(contestant)))


if __name__ == "__main__":
    main()
