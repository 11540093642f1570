"""`make matrix`, `make lowest`: all tests on each promised Python, and with the lowest versions.

    python -m scripts.matrix [3.11 3.12 …] [--cache FOLDER] [--workers 2] [-- PYTEST ARGUMENTS]
    python -m scripts.matrix --lowest

A Python that this machine has (on the path, or pyenv's) is used. One that it lacks comes from a
Debian suite in a folder of its own: that needs root, `debootstrap`, and 600 MB; nothing on the
machine is changed, and what is mounted for it is mounted in a namespace that ends with the tests.
What is tested is a copy of the work tree, with what is not committed yet. The whole output of each
run is in the cache. Exits with 1 where a run failed or a Python could not be had.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mimo-plugins-matrix"
MIRROR = "http://deb.debian.org/debian"
SUITE = "forky"  # has 3.13, 3.14 and 3.15 (28 November 2026)
IN_SUITE = ("3.13", "3.14", "3.15")
# A compiler, for what has no wheel for the newest Python yet; git, which some tests run.
PACKAGES = (
    *(f"python{version}-venv" for version in IN_SUITE),
    *(f"python{version}-dev" for version in IN_SUITE),
    *("ca-certificates", "git", "make", "gcc", "g++", "libc6-dev"),
)
FROM_HOST = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
# In a namespace of processes and mounts, whose first process this is: when it ends, so does all
# that it started, and what it mounted was never seen outside.
INSIDE = """
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 1
folder=$1; shift
exec chroot "$folder" "$@"
"""


class Unavailable(Exception):
    """Something cannot be had here; the text says what to do about it."""


@dataclass(frozen=True)
class Home:
    """Where a Python is.

    Args:
        python: its program, as those see it who are inside.
        kind: what is said of it.
        root: the folder that is its file system; None for this machine's own.
    """

    python: str
    kind: str
    root: Path | None = None

    def command(self, *command: str | Path) -> list[str]:
        """The command that runs this one where the Python is. Paths are as they are inside."""
        words = [str(word) for word in command]
        if self.root is None:
            return words
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*enter, "sh", "-c", INSIDE, "sh", str(self.root), *words]

    def outside(self, path: Path) -> Path:
        """A path of inside, as this machine sees it."""
        return path if self.root is None else self.root / path.relative_to("/")


def ask(command: Sequence[str | Path]) -> str | None:
    """What a short command prints; None where it fails or does not start."""
    try:
        done = subprocess.run(  # noqa: S603  # a list, and no shell
            command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


VERSION = ("-c", "import platform, venv; print(platform.python_version())")
"""A program that prints such as "3.13.0", and fails where the Python can make no environment."""


def installed(version: str, pyenv: Path) -> Home | None:
    """The newest Python of a minor version that this machine has, if it has one.

    Args:
        version: such as "3.13".
        pyenv: pyenv's folder, which need not exist.
    """
    on_path = shutil.which(f"python{version}")
    found = [on_path] if on_path else []
    found += [str(path) for path in pyenv.glob(f"versions/{version}.*/bin/python")]
    versions = [(said, python) for python in found if (said := ask([python, *VERSION]))]
    fitting = [pair for pair in versions if pair[0].startswith(f"{version}.")]
    if not fitting:
        return None
    said, python = max(
        fitting, key=lambda pair: [int(part) for part in re.findall(r"\d+", pair[0])]
    )
    return Home(python, f"Python {said} of this machine")


def debian(cache: Path, mirror: str, suite: str) -> Path:
    """The folder of a Debian with Pythons; made where it is not there yet, whole or not at all.

    Raises:
        Unavailable: it cannot be made here.
    """
    folder, made_of = cache / f"debian-{suite}", "\n".join([mirror, suite, *PACKAGES])
    mark = folder / "made-of"
    if mark.exists() and mark.read_text() == made_of:
        return folder
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise Unavailable("not on this machine; to fetch it from Debian, run this as root on Linux")
    for program in ("debootstrap", "unshare"):
        if shutil.which(program) is None:
            raise Unavailable(f"not on this machine; to fetch it, install {program} (apt-get)")
    part = cache / f"debian-{suite}.part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    log = cache / "debootstrap.log"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    # sid's script is everybody's; an older debootstrap does not know the suite's own name.
    command += [suite, str(part), mirror, "sid"]
    if run(command, log):
        raise Unavailable(f"debootstrap of {suite} failed; the end of {log} says why")
    (part / "made-of").write_text(made_of)
    part.rename(folder)
    return folder


def home_of(version: str, cache: Path, mirror: str, suite: str) -> Home:
    """Where a Python is, or is put.

    Raises:
        Unavailable: it is not here, and cannot be put here.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = installed(version, pyenv)
    if found:
        return found
    if version not in IN_SUITE:
        raise Unavailable(
            f"not on this machine; install python{version}, or `pyenv install {version}`"
        )
    root = debian(cache, mirror, suite)
    for name in FROM_HOST:
        if Path(name).exists():
            shutil.copy(name, root / name[1:])
    home = Home(f"python{version}", "", root)
    said = ask(home.command(home.python, *VERSION))
    if said is None:
        raise Unavailable(f"{home.python} does not start in {root}; delete that folder")
    return Home(home.python, f"Python {said} of Debian {suite}", root)


