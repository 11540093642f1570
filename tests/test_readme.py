"""README: its blocks run as they stand, its links lead somewhere, and it stays short.

The pages of the site are held to the same by test_docs.py.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from llm.cli import cli as llm_command

from mimo_core.testing.emulator import BatchPlan, FakeMiMo
from tests.conftest import KEY, LEAN
from tests.langchain.pretend_model import respond

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\S*)[^\n]*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
PROGRAMS = [text for text in PYTHON if "def test_" not in text]
COMMANDS = [text for kind, text in BLOCKS if kind == "bash"]
ASKED = sum(len(re.findall(r"\bllm (?:-|mimo [stb])", text)) for text in COMMANDS)
"""How many of the commands ask a model."""
INSTALLS = ("pip install ", "llm install ", "export MIMO_API_KEY=")
"""How a line of a `sh` block begins: it changes the reader's machine, so it is not run."""
QUIET = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", *LEAN)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeMiMo]:
    """What the environment of a reader with a key would reach."""
    with FakeMiMo(respond) as mimo:
        mimo.batches.default = BatchPlan("completed")  # who waits looks once a minute
        monkeypatch.setenv("MIMO_API_KEY", "sk-reader")
        monkeypatch.setenv("MIMO_BASE_URL", mimo.named_base_url)
        monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)  # a block may write files
        yield mimo


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.split("\n")[-2][:40])
def test_a_program_runs_and_prints(
    program: str, service: FakeMiMo, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})
    assert service.requests, "the block asked nothing"
    assert capsys.readouterr().out.strip(), "the block printed nothing"


def test_each_command_runs(service: FakeMiMo) -> None:
    """In their order, in one folder and one process; `make docs-check` has a real shell do it."""
    for line in "".join(COMMANDS).splitlines():
        said = b""
        if line.startswith("printf "):  # what is in a file of the reader's
            subprocess.run(["bash", "-c", line], check=True)
            continue
        for command in line.split(" | "):
            name, *arguments = shlex.split(command)
            assert name == "llm"
            result = CliRunner().invoke(llm_command, arguments, input=said)
            assert result.exit_code == 0, f"{command}: {result.output}"
            said = result.stdout_bytes
        assert said.strip(), f"{line}: printed nothing"
    assert len(service.requests) >= ASKED > 5


@pytest.mark.slow
@pytest.mark.skipif("MIMO_DOCS" not in os.environ, reason="`make docs-check` runs the commands")
def test_the_commands_run(service: FakeMiMo) -> None:
    """The same by a real shell and the real `llm`."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "-euo", "pipefail", "-c", "\n".join([*COMMANDS, "echo the end"])],
        stdin=subprocess.DEVNULL,  # llm reads it: it must not be the rest of the commands
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nthe end\n")
    assert len(service.requests) >= ASKED


@pytest.mark.slow  # pytest in a process of its own, as a reader would start it
def test_the_tests_pass(pytester: pytest.Pytester) -> None:
    """Those of docs/testing.md too: one is recorded first, and replayed without a service."""
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    blocks += [text for text in PYTHON if "def test_" in text]
    names = [f"test_block_{number}.py" for number in range(len(blocks))]
    for name, text in zip(names, blocks, strict=True):
        (pytester.path / name).write_text(text, "utf-8")
    recorded = [
        name for name, text in zip(names, blocks, strict=True) if "@pytest.mark.vcr" in text
    ]
    with FakeMiMo(respond, keys=[KEY]) as mimo, pytest.MonkeyPatch.context() as reader:
        reader.setenv("MIMO_API_KEY", KEY)
        reader.setenv("MIMO_BASE_URL", mimo.named_base_url)
        done = pytester.runpytest_subprocess(*QUIET, "--record-mode=rewrite", *recorded)
        done.assert_outcomes(passed=1)
        assert mimo.requests
    done = pytester.runpytest_subprocess(*QUIET, *names)
    done.assert_outcomes(passed=sum(text.count("def test_") for text in blocks))


def test_every_block_is_of_a_kind_that_runs_or_installs() -> None:
    assert {kind for kind, _ in BLOCKS} == {"python", "bash", "sh"}
    assert len(PROGRAMS) >= 4
    for line in "".join(text for kind, text in BLOCKS if kind == "sh").splitlines():
        assert line.startswith(INSTALLS), f"is {line!r} to be run?"


def test_it_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 200
    # Tables cannot be wrapped.
    lines = [line for line in README.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 110] == []


def test_an_llm_user_does_not_scroll_past_langchain() -> None:
    headings = re.findall(r"^## (.*)$", README, re.MULTILINE)
    assert headings.index("At the shell") < headings.index("LangChain")


def test_every_link_leads_to_a_file_or_a_heading() -> None:
    """As GitHub shows it; what is on the package index has READMEs of its own (distributions/)."""
    text = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert len(links) > 20
    for link in links:
        file, _, place = link.partition("#")
        if link.startswith("https://"):
            continue
        target = ROOT / file if file else ROOT / "README.md"
        assert target.exists(), link
        if place:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert place in [_anchor(heading) for heading in headings], link


def _anchor(heading: str) -> str:
    """The place that GitHub gives a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
