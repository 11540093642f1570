"""`examples/scale_out.py`: nothing lost, and nothing in the journal asked for twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY

pytestmark = pytest.mark.slow

pytest.importorskip("distributed", reason="the example needs Dask")

EXAMPLE = Path(__file__).parents[2] / "examples" / "scale_out.py"
PROMPTS, WORKERS, CONCURRENCY = 60, 2, 2
SIZE = ["--prompts", PROMPTS, "--workers", WORKERS, "--concurrency", CONCURRENCY, "--chunk", 6]


@pytest.fixture
def slow(mimo: FakeMiMo) -> FakeMiMo:
    """The emulator with answers that take a moment, so that some are always on their way."""
    mimo.respond = lambda request: Fault(
        reply=Reply(f"About: {request.text_of('user')}"), latency=0.05
    )
    return mimo


def start(mimo: FakeMiMo, journal: Path, *options: Any) -> subprocess.Popen[str]:
    environment = {"MIMO_API_KEY": KEY, "MIMO_BASE_URL": mimo.named_base_url}
    return subprocess.Popen(
        [sys.executable, EXAMPLE, "--journal", journal, *map(str, [*SIZE, *options])],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(program: subprocess.Popen[str]) -> str:
    out, err = program.communicate(timeout=120)
    assert program.returncode == 0, err
    return out


def answered(journal: Path) -> dict[str, str]:
    with closing(sqlite3.connect(journal)) as db:
        return dict(db.execute("SELECT prompt, answer FROM answers").fetchall())


def asked(mimo: FakeMiMo) -> Counter[str]:
    return Counter(request.text_of("user") for request in mimo.requests)


def test_a_killed_program_then_a_killed_worker(slow: FakeMiMo, tmp_path: Path) -> None:
    """All of it is killed, at any moment: the next run goes on. A worker of that one is killed:
    another takes over, and only what was on its way is sent again. A third has nothing to ask."""
    journal = tmp_path / "journal.sqlite"
    program = start(slow, journal)
    deadline = time.monotonic() + 60
    while len(slow.requests) < PROMPTS // 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(program.pid, signal.SIGKILL)
    program.communicate(timeout=30)
    assert slow.wait_for_idle(20)
    before = set(answered(journal))
    assert 0 < len(before) < PROMPTS

    slow.reset()
    out = finish(start(slow, journal, "--kill-a-worker"))
    answers = answered(journal)
    assert len(answers) == PROMPTS
    assert all(answer == f"About: {prompt}" for prompt, answer in answers.items())
    assert f"{PROMPTS} of {PROMPTS} answered" in out
    again = asked(slow)
    assert before.isdisjoint(again)
    assert len(again) == PROMPTS - len(before)
    assert max(again.values()) <= 2
    assert list(again.values()).count(2) <= CONCURRENCY

    slow.reset()
    assert f"{PROMPTS} answers are in the journal, 0 to ask for." in finish(start(slow, journal))
    assert slow.requests == []
