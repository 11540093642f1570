"""`llm mimo batch` in processes of its own: killed, interrupted, in a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mimo_core.testing import BatchPlan, FakeMiMo, Fault, Reply
from mimo_core.testing.emulator.batches import Operation

from .conftest import Llm

pytestmark = pytest.mark.slow

BATCH = [sys.executable, "-W", "error:::llm_mimo", "-m", "llm", "mimo", "batch"]
SUBMIT = [*BATCH, "submit", "prompts.txt", "-m", "mimo-v2.6-flash", "--yes"]
WAIT = ["--wait", "--poll", "0.05"]


@pytest.fixture(autouse=True)
def _prompts() -> None:
    Path("prompts.txt").write_text("".join(f"Prompt {number}.\n" for number in range(50)))


def _started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for what the emulator has to see of the process."""
    ends = time.monotonic() + 30
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.005)


KILLED_AT: list[tuple[Operation, str, str]] = [
    ("upload", "POST", "/v1/files"),
    ("create", "POST", "/v1/batches"),
    ("get", "GET", "/v1/batches/"),
    ("download", "GET", "/content"),
]


@pytest.mark.skipif("MIMO_PROOF" not in os.environ, reason="`make batch-proof` runs it")
def test_killed_again_and_again(mimo: FakeMiMo, run: Llm) -> None:
    """SIGKILL while the upload, the create, a look and the results are on their way: the same
    command goes on; every prompt is answered once, paid for once and logged once."""
    mimo.batches.default = BatchPlan(["in_progress", "completed"])
    for operation, method, path in KILLED_AT:
        mimo.batches.fail(operation, Fault(hang=True))
        seen = len(mimo.requests)

        def arrived(seen: int = seen, method: str = method, path: str = path) -> bool:
            return any(one.method == method and path in one.path for one in mimo.requests[seen:])

        process = _started(*SUBMIT, *WAIT)
        _until(arrived, process)
        process.kill()
        process.communicate(timeout=30)
    done = subprocess.run([*SUBMIT, *WAIT], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"prompts.job.db\n"), done.stderr
    for _ in range(2):
        shown = run.ok("mimo", "batch", "results", "--jsonl").stdout
    rows = [json.loads(line) for line in shown.splitlines()]
    assert [row["prompt"] for row in rows] == [f"Prompt {number}." for number in range(50)]
    assert all(row["response"] and not row["error"] for row in rows)
    assert set(mimo.batches.bill_by_prompt.values()) == {1}
    assert len(mimo.batches.bill) == 50
    assert len(json.loads(run.ok("logs", "-n", "0", "--json").stdout)) == 50


def test_ctrl_c_while_it_waits(mimo: FakeMiMo, run: Llm) -> None:
    mimo.batches.default = BatchPlan(["in_progress"] * 10_000)
    process = _started(*SUBMIT, *WAIT)
    _until(lambda: sum("/v1/batches/" in one.path for one in mimo.requests) > 1, process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, b"prompts.job.db\n")
    *_, last = stderr.decode().splitlines()
    assert last == (
        "The job goes on at the service. Come back with: "
        "llm mimo batch results prompts.job.db --wait"
    )
    assert "Traceback" not in stderr.decode()
    assert run.ok("mimo", "batch", "status").stdout.startswith("prompts.job.db: 50 prompts")


def test_in_a_terminal(mimo: FakeMiMo) -> None:
    """It asks before it spends, shows a bar, and prints the job's file."""
    pty = pytest.importorskip("pty", reason="terminals are tested on Unix")
    mimo.batches.default = BatchPlan(["in_progress", "in_progress", "completed"])
    leader, follower = pty.openpty()
    command = [*SUBMIT[:-1], *WAIT]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    answered = False
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
        if b"Go on? [y/N]" in shown and not answered:
            assert not mimo.requests
            os.write(leader, b"y\n")
            answered = True
    os.close(leader)
    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert "This sends 50 prompts to mimo-v2.6-flash at http" in text
    assert "100%" in text
    assert "prompts.job.db" in text


def test_a_reader_that_has_read_enough(mimo: FakeMiMo) -> None:
    mimo.batches.default = BatchPlan("completed")
    mimo.when(content="Prompt").answer(Reply("word " * 10_000), repeat=True)
    subprocess.run(SUBMIT, check=True, capture_output=True, timeout=60)
    with subprocess.Popen(
        ["head", "-c", "10"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        done = subprocess.run(
            [*BATCH, "results"], stdout=reader.stdin, stderr=subprocess.PIPE, timeout=60
        )
        reader.stdin.close()
        assert reader.stdout.read() == b"[1] Prompt"
    assert b"Traceback" not in done.stderr
