"""A release's number and date come into the changelog and the code in one step, or not at all."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from scripts import release_cut

CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n### Added\n\n- A thing.\n\n## 0.1.0 - 2026-01-02\n\n- All.\n"
)
CODE = '"""One version."""\n\n__version__ = "0.1.0"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mimo_core").mkdir()
    (tmp_path / "mimo_core" / "_version.py").write_text(CODE)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_what_was_unreleased_gets_the_version_and_the_date(project: Path) -> None:
    assert release_cut.main(["0.2.0"], project) == 0
    changelog = (project / "CHANGELOG.md").read_text()
    assert re.search(
        r"## Unreleased\n\n## 0\.2\.0 - \d{4}-\d\d-\d\d\n\n### Added\n\n- A thing\.\n\n## 0\.1\.0",
        changelog,
    )
    assert (project / "mimo_core" / "_version.py").read_text() == CODE.replace("0.1.0", "0.2.0")


def test_the_notes_of_a_release_are_its_part_of_the_changelog(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release_cut.main(["0.2.0"], project)
    capsys.readouterr()
    assert release_cut.main(["--notes", "0.2.0"], project) == 0
    assert capsys.readouterr().out == "### Added\n\n- A thing.\n"


def test_nothing_is_published_before_it_is_cut(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release_cut.main(["--check", "0.2.0"], project) == 1
    assert "run `python scripts/release_cut.py 0.2.0`" in capsys.readouterr().err
    assert release_cut.main(["0.2.0"], project) == 0
    assert release_cut.main(["--check", "0.2.0"], project) == 0
    assert release_cut.main(["--check", "0.1.0"], project) == 1


@pytest.mark.parametrize(
    ("version", "unreleased", "says"),
    [
        ("two", "- A thing.", "is no version"),
        ("v0.2.0", "- A thing.", "write one such as 0.2.0"),
        ("0.0.9", "- A thing.", "older than 0.1.0"),
        ("0.1.0", "- A thing.", "has 0.1.0 already"),
        ("0.2.0", "", "Nothing stands under"),
    ],
)
def test_a_release_that_cannot_be_cut_changes_no_file(
    project: Path, capsys: pytest.CaptureFixture[str], version: str, unreleased: str, says: str
) -> None:
    text = CHANGELOG.replace("### Added\n\n- A thing.", unreleased)
    (project / "CHANGELOG.md").write_text(text)
    assert release_cut.main([version], project) == 1
    assert says in capsys.readouterr().err
    assert (project / "CHANGELOG.md").read_text() == text
    assert (project / "mimo_core" / "_version.py").read_text() == CODE


def test_this_changelog_can_be_cut() -> None:
    changelog = (release_cut.ROOT / "CHANGELOG.md").read_text("utf-8")
    cut, _ = release_cut.cut(changelog, CODE, "99.0", date(2099, 1, 2))
    assert release_cut.section(cut, "## 99.0") == release_cut.section(changelog, "## Unreleased")
    assert release_cut.section(cut, "## Unreleased") == ""
