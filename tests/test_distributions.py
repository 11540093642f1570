"""What is published: four distributions from one repository, built without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mimo_core._version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = {
    "mimo-core": "mimo_core",
    "langchain-mimo": "langchain_mimo",
    "llm-mimo": "llm_mimo",
    "pytest-mimo": None,
}
PYTHON = "Programming Language :: Python"
CORE = f"mimo-core=={__version__}"
NEEDS = {
    "mimo-core": PROJECT["dependencies"],
    "langchain-mimo": [CORE, *EXTRAS["langchain"]],
    "llm-mimo": [CORE, *EXTRAS["llm"]],
    "pytest-mimo": [f"mimo-core[testing]=={__version__}"],
}
FOR_TESTS = {
    "mimo-core": EXTRAS["testing"],
    "langchain-mimo": [f"mimo-core[testing]=={__version__}"],
    "llm-mimo": [f"mimo-core[testing]=={__version__}"],
    "pytest-mimo": [],
}


def build(kind: str, project: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(files: dict[str, bytes]) -> Message:
    (text,) = (x.decode() for name, x in files.items() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(text)


def requirements(said: Message) -> tuple[set[str], set[str]]:
    """What is always needed, and what the extra `testing` adds."""
    always: set[str] = set()
    for_tests: set[str] = set()
    for requirement in map(Requirement, said.get_all("Requires-Dist", [])):
        (for_tests if requirement.marker else always).add(without_marker(requirement))
    return always, for_tests


def without_marker(requirement: Requirement) -> str:
    requirement.marker = None
    return str(requirement)


def committed(package: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", package], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {line for line in listed.stdout.splitlines() if (ROOT / line).exists()}


@pytest.mark.slow  # it builds a wheel, an sdist, and a wheel of that
@pytest.mark.parametrize("name", PACKAGES)
def test_a_wheel_of_the_repository_and_one_of_its_sdist_are_the_same(
    name: str, tmp_path: Path
) -> None:
    """The sdist is unpacked where no repository is: it builds from itself."""
    for folder in ("direct", "sdist", "again"):
        (tmp_path / folder).mkdir()
    project = ROOT / "distributions" / name
    direct = contents(build("wheel", project, tmp_path / "direct"))
    with tarfile.open(build("sdist", project, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob(f"{name.replace('-', '_')}-*")
    again = contents(build("wheel", unpacked, tmp_path / "again"))

    assert set(direct) == set(again)
    info = f"{name.replace('-', '_')}-{__version__}.dist-info"
    unlike = {file for file in direct if direct[file] != again[file]}
    assert unlike <= {f"{info}/METADATA", f"{info}/RECORD"}  # RECORD has METADATA's digest
    for files in (direct, again):
        said = metadata(files)
        assert said["Version"] == __version__
        assert said["Author"]
        assert {x for x in said.get_all("Classifier", []) if PYTHON in x} == {
            x for x in PROJECT["classifiers"] if PYTHON in x
        }
        assert requirements(said) == (
            {str(Requirement(line)) for line in NEEDS[name]},
            {str(Requirement(line)) for line in FOR_TESTS[name]},
        )
        assert files[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    code = {file for file in direct if not file.startswith(info)}
    package = PACKAGES[name]
    assert {file for file in code if file.endswith(".py")} >= (
        {x for x in committed(package) if x.endswith(".py")} if package else set()
    )
    assert not {file for file in code if "__pycache__" in file}
    assert all(file.startswith(f"{package}/") for file in code)


def test_the_commands_and_plugins_are_those_of_the_project() -> None:
    """Who installs one distribution has the part of the project's entry points that is its own."""
    wanted = {**PROJECT["entry-points"], "scripts": PROJECT["scripts"]}
    found: dict[str, dict[str, str]] = {}
    for name in PACKAGES:
        file = ROOT / "distributions" / name / "pyproject.toml"
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        groups = {**project.get("entry-points", {}), "scripts": project.get("scripts", {})}
        for group, entries in groups.items():
            assert not found.setdefault(group, {}).keys() & entries
            found[group] |= entries
            assert all(target.startswith(str(PACKAGES[name])) for target in entries.values())
    assert found == wanted


def test_every_package_is_in_exactly_one_distribution_and_the_whole_is_not_published() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert sorted(root["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == sorted(
        package for package in PACKAGES.values() if package
    )
    assert "Private :: Do Not Upload" in root["project"]["classifiers"]
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    (uploaded,) = re.findall(r"uv publish .*? (dist/.*)", release)
    assert {canonicalize_name(x.removeprefix("dist/").split("-")[0]) for x in uploaded.split()} == {
        *PACKAGES
    }


@pytest.mark.parametrize("name", PACKAGES)
def test_the_links_of_its_page_lead_out_of_the_index_page(name: str) -> None:
    text = (ROOT / "distributions" / name / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    assert all(target.startswith("https://") for target in targets)
