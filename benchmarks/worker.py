"""One contestant in one process, on one core: told what to run on stdin, says what it cost.

The figure is CPU time (user and system) of this process, because wall time on a busy machine says
little. A command is a JSON line `{"work", "model", "repeat", "size"}`; the answer is one of
`{"cpu", "wall", "events", "rss"}` (seconds, seconds, count, MB).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from contestants import CONTESTANTS
from server import frame_size

_recv, _recv_into = socket.socket.recv, socket.socket.recv_into


def read_with(recv: Callable[..., bytes], recv_into: Callable[..., int]) -> None:
    """Let every socket of this process read with these two methods."""
    for name, method in (("recv", recv), ("recv_into", recv_into)):
        setattr(socket.socket, name, method)


def one_event_a_read(kind: str | None) -> None:
    """Cap every read at one framed event, as when events come one by one; None lifts the cap."""
    if kind is None:
        read_with(_recv, _recv_into)
        return
    size = frame_size(kind)
    missing: dict[int, int] = {}  # what a short read has left of its event, by socket

    def recv(self: socket.socket, limit: int, *flags: int) -> bytes:
        number = self.fileno()
        wanted = missing.get(number, size)
        data = _recv(self, min(limit, wanted), *flags)
        missing[number] = wanted - len(data) or size
        return data

    def recv_into(self: socket.socket, buffer: Any, nbytes: int = 0, *flags: int) -> int:
        number = self.fileno()
        wanted = missing.get(number, size)
        count = _recv_into(self, buffer, min(nbytes or len(buffer), wanted), *flags)
        missing[number] = wanted - count or size
        return count

    read_with(recv, recv_into)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def at_once(contestant: Any, model: str, count: int) -> tuple[int, list[float]]:
    """`count` streams at the same time: how many events, and when each stream was done."""
    start = time.perf_counter()

    async def one() -> tuple[int, float]:
        return await contestant.astream(model), time.perf_counter() - start

    results = await asyncio.gather(*(one() for _ in range(count)))
    return sum(events for events, _ in results), [seconds for _, seconds in results]


def run(contestant: Any, loop: asyncio.AbstractEventLoop, command: dict[str, Any]) -> Any:
    work, model, repeat = command["work"], command["model"], command.get("repeat", 1)
    one_event_a_read(model.split("-")[0] if model.endswith("-burst") else None)
    answer: dict[str, Any] = {"events": 0}
    size = [command["size"]] if command.get("size") else []
    if prepare := getattr(contestant, f"{work}_setup", None):
        prepare(model, *size)
    before, start = cpu(), time.perf_counter()
    if work == "concurrent":
        answer["events"], seconds = loop.run_until_complete(at_once(contestant, model, repeat))
        answer["slowest"] = max(seconds) / sorted(seconds)[len(seconds) // 2]
    else:
        method = getattr(contestant, work)
        for _ in range(repeat):
            result = method(model, *size)
            if asyncio.iscoroutine(result):
                result = loop.run_until_complete(result)
            answer["events"] += result or 1
    answer["cpu"], answer["wall"] = cpu() - before, time.perf_counter() - start
    answer["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return answer


def new_loop(on_uvloop: bool) -> asyncio.AbstractEventLoop:
    """The event loop of this process."""
    if on_uvloop:
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def main() -> None:
    name, base_url, core = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    contestant = CONTESTANTS[name.removesuffix(" on uvloop")](base_url)
    loop = new_loop(name.endswith(" on uvloop"))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(contestant, loop, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
