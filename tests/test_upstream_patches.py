"""What is prepared for other projects still fits what is installed, and still does what it says.

A patch that no longer fits was accepted, or has to be prepared anew: somebody has to look. Each
trial copies a package and starts two processes, so `make upstream` asks for it (`MIMO_UPSTREAM=1`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

FOLDER = Path(__file__).parents[1] / "docs" / "upstream"
ASKED = os.environ.get("MIMO_UPSTREAM") == "1"
PATCHES = sorted(FOLDER.glob("*/*.patch"))


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("try_patch", FOLDER / "try_patch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


tried = _loaded()
needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="there is no `patch` here")


@needs_patch
@pytest.mark.skipif(
    not ASKED, reason="tries patches, for which MIMO_UPSTREAM=1 has to ask: make upstream"
)
@pytest.mark.parametrize("path", PATCHES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_its_check_fails_without_it_and_passes_with_it(path: Path) -> None:
    patch = tried.read(path)
    installed = importlib.metadata.version(patch.distribution)
    try:
        trial = tried.try_patch(path)
    except tried.DoesNotApply as error:
        if Version(installed) < Version(patch.version):
            pytest.skip(f"prepared for {patch.distribution} {patch.version}; {installed} is here")
        pytest.fail(f"{installed} is here, and {error}")
    assert trial.as_promised, f"without it: {trial.before}\nwith it: {trial.after}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in PATCHES}), ids=lambda f: f.name)
def test_its_text_names_every_patch(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("*.patch") if path.name not in text] == []


class TestTheTrialItself:
    """With a package, a check and patches that are made here."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        (tmp_path / "packages" / "acme").mkdir(parents=True)
        (tmp_path / "packages" / "acme" / "__init__.py").write_text("ANSWER = 41\n")
        (tmp_path / "check.py").write_text(
            "import sys, acme\nprint(acme.ANSWER)\nsys.exit(acme.ANSWER != int(sys.argv[1]))\n"
        )
        return tmp_path

    def patch(self, place: Path, old: int, new: int, *, check: int = 42, after: str = "") -> Path:
        """A patch that changes the package's answer."""
        path = place / f"{old}_{new}.patch"
        path.write_text(
            f"Package: acme\nVersion: acme 1.0\nSource: this test\nStrip: 2\n"
            f"Check: check.py {check}\n{after}\n"
            "diff --git a/src/acme/__init__.py b/src/acme/__init__.py\n"
            f"--- a/src/acme/__init__.py\n+++ b/src/acme/__init__.py\n@@ -1 +1 @@\n"
            f"-ANSWER = {old}\n+ANSWER = {new}\n"
        )
        return path

    @needs_patch
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("new", "check", "as_promised"),
        [
            (42, 42, True),
            (43, 42, False),  # it does not help
            (42, 41, False),  # nothing was wrong
        ],
    )
    def test_what_is_a_patch_that_keeps_its_promise(
        self, place: Path, new: int, check: int, as_promised: bool
    ) -> None:
        path = self.patch(place, 41, new, check=check)
        assert tried.try_patch(path, place / "packages").as_promised is as_promised
        assert (place / "packages" / "acme" / "__init__.py").read_text() == "ANSWER = 41\n"

    @needs_patch
    @pytest.mark.slow
    def test_a_check_that_crashes_has_not_failed(self, place: Path) -> None:
        (place / "check.py").write_text("import acme\nassert acme.ANSWER == 42\n")
        trial = tried.try_patch(self.patch(place, 41, 42), place / "packages")
        assert trial.passed_after
        assert not trial.as_promised

    @needs_patch
    @pytest.mark.slow
    def test_one_after_another(self, place: Path) -> None:
        """The first that fits is applied before; the check runs between the two."""
        self.patch(place, 7, 8)
        self.patch(place, 41, 40)
        last = self.patch(place, 40, 42, after="After: 7_8.patch 41_40.patch\n")
        trial = tried.try_patch(last, place / "packages")
        assert (trial.before, trial.after) == ("40\n", "42\n")

    @needs_patch
    def test_one_that_does_not_fit(self, place: Path) -> None:
        with pytest.raises(
            tried.DoesNotApply, match=r"7_42\.patch, prepared for acme 1\.0, does not fit"
        ):
            tried.try_patch(self.patch(place, 7, 42), place / "packages")

    def test_a_package_that_is_not_there(self, place: Path) -> None:
        with pytest.raises(tried.DoesNotApply, match="There is no package acme"):
            tried.try_patch(self.patch(place, 41, 42))
