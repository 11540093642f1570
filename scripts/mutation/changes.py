"""The mutants of a module: one changed decision each."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Delete)
_PAIRS = [(ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)]
_PAIRS += [(ast.Lt, ast.LtE), (ast.Gt, ast.GtE)]
_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    one: other for pair in _PAIRS for one, other in (pair, pair[::-1])
}
_NO_DECISION = ("annotation", "returns", "decorator_list")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Place:
    """Where a node hangs in its tree."""

    parent: ast.AST
    name: str
    position: int | None

    def node(self) -> ast.AST:
        held = getattr(self.parent, self.name)
        node: ast.AST = held if self.position is None else held[self.position]
        return node

    def put(self, node: ast.AST) -> None:
        if self.position is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.position] = node


@dataclass(frozen=True)
class Mutant:
    """One changed node.

    Attributes:
        module: the path of the module inside mimo_core.
        function: the qualified name of the function that holds the node.
        line: where the node stands.
        what: the kind of the change.
        text: the first line of the node before and after, with a number where others read alike.
        lines: the lines of the statement that holds the node; of an `if` or a loop, its head.
        body: the lines of the outermost function around it.
    """

    module: str
    function: str
    line: int
    what: str
    text: str
    lines: range
    body: range
    _tree: ast.Module = field(repr=False)
    _place: _Place = field(repr=False)
    _changed: ast.AST = field(repr=False)

    @property
    def name(self) -> str:
        """What tests/mutants.md calls it: stays the same when lines move."""
        return f"{self.module}: {self.function}: {self.what}: {self.text}"

    def code(self, filename: str) -> CodeType:
        """The module with this one change, compiled.

        Args:
            filename: the path of the module, as its functions know it.
        """
        node = self._place.node()
        self._place.put(self._changed)
        try:
            return compile(self._tree, filename, "exec", dont_inherit=True)
        finally:
            self._place.put(node)


def mutants(path: Path, module: str) -> Iterator[Mutant]:
    """Each mutant of a module.

    Args:
        path: the source.
        module: what it is called.
    """
    tree = ast.parse(path.read_text())
    seen: Counter[str] = Counter()
    for place, function, body, lines in _places(tree, [], None, None):
        node = place.node()
        for what, changed in _changes(node):
            ast.copy_location(changed, node)
            ast.fix_missing_locations(changed)
            text = f"{_first_line(node)} → {_first_line(changed)}"
            key = f"{function}: {what}: {text}"
            seen[key] += 1
            if seen[key] > 1:
                text += f" ({seen[key]})"
            line = getattr(node, "lineno", 0)
            yield Mutant(module, function, line, what, text, lines, body, tree, place, changed)


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0][:90]


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What can stand in the place of a node, each with its name."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITES:
        changed = copy.deepcopy(node)
        changed.ops[0] = _OPPOSITES[type(node.ops[0])]()
        yield "comparison", changed
    elif isinstance(node, ast.BoolOp):
        changed_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", ast.BoolOp(changed_op, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "switch", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "number", ast.Constant(node.value + 1)
    elif isinstance(node, ast.Return) and not _is_none(node.value):
        yield "result", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.If):
        yield "condition", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, _STATEMENTS) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield "left out", ast.Pass()


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _places(
    parent: ast.AST, scope: list[str], body: range | None, lines: range | None
) -> Iterator[tuple[_Place, str, range, range]]:
    """Every node inside a function: its place, the function's name, and the two ranges of lines."""
    if isinstance(parent, ast.JoinedStr | ast.FormattedValue):
        return  # a word of a message is no decision
    if isinstance(parent, _Function | ast.ClassDef):
        scope = [*scope, parent.name]
    if isinstance(parent, _Function) and body is None:
        body = range(parent.lineno, (parent.end_lineno or parent.lineno) + 1)
    if isinstance(parent, ast.stmt | ast.ExceptHandler):
        lines = _lines(parent)
    for name, value in ast.iter_fields(parent):
        if name in _NO_DECISION:
            continue
        held = value if isinstance(value, list) else [value]
        for position, node in enumerate(held):
            if isinstance(node, ast.AST):
                place = _Place(parent, name, position if isinstance(value, list) else None)
                own = _lines(node) if isinstance(node, ast.stmt) else lines
                if body is not None and own is not None:
                    yield place, ".".join(scope), body, own
                yield from _places(node, scope, body, lines)


def _lines(statement: ast.stmt | ast.ExceptHandler) -> range:
    inner = getattr(statement, "body", None)
    last = inner[0].lineno - 1 if inner else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)
