"""`make batch-proof`: 10,000 prompts through batches; the process is killed five times at random.

    python -m scripts.batch_proof [--way core|langchain|llm] [--prompts N] [--kills N] [--seed N]

The server is FakeMiMo in this process. What works on the job is a process of its own, which is
killed (SIGKILL: nothing it can do about it) at a random moment after the server has had a random
number of its requests, the first time before any. At the end every prompt must be answered exactly
once in the results, and once on the server's bill, and no process may have held more than 150 MB.
It says what it saw, and exits with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from mimo_core.testing import FakeMiMo
from mimo_core.testing.emulator import BatchPlan, ReceivedRequest

MOST = 150  # MB of one process
_WORDS = 300
# A look each, and three requests more.
_IN_PROGRESS: list[Literal["in_progress"]] = ["in_progress"] * 8
_MOMENT = 0.6  # seconds, at most, from a request to the kill
_PROGRAMS = {
    "core": """
import sys
from mimo_core.batches import BatchClient, BatchJob
prompts = [line.rstrip("\\n") for line in open("prompts.txt")]
requests = (
    {"model": model, "messages": [{"role": "user", "content": prompt}]}
    for number, prompt in enumerate(prompts)
    for model in ["mimo-v2.6-pro" if number % 3 == 0 else "mimo-v2.6-flash"]
)
with BatchClient() as client, BatchJob("job.db", client) as job:
    job.add(requests)
    job.submit()
    job.wait(poll=0.2)
    with open("answers.tmp", "w") as file:
        for result in job.results():
            file.write(result.response["choices"][0]["message"]["content"] + "\\n")
""",
    "langchain": """
from langchain_mimo import ChatMiMo
prompts = [line.rstrip("\\n") for line in open("prompts.txt")]
job = ChatMiMo(model="mimo-v2.6-flash").batch_job(prompts, path="job.db")
job.wait(poll=0.2, progress=False)
with open("answers.tmp", "w") as file:
    for message in job.results():
        file.write(message.content + "\\n")
""",
}


class Program:
    """What works on the job, in a process of its own.

    Attributes:
        most: MB that one of its processes held at most.
    """

    def __init__(self, way: str, folder: Path, address: str) -> None:
        self._command = _command(way)
        self._folder = folder
        self._env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self._env |= {
            "MIMO_API_KEY": "sk-proof",
            "MIMO_BATCH_BASE_URL": address,
            "LLM_USER_PATH": str(folder / "llm"),
        }
        self.most = 0.0

    def run(self, kill: Callable[[], bool]) -> int | None:
        """Start it, and wait for its end or for `kill` to say so.

        Returns:
            Its exit code; None where it was killed.
        """
        process = subprocess.Popen(  # noqa: S603 (its own program)
            self._command, cwd=self._folder, env=self._env, start_new_session=True
        )
        killed = False
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                self.most = max(self.most, used.ru_maxrss / 1024)
                process.returncode = os.waitstatus_to_exitcode(status)
                return None if killed else process.returncode
            if not killed and kill():
                os.killpg(process.pid, 9)
                killed = True
            time.sleep(0.002)


def _command(way: str) -> list[str]:
    if way != "llm":
        return [sys.executable, "-c", _PROGRAMS[way]]
    llm = Path(sys.executable).with_name("llm")
    submit = f"{llm} mimo batch submit prompts.txt -m mimo-v2.6-flash --job job.db --yes"
    results = f"{llm} mimo batch results job.db --wait --poll 0.2 --jsonl -o answers.jsonl"
    return ["sh", "-c", f"{submit} && {results}"]


def prompts(count: int, chance: random.Random) -> list[str]:
    """Prompts of about 2 kB, each another one."""
    words = [f"{chance.getrandbits(24):06x}" for _ in range(2000)]
    return [f"{n} {' '.join(chance.choices(words, k=_WORDS))}" for n in range(count)]


class Killer:
    """Says when the process is to be killed: after so many more requests, and a moment.

    Args:
        requests: how many requests the server has had.
        points: after how many in all, each once.
    """

    def __init__(self, requests: Callable[[], int], points: list[int], chance: random.Random):
        self._requests, self._points, self._chance = requests, sorted(points), chance
        self._due: float | None = None
        self.kills: list[int] = []

    def __call__(self) -> bool:
        if len(self.kills) == len(self._points):
            return False
        seen, now = self._requests(), time.monotonic()
        if self._due is None and seen >= self._points[len(self.kills)]:
            self._due = now + self._chance.uniform(0, _MOMENT)
        if self._due is None or now < self._due:
            return False
        self._due = None
        self.kills.append(seen)
        return True


def answered(folder: Path) -> list[str]:
    """The answers that the program wrote, in its order."""
    if (written := folder / "answers.tmp").exists():
        return written.read_text().splitlines()
    lines = (folder / "answers.jsonl").read_text().splitlines()
    return [json.loads(line)["response"] for line in lines]


def proof(way: str, count: int, kills: int, chance: random.Random) -> list[str]:
    """Run it to its end.

    Returns:
        What does not hold; empty where all does.
    """
    asked = prompts(count, chance)
    with tempfile.TemporaryDirectory() as name, FakeMiMo(_respond) as mimo:
        folder = Path(name)
        (folder / "prompts.txt").write_text("\n".join(asked) + "\n")
        mimo.batches.default = BatchPlan([*_IN_PROGRESS, "completed"])
        program = Program(way, folder, mimo.base_url)
        points = [chance.randrange(1, len(_IN_PROGRESS) + 4) for _ in range(kills)]
        points[:1] = [0] * min(kills, 1)
        killer = Killer(lambda: len(mimo.requests), points, chance)
        begun = time.monotonic()
        while (code := program.run(killer)) is None or (code == 0 and len(killer.kills) < kills):
            pass  # what has ended before its time is started once more
        bill = mimo.batches.bill_by_prompt
        _say(
            f"{way}: {count:,} prompts, {len(killer.kills)} kills (after "
            f"{', '.join(map(str, killer.kills))} requests), {len(mimo.requests)} requests, "
            f"{time.monotonic() - begun:.1f} s, at most {program.most:.0f} MB in a process"
        )
        wrong = []
        if code != 0:
            return [f"the last run ended with exit code {code}"]
        if len(killer.kills) != kills:
            wrong.append(f"it was killed {len(killer.kills)} times only")
        if answered(folder) != [_answer(prompt) for prompt in asked]:
            wrong.append("the answers are not those of the prompts, in their order")
        if bill != Counter(asked):
            twice = sum(times - 1 for times in bill.values())
            wrong.append(f"the bill has {len(bill):,} prompts, {twice:,} paid more than once")
        if program.most > MOST:
            wrong.append(f"a process held {program.most:.0f} MB, more than {MOST}")
        return wrong


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _answer(prompt: str) -> str:
    return f"answer to {prompt.split()[0]}"


def _respond(request: ReceivedRequest) -> str:
    return _answer(str(request.body["messages"][-1]["content"]))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="10,000 prompts, five kills, nothing lost")
    parser.add_argument("--way", choices=[*_PROGRAMS, "llm"], action="append")
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    _say(f"seed {options.seed}")
    chance = random.Random(options.seed)  # noqa: S311 (no secret)
    status = 0
    for way in options.way or [*_PROGRAMS, "llm"]:
        for problem in proof(way, options.prompts, options.kills, chance):
            _say(f"{way}: WRONG: {problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
