"""Looks for keys in the files of this repository, in all of its history and in its commits' words.

The forms of other services' keys are detect-secrets'; MiMo's are ours. What the tests need on
purpose is in `secret_scan_allowed.toml`, each with its reason. Exits with 1 if anything else is
found, or if an entry allows nothing any more.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parent.parent
ALLOWED = Path(__file__).with_name("secret_scan_allowed.toml")

# As in mimo_core/_redact.py, and long enough to be one.
_MIMO_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:sk|tp|ttp)-[A-Za-z0-9_-]{16,}")
# They tell words and hashes from keys by a guess: 250,000 findings here, and no key among them.
_GUESSING = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
_COMMIT = "\x01commit "


@dataclass(frozen=True)
class Found:
    """A text that has the form of a key.

    Attributes:
        where: The file and line, or the commit and its file.
        kind: What it looks like.
        value: The text itself. It is never printed whole.
    """

    where: str
    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}, beginning with {self.value[:6]!r}"


def git(root: Path, *arguments: str) -> str:
    """What a git command prints; bytes that are no UTF-8 become `�`."""
    command = ["git", "-C", str(root), *arguments]
    run = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (git, and no shell)
    return run.stdout.decode("utf-8", "replace")


def lines_of_tree(root: Path) -> Iterator[tuple[str, str]]:
    """Where each line of the working tree stands, and the line; what git ignores is left out."""
    names = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, names.split("\0")):
        file = root / name
        if not file.is_symlink() and file.is_file():
            text = file.read_bytes().decode("utf-8", "replace")
            yield from ((f"{name}:{n}", line) for n, line in enumerate(text.splitlines(), 1))


def lines_of_history(root: Path) -> Iterator[tuple[str, str]]:
    """Each line that a commit of any branch added, merges too, and each line of its message."""
    form = f"--format={_COMMIT.replace(chr(1), '%x01')}%h%n%B"
    log = git(
        root, "log", "--all", "-p", "-m", "-U0", "--text", "--no-color", "--no-ext-diff", form
    )
    where, in_message = "", True
    for line in log.split("\n"):
        if line.startswith(_COMMIT):
            where, in_message = line.removeprefix("\x01"), True
        elif line.startswith("diff --git "):
            where, in_message = f"{where.split(',')[0]}, {line.split(' b/')[-1]}", False
        elif in_message:
            yield where, line
        elif line.startswith("+") and not line.startswith("+++ "):
            yield where, line[1:]


def keys_in(line: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of whatever has the form of a key in a line."""
    yield from (("MiMo key", match.group()) for match in _MIMO_KEY.finditer(line))
    for secret in scan_line(line):
        if secret.secret_value:
            yield secret.type, secret.secret_value


def scan(root: Path) -> list[Found]:
    """Each text with the form of a key, once, at the first place where it stands."""
    kinds: dict[str, type] = get_mapping_from_secret_type_to_class()
    names = {kind.__name__ for kind in kinds.values()}
    plugins = [{"name": name} for name in sorted(names - _GUESSING)]
    found: dict[str, Found] = {}
    seen: set[str] = set()
    with transient_settings({"plugins_used": plugins}):
        for source in (lines_of_tree, lines_of_history):
            for where, line in source(root):
                if line in seen:
                    continue
                seen.add(line)
                for kind, value in keys_in(line):
                    found.setdefault(value, Found(where, kind, value))
    return list(found.values())


def judge(found: list[Found], allowed: list[str]) -> tuple[list[Found], list[str]]:
    """What is not allowed, and the patterns that allow nothing.

    Args:
        found: What `scan` gave.
        allowed: Regular expressions, each of which has to match a found text as a whole.
    """
    bad = [one for one in found if not any(re.fullmatch(p, one.value) for p in allowed)]
    stale = [p for p in allowed if not any(re.fullmatch(p, one.value) for one in found)]
    return bad, stale


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="a git work tree")
    parser.add_argument("--allowed", type=Path, default=ALLOWED, help="a file of allowed texts")
    given = parser.parse_args(arguments)
    if not (given.root / ".git").exists():
        sys.exit(f"{given.root} is no git work tree: the scan reads its history, so clone it.")
    if git(given.root, "rev-parse", "--is-shallow-repository").strip() == "true":
        sys.stderr.write("The clone is shallow: only a part of its history is read.\n")
    allowed = tomllib.loads(given.allowed.read_text("utf-8")).get("allowed", [])
    bad, stale = judge(scan(given.root), [entry["pattern"] for entry in allowed])
    for one in bad:
        sys.stderr.write(f"{one}\n")
    for pattern in stale:
        sys.stderr.write(
            f"{given.allowed.name}: {pattern!r} allows nothing any more: take it out\n"
        )
    if bad:
        sys.stderr.write(
            "A real key: replace it at its service, for others may have it. "
            f"One for a test: {given.allowed.name}, with a reason.\n"
        )
    return 1 if bad or stale else 0


if __name__ == "__main__":
    sys.exit(main())
