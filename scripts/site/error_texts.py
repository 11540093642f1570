"""The page of errors: the texts that the code gives to its errors, read from the source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from mimo_core import errors as core_errors

PACKAGES = ("mimo_core", "langchain_mimo", "llm_mimo")
_LEFT_OUT = ("testing", "doctor")  # the kit's and the doctor's own commands explain themselves
_HINTS = "mimo_core/_http/errors.py"
_CONTRADICTION = "ContradictionError"  # private: what is wrong with a stream, within its sentence
LLM = ("InputError", "ModelError", "MissingKeyError", "UsageError")
"""What the plugin for llm raises beside the core's errors."""
_DEPTH = 4  # a text that is made by a function that asks a function …
_FEW = 5  # more texts in the place of one value would hide the sentence
_HEAD = """# Troubleshooting

Look for the words of your error on this page; the search of the site finds them too. `…` stands for
what differs from case to case. Every error is one line that ends with the next step. The classes
are in `mimo_core`; LangChain's classes with `MiMo` before the name are the same ones.

This page is made from the source: it has the texts that stand in the code of `mimo_core`,
`langchain_mimo` and `llm_mimo` where an error is raised, or in a function of the same file that
makes its text. It does not have the words of others: those of the service (they come before the
next step of their class), of the HTTP library, of the operating system, of llm and of LangChain.
Nor has it what `llm mimo doctor` and the commands of the testing kit say.
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
    """Every text that stands in the source of an error of the families, each once."""
    found: dict[Text, None] = {}
    for module in modules(root):
        for kind, _, said in module.errors():
            found |= dict.fromkeys(Text(kind, words, module.name) for words in said)
    return list(found)


def without_words(root: Path) -> list[tuple[str, str]]:
    """Module and source of each error whose words come from elsewhere: the page lacks them."""
    return [
        (module.name, module.source_of(call))
        for module in modules(root)
        for _, call, said in module.errors()
        if not said
    ]


def modules(root: Path) -> list[Module]:
    """Every module whose errors are on the page."""
    files = (file for package in PACKAGES for file in sorted((root / package).rglob("*.py")))
    return [
        Module(file.relative_to(root).as_posix(), file.read_text("utf-8"))
        for file in files
        if not set(file.relative_to(root).parts) & set(_LEFT_OUT)
    ]


class Module:
    """The source of one module: what its errors can say.

    Args:
        name: its path.
        source: its text.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self._source = source
        self._tree = ast.parse(source)
        self._functions = {
            node.name: node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    def source_of(self, node: ast.expr) -> str:
        """An expression as it stands in the source, on one line."""
        return " ".join((ast.get_source_segment(self._source, node) or "").split())

    def errors(self) -> Iterator[tuple[str, ast.Call, list[str]]]:
        """Class, source and texts of each error that is made here with arguments."""
        names = {*kinds(), *(f"MiMo{name}" for name in kinds()), _CONTRADICTION, *LLM}
        for scope, call in self._calls():
            kind = _called(call)
            if kind in names and call.args:
                said = self.texts(call.args[0], scope)
                yield kind, call, [words for words in said if words.strip("… .:")]

    def texts(self, node: ast.expr, scope: ast.AST, depth: int = _DEPTH) -> list[str]:
        """The texts that an expression can be, with `…` for what is put in when it runs.

        Args:
            node: the expression.
            scope: the function in which it stands, or the module.
            depth: how many names and functions may be followed.
        """
        if isinstance(node, ast.IfExp):
            branches: list[ast.expr] = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            branches = node.values
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = (self.texts(side, scope, depth) for side in (node.left, node.right))
            return ["".join(pair) for pair in product(left, right)]
        elif isinstance(node, ast.JoinedStr):
            parts = [self._put_in(part, scope, depth) for part in node.values]
            return ["".join(chosen) for chosen in product(*parts)]
        elif depth and (table := self._table_of(node)):
            branches = table
        elif depth and isinstance(node, ast.Name):
            return (
                self._followed(_assigned(node.id, scope), scope, depth)
                or self._followed(_assigned(node.id, self._tree), self._tree, depth)
                or ["…"]
            )
        elif depth and isinstance(node, ast.Call) and (made := self._functions.get(_called(node))):
            ends = [node for node in ast.walk(made) if isinstance(node, ast.Return)]
            given = [end.value for end in ends if end.value]
            return self._followed(given, made, depth) or ["…"]
        else:
            return [literal(node)]
        return self._followed(branches, scope, depth + 1)

    def _table_of(self, node: ast.expr) -> list[ast.expr]:
        """What `TABLE[key]` or `TABLE.get(key, otherwise)` of a dict of this module can be."""
        table, otherwise = None, []
        if isinstance(node, ast.Subscript):
            table = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            table, otherwise = node.func.value, node.args[1:]
            if node.func.attr != "get":
                return []
        if not isinstance(table, ast.Name):
            return []
        dicts = [one for one in _assigned(table.id, self._tree) if isinstance(one, ast.Dict)]
        return [value for one in dicts for value in one.values] + otherwise if dicts else []

    def _put_in(self, part: ast.expr, scope: ast.AST, depth: int) -> list[str]:
        """What a part of an f-string can be: a name that stands for few phrases is those."""
        if isinstance(part, ast.FormattedValue) and part.conversion == -1:
            found = self.texts(part.value, scope, depth)
            phrases = len(found) == 1 or any(" " in words for words in found)  # not wav, mp3, pcm
            if phrases and len(found) <= _FEW and all(words.strip("… .:") for words in found):
                return found
        return [literal(part)]

    def _followed(self, nodes: list[ast.expr], scope: ast.AST, depth: int) -> list[str]:
        found = (words for node in nodes for words in self.texts(node, scope, depth - 1))
        return list(dict.fromkeys(found))

    def _calls(self) -> Iterator[tuple[ast.AST, ast.Call]]:
        """Each call, with the innermost function that it stands in."""

        def within(scope: ast.AST, node: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.Call):
                    yield scope, child
                inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                yield from within(child if inner else scope, child)

        return within(self._tree, self._tree)


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _assigned(name: str, scope: ast.AST) -> list[ast.expr]:
    """What a name is set to in a function, or at the top of a module."""
    nodes = ast.iter_child_nodes(scope) if isinstance(scope, ast.Module) else ast.walk(scope)
    found: list[ast.expr] = []
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign | ast.NamedExpr):
            targets = [node.target]
        value = getattr(node, "value", None)
        if value and any(isinstance(one, ast.Name) and one.id == name for one in targets):
            found.append(value)
    return found


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
    parts.append("\n## Only in llm\n")
    parts.append(
        "What the plugin says itself, as `llm.ModelError` or, of a command, as its usage:\n"
    )
    parts += [_line(text) for text in found if text.kind in LLM]
    return "\n".join(parts) + "\n"


def _line(text: Text) -> str:
    return f"- `` {' '.join(text.words.split())} ``  ({text.module})"
