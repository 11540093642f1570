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

from report import write_report
from startup import startup_rows

HERE = Path(__file__).parent
LANGCHAIN = ("ChatMiMo", "ChatMistralAI", "ChatOpenAI", "ChatDeepSeek")
ALL = (*LANGCHAIN, "httpx2 + JSON", "langchain-core")
NETWORK = (*LANGCHAIN, "httpx2 + JSON")
TLS = ("ChatMiMo", "ChatOpenAI", "httpx2 + JSON")  # ChatMistralAI trusts certifi only


@dataclass(frozen=True)
class Work:
    """One row: what is run, and what it should reach against which peer."""

    name: str
    work: str
    model: str
    targets: dict[str, float]
    repeat: int = 1
    who: tuple[str, ...] = LANGCHAIN
    tls: bool = False


WORK = (
    Work("sync text, each event its own read", "stream", "text-2000-burst",
         {"ChatOpenAI": 0.20, "ChatMistralAI": 0.75}, who=ALL),
    Work("sync text, 16 KiB reads", "stream", "text-2000-blocks", {"ChatOpenAI": 0.10}, who=ALL),
    Work("async text, each event its own read", "astream", "text-2000-burst",
         {"ChatOpenAI": 0.33, "ChatMistralAI": 0.45}, who=ALL),
    Work("async text, several events a read", "astream", "text-2000-events",
         {"ChatOpenAI": 0.17, "ChatMistralAI": 0.75}, who=ALL),
    Work("sync reasoning, each event its own read", "stream", "reasoning-2000-burst",
         {"ChatOpenAI": 0.20, "ChatMistralAI": 0.75}),
    Work("sync tool call, fragments of 8", "stream", "tools8-1000-events", {"ChatOpenAI": 0.15}),
    Work("sync tool call, fragments of 1,000", "stream", "tools1000-200-events",
         {"ChatOpenAI": 0.15}),
    Work("sync text over TLS, 1 ms apart", "stream", "text-500-paced", {"ChatOpenAI": 0.36},
         tls=True, who=TLS),
    Work("async text over TLS, 1 ms apart", "astream", "text-500-paced", {"ChatOpenAI": 0.33},
         tls=True, who=TLS),
    Work("200 streams of 200 at once", "concurrent", "text-200-events", {"ChatOpenAI": 0.22},
         repeat=200, who=("ChatMiMo", "ChatOpenAI")),
    Work("invoke", "invoke", "plain-1-events", {"ChatOpenAI": 0.42, "ChatMistralAI": 0.85},
         repeat=100, who=NETWORK),
    Work("ainvoke", "ainvoke", "plain-1-events", {"ChatOpenAI": 0.48, "ChatMistralAI": 0.85},
         repeat=100, who=NETWORK),
)  # fmt: skip

GROWTH = tuple(
    Work(f"sync text of {count} events", "stream", f"text-{count}-events", {})
    for count in (200, 1000, 5000, 20000)
) + tuple(
    Work(f"{count} streams of 50 at once", "concurrent", "text-50-events", {}, repeat=count)
    for count in (1, 10, 50, 100)
)


class Worker:
    """A contestant's process."""

    def __init__(self, name: str, base_url: str, env: dict[str, str]) -> None:
        core = str(max(os.sched_getaffinity(0)))
        command = [sys.executable, str(HERE / "worker.py"), name, base_url, core]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=HERE
        )
        self._answer()

    def run(self, work: Work) -> dict[str, Any]:
        assert self._process.stdin is not None
        command = {"work": work.work, "model": work.model, "repeat": work.repeat}
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
            raise SystemExit(f"a worker died: {self._process.args}")
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


def measure(works: tuple[Work, ...], rounds: int, servers: Servers) -> dict[str, Any]:
    """The figures of `works`: for each row and contestant, one answer a round."""
    env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    env |= {"SSL_CERT_FILE": str(servers.certificate)}
    env.pop("SSL_CERT_DIR", None)
    figures: dict[str, Any] = {}
    for work in works:
        base_url = servers.tls if work.tls else servers.plain
        workers = {name: Worker(name, base_url, env) for name in work.who}
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in work.who}
        for number in range(rounds + 1):
            order = list(work.who)
            order = order[number % len(order) :] + order[: number % len(order)]
            for name in order:
                answer = workers[name].run(work)
                if number:  # the first round warms up
                    answers[name].append(answer)
        for worker in workers.values():
            worker.stop()
        figures[work.name] = answers
        mine = statistics.median(a["cpu"] / a["events"] for a in answers["ChatMiMo"])
        print(f"{work.name}: {mine * 1e6:.1f} µs", file=sys.stderr, flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--short", action="store_true", help="one small round, no report")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    arguments = parser.parse_args()
    works = tuple(work for work in WORK if arguments.only in work.name)
    rounds = 1 if arguments.short else arguments.rounds
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(Path(folder))
        try:
            figures = measure(works, rounds, servers)
            growth = {} if arguments.short or arguments.only else measure(GROWTH, 3, servers)
        finally:
            servers.stop()
    startup = [] if arguments.only else startup_rows(1 if arguments.short else arguments.rounds)
    report = write_report(works, figures, growth, startup, save=not arguments.short)
    print(report)


if __name__ == "__main__":
    main()
