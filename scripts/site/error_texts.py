"""The page of errors: every text that the code can raise, read from its source with `ast`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mimo_core import errors as core_errors

PACKAGES = ("mimo_core", "langchain_mimo", "llm_mimo")
_LEFT_OUT = ("testing", "doctor")  # the kit's and the doctor's own commands explain themselves
_HINTS = "mimo_core/_http/errors.py"
_CONTRADICTION = "ContradictionError"  # private: what is wrong with a stream, within its sentence
_HEAD = """# Troubleshooting

Look for the words of your error on this page; the search of the site finds them too. `…` stands for
what differs from case to case. Every error is one line that ends with the next step. The classes
are in `mimo_core`; LangChain's classes with `MiMo` before the name are the same ones. The page is
made from the source, so it is whole. What the service itself says is not here: it comes before the
next step of its class.
"""


class Text(NamedTuple):
    """One text: its class, the words with `…` for values, and the module that raises it."""

    kind: str
    words: str
    module: str


def kinds() -> dict[str, type[core_errors.MiMoError]]:
    """The error classes of the core, by name, in the order of the source."""
    return {
        name: value
        for name, value in vars(core_errors).items()
        if inspect.isclass(value) and issubclass(value, core_errors.MiMoError)
    }


def texts(root: Path) -> list[Text]:
    """Every literal text with which an error of the family is made, each once."""
    found: dict[Text, None] = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            path = file.relative_to(root)
            if not set(path.parts) & set(_LEFT_OUT):
                found |= dict.fromkeys(_texts_of(file.read_text("utf-8"), path.as_posix()))
    return list(found)


def _texts_of(source: str, module: str) -> Iterator[Text]:
    names = {*kinds(), *(f"MiMo{name}" for name in kinds()), _CONTRADICTION}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            words = literal(node.args[0])
            if node.func.id in names and words.strip("… .:"):
                yield Text(node.func.id, words, module)


def literal(node: ast.expr) -> str:
    """The words of a text in the source, with `…` for what is put in when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal(node.left) + literal(node.right)
    return "…"


def next_steps(root: Path) -> dict[str, str]:
    """Class -> the next step that follows the service's own words."""
    tree = ast.parse((root / _HINTS).read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_HINTS":
            assert isinstance(node.value, ast.Dict)
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {ast.unparse(key): literal(value) for key, value in pairs if key is not None}
    raise LookupError(f"{_HINTS} has no table of next steps any more: see scripts/site")


def error_page(root: Path) -> str:
    """The page as Markdown."""
    steps, found = next_steps(root), texts(root)
    parts = [_HEAD]
    for name, kind in kinds().items():
        said = textwrap.dedent(inspect.getdoc(kind) or "").partition("\n")[0]
        parts.append(f"## {name}\n\n{said}\n")
        if step := steps.get(name):
            parts.append(f"After the service's own words: *{step}*\n")
        own = [text for text in found if text.kind in (name, f"MiMo{name}")]
        parts += [_line(text) for text in own]
        if own:
            parts.append("")
    parts.append("## What a stream can contradict itself in\n")
    parts.append("These words stand in a `StreamInterruptedError` or an `InvalidResponseError`:\n")
    parts += [_line(text) for text in found if text.kind == _CONTRADICTION]
    return "\n".join(parts) + "\n"


def _line(text: Text) -> str:
    return f"- `` {' '.join(text.words.split())} ``  ({text.module})"
