"""`make bench`: ChatMiMo, its peers and the floors, side by side; a table of medians and ratios.

Every contestant is a process of its own on one core, the server has the other. Rounds are
interleaved and the order is rotated, so that noise falls on all alike; ratios are taken round by
round. `--short` proves that it runs and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floor_table import cost
from fresh import ROWS, Fresh, measure
from report import Answers, Growth, Run, plot, report, write
from startup import startup_figures

HERE = Path(__file__).parent
LANGCHAIN = ("ChatMiMo", "ChatMistralAI", "ChatOpenAI", "ChatDeepSeek")
THREE = ("ChatMiMo", "ChatMistralAI", "ChatOpenAI")  # ChatDeepSeek is ChatOpenAI with more checks
ALL = (*LANGCHAIN, "httpx2 + JSON", "langchain-core", "wake-up + JSON")
FLOORS = ("httpx2 + JSON", "langchain-core")
NETWORK = (*THREE, *FLOORS)
# ChatMistralAI trusts certifi only.
TLS = ("ChatMiMo", "ChatOpenAI", "httpx2 + JSON", "langchain-core", "wake-up + JSON")
HTTPX2 = ("httpx2 + JSON", "langchain-core")  # the floor where httpx2 makes the request
WAKE_UP = ("wake-up + JSON", "langchain-core")  # and where each event comes by itself


@dataclass(frozen=True)
class Work:
    """One row: what is run, and what it should reach against which peer.

    Attributes:
        most: µs an event that it should not exceed, where that was agreed.
        floor: contestants; what they cost together is the row's floor.
    """

    name: str
    work: str
    model: str
    targets: dict[str, float]
    repeat: int = 1
    who: tuple[str, ...] = THREE
    tls: bool = False
    rounds: int = 15
    size: int = 0
    most: float = 0
    floor: tuple[str, ...] = ()


WORK = (
    Work("sync text, each event its own read", "stream", "text-2000-burst",
         {"ChatOpenAI": 0.20, "ChatMistralAI": 0.75}, who=ALL, rounds=11, floor=HTTPX2),
    Work("sync text, 16 KiB reads", "stream", "text-2000-blocks", {"ChatOpenAI": 0.10},
         who=NETWORK, rounds=11, floor=HTTPX2),
    Work("async text, each event its own read", "astream", "text-2000-burst",
         {"ChatOpenAI": 0.17, "ChatMistralAI": 0.45}, who=ALL, rounds=11, floor=WAKE_UP),
    Work("async text, several events a read", "astream", "text-2000-events",
         {"ChatOpenAI": 0.17, "ChatMistralAI": 0.75}, who=NETWORK, rounds=11, floor=HTTPX2),
    Work("async text, 250 µs apart", "astream", "text-2000-swift", {}, most=75,
         who=(*NETWORK, "wake-up + JSON"), rounds=7, floor=WAKE_UP),
    Work("sync reasoning, each event its own read", "stream", "reasoning-2000-burst",
         {"ChatOpenAI": 0.20, "ChatMistralAI": 0.75}, who=NETWORK, rounds=9, floor=HTTPX2),
    Work("sync tool call, fragments of 8", "stream", "tools8-1000-events", {"ChatOpenAI": 0.15},
         rounds=11),
    Work("sync tool call, fragments of 1,000", "stream", "tools1000-200-events",
         {"ChatOpenAI": 0.15}, rounds=3),
    Work("sync text over TLS, 1 ms apart", "stream", "text-500-paced", {"ChatOpenAI": 0.33},
         tls=True, who=TLS, rounds=9, floor=WAKE_UP),
    Work("async text over TLS, 1 ms apart", "astream", "text-500-paced", {"ChatOpenAI": 0.30},
         tls=True, who=TLS, rounds=9, floor=WAKE_UP),
    Work("200 streams of 200 at once", "concurrent", "text-200-events", {"ChatOpenAI": 0.22},
         repeat=200, who=("ChatMiMo", "ChatOpenAI", *FLOORS), rounds=3, floor=HTTPX2),
    Work("200 streams of 200 at 50 events a second each", "concurrent", "text-200-steady", {},
         repeat=200, who=("ChatMiMo", "ChatOpenAI", "langchain-core", "wake-up + JSON"), rounds=2,
         floor=WAKE_UP),
    Work("invoke", "invoke", "plain-1-events", {"ChatOpenAI": 0.42, "ChatMistralAI": 0.85},
         repeat=100, who=(*LANGCHAIN, *FLOORS), rounds=9, floor=HTTPX2),
    Work("ainvoke", "ainvoke", "plain-1-events", {"ChatOpenAI": 0.48, "ChatMistralAI": 0.85},
         repeat=100, who=NETWORK, rounds=9, floor=HTTPX2),
    Work("a request of 2,000 messages", "messages", "plain-1-events", {}, size=2000, most=8000,
         who=NETWORK, rounds=7, floor=HTTPX2),
    Work("an agent's next turn after 2,000 messages", "turns", "plain-1-events", {}, size=2000,
         who=NETWORK, rounds=5, floor=HTTPX2),
)  # fmt: skip

# What is plotted: each panel's label, and its rows by what is on the x axis.
GROWTH: dict[str, dict[int, Work]] = {
    "events in a stream": {
        count: Work(f"{count} events", "stream", f"text-{count}-events", {}, who=THREE, rounds=3)
        for count in (200, 1000, 5000, 20000)
    },
    "streams at once": {
        count: Work(f"{count} streams", "concurrent", "text-50-events", {}, repeat=count,
                    who=THREE, rounds=3)
        for count in (1, 10, 50, 100)
    },
    "messages in a request": {
        count: Work(f"{count} messages", "history", "plain-1-events", {}, size=count,
                    who=THREE, rounds=3)
        for count in (2, 200, 1000, 2000)
    },
    "messages in an agent's next request": {
        count: Work(f"{count} messages, next turn", "turns", "plain-1-events", {}, size=count,
                    who=THREE, rounds=3)
        for count in (2, 200, 1000, 2000)
    },
    "tools in a request": {
        count: Work(f"{count} tools", "tools", "plain-1-events", {}, repeat=20, size=count,
                    who=THREE, rounds=3)
        for count in (1, 10, 50, 100)
    },
}  # fmt: skip


class Worker:
    """A contestant's process."""

    def __init__(self, name: str, base_url: str, env: dict[str, str]) -> None:
        core = str(max(os.sched_getaffinity(0)))
        command = [sys.executable, str(HERE / "worker.py"), name, base_url, core]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=HERE
        )
        self._answer()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, work: Work) -> dict[str, Any]:
        assert self._process.stdin is not None
        command = {
            "work": work.work, "model": work.model, "repeat": work.repeat, "size": work.size,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._answer())
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker died: {self._process.args!r}")
        return line


