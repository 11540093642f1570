"""`make release-check`: what is in dist/, installed as users install it, and its quick starts run.

Each way of installing gets an empty environment. This project's distributions come from the built
files alone (compared afterwards with what was installed), all others from the package index. The
programs speak to an emulator on loopback: no key is used, and no model runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mimo_core._version import __version__
from mimo_core.testing import FakeMiMo, Reply

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("mimo-core", "langchain-mimo", "llm-mimo", "pytest-mimo")
CLONE = f"git+file://localhost{ROOT.as_posix()}"  # older pips want a host in an address
SAID = "I am an emulated answer."
KEY = "sk-release-check"  # the emulator's; no service knows it
ASK_LLM = ["-m", "mimo-v2.6-pro", "please introduce yourself"]
CORE = """\
from mimo_core import MiMoClient

question = {"role": "user", "content": "please introduce yourself"}
with MiMoClient() as client:
    answer = client.chat({"model": "mimo-v2.6-pro", "messages": [question]})
print(answer["choices"][0]["message"]["content"])
"""
LANGCHAIN = """\
from langchain_mimo import ChatMiMo

print(ChatMiMo(model="mimo-v2.6-pro").invoke("please introduce yourself").content)
"""
AGENT = """\
from langchain.agents import create_agent
from langchain_mimo import ChatMiMo

agent = create_agent(ChatMiMo(model="mimo-v2.6-pro"), [])
print(agent.invoke({"messages": [("user", "please introduce yourself")]})["messages"][-1].content)
"""


class Failed(Exception):
    """A check did not hold; the message has what the command printed."""


class Place:
    """An empty folder in which one way of installing is tried.

    Args:
        folder: it is empty, and a home of its own: no setting of the user's is seen.
        dist: the built files.
        mimo: the emulator that the quick starts ask.
    """

    def __init__(self, folder: Path, dist: Path, mimo: FakeMiMo) -> None:
        self.folder = folder
        self.dist = dist
        self.mimo = mimo
        # The network's settings (an index, certificates) stay; the user's own do not.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MIMO_", "LLM_", "PYTHON", "MAKE", "VIRTUAL_ENV"))
        }
        links = f"{kept.get('PIP_FIND_LINKS', '')} {dist.as_uri()}".strip()
        self.environment = kept | {
            "PATH": f"{folder / 'env' / 'bin'}{os.pathsep}{kept.get('PATH', '')}",
            "PIP_FIND_LINKS": links,
            "UV_FIND_LINKS": str(dist),
            "UV_TOOL_DIR": str(folder / "tools"),
            "UV_TOOL_BIN_DIR": str(folder / "bin"),
            "UV_PYTHON_DOWNLOADS": "never",
            "PIPX_HOME": str(folder / "pipx"),
            "PIPX_BIN_DIR": str(folder / "bin"),
            "LLM_USER_PATH": str(folder / "llm"),
            "MIMO_API_KEY": KEY,
            "MIMO_BASE_URL": mimo.base_url,
        }

    def run(self, *command: str | Path, fails: bool = False, within: str = "") -> str:
        """What a command prints; it runs in the folder, or `within` one of its own.

        Raises:
            Failed: it failed, or with `fails` it did not.
        """
        done = subprocess.run(  # noqa: S603 (a list, and no shell)
            [str(part) for part in command],
            cwd=self.folder / within, env=self.environment, text=True, timeout=900, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if (done.returncode != 0) is not fails:
            shown = " ".join(str(part) for part in command)
            raise Failed(f"{shown}\nended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout

    def environment_with(self, *requirements: str) -> Path:
        """An environment of pip's that has these; returns its `bin`."""
        self.run(sys.executable, "-m", "venv", "env")
        scripts = self.folder / "env" / "bin"
        if requirements:
            self.run(scripts / "python", "-m", "pip", "install", "--quiet", *requirements)
        return scripts

    def answers(self, *command: str | Path) -> None:
        """A quick start, which has to print what the emulator said."""
        before = len(self.mimo.requests)
        self.mimo.queue(Reply(SAID))
        expect(SAID in self.run(*command), f"{command} did not print the answer")
        expect(len(self.mimo.requests) > before, f"{command} did not ask the emulator")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def pinned(*names: str) -> list[str]:
    return [f"{name}=={__version__}" for name in names]


