"""Every Python block of the README runs as it stands, against the emulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mimo_core.testing.emulator import FakeMiMo
from tests.langchain.pretend_model import respond

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PROGRAMS = [block for block in BLOCKS if "def test_" not in block]  # those are tests themselves


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeMiMo]:
    """What the environment of a reader with a key would reach."""
    with FakeMiMo(respond) as mimo:
        monkeypatch.setenv("MIMO_API_KEY", "sk-reader")
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)  # a block may write files
        yield mimo


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.split("\n")[-2][:40])
def test_a_block_runs_and_prints(
    program: str, service: FakeMiMo, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})
    assert service.requests, "the block asked nothing"
    assert capsys.readouterr().out.strip(), "the block printed nothing"
