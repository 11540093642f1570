"""`make soak`: many streams at once for an hour, some of them broken; nothing may grow or be lost.

    python scripts/soak.py [--minutes 60] [--streams 500] [--faults 0.05]

The emulator runs in a process of its own. Every stream ends with the whole text that its question
asked for, or with an error of the family. Once a minute the process's memory, open files and tasks
are printed; the run fails where an answer was not whole and nobody said so, where a task is left,
or where memory has grown by more than a tenth between its tenth part and its end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import random
import resource
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mimo_core import AsyncMiMoClient, MiMoError, collect
from mimo_core.testing import FakeMiMo, Fault, Reply

FAULTS: tuple[dict[str, Any], ...] = (
    {"cut": "mid_stream"},
    {"cut": "mid_stream", "reset": True},
    {"cut": "before_first_event"},
    {"cut": "before_headers"},
    {"cut": "before_done"},
    {"error_event": "overloaded"},
    {"empty_choices": True},
    {"byte_by_byte": True},
)


def text_for(question: str) -> str:
    """The answer that a question asks for: a hundred words that no other question gets."""
    return " ".join(f"{question}-{number}" for number in range(100))


def serve(pipe: Connection, share: float) -> None:
    """The emulator, in its own process: says its address, and how many requests it had."""
    chance = random.Random(1)  # noqa: S311  # not a secret

    def respond(request: Any) -> Reply | Fault:
        reply = Reply(text_for(request.body["messages"][-1]["content"]))
        if chance.random() >= share:
            return reply
        return Fault(reply=reply, **chance.choice(FAULTS))

    with FakeMiMo(respond) as mimo:
        pipe.send(mimo.named_base_url)
        while pipe.poll(None):
            if pipe.recv() == "stop":
                return
            mimo.requests.clear()  # it keeps them, which is not what is measured here


class Soak:
    """The client's side."""

    def __init__(self, base_url: str, ends: float) -> None:
        self._base_url = base_url
        self._ends = ends
        self.counts: Counter[str] = Counter()

    async def run(self, streams: int) -> None:
        """Keep this many streams going until the time is over."""
        async with AsyncMiMoClient("sk-soak", base_url=self._base_url, max_retries=0) as client:
            await asyncio.gather(*(self._one_after_another(client, n) for n in range(streams)))

    async def _one_after_another(self, client: AsyncMiMoClient, number: int) -> None:
        turn = 0
        while time.monotonic() < self._ends:
            turn += 1
            question = f"q{number}.{turn}"
            request = {
                "model": "mimo-v2.6-pro",
                "messages": [{"role": "user", "content": question}],
            }
            try:
                response = collect([chunk async for chunk in client.stream(request)])
            except MiMoError as error:
                self.counts[type(error).__name__] += 1
                continue
            whole = response["choices"][0]["message"]["content"] == text_for(question)
            self.counts["whole" if whole else "NOT WHOLE"] += 1


def memory() -> float:
    """MB that the process holds now."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def open_files() -> int:
    """How many this process has open, sockets included; -1 where nobody says."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else -1


async def report(soak: Soak, pipe: Connection, ends: float, samples: list[float]) -> None:
    """A line a minute."""
    started = time.monotonic()
    while (left := ends - time.monotonic()) > 0:
        await asyncio.sleep(min(60.0, left))
        pipe.send("forget")
        gc.collect()
        samples.append(memory())
        sys.stdout.write(
            f"{(time.monotonic() - started) / 60:5.1f} min  {samples[-1]:7.1f} MB  "
            f"{open_files()} files  {len(asyncio.all_tasks())} tasks  {dict(soak.counts)}\n"
        )
        sys.stdout.flush()


async def run(base_url: str, pipe: Connection, minutes: float, streams: int) -> int:
    ends = time.monotonic() + minutes * 60
    soak = Soak(base_url, ends)
    samples: list[float] = []
    watching = asyncio.create_task(report(soak, pipe, ends, samples))
    await soak.run(streams)
    await watching
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    early = samples[len(samples) // 10]
    grown = samples[-1] / early - 1
    sys.stdout.write(
        f"{sum(soak.counts.values())} streams, memory {grown:+.1%}, {len(tasks)} tasks left\n"
    )
    return int(grown > 0.1 or bool(tasks) or soak.counts["NOT WHOLE"] > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--faults", type=float, default=0.05, help="the share that is broken")
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs, arguments.faults), daemon=True)
    server.start()
    try:
        return asyncio.run(run(ours.recv(), ours, arguments.minutes, arguments.streams))
    finally:
        ours.send("stop")
        server.join(timeout=10)


if __name__ == "__main__":
    sys.exit(main())
