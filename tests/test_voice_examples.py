"""The voice agent and the shell pipeline run as they stand, on their cassettes, without a key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from mimo_core.audio import audio_seconds
from mimo_core.testing.cassettes.persister import read
from tests.conftest import STRICT

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    bin = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
        "LLM_USER_PATH": str(folder / "user"),
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def assert_is_speech(path: Path) -> None:
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, 24_000)
        assert file.getnframes()


@pytest.mark.slow
def test_the_agent(tmp_path: Path) -> None:
    done = run([sys.executable, *STRICT, str(EXAMPLES / "voice_agent.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    *lines, whose = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["human", "calls", "tool", "ai", "speaks"]
    assert "get_weather({'city': 'Paris'})" in lines[1]
    assert "no model has run" in whose
    assert_is_speech(tmp_path / "answer.wav")


@pytest.mark.slow
def test_a_recording_of_your_own_needs_a_key(tmp_path: Path) -> None:
    done = run([sys.executable, str(EXAMPLES / "voice_agent.py"), "me.wav"], tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Your own recording needs a key: MIMO_API_KEY=… (platform.xiaomimimo.com)."
    ]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
def test_the_pipeline(tmp_path: Path) -> None:
    if not (Path(sys.executable).parent / "mimo-replay").exists():
        pytest.skip("mimo-replay is not installed beside this Python")
    done = run(["sh", str(EXAMPLES / "voice_pipeline.sh")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "answer.wav\n"
    assert done.stderr.count("no model has run") == 3
    assert_is_speech(tmp_path / "answer.wav")


def test_each_step_hands_on_what_the_last_one_gave() -> None:
    for name in ("agent", "pipeline"):
        interactions = read(ROOT / "cassettes" / "voice" / f"{name}.yaml")["interactions"]
        asked = [json.loads(one["request"]["body"]) for one in interactions]
        assert [body["model"] for body in asked][:: len(asked) - 1] == [
            "mimo-v2.5-asr",
            "mimo-v2.5-tts",
        ]
        heard = json.loads(interactions[0]["response"]["body"]["string"])
        question = heard["choices"][0]["message"]["content"]
        assert asked[1]["messages"][-1]["content"].strip() == question
        assert asked[-1]["messages"][-1]["role"] == "assistant"


def test_the_question_is_a_recording() -> None:
    data = (EXAMPLES / "question.mp3").read_bytes()
    assert audio_seconds(data, "mp3") == pytest.approx(4.1, abs=0.1)
