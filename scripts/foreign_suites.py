"""`make foreign-suites`: httpcore2's and httpx2's own tests, with stock network backends and ours.

    python scripts/foreign_suites.py [--sources FOLDER]

The tests are those of the installed versions: from the sdist, where it has them, else from the tag
of the repository that the package names (git). `--sources` takes a checkout instead, also one of
httpcore or httpx, their predecessors, whose imports are renamed in a copy. What cannot be fetched
is skipped, with the reason. Exit code 1 where ours fails what the stock backends pass.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import metadata, version
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
SUITES = {"httpcore2": "httpcore", "httpx2": "httpx"}
"""By package: its predecessor's name."""
_INI = """[pytest]
addopts = -p no:randomly -p no:cacheprovider -q --tb=line --continue-on-collection-errors
markers =
    copied_from: where a test comes from
    network: needs the internet
"""


class UnavailableError(Exception):
    """The tests cannot be had here; `str()` says why in one line."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sources", type=Path, help="a checkout whose `tests` are run")
    options = parser.parse_args()
    worse = 0
    with tempfile.TemporaryDirectory() as folder:
        for package in SUITES:
            place = Path(folder) / package
            place.mkdir()
            try:
                origin = sources(package, place, options.sources)
            except UnavailableError as error:
                say(f"{package} {version(package)}: skipped. {error}")
                continue
            worse += compare(package, place, origin)
    return 1 if worse else 0


def sources(package: str, place: Path, given: Path | None) -> str:
    """Put a suite into `place/tests`.

    Returns:
        Where it comes from.

    Raises:
        UnavailableError: it is nowhere to be had.
    """
    if given is not None:
        return copy_tests(package, given, place)
    reasons = []
    for fetch in (from_sdist, from_git):
        try:
            return copy_tests(package, fetch(package, place), place)
        except UnavailableError as error:
            reasons.append(str(error))
    raise UnavailableError(" ".join(reasons) + " Give a checkout: --sources FOLDER.")


def from_sdist(package: str, place: Path) -> Path:
    """The unpacked sdist of the installed version."""
    name = f"{package}=={version(package)}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
    done = run([*command, ":all:", "--dest", str(place), name], place)
    archives = list(place.glob("*.tar.gz"))
    if done.returncode or not archives:
        raise UnavailableError("The sdist cannot be downloaded.")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(place / "sdist", filter="data")
    return next((place / "sdist").iterdir())


def from_git(package: str, place: Path) -> Path:
    """A checkout of the installed version's tag, from the repository that the package names."""
    urls = dict(line.split(", ", 1) for line in metadata(package).get_all("Project-URL") or ())
    address = re.match(r"https://github\.com/[^/]+/[^/]+", urls.get("Source", ""))
    if address is None:
        raise UnavailableError("The package names no repository.")
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch"]
    for tag in (f"{package}-{version(package)}", f"v{version(package)}", version(package)):
        done = run([*clone, tag, address[0], str(place / tag)], place)
        if not done.returncode:
            return place / tag
    why = (done.stderr.strip().splitlines() or ["git gave no reason"])[-1]
    raise UnavailableError(f"{address[0]} cannot be cloned at {version(package)}: {why}.")


def copy_tests(package: str, source: Path, place: Path) -> str:
    """Copy `source`'s tests of `package`, with a predecessor's imports renamed."""
    old = SUITES[package]
    tests = place / "tests"
    if (source / "tests" / package).is_dir():
        shutil.copytree(source / "tests", tests)
        for other in tests.iterdir():
            if other.is_dir() and other.name != package:
                shutil.rmtree(other)
        return f"tests of {package} from {source.name}"
    if not (source / "tests").is_dir() or not (source / old).is_dir():
        raise UnavailableError(f"{source.name} has no tests of {package}.")
    shutil.copytree(source / "tests", tests)
    for path in tests.rglob("*.py"):
        text = path.read_text()
        for new, name in SUITES.items():
            text = re.sub(rf"\b{name}\b(?!\.org|-)", new, text)
        path.write_text(text)
    return f"tests of {old}, its predecessor, with the imports renamed"


def compare(package: str, place: Path, origin: str) -> int:
    """Run a suite twice and print both results. Returns how many tests only ours fails."""
    say(f"{package} {version(package)}: {origin}")
    stock, ours = outcomes(place, ours=False), outcomes(place, ours=True)
    for name, result in (("stock", stock), ("ours", ours)):
        kinds = sorted(set(result.values()))
        counts = ", ".join(f"{list(result.values()).count(kind)} {kind}" for kind in kinds)
        say(f"  {name}: {counts or 'no test ran'}")
    worse = [test for test in stock if stock[test] == "passed" and ours.get(test) != "passed"]
    better = [test for test in ours if ours[test] == "passed" and stock.get(test) != "passed"]
    for word, tests in (("only stock passes", worse), ("only ours passes", better)):
        for test in tests:
            say(f"  {word}: {test}")
    if "passed" not in stock.values() or "passed" not in ours.values():
        say("  a suite in which no test passes shows nothing: that is a failure")
        return 1
    return len(worse)


def outcomes(place: Path, *, ours: bool) -> dict[str, str]:
    """What became of each test of the suite in `place`."""
    (place / "pytest.ini").write_text(_INI)
    report = place / f"{'ours' if ours else 'stock'}.xml"
    plugin = ["-p", "scripts.foreign_suites_plugin"] if ours else []
    done = run([sys.executable, "-m", "pytest", *plugin, f"--junitxml={report}", "tests"], place)
    if not report.exists():
        say(done.stdout[-2000:] + done.stderr[-2000:])
        return {}
    connected = re.search(r"ours connected .*", done.stdout)
    if connected:
        say(f"  {connected[0]}")
    results = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it
        found = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        test = f"{case.get('classname')}::{case.get('name')}"
        kind = found[0] if found else "passed"
        results[test] = "failed" if kind in ("failure", "error") else kind
    return results


def run(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    """Run something in `place`, without the proxies of this machine."""
    env = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    env |= {"PYTHONPATH": str(ROOT), "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)  # noqa: S603


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