class Servers:
    """The two servers, plain and TLS, on the first core."""

    def __init__(self, folder: Path) -> None:
        self.certificate, key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", str(key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        self._processes: list[subprocess.Popen[str]] = []
        self.plain = f"http://127.0.0.1:{self._start()}/v1"
        self.tls = f"https://127.0.0.1:{self._start('--tls', str(self.certificate), str(key))}/v1"

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def _start(self, *arguments: str) -> str:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), *arguments], stdout=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        self._processes.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()


class Bench:
    """Measures rows: the servers, and a process for each contestant.

    Args:
        short: one round of each row, in processes that are kept; else each row has its own.
    """

    def __init__(self, folder: Path, *, short: bool) -> None:
        self._servers = Servers(folder)
        self._short = short
        self._workers: dict[tuple[str, bool], Worker] = {}
        self._env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self._env |= {"SSL_CERT_FILE": str(self._servers.certificate)}
        self._env.pop("SSL_CERT_DIR", None)

    def measure(self, work: Work) -> Answers:
        """For each contestant, one answer a round."""
        answers: Answers = {name: [] for name in work.who}
        for number in range(1 if self._short else work.rounds + 1):
            shift = number % len(work.who)
            for name in work.who[shift:] + work.who[:shift]:
                answer = self.worker(name, work).run(work)
                if number or self._short:  # the first round warms up
                    answers[name].append(answer)
        if not self._short:
            self._stop_workers()
        mine = statistics.median(map(cost, answers["ChatMiMo"]))
        print(f"{work.name}: {mine:.1f} µs", file=sys.stderr, flush=True)
        return answers

    def measure_fresh(self, row: Fresh) -> dict[str, list[float]]:
        """For each contestant, one figure a round, each of a fresh process."""
        return measure(row, self._servers.plain, self._env, short=self._short)

    def stop(self) -> None:
        self._stop_workers()
        self._servers.stop()

    def worker(self, name: str, work: Work) -> Worker:
        """The process in which a contestant runs a row."""
        worker = self._workers.get((name, work.tls))
        if worker is None:
            base_url = self._servers.tls if work.tls else self._servers.plain
            worker = self._workers[name, work.tls] = Worker(name, base_url, self._env)
        return worker

    def _stop_workers(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1, help="full runs, one after the other")
    parser.add_argument("--short", action="store_true", help="one round of each row, no report")
    parser.add_argument("--only", default="", help="rows whose name holds this text, no report")
    arguments = parser.parse_args()
    works = tuple(work for work in WORK if arguments.only in work.name)
    rows = tuple(row for row in ROWS if arguments.only in row.name)
    runs: list[Run] = []
    growth: Growth = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), short=arguments.short)
        try:
            for _ in range(arguments.runs):
                figures = {work.name: bench.measure(work) for work in works}
                startup = {} if arguments.only else startup_figures(0 if arguments.short else 9)
                fresh = {row.name: bench.measure_fresh(row) for row in rows}
                runs.append(Run(figures, startup, fresh))
            if not arguments.only:
                for label, row in GROWTH.items():
                    sizes = list(row)[:2] if arguments.short else list(row)
                    growth[label] = {size: bench.measure(row[size]) for size in sizes}
                plot(growth, (Path(folder) if arguments.short else HERE) / "growth.png")
        finally:
            bench.stop()
    text = report(works, rows, runs)
    print(text)
    if not (arguments.short or arguments.only):
        write(text)


if __name__ == "__main__":
    main()
