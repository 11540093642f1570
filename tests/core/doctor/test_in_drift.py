"""`make drift` asks the facts first, then the cassettes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimo_core.doctor import emulated_service
from mimo_core.testing import FakeMiMo, Reply
from scripts import drift
from tests.conftest import KEY


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(drift, "say", lines.append)
    monkeypatch.setenv("MIMO_API_KEY", KEY)
    return lines


def test_nothing_differs(said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with emulated_service() as mimo:
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        assert drift.main(["--cassettes", str(tmp_path)]) == 0
    assert "what is believed of it: about" in said[0]
    assert any(line.startswith("as observed    stream.usage") for line in said)
    assert said[-1] == "0 of 0 cassettes differ."


def test_a_fact_that_differs(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FakeMiMo(lambda request: Reply("Hm.", usage_on="finish")) as mimo:
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        assert drift.main(["--cassettes", str(tmp_path)]) == 1
    assert any(line.startswith("differs        stream.usage") for line in said)


def test_named_cassettes_are_compared_alone(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeMiMo() as mimo:
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        drift.main(["chat/models"])
    assert not any("stream.usage" in line for line in said)


def test_a_dead_host_ends_it(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMiMo() as mimo:
        url = mimo.base_url
    monkeypatch.setenv("MIMO_BASE_URL", url)
    assert drift.main([]) == 2
    assert any(line.startswith("Error: No answer from") for line in said)
