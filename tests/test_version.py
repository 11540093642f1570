"""One version, in `mimo_core/_version.py`, for everything that has one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from langchain_mimo._version import __version__ as langchain_version
from mimo_core._http.settings import USER_AGENT
from mimo_core._version import __version__

ROOT = Path(__file__).parents[1]


def test_it_is_the_one_that_is_installed_and_sent() -> None:
    assert version("mimo-plugins") == __version__ == langchain_version
    assert f"mimo-plugins/{__version__}" == USER_AGENT


PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("distributions/*/pyproject.toml"))]


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_nobody_else_writes_it_down(path: Path) -> None:
    project = tomllib.loads(path.read_text())["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]


@pytest.mark.slow  # it builds a distribution
@pytest.mark.parametrize(
    ("name", "extra"),
    [("langchain-mimo", "langchain"), ("llm-mimo", "llm"), ("pytest-mimo", "testing")],
)
def test_the_names_to_install_bring_exactly_this_version(
    name: str, extra: str, tmp_path: Path
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT / "distributions" / name, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        said = archive.read(metadata).decode()
    assert f"Version: {__version__}\n" in said
    assert f"Requires-Dist: mimo-plugins[{extra}]=={__version__}\n" in said
    if extra == "testing":
        assert "Classifier: Framework :: Pytest\n" in said
    else:
        both = f"mimo-plugins[{extra},testing]=={__version__}; extra == 'testing'"
        assert f"Requires-Dist: {both}\n" in said
        assert "Provides-Extra: testing\n" in said
