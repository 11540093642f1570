"""No traceback, whatever goes wrong: in `llm chat` too, which catches click's errors alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import llm
import pytest

from llm_mimo.errors import file_error, for_the_shell, shown
from mimo_core.audio import wav_header
from mimo_core.testing import FakeMiMo, Fault, Reply

from .conftest import mimo_with

pytestmark = pytest.mark.protocols("chat_completions", "messages")
ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2J"


def _chat(run: Any, *arguments: str) -> str:
    error: str = run.fails("chat", "-m", "mimo", *arguments, input="Hi\nquit\n")
    return error


@pytest.mark.parametrize(
    "fault", [Fault("invalid_key"), Fault("balance"), Fault("html"), Fault("moderation")]
)
@pytest.mark.parametrize("more", [(), ("--no-stream",)])
def test_a_refusal_in_chat(run: Any, mimo: FakeMiMo, fault: Fault, more: tuple[str, ...]) -> None:
    mimo.queue(fault)
    assert _chat(run, *more).startswith("Error: ")


def test_a_broken_stream_in_chat(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Fault(reply=Reply("Half of the answer"), cut="mid_stream", after=5))
    assert "The stream broke" in _chat(run)


def test_a_missing_key_in_chat(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    assert "llm keys set mimo" in _chat(run)


def test_a_wrong_address_in_chat(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_BASE_URL", "example")
    assert "MIMO_BASE_URL 'example'" in _chat(run)


def test_a_cut_call_in_chat(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("llm_version", '{"a')], finish_reason="length"))
    assert "which was not run" in _chat(run, "-T", "llm_version")


@pytest.mark.parametrize("spec", ["WebSearch(limit=0)", "WebSearch(most=1)", 'WebSearch("a")'])
@pytest.mark.parametrize("command", [("chat",), ("prompt", "Hi")])
def test_wrong_arguments_of_a_search(
    run: Any, mimo: FakeMiMo, command: tuple[str, ...], spec: str
) -> None:
    arguments = (*command, "-m", "mimo", "-T", spec)
    assert "WebSearch" in run.fails(*arguments, input="Hi\nquit\n")
    assert not mimo.requests


@pytest.mark.parametrize("value", ["[3]", '["a", null]', '["a", "b", "c", "d", "e"]', "[" * 9999])
@pytest.mark.parametrize("command", [("chat",), ("prompt", "Hi")])
def test_a_wrong_stop(run: Any, mimo: FakeMiMo, command: tuple[str, ...], value: str) -> None:
    result = run(*command, "-m", "mimo", "-o", "stop", value, input="Hi\nquit\n")
    if value.startswith("[["):
        assert result.exit_code == 0  # a text that begins with a bracket
        return
    assert re.match(r"Error: stop(\n| has 5 sequences)", result.stderr)
    assert not mimo.requests


def test_they_are_both_llms_and_clicks(mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch) -> None:
    mimo.queue(Fault("balance"))
    with pytest.raises(llm.ModelError) as refused:
        llm.get_model("mimo").prompt("Hi").text()
    assert isinstance(refused.value, click.ClickException)
    assert str(refused.value) == refused.value.format_message()
    monkeypatch.delenv("MIMO_API_KEY")
    monkeypatch.delenv("MIMO_BASE_URL")
    with pytest.raises(llm.NeedsKeyException) as missing:
        llm.get_model("mimo").prompt("Hi").text()
    assert isinstance(missing.value, click.ClickException)


class TestTerminalEscapes:
    @pytest.mark.parametrize("command", [("prompt", "Hi"), ("chat",)])
    def test_in_an_error(self, run: Any, mimo: FakeMiMo, command: tuple[str, ...]) -> None:
        mimo.queue(Fault({"code": "400", "message": ESCAPES}, status=400))
        result = run(*command, "-m", "mimo", input="Hi\nquit\n")
        assert "red" in result.stderr
        assert not _controls(result.stderr)

    @pytest.mark.protocols("chat_completions")
    def test_in_a_note(self, run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
        mimo.queue(Reply("No.", error_message=ESCAPES))
        result = run.ok("-m", "mimo", "-T", "WebSearch", "Is it so?", *both)
        assert "the web search failed: red" in result.stderr
        assert not _controls(result.stderr)

    @mimo_with(extra_models=["mimo-\x1b[31mred", "mimo-v9"])
    @pytest.mark.protocols("chat_completions")
    def test_in_a_list_of_models(self, run: Any, mimo: FakeMiMo) -> None:
        result = run.ok("mimo", "refresh")
        assert result.stdout.startswith("Added mimo-v9 (")
        assert not _controls(result.stdout)

    def test_and_keys(self) -> None:
        assert shown("a \x1b[1msk-abcdefghij\nb") == "a sk-*** b"


def _controls(text: str) -> str:
    return "".join(char for char in text if not char.isprintable() and char != "\n")


class TestFullDisk:
    """Nothing is lost in silence, and nothing half is left behind."""

    @pytest.fixture(autouse=True)
    def _full(self) -> None:
        if not os.path.exists("/dev/full"):
            pytest.skip("this system does not have /dev/full")

    @pytest.mark.protocols("chat_completions")
    @pytest.mark.parametrize("format", ["wav", "pcm"])
    def test_speech(self, run: Any, mimo: FakeMiMo, mode: tuple[str, ...], format: str) -> None:
        mimo.queue(*[Reply(audio=wav_header(9600) + bytes(9600))] * 2)
        error = run.fails("mimo", "speak", "Hi", "-o", "/dev/full", "--format", format)
        assert "/dev/full was not written: No space left on device. Free some space" in error
        if format == "wav":
            options = ("-o", "output", "/dev/full")
            error = run.fails("-m", "mimo-v2.5-tts", "Hi", *options, *mode)
            assert "/dev/full was not written: No space left on device" in error

    @pytest.mark.slow
    @pytest.mark.protocols("chat_completions")
    def test_stdout(self, mimo: FakeMiMo) -> None:
        mimo.queue(Reply(audio=wav_header(96_000) + bytes(96_000)))
        done = _llm("mimo", "speak", "Hi", "-o", "-", stdout="/dev/full")
        assert done.stderr == b"Error: A file cannot be used: No space left on device. " + (
            b"Free some space, or choose another place.\n"
        )

    @pytest.mark.protocols("chat_completions")
    def test_an_old_recording_stays(
        self, run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = wav_header(4) + b"old."
        Path("a.wav").write_bytes(old)
        monkeypatch.setattr("os.fsync", _no_space)
        error = run.fails("mimo", "speak", "Hi", "-o", "a.wav")
        assert "a.wav was not written; the old file was kept: No space" in error
        assert [path.read_bytes() for path in Path().iterdir()] == [old]

    @pytest.mark.protocols("chat_completions")
    def test_a_new_name_is_given_back(
        self, run: Any, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.fsync", _no_space)
        assert "No audio was written: No space" in run.fails("mimo", "speak", "Hi")
        assert not list(Path().iterdir())

    def test_the_list_of_models(
        self, run: Any, user_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run.ok("mimo", "refresh", "--add", "mimo-v9")
        before = (user_path / "mimo_models.json").read_bytes()
        monkeypatch.setattr("os.fsync", _no_space)
        assert "No space left on device" in run.fails("mimo", "refresh", "--add", "mimo-v10")
        assert (user_path / "mimo_models.json").read_bytes() == before


_LISTS = """
from llm.cli import cli

