"""pytest-recording's own tests, with this project's pytest plugin installed and without it.

    .venv/bin/python -m scripts.foreign.pytest_recording      # a minute, and a package index

Installing the testing kit must not change anybody's recordings: every test has to end the same.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

VERSION = "0.14.1"
ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
_LOCKED = ["--no-deps", "--require-hashes", "-r", str(ROOT / "requirements" / "dev.lock")]
_ITS_OWN = ["pytest-httpbin", "pytest-mock", "requests", "Werkzeug==3.1.9"]  # its extra `tests`
_OTHERS = ("respx", "pytest_httpx", "asyncio", "randomly", "socket", "xdist", "anyio", "syrupy")


def main() -> int:
    """Run both and compare.

    Returns:
        0 where every test ends the same, 1 where one differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        suite = _suite(Path(folder))
        python = _environment(Path(folder) / "venv")
        without = _outcomes(python, suite)
        _run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps",
             "--no-build-isolation", "--editable", ROOT)  # fmt: skip
        beside = _outcomes(python, suite)
    differing = sorted(test for test in without if without[test] != beside.get(test))
    for test in differing:
        _say(f"{test}: {without[test]} without the plugin, {beside.get(test)} with it")
    passed = [list(found.values()).count("passed") for found in (without, beside)]
    _say(
        f"pytest-recording {VERSION}: {passed[0]} of {len(without)} passed without the plugin, "
        f"{passed[1]} of {len(beside)} with it; {len(differing)} differ"
    )
    return int(bool(differing) or len(without) != len(beside) or not passed[0])


def _suite(folder: Path) -> Path:
    """The tests of its sdist."""
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps",
         "--no-build-isolation", "--dest", folder, f"pytest-recording=={VERSION}")  # fmt: skip
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _environment(folder: Path) -> Path:
    """The locked environment, without this project and with what that suite needs."""
    python = folder / "bin" / "python"
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    _run(UV, "pip", "install", "--quiet", "--python", python, *_LOCKED)
    _run(UV, "pip", "install", "--quiet", "--python", python, *_ITS_OWN)
    return python


def _outcomes(python: Path, suite: Path) -> dict[str, str]:
    """How each test ended. Plugins of the locked environment that are neither's are left out."""
    report = suite / "report.xml"
    without = [word for name in _OTHERS for word in ("-p", f"no:{name}")]
    subprocess.run(  # noqa: S603  # our own command
        [python, "-m", "pytest", "-q", "--tb=no", f"--junitxml={report}", *without, "tests"],
        cwd=suite,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return {
        f"{case.get('classname')}::{case.get('name')}": next(
            (found.tag for found in case if found.tag in ("failure", "error", "skipped")), "passed"
        )
        for case in ElementTree.parse(report).iter("testcase")  # noqa: S314  # pytest wrote it
    }


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)  # noqa: S603  # our own command


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
