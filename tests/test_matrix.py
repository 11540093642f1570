"""`make matrix`: which Python it takes, what it says, and what is left when it is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from scripts import matrix

pytestmark = pytest.mark.skipif(os.name != "posix", reason="its programs are shell scripts")
HERE = ".".join(map(str, sys.version_info[:2]))


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_newest_python_of_a_minor_version_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    program(tmp_path / "bin/python3.99", "exit 127")  # as pyenv's, where that Python is not chosen
    for version in ("3.99.9", "3.99.10"):
        program(tmp_path / f"pyenv/versions/{version}/bin/python", f"echo {version}")
    found = matrix.installed("3.99", tmp_path / "pyenv")
    assert found is not None
    assert found.python == str(tmp_path / "pyenv/versions/3.99.10/bin/python")
    assert found.command("make", Path("/tree")) == ["make", "/tree"]
    shutil.rmtree(tmp_path / "pyenv")
    assert matrix.installed("3.99", tmp_path / "pyenv") is None


def test_this_python_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / f"python{HERE}", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = matrix.installed(HERE, tmp_path)
    assert found is not None
    assert found.kind.startswith(f"Python {HERE}.")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("FAILED a - 1 x in 2s\n2 failed, 120 passed, 3 skipped in 9.5s (0:00:09)\n", None),
        ("==== 1 passed in 0.01s ====\n", "1 passed"),
        ("Error while loading plugin\n", "no test ran"),
    ],
)
def test_what_pytest_said_last(output: str, said: str | None) -> None:
    assert matrix.counts(output) == (said or "2 failed, 120 passed, 3 skipped")


def test_it_tests_the_pythons_of_the_classifiers() -> None:
    assert HERE in matrix.promised()
    assert matrix.promised()[0] == "3.11"


def test_the_workflow_tests_the_same_pythons_and_the_lowest_versions() -> None:
    workflow = (matrix.ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    jobs = yaml.safe_load(workflow)["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == matrix.promised()
    steps = jobs["lowest"]["steps"]
    asked = [
        step["with"]["python-version"] for step in steps if "python-version" in step.get("with", {})
    ]
    assert asked == matrix.promised()[:1]
    assert "make lowest" in [step.get("run") for step in steps]


def test_a_debian_that_could_not_be_made_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(tmp_path / "bin/unshare", "exit 1")
    program(tmp_path / "bin/debootstrap", 'mkdir -p "$4" && echo no mirror && exit 1')
    with pytest.raises(matrix.Unavailable, match=r"the end of .*debootstrap.log says why"):
        matrix.debian(tmp_path, "http://127.0.0.1:9", "forky")
    assert not (tmp_path / "debian-forky").exists()
    program(tmp_path / "bin/debootstrap", 'mkdir -p "$4"')
    made = matrix.debian(tmp_path, "http://127.0.0.1:9", "forky")
    program(tmp_path / "bin/debootstrap", "exit 1")
    assert matrix.debian(tmp_path, "http://127.0.0.1:9", "forky") == made  # it is there


def test_without_root_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(matrix.Unavailable, match="run this as root on Linux"):
        matrix.debian(tmp_path, "http://127.0.0.1:9", "forky")


@pytest.mark.slow
def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "children"
    child = program(tmp_path / "child", f"echo $$ >> {mark}; sleep 60")
    parent = program(tmp_path / "parent", f"{child} & {child}")
    code = (
        "import signal, sys; from pathlib import Path; from scripts import matrix\n"
        "signal.signal(signal.SIGTERM, matrix.stop)\n"
        f"matrix.run([{str(parent)!r}], Path({str(tmp_path / 'log')!r}))"
    )
    running = subprocess.Popen([sys.executable, "-c", code], cwd=matrix.ROOT)
    ends = time.monotonic() + 20
    while not mark.exists() or len(mark.read_text().split()) < 2:
        assert time.monotonic() < ends
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 143
    for pid in mark.read_text().split():
        state = Path(f"/proc/{pid}/stat")
        while state.exists() and state.read_text().split()[2] != "Z":
            assert time.monotonic() < ends
            time.sleep(0.02)


@pytest.mark.slow
def test_what_is_mounted_is_seen_inside_only(tmp_path: Path) -> None:
    if matrix.ask(["unshare", "--mount", "--pid", "--fork", "true"]) is None:
        pytest.skip("no namespace can be made here: that takes root on Linux, and no chroot")
    for name in ("proc", "dev", "bin"):
        (tmp_path / name).mkdir()
    # `chroot` into an empty folder fails, after the mounts: that is all this has to show.
    home = matrix.Home("python", "", tmp_path)
    assert home.outside(Path("/root/x")) == tmp_path / "root/x"
    log = tmp_path / "log"
    assert matrix.run(home.command("true"), log) != 0
    assert "chroot" in log.read_text()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
