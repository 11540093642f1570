"""The real `llm` in a process of its own: entry point, exit codes, terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimo_core.audio import wav_header
from mimo_core.testing import FakeMiMo, Fault, Reply

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-W", "error:::llm_mimo", "-m", "llm"]


def _llm(*arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], input=input, capture_output=True, timeout=60)


@pytest.mark.parametrize("mode", [(), ("--async",)])
def test_two_turns(mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
    mimo.queue(
        Reply(reasoning="Look it up.", tool_calls=[("llm_version", {}, "call_v")]),
        Reply("0.36", reasoning="Here it is."),
        Reply("Bye"),
    )
    first = _llm("-m", "mimo", "-T", "llm_version", "Which version?", *mode)
    assert (first.returncode, first.stdout) == (0, b"0.36\n")
    second = _llm("-c", "Thanks", *mode)
    assert (second.returncode, second.stdout, second.stderr) == (0, b"Bye\n", b"")
    assert [m.get("reasoning_content") for m in mimo.last_request.messages] == [
        None,
        "Look it up.",
        None,
        "Here it is.",
        None,
    ]


def test_an_error(mimo: FakeMiMo) -> None:
    mimo.queue(Fault("region"))
    done = _llm("-m", "mimo", "Hi")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: ")
    assert done.stderr.count(b"\n") == 1


def test_speech_through_pipes(mimo: FakeMiMo) -> None:
    wav = wav_header(4800) + bytes(4800)
    mimo.queue(Reply(audio=wav), Reply("Hello"))
    spoken = _llm("mimo", "speak", "-", "-o", "-", input=b"Hello")
    assert spoken.stdout == wav
    assert _llm("mimo", "transcribe", "-", input=spoken.stdout).stdout == b"Hello\n"


def test_a_player_that_stops_listening(mimo: FakeMiMo) -> None:
    mimo.queue(Reply(audio=bytes(2_000_000)))
    player = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    assert player.stdin is not None
    player.wait()
    command = [*COMMAND, "mimo", "speak", "Hi", "-o", "-", "--format", "pcm"]
    done = subprocess.run(command, stdout=player.stdin, stderr=subprocess.PIPE, timeout=60)
    player.stdin.close()
    assert b"Traceback" not in done.stderr


def _in_terminal(*arguments: str) -> tuple[int, str]:
    """Run with stdout and stderr on a terminal; returns exit code and what it shows."""
    pty = pytest.importorskip("pty", reason="terminals are tested on Unix")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 4096):
            shown += data
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(leader)
    return process.wait(timeout=60), shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("mode", [(), ("--no-stream",), ("--async",)])
def test_sources_below_the_answer_in_a_terminal(mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
    source = {"type": "url_citation", "url": "https://example.invalid/", "title": "One"}
    mimo.queue(Reply("It is so.", annotations=[source]))
    code, shown = _in_terminal("-m", "mimo", "-T", "WebSearch", "Is it so?", *mode)
    assert code == 0
    assert shown.endswith("It is so.\n\nSources:\n[1] One  https://example.invalid/\n")


def test_audio_is_not_written_to_a_terminal(mimo: FakeMiMo) -> None:
    code, shown = _in_terminal("mimo", "speak", "Hi", "-o", "-")
    assert code == 2
    assert "-o FILE" in " ".join(shown.split())
    assert not mimo.requests


def test_the_plugin_is_listed(user_path: Path) -> None:
    assert b"mimo-plugins" in _llm("plugins").stdout
