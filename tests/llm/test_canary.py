"""The canary in llm: by every way in, then output, frames, logs.db and the plugin's files searched.

(`tests/test_canary.py` says what the canary is. `keys.json` is llm's own, and holds the key.)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import llm
import pytest
from click.testing import CliRunner, Result
from llm.cli import cli

from tests.hostile import IN_BODIES, IN_HEADS, HostileServer, http
from tests.leaks import everything_in, shows

KEY = "Canary9x7Q2/mK4+vB8zT1wLp6Rn"
ECHO = IN_BODIES["message"](KEY)
WAYS = ("env", "saved", "--key", "the name of a saved one")


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


def check(error: BaseException) -> None:
    for place, text in everything_in(error):
        assert not shows(text, KEY), f"{place}: {text}"


@pytest.fixture
def searched(
    run: Any,
    user_path: Path,
    hostile: HostileServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Result]:
    """Runs a command; nothing that it leaves behind shows the key."""
    monkeypatch.setenv("MIMO_BASE_URL", hostile.base_url)
    monkeypatch.setattr("mimo_core._http.settings._DEFAULT_RETRIES", 0)
    monkeypatch.setattr("mimo_core.client.time.sleep", lambda _: None)
    caplog.set_level(logging.DEBUG)

    def search(*arguments: str) -> Result:
        result: Result = run(*arguments)
        assert not shows(f"{result.stdout}\n{result.stderr}\n{result.output}", KEY)
        if result.exit_code:  # once more, for the exception itself and what led to it
            error = CliRunner().invoke(cli, list(arguments), standalone_mode=False).exception
            if "doctor" not in arguments:  # which says all in its report, and raises nothing
                assert isinstance(error, click.ClickException)
                check(error)
        for file in user_path.iterdir():
            if file.is_file() and file.name != "keys.json":
                assert not shows(file.read_bytes().decode("latin-1"), KEY), file
        assert not shows(caplog.text, KEY)
        return result

    return search


@pytest.fixture
def enter(run: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, ...]]:
    """Gives the key to llm; returns the further arguments that this takes."""

    def by(way: str) -> tuple[str, ...]:
        monkeypatch.setenv("MIMO_API_KEY", KEY if way == "env" else "sk-another-one-0123")
        if way == "saved":
            run.ok("keys", "set", "mimo", "--value", KEY)
        if way == "the name of a saved one":
            run.ok("keys", "set", "canary", "--value", KEY)
            return ("--key", "canary")
        return ("--key", KEY) if way == "--key" else ()

    return by


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "command",
    [
        ("-m", "mimo", "Hi"),
        ("-m", "mimo", "Hi", "--no-stream"),
        ("-m", "mimo", "Hi", "--async"),
        ("-m", "mimo-v2.5-tts", "Hi"),
        ("mimo", "speak", "Hi", "-o", "a.wav"),
        ("mimo", "transcribe", "a.wav"),
        ("mimo", "refresh"),
    ],
    ids=" ".join,
)
def test_no_command_shows_the_key(
    way: str, command: tuple[str, ...], searched: Any, enter: Any, hostile: HostileServer
) -> None:
    Path("a.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28))
    hostile.answer = ECHO
    before = len(hostile.requests)
    result = searched(*command, *("--force",) * ("speak" in command), *enter(way))
    assert result.exit_code == 1
    assert "***" in result.stderr
    assert KEY.encode() in hostile.requests[before]


@pytest.mark.parametrize("id", ["mimo", "mimo-v2.5-tts"])
async def test_no_error_of_a_model_holds_the_key(
    id: str, searched: Any, hostile: HostileServer
) -> None:
    """Not in the frames of the plugin either."""
    hostile.answer = ECHO
    with pytest.raises(llm.ModelError) as caught:
        llm.get_model(id).prompt("Hi", key=KEY).text()
    check(caught.value)
    with pytest.raises(llm.ModelError) as caught:
        await llm.get_async_model(id).prompt("Hi", key=KEY).text()
    check(caught.value)


@pytest.mark.parametrize("place", [*IN_BODIES, *IN_HEADS])
def test_no_place_of_an_answer_brings_it_back(
    place: str, searched: Any, enter: Any, hostile: HostileServer
) -> None:
    enter("env")
    hostile.answer = {**IN_BODIES, **IN_HEADS}[place](KEY)
    assert searched("-m", "mimo", "Hi").exit_code == 1
    assert searched("-m", "mimo", "Hi", "--no-stream").exit_code == 1
    assert searched("mimo", "refresh").exit_code == 1


@pytest.mark.parametrize("said", [f"mimo-{KEY}", f"mimo-{KEY.upper()}", KEY[:20] + "-mimo"])
def test_a_listed_model_that_is_the_key_is_not_saved(
    said: str, searched: Any, enter: Any, hostile: HostileServer, user_path: Path
) -> None:
    enter("env")
    models = {"data": [{"id": said}, {"id": "mimo-v9"}]}
    hostile.answer = http("200 OK", json.dumps(models), "application/json")
    assert searched("mimo", "refresh").exit_code == 0
    assert json.loads((user_path / "mimo_models.json").read_text())["models"] == ["mimo-v9"]


@pytest.mark.parametrize(
    "base_url", [f"https://user:{KEY}@mimo.test/v1", f"https://mimo.test/v1?key={KEY}"]
)
def test_no_key_in_the_address(
    base_url: str, searched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMO_BASE_URL", base_url)
    for command in (("-m", "mimo", "Hi"), ("mimo", "refresh"), ("mimo", "doctor", "--yes")):
        assert searched(*command).exit_code != 0


@pytest.mark.parametrize("wrong", [f"{KEY}\n{KEY}", f"{KEY} x", f"{KEY}é"])
def test_a_malformed_key_is_not_shown(
    wrong: str, searched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (("-m", "mimo", "Hi"), ("mimo", "refresh")):
        assert searched(*command, "--key", wrong).exit_code == 1
        monkeypatch.setenv("MIMO_API_KEY", wrong)
        assert searched(*command).exit_code == 1
