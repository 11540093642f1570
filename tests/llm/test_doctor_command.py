"""`llm mimo doctor`: the doctor with llm's keys and llm's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mimo_core.doctor import EXIT_CODES, emulated_service
from mimo_core.testing import FakeMiMo
from tests.conftest import KEY

from .conftest import Llm

SAVED = "sk-saved0123456789abcdef"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMiMo]:
    """The emulator with the doctor's model, to which the environment leads."""
    with emulated_service() as mimo:
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        yield mimo


def sent_keys(service: FakeMiMo) -> set[str]:
    headers = [request.headers for request in service.requests]
    return {h.get("api-key") or h.get("authorization", "").removeprefix("Bearer ") for h in headers}


def test_a_line_a_fact(run: Llm, service: FakeMiMo) -> None:
    result = run.ok("mimo", "doctor", "--yes")
    assert "as documented  thinking.default" in result.stdout
    assert "key            sk-***, works" in result.stdout
    assert sent_keys(service) == {KEY}
    assert KEY not in result.output


def test_it_asks_before_it_spends(run: Llm, service: FakeMiMo) -> None:
    result = run("mimo", "doctor", input="no\n")
    assert result.exit_code == 2
    assert "Go on? [y/N]" in result.stderr
    assert service.requests == []
    assert run("mimo", "doctor", "--protocol", "messages", input="y\n").exit_code == 0
    assert service.requests


def test_the_saved_key_wins_as_for_prompts(run: Llm, service: FakeMiMo, user_path: Path) -> None:
    (user_path / "keys.json").write_text(json.dumps({"mimo": SAVED, "other": "sk-other-0123456"}))
    run.ok("mimo", "doctor", "-y", "--protocol", "messages")
    assert sent_keys(service) == {SAVED}
    service.reset()
    run.ok("mimo", "doctor", "-y", "--protocol", "messages", "--key", "other")
    assert sent_keys(service) == {"sk-other-0123456"}


def test_json_and_the_cassette(run: Llm, service: FakeMiMo, tmp_path: Path) -> None:
    result = run.ok("mimo", "doctor", "-y", "--json", "--record", str(tmp_path / "doctor.yaml"))
    report = json.loads(result.stdout)
    assert report["exit_code"] == 0
    assert KEY not in (tmp_path / "doctor.yaml").read_text() + result.output


def test_without_a_key_the_emulator_is_asked(run: Llm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    result = run.ok("mimo", "doctor")
    assert result.stdout.startswith("There is no API key")
    assert "no model runs" in result.stdout


def test_a_dead_host_in_the_words_of_the_shell(run: Llm) -> None:
    with FakeMiMo() as mimo:
        url = mimo.base_url
    result = run("mimo", "doctor", "-y", "--base-url", url)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: No answer from")
    assert "proxy settings and MIMO_BASE_URL" in line


def test_help_names_the_exit_codes(run: Llm) -> None:
    shown = run.ok("mimo", "doctor", "--help").stdout
    for line in EXIT_CODES.splitlines():
        code = line.split()[0]
        assert f"\n  {code} " in shown
    assert "--key" in shown
