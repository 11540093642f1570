"""Cuts a release: CHANGELOG.md gets its number and its date, mimo_core/_version.py its number.

python scripts/release_cut.py 0.2.0            writes CHANGELOG.md and mimo_core/_version.py
python scripts/release_cut.py --check 0.2.0    fails unless both say 0.2.0 (release.yml)
python scripts/release_cut.py --notes 0.2.0    prints what the changelog says of 0.2.0
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

from mimo_core.files import replacing

ROOT = Path(__file__).parent.parent
_UNRELEASED = "## Unreleased\n"
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


class CannotCut(ValueError):
    """The release cannot be cut; the message says what to do."""


def section(changelog: str, heading: str) -> str:
    """The text under a heading such as `## Unreleased`, up to the next of its kind.

    Args:
        changelog: the whole file.
        heading: how its line begins.

    Returns:
        The text without the heading and without empty lines at its ends; empty if there is none.
    """
    found = re.search(
        rf"^{re.escape(heading)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else ""


def cut(changelog: str, code: str, version: str, today: date) -> tuple[str, str]:
    """Both files of the release.

    Args:
        changelog: CHANGELOG.md, with entries under `## Unreleased`.
        code: mimo_core/_version.py.
        version: the new one, in the index's normal form.
        today: the date of the release.

    Returns:
        The new changelog, with an empty `## Unreleased` on top, and the new code.

    Raises:
        CannotCut: the version is none or goes backwards, it is there already, or nothing is new.
    """
    try:
        normal = str(Version(version))
    except InvalidVersion:
        normal = ""
    if normal != version:
        raise CannotCut(f"{version!r} is no version: write one such as {normal or '0.2.0'}.")
    current = _VERSION.search(code)
    if current is None:
        raise CannotCut('mimo_core/_version.py has no line `__version__ = "…"`: restore it.')
    if Version(version) < Version(current[1]):
        raise CannotCut(f"{version} is older than {current[1]}: name a later version.")
    if re.search(rf"^## {re.escape(version)}(?: |$)", changelog, re.MULTILINE):
        raise CannotCut(f"CHANGELOG.md has {version} already: name a later version.")
    if not section(changelog, "## Unreleased"):
        raise CannotCut("Nothing stands under `## Unreleased`: write in CHANGELOG.md what is new.")
    heading = f"{_UNRELEASED}\n## {version} - {today.isoformat()}\n"
    return (
        changelog.replace(_UNRELEASED, heading, 1),
        _VERSION.sub(f'__version__ = "{version}"', code, count=1),
    )


def check(changelog: str, code: str, version: str) -> None:
    """Nothing is published under a version that the code or the changelog does not have.

    Raises:
        CannotCut: one of them has another version, or the changelog says nothing of it.
    """
    current = _VERSION.search(code)
    if current is None or current[1] != version or not section(changelog, f"## {version}"):
        raise CannotCut(
            f"{version} is not cut: run `python scripts/release_cut.py {version}`, commit, tag."
        )


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command; 1 where it says what to do instead."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version")
    parser.add_argument("--check", action="store_true", help="only look whether it has been cut")
    parser.add_argument("--notes", action="store_true", help="print what the changelog says of it")
    given = parser.parse_args(arguments)
    files = root / "CHANGELOG.md", root / "mimo_core" / "_version.py"
    texts = files[0].read_text("utf-8"), files[1].read_text("utf-8")
    try:
        if given.check or given.notes:
            check(*texts, given.version)
            if given.notes:
                sys.stdout.write(section(texts[0], f"## {given.version}") + "\n")
            return 0
        new = cut(*texts, given.version, datetime.now(UTC).date())
    except CannotCut as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path, text in zip(files, new, strict=True):
        with replacing(path) as file:
            file.write(text.encode())
    sys.stdout.write(
        f"Cut {given.version}. Look at `git diff`, commit, then tag v{given.version}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