def copy_tree(target: Path) -> None:
    """What git would commit, copied; git knows the copy's files, as some tests ask it for them."""
    shutil.rmtree(target, ignore_errors=True)
    git = ["git", "-C"]
    listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = ask([*git, ROOT, *listed])
    if names is None:
        raise Unavailable("this is no clone of the repository: git knows none of its files")
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    if ask([*git, target, "init", "--quiet"]) is None or ask([*git, target, "add", "-A"]) is None:
        raise Unavailable(f"git does not work in {target}")


def run(command: Sequence[str | Path], log: Path, folder: Path = ROOT) -> int:
    """Run a command into a log. All that it started ends where this program is stopped."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603  # a list, and no shell
            command,
            cwd=folder,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def environment() -> dict[str, str]:
    """This machine's, without this program's virtual environment and without what make was told."""
    unwanted = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def install(home: Home, tree: Path, venv: Path, log: Path) -> str:
    """Make the environment as `make test` does. Returns what was installed.

    Raises:
        Unavailable: it could not be installed.
    """
    for lock, what in (([], "locked"), (["LOCK="], "not locked")):
        options = [f"PYTHON={home.python}", f"VENV={venv}", *lock]
        make: list[str | Path] = [
            "make",
            "--no-print-directory",
            "-C",
            tree,
            *options,
            f"{venv}/installed",
        ]
        if run(home.command(*make), log) == 0:
            return what
        shutil.rmtree(home.outside(venv), ignore_errors=True)
    raise Unavailable(f"it could not be installed; the end of {log} says why")


def install_lowest(home: Home, tree: Path, venv: Path, log: Path) -> str:
    """The lowest versions that pyproject.toml lets in, of what it names itself.

    Raises:
        Unavailable: they do not go together.
    """
    uv = Path(sys.executable).with_name("uv")
    lowest = ["--resolution", "lowest-direct", "--editable", ".[all]", "--group", "dev"]
    made = run([uv, "venv", "--clear", "--python", home.python, venv], log)
    if made or run([uv, "pip", "install", "--python", venv, *lowest], log, tree):
        raise Unavailable(f"the lowest versions could not be installed; the end of {log} says why")
    return "the lowest versions"


def counts(output: str) -> str:
    """What the last line of pytest says, without its time: "2 failed, 120 passed, 3 skipped"."""
    found = re.findall(r"^=*\s*(\d+ [a-z].*?) in [\d.]+s", output, re.MULTILINE)
    return found[-1] if found else "no test ran"


def check(
    home: Home,
    name: str,
    cache: Path,
    put: Callable[[Home, Path, Path, Path], str],
    arguments: Sequence[str],
) -> tuple[bool, str]:
    """Install and test. Returns whether all was well, and the line that says so."""
    log = cache / f"{name}.log"
    log.unlink(missing_ok=True)
    inside = Path("/root/matrix") if home.root else cache
    tree, venv = inside / f"tree-{name}", inside / f"venv-{name}"
    home.outside(inside).mkdir(parents=True, exist_ok=True)
    copy_tree(home.outside(tree))
    what = put(home, tree, venv, log)
    pytest: list[str | Path] = [
        venv / "bin" / "python",
        "-m",
        "pytest",
        "-q",
        "--dist",
        "worksteal",
        *arguments,
    ]
    # A shell goes to the folder: `env -C` and `chroot` differ from one system to another.
    into: list[str | Path] = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", tree]
    code = run(home.command(*into, *pytest), log)
    said = counts(log.read_text("utf-8", errors="replace"))
    return code == 0, f"{'passed' if code == 0 else 'FAILED'}: {said} ({home.kind}, {what}; {log})"


def promised() -> list[str]:
    """The Pythons of the classifiers in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def stop(*_: object) -> None:
    """On SIGTERM: leave as after Ctrl-C, so that what was started is ended."""
    sys.exit(143)


def main() -> int:
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("versions", nargs="*", metavar="VERSION", help="such as 3.13; default: all")
    given.add_argument("--lowest", action="store_true", help="the lowest versions, on this Python")
    given.add_argument("--cache", type=Path, default=CACHE, help="default: %(default)s")
    given.add_argument("--mirror", default=MIRROR, help="of Debian; default: %(default)s")
    given.add_argument("--suite", default=SUITE, help="of Debian; default: %(default)s")
    given.add_argument("--workers", default="auto", help="for pytest -n; default: %(default)s")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = given.parse_args(sys.argv[1:split])
    arguments = ["-n", options.workers, *sys.argv[split + 1 :]]
    signal.signal(signal.SIGTERM, stop)
    cache: Path = options.cache.resolve()
    if cache.is_relative_to(ROOT):
        given.error("--cache: choose a folder outside the repository")
    cache.mkdir(parents=True, exist_ok=True)
    all_well = True
    for name in ["lowest"] if options.lowest else options.versions or promised():
        try:
            if options.lowest:
                home = Home(sys.executable, f"Python {sys.version.split()[0]}")
                well, line = check(home, name, cache, install_lowest, arguments)
            else:
                home = home_of(name, cache, options.mirror, options.suite)
                well, line = check(home, name, cache, install, arguments)
        except Unavailable as error:
            well, line = False, f"NOT TESTED: {error}"
        all_well &= well
        sys.stdout.write(f"{name:6} {line}\n")
        sys.stdout.flush()
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
