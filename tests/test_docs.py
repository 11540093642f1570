"""The pages of the site: every block runs or is of a known kind, and nothing is left out."""

from __future__ import annotations

import inspect
import os
import posixpath
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
from mimo_core.testing.emulator import BatchPlan, FakeMiMo
from scripts.particularities import PARTICULARITIES, named_by_particularities, whence
from scripts.site.error_texts import Module, error_page, kinds, next_steps, texts, without_words
from scripts.site.outputs import ANSWERS, SAID, with_outputs
from scripts.site.pages import (
    INCLUDED,
    NOT_ON_SITE,
    all_tables,
    examples,
    fields_table,
    generated_pages,
    with_tables,
)
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
        mimo.batches.default = BatchPlan("completed")  # who waits looks once a minute
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
    if page == "llm/recipes.md" and shutil.which("jq") is None:
        pytest.skip("there is no jq")
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


BLOCK = "```{}\n{}\n```\n\n<!-- output: core -->"
ASK = "from mimo_core import MiMoClient; print(MiMoClient().chat({'model': 'mimo-v2.6-pro', "
ASK += "'messages': [{'role': 'user', 'content': 'Hi'}]})['choices'][0]['message']['content'])"


@pytest.mark.slow  # a process
def test_what_a_block_prints_stands_below_it() -> None:
    before = "```bash\nfalse\n```\n\nAn unmarked block is not run."
    page = with_outputs(f"{before}\n\n{BLOCK.format('python', ASK)}\n\nAfter.\n")
    assert page == (
        f"{before}\n\n```python\n{ASK}\n```\n\n{SAID}\n\n```text\nHi there.\n```\n\nAfter.\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("page", "error"),
    [
        (BLOCK.format("bash", "echo no >&2; false"), r"ended with 1: no"),
        (BLOCK.format("bash", "true"), "not asked for: Reply"),
        ("Text.\n\n<!-- output: core -->", "stands below no block"),
        (BLOCK.format("text", "a"), "stands below no block"),
        (BLOCK.format("bash", "true").replace("core", "nobody"), "nobody"),
    ],
)
def test_an_output_that_cannot_be_made_ends_the_build(page: str, error: str) -> None:
    with pytest.raises((RuntimeError, ValueError, KeyError, AssertionError), match=error):
        with_outputs(page)


def test_every_answer_is_for_one_mark_of_the_pages() -> None:
    marks = re.findall(r"<!-- output: (\S+) -->", "".join(PAGES.values()))
    assert sorted(marks) == sorted(ANSWERS)


def test_what_is_not_run_is_of_a_known_kind() -> None:
    for page, kind, text in BLOCKS:
        assert kind in ("python", "sh", "bash", "console", "text", "ini"), f"{page}: {kind!r}"
        for line in text.splitlines() if kind == "console" else ():
            assert line.removeprefix("$ ").startswith(NOT_RUN), f"{page}: is {line!r} to be run?"


def test_the_error_page_holds_every_text() -> None:
    page, found = error_page(ROOT), texts(ROOT)
    assert len(found) > 200
    for text in found:
        assert " ".join(text.words.split()) in page
    assert all(f"## {name}\n" in page for name in kinds())
    assert all(step in page for step in next_steps(ROOT).values())


