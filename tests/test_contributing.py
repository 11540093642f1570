"""What contributors are told is there: the forms ask for what helps, paths and commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from llm_mimo.commands import mimo

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
FORMS = sorted(
    path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"
)
FIELDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}  # GitHub's, November 2026


def form(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_the_doctors_recording(path: Path) -> None:
    asked = form(path)
    assert asked["name"]
    assert asked["description"]
    said = "".join(field["attributes"].get("description", "") for field in asked["body"])
    assert "`llm mimo doctor --record doctor.yaml`" in said


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_fields_that_github_knows(path: Path) -> None:
    fields = form(path)["body"]
    assert {field["type"] for field in fields} <= FIELDS
    answered = [field for field in fields if field["type"] != "markdown"]
    assert len({field["id"] for field in answered}) == len(answered)
    assert len({field["attributes"]["label"] for field in answered}) == len(answered)
    assert any(field.get("validations", {}).get("required") for field in answered)


def test_the_command_that_the_forms_ask_for_has_the_option() -> None:
    said = CliRunner().invoke(mimo, ["doctor", "--help"]).output
    assert re.search(r"--record FILE\b", said)


def test_the_files_and_folders_that_the_guide_names_are_there() -> None:
    named = set(re.findall(r"`([\w./-]+(?:\.py|\.md|\.yml|\.toml|/))`", GUIDE)) - {"_request/"}
    named -= {"_protocols/"}  # rooms of mimo_core
    assert "mimo_core/dialects.py" in named
    here = {name: [*ROOT.glob(name), *ROOT.glob(f".github/workflows/{name}")] for name in named}
    assert [name for name, found in here.items() if not found] == []


def test_the_targets_that_the_guide_names_are_the_makefiles() -> None:
    named = {
        target
        for line in re.findall(r"make ((?:[a-z-]+ ?)+)(?=`|  )", GUIDE)
        for target in line.split()
    }
    assert {"test", "lint", "types", "release-check"} <= named
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][\w.-]*):", makefile, re.MULTILINE))
    assert named <= targets