for command in (
    ["models", "-q", "mimo", "--options"],
    ["mimo", "models"],
    ["mimo", "models", "--json"],
    ["tools", "list", "-m", "mimo"],
    ["mimo", "speak", "--help"],
):
    cli.main(command, standalone_mode=False)  # which raises what goes wrong
"""


def _no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def _llm(*arguments: str, stdout: str | None = None, **environ: str) -> Any:
    with open(stdout or os.devnull, "wb") as out:
        return subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            stdout=out if stdout else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
            timeout=60,
            check=False,
        )


@pytest.mark.slow
class TestNarrowEncodings:
    """A terminal that does not have every character."""

    @pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
    def test_what_is_listed(self, encoding: str) -> None:
        """All the lists by one process: to start llm takes longer than to print them."""
        done = subprocess.run(
            [sys.executable, "-c", _LISTS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            timeout=60,
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)

    @pytest.mark.protocols("chat_completions")
    def test_a_transcript_is_not_lost(self, mimo: FakeMiMo) -> None:
        mimo.queue(Reply("你好"))
        Path("a.wav").write_bytes(b"RIFF    WAVEfmt ")
        done = _llm("mimo", "transcribe", "a.wav", PYTHONIOENCODING="cp1252")
        assert done.stdout == b"\\u4f60\\u597d\n"
        assert b"set PYTHONIOENCODING=utf-8" in done.stderr


def test_an_empty_prompt(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    assert "The prompt is empty: give a text" in run.fails("-m", "mimo", "", *both)
    assert not mimo.requests


def test_errors_name_what_a_user_of_llm_sets() -> None:
    assert for_the_shell("base_url 'x' is none; set base_url to y (base_url)") == (
        "MIMO_BASE_URL 'x' is none; set MIMO_BASE_URL to y (MIMO_BASE_URL)"
    )
    assert for_the_shell("set base_url='token-plan-cn'") == "set MIMO_BASE_URL='token-plan-cn'"
    assert "llm keys set mimo" in for_the_shell("No API key. Set MIMO_API_KEY or pass api_key=…;")
    assert str(file_error(OSError("odd"))) == "A file cannot be used: odd."


@pytest.mark.protocols("chat_completions")
def test_what_is_not_audio_does_not_replace_a_recording(
    run: Any, mimo: FakeMiMo, tmp_path: Path
) -> None:
    """A gateway's page in the place of the audio."""
    old = tmp_path / "old.wav"
    before = wav_header(4) + b"old."
    old.write_bytes(before)
    mimo.queue(Reply(audio=b"<html>Busy</html>"))
    assert "neither WAV nor MP3" in run.fails("mimo", "speak", "Hi", "-o", str(old))
    assert old.read_bytes() == before
