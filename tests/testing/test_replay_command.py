"""`mimo-replay`: console commands, modules and files inside a cassette."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mimo_core import MiMoClient
from mimo_core.testing import CassetteError, FakeMiMo, provenance_of, use_cassette
from mimo_core.testing.cassettes.command_runner import run
from mimo_core.testing.cassettes.replay import main

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"
INTRODUCTION = CASSETTES / "vendor" / "chat_introduction.yaml"
PUBLISHED = "Hello! I'm MiMo, Xiaomi's AI assistant created by the Xiaomi LLM-Core team."
ASK = """
import sys
from mimo_core import MiMoClient

with MiMoClient() as client:
    request = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": sys.argv[1]}]}
    print(client.chat(request)["choices"][0]["message"]["content"])
sys.exit(int(sys.argv[2]) if sys.argv[2:] else None)
"""


def replay(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "mimo_core.testing.cassettes.replay"]
    return subprocess.run(
        command + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def ask(tmp_path: Path) -> Path:
    path = tmp_path / "ask.py"
    path.write_text(ASK)
    return path


@pytest.mark.slow
def test_the_llm_command_prints_the_published_answer(tmp_path: Path) -> None:
    done = replay(
        INTRODUCTION,
        "--",
        *("llm", "-m", "mimo-v2.5-pro", "--no-stream", "please introduce yourself"),
        LLM_USER_PATH=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(PUBLISHED)
    assert done.stderr.count("\n") == 1
    assert "answers published by Xiaomi, the vendor" in done.stderr


@pytest.mark.slow
def test_a_question_that_was_not_published(tmp_path: Path) -> None:
    done = replay(
        INTRODUCTION,
        *("--", "llm", "-m", "mimo-v2.5-pro", "--no-stream", "who are you"),
        LLM_USER_PATH=str(tmp_path),
    )
    assert done.returncode == 1
    assert "last user message" in done.stderr
    assert "please introduce yourself" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_llm_goes_on_with_a_conversation(tmp_path: Path) -> None:
    """Two processes, one cassette: the second finds its answer where the first left off."""
    tool = "def get_weather(city: str) -> str:\n    return f'{city}: 18 degrees, light rain'\n"
    cassette = CASSETTES / "tools" / "llm_conversation.yaml"
    first = ("-m", "mimo-v2.6-pro", "--functions", tool, "What is the weather in Paris?")
    said = []
    for arguments in (first, ("-c", "And should I take an umbrella?")):
        done = replay(cassette, "--", "llm", *arguments, LLM_USER_PATH=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "made by FakeMiMo" in done.stderr
        said.append(done.stdout.strip())
    assert said == ["Paris: 18 degrees and light rain.", "Yes: it rains lightly."]


@pytest.mark.slow
def test_record_then_replay(tmp_path: Path, ask: Path, fake_mimo: FakeMiMo) -> None:
    cassette = tmp_path / "new" / "asked.yaml"
    fake_mimo.queue("Recorded.")
    url = ("--record", "--live-base-url", fake_mimo.base_url)
    done = replay(cassette, *url, "--", "python", ask, "hello", "3", MIMO_BASE_URL="")
    assert (done.returncode, done.stdout) == (3, "Recorded.\n")
    assert "mimo-replay: recording into" in done.stderr
    assert "answers made by FakeMiMo" in done.stderr
    for _ in range(2):
        again = replay(cassette, ask, "hello", "3", MIMO_BASE_URL="", MIMO_API_KEY="")
        assert (again.returncode, again.stdout) == (3, "Recorded.\n")
    assert len(fake_mimo.requests) == 1


def test_recording_at_a_gateway_without_a_key_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "a.yaml"), "--record", "--", "-m", "this"])
    assert code == 0
    said = capsys.readouterr()
    assert "MIMO_API_KEY is not set" in said.err
    assert "no request, nothing written" in said.err
    assert "Beautiful is better than ugly" in said.out


def test_published_answers_are_not_recorded_over(capsys: pytest.CaptureFixture[str]) -> None:
    before = INTRODUCTION.read_text()
    assert main([str(INTRODUCTION), "--record", "--", "-m", "this"]) == 2
    assert "not recorded over" in capsys.readouterr().err
    assert INTRODUCTION.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.yaml"], "no command given"),
        (["a.yaml", "--"], "no command given"),
        (["a.yaml", "--live-base-url", "x", "--", "llm"], "needs --record"),
    ],
)
def test_usage(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_missing_cassette(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml"), "--", "llm"]) == 2
    assert "There is no cassette" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["ls"], ["no-such-command"], ["python"], []])
def test_other_commands_than_pythons(command: list[str]) -> None:
    with pytest.raises(CassetteError, match=r"not a Python command|No command given"):
        run(command)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(4)", 4),
        ("raise SystemExit('wrong')", 1),
    ],
)
def test_exit_codes(
    body: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tool"
    path.write_text(f"#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:])\n{body}\n")
    before = sys.argv, sys.path[:]
    assert run([str(path), "a", "-b"]) == code
    said = capsys.readouterr()
    assert said.out == "['a', '-b']\n"
    assert said.err == ("wrong\n" if code == 1 else "")
    assert (sys.argv, sys.path) == before


def test_a_script_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my-tool"
    path.write_text("#!/usr/bin/env python3\nimport sys\nprint('mine', sys.argv[1:])\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["my-tool", "--", "x"]) == 0
    assert capsys.readouterr().out == "mine ['--', 'x']\n"


def test_it_is_installed_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = entry_points(group="console_scripts", name="mimo-replay")
    with pytest.raises(SystemExit):
        script.load()([])
    assert capsys.readouterr().err.startswith("usage: mimo-replay CASSETTE")


def test_provenance_of_a_cassette_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("interactions: []\n")
    assert provenance_of(path) is None
    assert main([str(path), "--", "-m", "this"]) == 0
    assert "does not say whose answers" in capsys.readouterr().err


def test_sound_that_was_cut_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIMO_LIVE", raising=False)
    path = tmp_path / "spoken.yaml"
    asked = {
        "model": "mimo-v2.5-tts",
        "messages": [{"role": "assistant", "content": "A text to be spoken. " * 20}],
        "audio": {"voice": "Chloe", "format": "wav"},
    }
    with use_cassette(path, emulate=["_"]), MiMoClient() as client:
        client.chat(asked)
    program = tmp_path / "program.py"
    program.write_text("import os; print('children:', os.environ['MIMO_LIVE'])")
    assert main([str(path), "--", str(program)]) == 0
    said = capsys.readouterr()
    assert "not whole in it: 1 base64 payload(s) shortened from" in said.err
    assert said.out == "children: false\n"
