"""`make release-check` notices what it is for; the whole of it is run by hand, before a release."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from mimo_core._version import __version__
from mimo_core.testing import FakeMiMo
from scripts import release_check
from scripts.release_check import Failed, Place, installed_are_built


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built wheel with one file."""
    folder = tmp_path / "dist"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"mimo_core-{__version__}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mimo_core/__init__.py", "ours = True\n")
    return folder


@pytest.mark.parametrize(("installed", "ours"), [("ours = True\n", True), ("ours = 0\n", False)])
def test_anothers_distribution_of_the_same_name_is_noticed(
    tmp_path: Path, dist: Path, installed: str, ours: bool
) -> None:
    package = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "mimo_core"
    package.mkdir(parents=True)
    (package / "__init__.py").write_bytes(installed.encode())
    if ours:
        installed_are_built(tmp_path / "env", dist, "mimo-core")
    else:
        with pytest.raises(Failed, match="is not that of mimo_core"):
            installed_are_built(tmp_path / "env", dist, "mimo-core")


@pytest.fixture
def place(tmp_path: Path, dist: Path, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("MIMO_API_KEY", "of-the-user")
    monkeypatch.setenv("MIMO_DEBUG", "1")
    return Place(tmp_path, dist, mimo)


def test_what_is_tried_sees_the_emulator_and_none_of_the_users_settings(place: Place) -> None:
    assert place.environment["MIMO_API_KEY"] == release_check.KEY
    assert place.environment["MIMO_BASE_URL"] == place.mimo.base_url
    assert "MIMO_DEBUG" not in place.environment


@pytest.mark.parametrize(("code", "fails"), [("raise SystemExit(3)", False), ("pass", True)])
def test_a_command_that_ends_otherwise_than_it_should_fails_the_check(
    place: Place, code: str, fails: bool
) -> None:
    with pytest.raises(Failed, match="ended with"):
        place.run(sys.executable, "-c", code, fails=fails)


def test_a_quick_start_that_asks_nobody_does_not_pass(place: Place) -> None:
    with pytest.raises(Failed, match="did not ask the emulator"):
        place.answers(sys.executable, "-c", f"print({release_check.SAID!r})")


def test_nothing_built_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release_check.main(["--dist", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith("run `make build`.\n")
