"""Generic mistakes at every position of a module: operators, constants, conditions, returns.

Left out, because no figure depends on them: docstrings, annotations, decorators, error messages
(f-strings, lambdas), assertions (`assert`, `strict=True`), constants of modules.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

from tests.mutations.mutants import ROOT, Mutant

FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("layers", "analyses")
    for path in (ROOT / "archcalc" / folder).rglob("*.py")
)

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "//",
    ast.Pow: "*",
}
COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}


def sample(count: int, seed: int) -> list[Mutant]:
    """Random mutants of all files, each position equally likely."""
    return random.Random(seed).sample([m for file in FILES for m in every(file)], count)


def every(file: str) -> Iterator[Mutant]:
    """All mutants of a file."""
    text = (ROOT / file).read_text()
    starts = [0]
    for row in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    raw = text.encode()
    for node, new in _Positions(ast.parse(text)).found:
        start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        stop = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        old = raw[start:stop].decode()
        position = f"{file}:{node.lineno}:{node.col_offset}"  # type: ignore[attr-defined]
        yield Mutant(position, file, old, new, start)


class _Positions(ast.NodeVisitor):
    """Collects (node, replacement text) for every possible mistake."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[ast.AST, str]] = []
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef | ast.FunctionDef):
                self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            if not _is_text(statement):
                self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            if not _is_text(statement):
                self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "strict":  # an assertion
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.found.append((node, "pass"))

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Left out: an error message."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Left out: an error message."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Left out: an assertion."""

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = OPERATORS.get(type(node.op))
        if other and not isinstance(node.left, ast.Tuple | ast.JoinedStr):
            self._put(node, f"{_text(node.left)} {other} {_text(node.right)}")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
            sign = COMPARISONS[type(node.ops[0])]
            self._put(node, f"{_text(node.left)} {sign} {_text(node.comparators[0])}")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        sign = " or " if isinstance(node.op, ast.And) else " and "
        self._put(node, sign.join(map(_text, node.values)))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._put(node, ast.unparse(node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._put(node, str(not node.value))
        elif isinstance(node.value, int):
            self._put(node, str(node.value + 1))
        elif isinstance(node.value, float):
            self._put(node, str(node.value + 1.0))

    def visit_If(self, node: ast.If) -> None:
        self._put(node.test, f"not {_text(node.test)}")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._put(node, f"{_text(node.orelse)} if {_text(node.test)} else {_text(node.body)}")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.found.append((node, "return None"))
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Yield | ast.YieldFrom):
            self.found.append((node, "pass"))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.found.append((node, "pass"))
        self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.found.append((node, "pass"))

    def visit_Break(self, node: ast.Break) -> None:
        self.found.append((node, "pass"))

    def _put(self, node: ast.AST, text: str) -> None:
        self.found.append((node, f"({text})"))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _text(node: ast.AST) -> str:
    return f"({ast.unparse(node)})"
