"""The generated pages of the site, as Markdown: pure functions of the files of this repository."""

from __future__ import annotations

import ast
import posixpath
import re
from functools import cache
from pathlib import Path

from scripts.particularities import particularities_table
from scripts.readme_tables import tables
from scripts.site.error_texts import error_page

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
OUTPUTS = EXAMPLES / "output"
"""What each example printed, on recorded or emulated answers; a test runs it again."""

INCLUDED = {
    "performance.md": "benchmarks/README.md",
    "project/security.md": "SECURITY.md",
    "project/testing.md": "TESTING.md",
    "project/changes.md": "CHANGELOG.md",
}
"""Page -> the file of the repository that is the page."""

NOT_ON_SITE = "upstream/"
"""The folder of docs/ that mkdocs.yml leaves out."""

_TABLE = re.compile(r"<!-- table: (\S+) -->")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


@cache
def all_tables() -> dict[str, str]:
    """Every table that a page may ask for, by name."""
    return {
        **tables(),
        "fields": fields_table(),
        "particularities": particularities_table(),
    }


def with_tables(markdown: str) -> str:
    """A page with its tables in place.

    Raises:
        KeyError: the page asks for a table that there is not.
    """
    return _TABLE.sub(lambda found: all_tables()[found[1]], markdown)


def generated_pages() -> dict[str, str]:
    """Path of each generated page -> its Markdown."""
    pages = {page: included(source, page) for page, source in INCLUDED.items()}
    pages["troubleshooting.md"] = error_page(ROOT)
    programs = examples()
    for path in programs:
        pages[f"examples/{path.stem}.md"] = example_page(path)
    pages["examples/index.md"] = examples_index(programs)
    return pages


def included(source: str, page: str) -> str:
    """A file of the repository as a page; a link to a file that is no page becomes its text."""
    pages = {file: name for name, file in INCLUDED.items()}
    folder = posixpath.dirname(source)

    def link(found: re.Match[str]) -> str:
        image, text, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        file = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        on_site = file.startswith("docs/") and not file.startswith(f"docs/{NOT_ON_SITE}")
        other = pages.get(file) or (file.removeprefix("docs/") if on_site else None)
        if image or other is None:
            return f"*({text}: `{file}` in the repository)*" if image else f"{text} (`{file}`)"
        return f"[{text}]({posixpath.relpath(other, posixpath.dirname(page) or '.')})"

    return _LINK.sub(link, (ROOT / source).read_text(encoding="utf-8"))


def examples() -> list[Path]:
    """The programs that have a page, by name."""
    found = (path for path in EXAMPLES.iterdir() if not path.name.startswith("_"))
    return sorted(path for path in found if path.suffix in (".py", ".sh"))


def heading_of(path: Path) -> tuple[str, str]:
    """The first sentence of an example, and what else its head says (with the way to start it)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        lines = [line for line in text.splitlines()[1:8] if line.startswith("#")]
        said = "\n\n".join(line.removeprefix("# ") for line in lines)
    first, _, rest = said.partition("\n")
    return first.strip(), rest.strip("\n")


def example_page(path: Path) -> str:
    """The page of one example: what it is, what it prints, its source."""
    first, rest = heading_of(path)
    kind = "python" if path.suffix == ".py" else "sh"
    parts = [f"# {path.stem.replace('_', ' ').capitalize()}", first, rest]
    output = OUTPUTS / f"{path.stem}.txt"
    if output.exists():
        parts += [
            "What it prints without a key. The answers are the emulator's or recorded from it, so "
            "no model has run:",
            f"```text\n{output.read_text(encoding='utf-8')}```",
        ]
    source = path.read_text(encoding="utf-8")
    parts.append(f"The whole of `examples/{path.name}`:\n\n```{kind}\n{source}```")
    return "\n\n".join(part for part in parts if part) + "\n"


def examples_index(programs: list[Path]) -> str:
    """The list of the examples."""
    lines = [f"| [{one.stem}]({one.stem}.md) | {heading_of(one)[0]} |" for one in programs]
    intro = (
        "Each runs as it stands from a clone (`pip install '.[all]' langchain`): live with "
        "`MIMO_API_KEY`, without it on the emulator or on recorded answers, which it says. A test "
        "runs each of them."
    )
    return "\n".join(["# Examples", "", intro, "", "| example | |", "| --- | --- |", *lines, ""])


def fields_table() -> str:
    """The parameters of `ChatMiMo`, from the class statements of `langchain_mimo/fields.py`."""
    tree = ast.parse((ROOT / "langchain_mimo" / "fields.py").read_text(encoding="utf-8"))
    lines = ["| parameter | type | meaning |", "| --- | --- | --- |"]
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for field, said in zip(kind.body, kind.body[1:], strict=False):
            if not isinstance(field, ast.AnnAssign) or not isinstance(said, ast.Expr):
                continue
            annotation = field.annotation
            if (
                isinstance(annotation, ast.Subscript)
                and isinstance(annotation.slice, ast.Tuple)
                and ast.unparse(annotation.value) == "Annotated"
            ):
                annotation = annotation.slice.elts[0]
            cells = (ast.unparse(field.target), ast.unparse(annotation).replace("|", "\\|"))
            meaning = " ".join(ast.literal_eval(said.value).split()).replace("|", "\\|")
            lines.append(f"| `{cells[0]}` | `{cells[1]}` | {meaning} |")
    return "\n".join(lines) + "\n"