def installed_are_built(environment: Path, dist: Path, *names: str) -> None:
    """Nobody else's distribution of the same name was taken, and every file is the wheel's.

    Args:
        environment: a virtual environment.
        dist: the built files.
        names: the distributions that have to be there.
    """
    (site,) = environment.glob("lib/python*/site-packages")
    for name in names:
        (wheel,) = dist.glob(f"{name.replace('-', '_')}-{__version__}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for file in archive.namelist():
                if not file.endswith("/RECORD"):  # the installer adds to it
                    same = site.joinpath(file).read_bytes() == archive.read(file)
                    expect(same, f"{site / file} is not that of {wheel.name}")


def by_pip_core(place: Place) -> None:
    scripts = place.environment_with(*pinned("mimo-core"))
    installed_are_built(place.folder / "env", place.dist, "mimo-core")
    place.answers(scripts / "python", "-c", CORE)
    found = place.run(scripts / "python", "-m", "pip", "list", "--format=freeze")
    expect("langchain" not in found and "llm" not in found, "mimo-core brought a host")
    place.run(scripts / "python", "-m", "pip", "check")


def by_pip_langchain(place: Place) -> None:
    scripts = place.environment_with(*pinned("langchain-mimo"), "langchain")
    installed_are_built(place.folder / "env", place.dist, "mimo-core", "langchain-mimo")
    place.answers(scripts / "python", "-c", LANGCHAIN)
    place.answers(scripts / "python", "-c", AGENT)
    place.run(scripts / "python", "-m", "pip", "check")


def by_pip_pytest(place: Place) -> None:
    scripts = place.environment_with(*pinned("pytest-mimo"))
    installed_are_built(place.folder / "env", place.dist, "mimo-core", "pytest-mimo")
    page = (ROOT / "distributions" / "pytest-mimo" / "README.md").read_text("utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    (place.folder / "test_readme.py").write_text(program)
    expect("1 passed" in place.run(scripts / "pytest", "-q"), "the page's test did not run")
    place.run(scripts / "mimo-fake", "--help")


def by_llm_install(place: Place) -> None:
    scripts = place.environment_with("llm")
    place.run(scripts / "llm", "install", *pinned("llm-mimo"))
    installed_are_built(place.folder / "env", place.dist, "mimo-core", "llm-mimo")
    expect('"llm-mimo"' in place.run(scripts / "llm", "plugins"), "llm plugins has no llm-mimo")
    place.answers(scripts / "llm", *ASK_LLM)
    place.run(scripts / "llm", "uninstall", "-y", "llm-mimo")
    expect("mimo" not in place.run(scripts / "llm", "models").lower(), "the models stayed")


def by_uv_tool(place: Place) -> None:
    uv = str(Path(sys.prefix, "bin", "uv"))
    place.run(uv, "tool", "install", "llm", "--with", *pinned("llm-mimo"))
    installed_are_built(place.folder / "tools" / "llm", place.dist, "mimo-core", "llm-mimo")
    place.answers(place.folder / "bin" / "llm", *ASK_LLM)


def by_pipx(place: Place) -> None:
    scripts = place.environment_with("pipx")
    place.run(scripts / "pipx", "install", "llm")
    place.run(scripts / "pipx", "inject", "llm", *pinned("llm-mimo"))
    environment = place.folder / "pipx" / "venvs" / "llm"
    installed_are_built(environment, place.dist, "mimo-core", "llm-mimo")
    place.answers(place.folder / "bin" / "llm", *ASK_LLM)


def old_llm_is_refused(place: Place) -> None:
    scripts = place.environment_with()
    pip = (scripts / "python", "-m", "pip", "install", "--dry-run")
    said = place.run(*pip, *pinned("llm-mimo"), "llm<0.36", fails=True)
    expect("llm<1,>=0.36" in said or "ResolutionImpossible" in said, f"pip said:\n{said}")


def from_git(place: Place) -> None:
    """What works before a release: the same names, from the last commit of this clone."""
    git = f"{CLONE}#subdirectory=distributions/"
    names = ("mimo-core", "langchain-mimo", "llm-mimo")
    del place.environment["UV_FIND_LINKS"], place.environment["PIP_FIND_LINKS"]
    place.environment_with(*(f"{name} @ {git}{name}" for name in names))
    scripts = place.folder / "env" / "bin"
    place.answers(scripts / "python", "-c", LANGCHAIN)
    place.answers(scripts / "llm", *ASK_LLM)


def clone_is_whole(place: Place) -> None:
    """`mimo-plugins` from git: everything in one, as the project is developed."""
    del place.environment["UV_FIND_LINKS"], place.environment["PIP_FIND_LINKS"]
    scripts = place.environment_with(f"mimo-plugins[all] @ {CLONE}")
    place.answers(scripts / "python", "-c", LANGCHAIN)
    place.answers(scripts / "llm", *ASK_LLM)


def tests_of_the_sdist(place: Place) -> None:
    """The tests of the clone's sdist, whose packages are taken away: the wheels are tested."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(place.folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 (no shell)
    with tarfile.open(place.folder / f"mimo_plugins-{__version__}.tar.gz") as archive:
        archive.extractall(place.folder, filter="data")
    unpacked = place.folder / f"mimo_plugins-{__version__}"
    for package in ("mimo_core", "langchain_mimo", "llm_mimo"):
        shutil.rmtree(unpacked / package)
    scripts = place.environment_with()
    uv = str(Path(sys.prefix, "bin", "uv"))
    into = (uv, "pip", "install", "--quiet", "--python", scripts / "python")
    place.run(*into, "--no-deps", "--require-hashes", "-r", unpacked / "requirements" / "dev.lock")
    place.run(*into, "--no-deps", *sorted(place.dist.glob("*.whl")))
    installed_are_built(place.folder / "env", place.dist, *NAMES)
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL", "LLM_USER_PATH"):
        del place.environment[name]
    said = place.run(
        scripts / "python", "-m", "pytest", "-q", "-n", "2", "-m", "not slow",
        "tests/core", "tests/langchain", "tests/llm", within=unpacked.name,
    )  # fmt: skip
    sys.stdout.write(f"    {said.strip().splitlines()[-1]}\n")


CHECKS: dict[str, Callable[[Place], None]] = {
    "pip install mimo-core": by_pip_core,
    "pip install langchain-mimo": by_pip_langchain,
    "pip install pytest-mimo": by_pip_pytest,
    "llm install llm-mimo": by_llm_install,
    "uv tool install llm --with llm-mimo": by_uv_tool,
    "pipx inject llm llm-mimo": by_pipx,
    "an llm that is too old is refused": old_llm_is_refused,
    "pip install from git": from_git,
    "mimo-plugins from git": clone_is_whole,
    "the tests of the sdist on the wheels": tests_of_the_sdist,
}


@contextmanager
def place_for(dist: Path) -> Iterator[Place]:
    with (
        tempfile.TemporaryDirectory(prefix="release-check-", ignore_cleanup_errors=True) as folder,
        FakeMiMo(keys=[KEY]) as mimo,
    ):
        yield Place(Path(folder).resolve(), dist, mimo)


def main(arguments: list[str] | None = None) -> int:
    """Runs the checks, a line each; 1 if one failed or a built file is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="the built files")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="checks that have it in their name"
    )
    given = parser.parse_args(arguments)
    dist = given.dist.resolve()
    chosen = {name: check for name, check in CHECKS.items() if given.only in name}
    lacking = [n for n in NAMES if not [*dist.glob(f"{n.replace('-', '_')}-{__version__}-*.whl")]]
    if lacking or not chosen:
        what = f"{dist} has no wheel of {', '.join(lacking)}: run `make build`."
        sys.stderr.write(f"{what if lacking else 'No check has this name.'}\n")
        return 1
    failed = 0
    for name, check in chosen.items():
        start = time.monotonic()
        try:
            with place_for(dist) as place:
                check(place)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            failed += 1
            sys.stdout.write(f"FAILED  {name}\n{error}\n")
        else:
            sys.stdout.write(f"ok      {name} ({time.monotonic() - start:.0f} s)\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - failed} of {len(chosen)} ways work from {dist}.\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
