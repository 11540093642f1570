"""One version, in `mimo_core/_version.py`, for everything that has one."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from langchain_mimo._version import __version__ as langchain_version
from mimo_core._http.settings import USER_AGENT
from mimo_core._version import __version__

ROOT = Path(__file__).parents[1]


def test_it_is_the_one_that_is_installed_and_sent() -> None:
    assert version("mimo-plugins") == __version__ == langchain_version
    assert f"mimo-core/{__version__}" == USER_AGENT


PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("distributions/*/pyproject.toml"))]


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_nobody_else_writes_it_down(path: Path) -> None:
    project = tomllib.loads(path.read_text())["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]
