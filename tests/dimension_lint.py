"""A lint for `archcalc/layers`: what mypy accepts of a dimension and the rules may not do.

`Size` has neither order, quotient nor truth value, so mypy sees `a < b`, `a / b`, `max(a, b)` and `if a`.
Every object has `==`, `in` and `bool()`; those are found here. What is a dimension is decided
statically: parameters and results annotated `Size` or `Shape`, layer fields whose kind holds sizes, and
whatever is computed, unpacked or iterated from them. Lengths (`len(shape)`), identities (`is None`) and
types (`isinstance`) are no dimensions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

TRUTH = {"bool", "any", "all"}
SAME_SIZES = {"tuple", "list", "reversed", "sorted", "zip", "enumerate", "iter", "set", "next", "sum"}


def holds_sizes(annotation: ast.expr | None) -> bool:
    """Whether an annotation states sizes, or rows of them: `Size`, `Shape`, `tuple[Shape, ...]`."""
    match annotation:
        case ast.Name(name):
            return name in ("Size", "Shape")
        case ast.Subscript():
            return holds_sizes(annotation.slice)
        case ast.Tuple(elts):
            return any(map(holds_sizes, elts))
        case ast.BinOp():
            return holds_sizes(annotation.left) or holds_sizes(annotation.right)
    return False


def dimension_functions(trees: Iterable[ast.Module]) -> set[str]:
    """Functions and methods that return dimensions, alone or in rows.

    A name that returns dimensions in one place and something else in another is left out.
    """
    found: dict[str, list[bool]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(holds_sizes(node.returns))
    return {name for name, returns in found.items() if all(returns)}


def faults(tree: ast.Module, fields: set[str], functions: set[str]) -> list[tuple[int, str]]:
    """Every (line, offence) of a module, given the names of size fields and of dimension functions."""
    found = _Module(fields, functions)
    found.visit(tree)
    return sorted(set(found.faults))


class _Module(ast.NodeVisitor):
    """Offences anywhere in a module; function bodies are read in order, so that names carry over."""

    def __init__(self, fields: set[str], functions: set[str]) -> None:
        self.fields = fields
        self.functions = functions
        self.names: set[str] = set()  # local names of dimensions
        self.faults: list[tuple[int, str]] = []

    # -- what is a dimension -----------------------------------------------------------------
    def is_dimension(self, node: ast.expr) -> bool:
        """Whether a value is a size, or a row that holds sizes."""
        match node:
            case ast.Name():
                return node.id in self.names
            case ast.Attribute(value=ast.Name("self"), attr=name):
                return name in self.fields
            case ast.Subscript() | ast.Starred() | ast.NamedExpr():
                return self.is_dimension(node.value)
            case ast.BinOp():
                return self.is_dimension(node.left) or self.is_dimension(node.right)
            case ast.UnaryOp(op=ast.USub()):
                return self.is_dimension(node.operand)
            case ast.IfExp():
                return self.is_dimension(node.body) or self.is_dimension(node.orelse)
            case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts):
                return any(map(self.is_dimension, elts))
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                self.bind_generators(node.generators)
                return self.is_dimension(node.elt)
            case ast.Call(func=ast.Name(name)) if name in SAME_SIZES:
                return any(map(self.is_dimension, node.args))
            case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)):
                return name in self.functions
        return False

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        """Note which names of `target` are dimensions, part by part where both are tuples."""
        match target, value:
            case ast.Name(name), _:
                (self.names.add if self.is_dimension(value) else self.names.discard)(name)
            case ast.Tuple(parts) | ast.List(parts), ast.Tuple(values) | ast.List(values) if len(
                parts
            ) == len(values):
                for part, one in zip(parts, values, strict=True):
                    self.bind(part, one)
            case ast.Tuple(parts) | ast.List(parts), _:
                for part in parts:
                    self.bind(part.value if isinstance(part, ast.Starred) else part, value)

    def bind_elements(self, target: ast.expr, rows: ast.expr) -> None:
        """Give the names of a loop's target what its rows hold; `zip` and `enumerate` by position."""
        match target, rows:
            case (ast.Tuple(names), ast.Call(func=ast.Name("zip"), args=args)) if len(names) == len(args):
                for name, argument in zip(names, args, strict=True):
                    self.bind(name, argument)
            case ast.Tuple([number, element]), ast.Call(func=ast.Name("enumerate"), args=[inner, *_]):
                self.bind(number, ast.Constant(0))
                self.bind_elements(element, inner)
            case _:
                self.bind(target, rows)

    def bind_generators(self, generators: list[ast.comprehension]) -> None:
        for generator in generators:
            self.bind_elements(generator.target, generator.iter)

    # -- names ---------------------------------------------------------------------------------
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self.names
        arguments = list(_arguments(node.args))
        self.names = outer - {a.arg for a in arguments}
        self.names |= {a.arg for a in arguments if holds_sizes(a.annotation)}
        self.generic_visit(node)
        self.names = outer

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            (self.names.add if holds_sizes(node.annotation) else self.names.discard)(node.target.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and self.is_dimension(node.value):
            self.names.add(node.target.id)

    def visit_For(self, node: ast.For) -> None:
        self.bind_elements(node.target, node.iter)
        self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.bind_generators(node.generators)
        self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp  # type: ignore[assignment]  # noqa: N815

    # -- offences ------------------------------------------------------------------------------
    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if (
            isinstance(node.func, ast.Name)
            and node.func.id in TRUTH
            and any(map(self.is_dimension, node.args))
        ):
            self.faults.append((node.lineno, f"calls {node.func.id}() on a dimension"))

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators, strict=False):
            equality = isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn)
            if equality and (self.is_dimension(left) or self.is_dimension(right)):
                self.faults.append((node.lineno, "compares a dimension"))


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    yield from filter(None, [arguments.vararg, arguments.kwarg])
