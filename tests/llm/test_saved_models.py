"""The saved list of models: many processes at once, and files that are no list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from llm_mimo import saved_models

# Sixteen processes wait for each other, then each runs the command; two more read the list as `llm`
# does when it starts. Forked, because to import llm sixteen times takes half a minute.
_AT_ONCE = """
import multiprocessing
import sys
from llm.cli import cli
from llm_mimo.saved_models import saved_ids

def refresh(barrier, number):
    barrier.wait()
    cli(["mimo", "refresh", "--add", f"mimo-x{number}"])

def read_on(barrier, ended):
    barrier.wait()
    seen = 0
    while not ended.wait(0.001):
        ids = saved_ids()
        assert len(ids) >= seen, ids
        seen = len(ids)

processes = multiprocessing.get_context("fork")
barrier, ended = processes.Barrier(18), processes.Event()
writers = [processes.Process(target=refresh, args=(barrier, n)) for n in range(16)]
readers = [processes.Process(target=read_on, args=(barrier, ended)) for _ in range(2)]
for process in writers + readers:
    process.start()
for process in writers:
    process.join()
ended.set()
for process in readers:
    process.join()
sys.exit(any(process.exitcode for process in writers + readers))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_sixteen_commands_at_once_keep_every_id(user_path: Path) -> None:
    """Without the lock a few of the ids were kept. No reader sees less than before, either."""
    asked = [sys.executable, "-c", _AT_ONCE]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Added mimo-x") == 16
    saved = json.loads((user_path / "mimo_models.json").read_bytes())
    assert sorted(saved["models"]) == sorted(f"mimo-x{number}" for number in range(16))


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--add", "--remove"])
def test_a_program_that_holds_the_list_for_ever_is_named(
    run: Any, user_path: Path, option: str
) -> None:
    run.ok("mimo", "refresh", "--add", "mimo-v9")
    with FileLock(user_path / "mimo_models.json.lock"):
        asked = [sys.executable, "-c", _HASTY, option, "mimo-v10"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Another program has held ")
    assert done.stderr.count("\n") == 1
    assert saved_models.saved_ids() == ["mimo-v9"]


_HASTY = """
import sys
from llm.cli import cli
from llm_mimo import saved_models
saved_models._LONGEST_WAIT = 0.1
cli(["mimo", "refresh", *sys.argv[1:]])
"""

STRANGE = {
    "a text in place of the list": b'{"models": "mimo-v9"}',
    "an object in place of the list": b'{"models": {"mimo-v9": 1}}',
    "an id with blanks": b'{"models": ["mimo v9"]}',
    "an id with a terminal escape": b'{"models": ["mimo-\\u001b[31m"]}',
    "an id with half a character": b'{"models": ["mimo-\\ud800"]}',
    "an id without end": b'{"models": ["%s"]}' % (b"m" * 300),
    "brackets within brackets": b"[" * 100_000,
    "a number without end": b'{"models": [%s]}' % (b"9" * 5000),
    "UTF-16": '{"models": ["mimo-\ud83d\ude00"]'.encode("utf-16", "surrogatepass"),
    "more than a list has": b'{"models": ["mimo-v9"' + b" " * 1_000_000 + b"]}",
    "nothing": b"",
    "zeros": bytes(100),
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_a_strange_file_is_a_note(run: Any, user_path: Path, content: bytes) -> None:
    saved_models._warn_of_broken_list.cache_clear()
    (user_path / "mimo_models.json").write_bytes(content)
    result = run.ok("models", "-q", "mimo")
    assert "Xiaomi MiMo: mimo-v2.5-pro" in result.stdout
    assert result.stderr.count("which is not a list of models") == 1
    assert len(result.stderr) < 400
    run.ok("mimo", "refresh", "--add", "mimo-v9")
    assert saved_models.saved_ids() == ["mimo-v9"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix's")
@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "loop"])
def test_what_is_no_file_is_a_note_and_is_left_alone(run: Any, user_path: Path, kind: str) -> None:
    saved_models._warn_of_broken_list.cache_clear()
    path = user_path / "mimo_models.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    result = run.ok("models", "-q", "mimo")
    assert result.stderr.count("which is not a list of models") == 1
    if kind != "loop":  # there is nothing behind it, so it is replaced
        assert "is not a file" in run.fails("mimo", "refresh", "--add", "mimo-v9")
