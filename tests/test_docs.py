"""The pages of the site: every block runs or is of a known kind, and nothing is left out."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_mimo import ChatMiMo
from mimo_core.testing.emulator import FakeMiMo
from scripts.site.error_texts import error_page, kinds, literal, next_steps, texts
from scripts.site.pages import all_tables, examples, fields_table, generated_pages, with_tables
from tests.langchain.pretend_model import respond

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if "upstream" not in path.parts
}
_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [(page, kind, text) for page, all in PAGES.items() for kind, text in _FENCE.findall(all)]
# A block with tests is a file of a project: test_recipes.py runs those of its page.
PROGRAMS = [
    pytest.param(text, id=f"{page}-{number}")
    for number, (page, kind, text) in enumerate(BLOCKS)
    if kind == "python" and "def test_" not in text and page != "testing-recipes.md"
]
SHELL = {
    page: [text for where, kind, text in BLOCKS if where == page and kind in ("sh", "bash")]
    for page, kind, _ in BLOCKS
    if kind in ("sh", "bash")
}
# What cannot be run here: it installs, takes a key or an address of the reader's, or goes on.
NOT_RUN = (
    *("pip ", "llm install", "llm keys", "git ", "export ", "MIMO_API_KEY=", "pytest "),
    *("mimo-fake", "mimo-replay", "llm mimo doctor", "python -m mimo_core.doctor", "Enter key"),
)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeMiMo]:
    """What the environment of a reader with a key would reach."""
    with FakeMiMo(respond) as mimo:
        monkeypatch.setenv("MIMO_API_KEY", "sk-reader")
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
        monkeypatch.chdir(tmp_path)
        yield mimo


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_python_block_runs_and_prints(
    program: str, service: FakeMiMo, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(program, "a page of docs/", "exec"), {"__name__": "__main__"})
    assert service.requests, "the block asked nothing"
    assert capsys.readouterr().out.strip(), "the block printed nothing"


def test_the_blocks_of_the_class_docstring_run(
    service: FakeMiMo, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = _FENCE.findall(inspect.getdoc(ChatMiMo) or "")
    names = {"ChatMiMo": ChatMiMo, "HumanMessage": HumanMessage, "BaseModel": BaseModel}
    assert len(blocks) == 3
    for number, (_, text) in enumerate(blocks):
        before = len(service.requests)
        exec(compile(text, f"ChatMiMo, block {number}", "exec"), names)
        assert len(service.requests) > before
        assert capsys.readouterr().out.strip()


@pytest.mark.slow
@pytest.mark.skipif("MIMO_DOCS" not in os.environ, reason="`make docs-check` runs the commands")
@pytest.mark.parametrize("page", SHELL)
def test_the_shell_blocks_of_a_page_run(page: str, service: FakeMiMo, tmp_path: Path) -> None:
    """In their order, in one folder, by a real shell and the real `llm`."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    shutil.copy(ROOT / "examples" / "question.mp3", tmp_path)  # a recording of the reader's
    bin = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    environment["MIMO_BASE_URL"] = service.named_base_url
    done = subprocess.run(
        [bash, "-euo", "pipefail", "-c", "\n".join([*SHELL[page], "echo; echo the end"])],
        stdin=subprocess.DEVNULL,  # llm reads it: it must not be the rest of the commands
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nthe end\n")
    assert service.requests


def test_what_is_not_run_is_of_a_known_kind() -> None:
    for page, kind, text in BLOCKS:
        assert kind in ("python", "sh", "bash", "console", "text", "ini"), f"{page}: {kind!r}"
        for line in text.splitlines() if kind == "console" else ():
            assert line.removeprefix("$ ").startswith(NOT_RUN), f"{page}: is {line!r} to be run?"


def test_the_error_page_holds_every_text() -> None:
    page, found = error_page(ROOT), texts(ROOT)
    assert len(found) > 100
    for text in found:
        assert " ".join(text.words.split()) in page
    assert all(f"## {name}\n" in page for name in kinds())
    assert all(step in page for step in next_steps(ROOT).values())


def test_values_in_a_text_become_an_ellipsis() -> None:
    import ast

    def of(source: str) -> str:
        return literal(ast.parse(source, mode="eval").body)

    assert of('f"{name!r} is " "wrong" + other') == "… is wrong…"
    assert of("plain") == "…"


def test_every_field_and_table_is_on_a_page() -> None:
    from langchain_mimo.fields import MiMoFields

    missing = [name for name in MiMoFields.model_fields if f"| `{name}` |" not in fields_table()]
    assert missing == []
    asked = "".join(PAGES.values())
    assert [name for name in all_tables() if f"<!-- table: {name} -->" not in asked] == []
    with pytest.raises(KeyError):
        with_tables("<!-- table: none -->")


def test_every_example_has_a_page_in_the_navigation() -> None:
    pages = generated_pages()
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in examples():
        assert f"examples/{path.stem}.md" in pages
        assert f"examples/{path.stem}.md" in navigation
        assert path.read_text("utf-8") in pages[f"examples/{path.stem}.md"]
