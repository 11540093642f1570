"""Try what is prepared for another project: the check fails without the patch and passes with it.

    python docs/upstream/try_patch.py langchain/entry_points.patch

A patch's first lines say what it is for:

    Package: langchain             the packages it changes, as they are imported
    Version: langchain 1.5.2       the newest release when it was prepared
    Source: sdist of 1.5.2         what it was written against: a release, or a commit and its date
    Strip: 3                       the folders before the packages, for `patch -p`
    Check: check.py entry_points   the program that shows what it changes, beside the patch
    After: first.patch             what is applied before it: the first of these that fits, where
                                   several are named; this line may be missing

It is applied to a copy of the installed packages, in a folder that is deleted afterwards.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


class DoesNotApply(Exception):
    """The installed package is not what the patch was prepared against."""


@dataclass(frozen=True)
class Patch:
    """One patch, as its first lines describe it."""

    path: Path
    packages: tuple[str, ...]
    distribution: str
    version: str
    strip: int
    check: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What the check of a patch said."""

    passed_before: bool
    passed_after: bool
    before: str
    after: str

    @property
    def as_promised(self) -> bool:
        """It failed without the patch, not by a crash of its own, and passed with it."""
        return self.passed_after and not self.passed_before and "Traceback" not in self.before


def read(path: Path) -> Patch:
    """The first lines of a patch.

    Raises:
        KeyError: one of them is missing.
    """
    head = path.read_text().partition("\ndiff --git ")[0]
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    distribution, version = fields["Version"].split()
    fields["Source"]  # who pastes the patch has to know it
    return Patch(
        path=path,
        packages=tuple(fields["Package"].split()),
        distribution=distribution,
        version=version,
        strip=int(fields["Strip"]),
        check=tuple(fields["Check"].split()),
        after=tuple(fields.get("After", "").split()),
    )


def copy_packages(patch: Patch, target: Path, source: Path | None = None) -> None:
    """Copy the packages of a patch with their compiled files, which stay valid.

    Args:
        patch: the patch.
        target: the folder into which they are copied.
        source: the folder where they are; by default where they are installed.

    Raises:
        DoesNotApply: one is not there.
    """
    for name in patch.packages:
        if source is None:
            spec = importlib.util.find_spec(name)
            found = Path(spec.origin).parent if spec and spec.origin else Path(name)
        else:
            found = source / name
        if not found.is_dir():
            raise DoesNotApply(f"There is no package {name}: install {patch.distribution}.")
        shutil.copytree(found, target / name)


def apply(patch: Patch, target: Path, *, only_ask: bool = False) -> None:
    """Apply a patch to the packages in a folder.

    Args:
        patch: the patch.
        target: the folder.
        only_ask: whether nothing is changed.

    Raises:
        DoesNotApply: it does not fit, or `patch` is not there.
    """
    if (program := shutil.which("patch")) is None:
        raise DoesNotApply("There is no program `patch` here: install it, and try again.")
    command = [program, f"-p{patch.strip}", "--batch", "--forward", "--no-backup-if-mismatch"]
    command += ["-d", str(target), "-i", str(patch.path.resolve()), *["--dry-run"] * only_ask]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DoesNotApply(
            f"{patch.path.name}, prepared for {patch.distribution} {patch.version}, does not fit: "
            f"prepare it anew, or delete it if it was accepted.\n{done.stdout}{done.stderr}"
        )


def apply_first(patches: list[Patch], target: Path) -> None:
    """Apply the first of the patches that fits; none is wanted where there are none.

    Raises:
        DoesNotApply: none of them fits.
    """
    for patch in patches[:-1]:
        try:
            apply(patch, target, only_ask=True)
        except DoesNotApply:
            continue
        return apply(patch, target)
    for patch in patches[-1:]:
        apply(patch, target)
    return None


def run_check(patch: Patch, packages: Path) -> subprocess.CompletedProcess[str]:
    """Run the check of a patch in a process of its own.

    Args:
        patch: the patch.
        packages: a folder whose packages are used instead of those that are installed.
    """
    program, *arguments = patch.check
    environment = os.environ | {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-P", patch.path.with_name(program), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def try_patch(path: Path, source: Path | None = None) -> Trial:
    """Run a patch's check on what is installed, with what comes before it, and with the patch.

    Args:
        path: the patch.
        source: a folder with other packages than those that are installed.

    Raises:
        DoesNotApply: the patch does not fit.
    """
    patch = read(path)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        copy_packages(patch, target, source)
        apply_first([read(path.with_name(name)) for name in patch.after], target)
        apply(patch, target, only_ask=True)
        before = run_check(patch, target)
        apply(patch, target)
        after = run_check(patch, target)
    return Trial(
        passed_before=before.returncode == 0,
        passed_after=after.returncode == 0,
        before=before.stdout + before.stderr,
        after=after.stdout + after.stderr,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("patches", nargs="*", type=Path, help="by default all of them")
    parser.add_argument("--packages", type=Path, help="a folder with other packages to change")
    options = parser.parse_args()
    failed = 0
    for path in options.patches or sorted(Path(__file__).parent.glob("*/*.patch")):
        name = f"{path.parent.name}/{path.name}"
        try:
            trial = try_patch(path, options.packages)
        except DoesNotApply as error:
            print(f"{name}: {error}")
            failed = 1
            continue
        print(f"{name}: {'as promised' if trial.as_promised else 'NOT AS PROMISED'}")
        print(f"  without it: {trial.before.strip()}\n  with it: {trial.after.strip()}")
        failed |= not trial.as_promised
    return failed


if __name__ == "__main__":
    sys.exit(main())