def test_the_error_page_says_truly_what_it_lacks() -> None:
    """Words of others, which an error passes on, and those that another file makes.

    A new error whose words stand in its own file is found by itself. One that passes words on
    gets a line here, with whose words they are.
    """
    assert without_words(ROOT) == [
        # of the HTTP library: a timeout of a kind that has no sentence of its own
        (
            "mimo_core/_http/exchange.py",
            'APITimeoutError(f"{self._endpoint.base_url}: {reason}.", code=code)',
        ),
        # of the core's client, whose error names the parameter of its own
        ("langchain_mimo/settings.py", 'InvalidRequestError(text, param="http_async_client")'),
        # the service's refusal
        ("langchain_mimo/structured_output.py", "MiMoContentFilterError(error)"),
        # the core's error, of which llm makes one of its own; that of the operating system
        ("llm_mimo/errors.py", "ModelError(text)"),
        (
            "llm_mimo/errors.py",
            "ModelError(f\"{doing or 'A file cannot be used'}: {why}{where}.{advice}\")",
        ),
        ("llm_mimo/speech_commands.py", 'ModelError(f"{text} {file.not_written()}.")'),
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('raise InputError(f"{name!r} is " "wrong" + other)', ["… is wrong…"]),
        ("raise InputError(unknown)", []),
        ('raise errors.InputError("a" if x else f"{y}b")', ["a", "…b"]),
        ('WHY = "no reason"\nraise InputError(WHY)', ["no reason"]),
        (
            'def f(x):\n    why = f"no {x}"\n    raise InputError(f"It has {why}.")',
            ["It has no …."],
        ),
        ('def why(x):\n    return "a" if x else "b"\nraise InputError(why(1))', ["a", "b"]),
        (
            'WHY = {1: "is gone", 2: "is full"}\nraise InputError(f"It {WHY.get(x, \'is 0\')}.")',
            ["It is gone.", "It is full.", "It is 0."],
        ),
        ('WHY = {1: "a b", 2: "c d"}\nraise InputError(WHY[x])', ["a b", "c d"]),
        ('END = {1: "mp3", 2: "wav"}\nraise InputError(f"Not {END[x]}.")', ["Not …."]),
        ("def why():\n    return why()\nraise InputError(why())", []),
        ('raise ValueError("not ours")', None),
    ],
)
def test_the_texts_that_an_error_can_have(source: str, said: list[str] | None) -> None:
    found = [words for _, _, words in Module("a module", source).errors()]
    assert found == ([] if said is None else [said])


def test_what_is_said_of_a_particularity_is_known_from_somewhere_and_tested() -> None:
    for named in named_by_particularities():
        file, _, function = named.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^ *(async )?def {function}\(", text, re.MULTILINE), named
    for row in PARTICULARITIES:
        assert row.done, row.of_mimo
        # A name that is neither a fact's nor a rule's any more would look like words of a source.
        assert all(whence(one) != one or re.search(r" .*\d{4}", one) for one in row.known), (
            row.known
        )


def test_every_field_and_table_is_on_a_page() -> None:
    from langchain_mimo.fields import MiMoFields

    missing = [name for name in MiMoFields.model_fields if f"| `{name}` |" not in fields_table()]
    assert missing == []
    said = "".join([*PAGES.values(), (ROOT / "README.md").read_text("utf-8")])
    on_the_site = [name for name in all_tables() if f"<!-- table: {name} -->" in said]
    in_the_pages = [name for name in all_tables() if f"<!-- {name}:start -->" in said]
    assert sorted(on_the_site + in_the_pages) == sorted(all_tables())  # each in one way
    with pytest.raises(KeyError):
        with_tables("<!-- table: none -->")


def test_a_file_that_is_a_page_links_to_pages_only() -> None:
    """`mkdocs build --strict` says nothing of a link to what is left out of the site."""
    assert f"exclude_docs: |\n  {NOT_ON_SITE}\n" in (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = generated_pages()
    links = 0
    for page in INCLUDED:
        for target in re.findall(r"\]\(([^)\s#]+)", pages[page]):
            if "://" not in target:
                links += 1
                file = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
                assert not file.startswith(NOT_ON_SITE), f"{page}: {target}"
                assert file in pages or (DOCS / file).is_file(), f"{page}: {target}"
    assert links


def test_every_example_has_a_page_in_the_navigation() -> None:
    pages = generated_pages()
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in examples():
        assert f"examples/{path.stem}.md" in pages
        assert f"examples/{path.stem}.md" in navigation
        assert path.read_text("utf-8") in pages[f"examples/{path.stem}.md"]
