"""The locks are whole, a key is found wherever it was, and what was not tested is said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts import secret_scan

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
USED = [
    *PROJECT["project"]["dependencies"],
    *EXTRAS["langchain"],
    *EXTRAS["llm"],
    *EXTRAS["testing"],
]
IN_LITELLM = [
    line
    for line in (ROOT / "requirements" / "litellm.in").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
# Invented, and put together here, so that the scan of this repository does not find them.
MIMO_KEY = "sk-" + "q7w5r2e9z1x4n6m3b8k5j7h2"
AWS_KEY = "AKIA" + "QW3RTY5UIOP7ASDF"


def pins(lock: Path) -> Iterator[tuple[str, list[str]]]:
    """Each pinned requirement of a lock, and the digests of its files."""
    text = "\n".join(
        x for x in lock.read_text("utf-8").splitlines() if not x.lstrip().startswith("#")
    )
    for block in text.replace("\\\n", " ").splitlines():
        requirement, *digests = re.split(r"\s+--hash=", block.strip())
        yield requirement, digests


def versions(lock: Path) -> dict[str, list[Version]]:
    """The versions of each package in a lock; more than one if it depends on the Python."""
    found: dict[str, list[Version]] = {}
    for requirement, _ in pins(lock):
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_one_version_and_hashes_and_no_address(lock: Path) -> None:
    pinned = list(pins(lock))
    assert pinned
    for requirement, digests in pinned:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==[^\s;]+( ;.*)?$", requirement), requirement
        assert digests, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", x.strip()) for x in digests), requirement
    # Neither a package nor an index at an address of the machine that made the lock.
    assert not re.search(
        r"://|^\s*(-i|-f|-e|--index|--extra|--find|file:)|\s@ ", lock.read_text(), re.M
    )


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("dev", [*USED, *GROUPS["dev"]]),
        ("runtime", USED),
        ("bench", GROUPS["bench"]),
        ("docs", [*USED, *GROUPS["dev"], *GROUPS["docs"]]),
        ("release", GROUPS["release"]),
        ("installer", GROUPS["installer"]),
        ("litellm", IN_LITELLM),
    ],
)
def test_the_locks_have_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    """If it fails after a change of pyproject.toml: `make lock`."""
    locked = versions(ROOT / "requirements" / f"{lock}.lock")
    for requirement in map(Requirement, wanted):
        found = locked.get(canonicalize_name(requirement.name), [])
        assert found, requirement
        assert all(version in requirement.specifier for version in found), requirement


def test_what_is_tested_is_what_the_list_of_a_release_says() -> None:
    tested = versions(ROOT / "requirements" / "dev.lock")
    for lock in ("runtime", "bench", "docs"):
        for name, found in versions(ROOT / "requirements" / f"{lock}.lock").items():
            assert name not in tested or tested[name] == found, name


@pytest.mark.parametrize("withdrawn", ["1.82.7", "1.82.8", "1.107.0"])
def test_a_withdrawn_litellm_is_not_installed(withdrawn: str) -> None:
    assert all(withdrawn not in Requirement(line).specifier for line in IN_LITELLM)


def actions(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
    return [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]


@pytest.mark.parametrize("name", ["ci", "audit", "release"])
def test_workflows_name_their_actions_by_commit_and_may_do_little(name: str) -> None:
    workflow = ROOT / ".github" / "workflows" / f"{name}.yml"
    assert actions(workflow)
    assert all(re.search(r"@[0-9a-f]{40}$", action) for action in actions(workflow))
    assert yaml.safe_load(workflow.read_text("utf-8"))["permissions"] in ({"contents": "read"}, {})


# The secret scan.


def git(repository: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one harmless commit."""
    git(tmp_path, "init", "--quiet", ".")
    (tmp_path / "a.py").write_text("print('hello')\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "A file")
    return tmp_path


@pytest.fixture
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("allowed") / "allowed.toml"
    file.write_text("")
    return file


def test_a_repository_without_keys_passes(repository: Path, allowed: Path) -> None:
    assert secret_scan.main([str(repository), "--allowed", str(allowed)]) == 0


@pytest.mark.parametrize("key", [MIMO_KEY, AWS_KEY])
def test_a_key_in_a_file_is_found_and_not_printed(
    repository: Path, allowed: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "b.py").write_text(f"\nkey = '{key}'\n")
    assert secret_scan.main([str(repository), "--allowed", str(allowed)]) == 1
    printed = capsys.readouterr().err
    assert "b.py:2" in printed
    assert key not in printed


@pytest.mark.parametrize("key", [MIMO_KEY, AWS_KEY])
def test_a_key_that_was_taken_out_again_is_found(repository: Path, allowed: Path, key: str) -> None:
    (repository / "a.py").write_text(f"key = '{key}'\n")
    git(repository, "commit", "--quiet", "--all", "--message", "A key")
    (repository / "a.py").write_text("\n")
    git(repository, "commit", "--quiet", "--all", "--message", "No key")
    (found,) = secret_scan.scan(repository)
    assert (found.value, found.where.endswith(", a.py")) == (key, True)


def test_a_key_in_a_commits_message_or_on_another_branch_is_found(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "other")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", f"With {MIMO_KEY}")
    git(repository, "checkout", "--quiet", "-")
    assert [found.value for found in secret_scan.scan(repository)] == [MIMO_KEY]


def test_what_is_allowed_passes_and_what_allows_nothing_is_told(
    repository: Path, allowed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "b.py").write_text(f"key = '{MIMO_KEY}'\n")
    allowed.write_text(f"[[allowed]]\npattern = '{MIMO_KEY}'\nreason = 'a test'\n")
    arguments = [str(repository), "--allowed", str(allowed)]
    assert secret_scan.main(arguments) == 0
    (repository / "b.py").unlink()
    assert secret_scan.main(arguments) == 1
    assert "allows nothing any more" in capsys.readouterr().err


def test_every_exception_has_a_reason_and_allows_no_unknown_key() -> None:
    entries = tomllib.loads(secret_scan.ALLOWED.read_text("utf-8"))["allowed"]
    assert all(entry["reason"] for entry in entries)
    unknown = [
        secret_scan.Found("here", "key", key) for key in (MIMO_KEY, AWS_KEY, "t" + MIMO_KEY[1:])
    ]
    bad, _ = secret_scan.judge(unknown, [entry["pattern"] for entry in entries])
    assert bad == unknown


# What cannot be installed.


class _NoPackages(BaseHTTPRequestHandler):
    """A package index that has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing is written to the tests' output."""


class _Index(ThreadingHTTPServer):
    request_queue_size = 128  # uv asks for 50 packages at once; of those past a queue of 5 it waits


@pytest.fixture
def empty_index() -> Iterator[str]:
    with _Index(("127.0.0.1", 0), _NoPackages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


def make(folder: Path, target: str, index: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs a target of this Makefile in another folder, where the index is all there is."""
    for name in ("Makefile", "requirements"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "MAKE", "PYTEST_"))
    }
    asked = {
        "PIP_INDEX_URL": index,
        "PIP_CONFIG_FILE": os.devnull,
        "UV_DEFAULT_INDEX": index,
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(folder / "cache"),
        "NO_PROXY": "127.0.0.1",
        # Of pytest's plugins the one that the Makefile asks for: the others take seconds to load.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p xdist.plugin",
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "1",
    }
    return subprocess.run(
        ["make", target, f"PYTHON={sys.executable}", *more],
        cwd=folder, env=kept | asked, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def has_make_and_uv() -> bool:
    return (Path(sys.prefix) / "bin" / "uv").exists()


needs_venv = pytest.mark.skipif(
    not has_make_and_uv(), reason="needs the environment of `make test`"
)


@needs_venv
@pytest.mark.slow
def test_make_test_says_last_what_was_not_tested(tmp_path: Path, empty_index: str) -> None:
    """The environment is this one, under another name; its tests are two, of which one fails."""
    environment = tmp_path / ".venv"
    environment.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    (environment / "installed").touch()
    tomorrow = time.time() + 86400  # newer than anything: this environment must not be made again
    os.utime(environment / "installed", (tomorrow, tomorrow))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_two.py").write_text(
        "def test_one():\n    assert True\n\n\ndef test_two():\n    assert False\n"
    )
    run = make(tmp_path, "test", empty_index)
    summary, last = run.stdout.splitlines()[-2:]
    assert "1 failed, 1 passed" in summary
    assert last.startswith("Not tested: the LiteLLM proxy (tests/core/test_litellm.py).")
    assert "was not found in the package registry" in last
    assert not (tmp_path / ".venv-litellm").exists()
    assert run.returncode != 0, "the note must not hide that a test failed"


@needs_venv
@pytest.mark.slow
def test_where_the_locks_cannot_be_installed_one_line_says_what_to_do(
    tmp_path: Path, empty_index: str
) -> None:
    run = make(tmp_path, ".venv/installed", empty_index)
    assert run.returncode != 0
    assert "cannot be installed here: add 'LOCK=' to the command" in run.stderr
    assert not (tmp_path / ".venv" / "installed").exists()
