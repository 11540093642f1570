"""Every console command without the extra `testing`: one line that says what to install."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SCRIPTS = PROJECT["scripts"]
OF_THE_EXTRA = ("vcr", "pytest", "pytest_recording", "yaml", "rich", "jinja2")
ARGUMENTS = {
    "mimo-replay": ["cassettes/chat/plain.yaml", "--", "python", "-c", "print(1)"],
    "mimo-cassette": ["show", "cassettes/chat/plain.yaml"],
    "mimo-fake": ["--replay", "cassettes/chat/plain.yaml"],  # without options it needs no extra
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_without_the_extra(name: str) -> None:
    module, _, function = SCRIPTS[name].partition(":")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({OF_THE_EXTRA!r}))\n"
        f"from {module} import {function}\n"
        f"sys.exit({function}({ARGUMENTS[name]!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{name} needs more than is installed (")
    assert done.stderr.endswith('): pip install "mimo-core[testing]"\n')
    assert done.stderr.count("\n") == 1


def test_what_the_extra_brings_is_what_is_kept_from_it() -> None:
    brought = {line.partition(">")[0] for line in PROJECT["optional-dependencies"]["testing"]}
    modules = {"vcr": "vcrpy", "yaml": "pyyaml"}
    assert brought == {modules.get(name, name).replace("_", "-") for name in OF_THE_EXTRA}
