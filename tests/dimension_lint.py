"""A lint for `archcalc/layers`: rules use `+ - * // **` and `archcalc.arith` on dimensions, nothing else.

What is a dimension is decided statically: parameters and results annotated `Size` or `Shape`,
layer fields whose kind holds sizes, and whatever is computed, unpacked or iterated from them.
Lengths (`len(shape)`), identities (`is None`) and types (`isinstance`) are no dimensions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

FORBIDDEN_MODULES = {"math", "numpy", "sympy", "fractions", "operator"}
FORBIDDEN_CALLS = {"max", "min", "round", "divmod"}
CONVERSIONS = {"int", "float", "bool", "range", "abs"}
PASSING_ON = {"tuple", "list", "reversed", "sorted", "zip", "enumerate", "iter", "next", "sum", "set"}


def annotated_as_dimension(annotation: ast.expr | None) -> bool:
    """Whether an annotation speaks of `Size` or `Shape`."""
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id in {"Size", "Shape"} for node in ast.walk(annotation)
    )


def dimension_functions(trees: Iterable[ast.Module]) -> set[str]:
    """Names of functions and methods that return dimensions."""
    return {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and annotated_as_dimension(node.returns)
    }


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
        self.names: dict[str, bool] = {}
        self.faults: list[tuple[int, str]] = []

    def fault(self, node: ast.expr | ast.stmt, text: str) -> None:
        self.faults.append((node.lineno, text))

    # -- what is a dimension -----------------------------------------------------------------
    def is_dimension(self, node: ast.expr) -> bool:
        match node:
            case ast.Name():
                return self.names.get(node.id, False)
            case ast.Attribute(value=ast.Name("self"), attr=name):
                return name in self.fields
            case ast.Subscript():
                return self.is_dimension(node.value)
            case ast.BinOp():
                return self.is_dimension(node.left) or self.is_dimension(node.right)
            case ast.UnaryOp(op=ast.USub()):
                return self.is_dimension(node.operand)
            case ast.IfExp():
                return self.is_dimension(node.body) or self.is_dimension(node.orelse)
            case ast.Tuple() | ast.List() | ast.Set():
                return any(map(self.is_dimension, node.elts))
            case ast.Starred() | ast.NamedExpr():
                return self.is_dimension(node.value)
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                self.bind_generators(node.generators)
                return self.is_dimension(node.elt)
            case ast.Call(func=ast.Name(name)) if name in PASSING_ON:
                return any(map(self.is_dimension, node.args))
            case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)):
                return name in self.functions
        return False

    def bind(self, target: ast.expr, value: ast.expr | None, dimension: bool) -> None:
        """Give the names of `target` what `value` is; `zip` and `enumerate` by position."""
        if isinstance(target, ast.Starred):
            target = target.value
        if isinstance(target, ast.Name):
            self.names[target.id] = dimension
        elif isinstance(target, ast.Tuple | ast.List):
            parts: list[tuple[ast.expr | None, bool]] = [(None, dimension)] * len(target.elts)
            match value:
                case ast.Call(func=ast.Name("zip")) if len(value.args) == len(parts):
                    parts = [(a, self.is_dimension(a)) for a in value.args]
                case ast.Call(func=ast.Name("enumerate"), args=[inner, *_]) if len(parts) == 2:
                    parts = [(None, False), (inner, self.is_dimension(inner))]
                case ast.Tuple(elts) | ast.List(elts) if len(elts) == len(parts):
                    parts = [(e, self.is_dimension(e)) for e in elts]
            for name, (part, is_dimension) in zip(target.elts, parts, strict=True):
                self.bind(name, part, is_dimension)

    def bind_generators(self, generators: list[ast.comprehension]) -> None:
        for generator in generators:
            self.bind(generator.target, generator.iter, self.is_dimension(generator.iter))

    # -- names ---------------------------------------------------------------------------------
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self.names = self.names, dict(self.names)
        for argument in _arguments(node.args):
            self.names[argument.arg] = annotated_as_dimension(argument.annotation)
        self.generic_visit(node)
        self.names = outer

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.bind(target, node.value, self.is_dimension(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self.bind(node.target, node.value, annotated_as_dimension(node.annotation))

    def visit_For(self, node: ast.For) -> None:
        self.bind(node.target, node.iter, self.is_dimension(node.iter))
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.truth(test)
        self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.bind_generators(node.generators)
        self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp  # type: ignore[assignment]  # noqa: N815

    # -- offences ------------------------------------------------------------------------------
    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imported(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imported(node, node.module or "")

    def imported(self, node: ast.stmt, name: str) -> None:
        if name.partition(".")[0] in FORBIDDEN_MODULES:
            self.fault(node, f"imports {name}")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        # a quotient of literals is a real constant (a slope, a variance), no dimension
        if isinstance(node.op, ast.Div) and not _literal(node):
            self.fault(node, "divides with /")
        if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.LShift | ast.RShift) and self.is_dimension(node):
            self.fault(node, "works on a dimension's bits")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            self.fault(node, "divides with /")
        if isinstance(node.target, ast.Name) and self.is_dimension(node.value):
            self.names[node.target.id] = True

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name in FORBIDDEN_CALLS and not all(map(_counts_axes, node.args)):
                self.fault(node, f"calls {name}()")
            if name in CONVERSIONS and any(map(self.is_dimension, node.args)):
                self.fault(node, f"calls {name}() on a dimension")

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators, strict=False):
            if isinstance(op, ast.Is | ast.IsNot):
                continue
            if self.is_dimension(left) or self.is_dimension(right):
                self.fault(node, "compares a dimension")

    def truth(self, test: ast.expr) -> None:
        if self.is_dimension(test):
            self.fault(test, "branches on a dimension")

    def visit_If(self, node: ast.If | ast.While | ast.IfExp | ast.Assert) -> None:
        self.truth(node.test)
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_Assert = visit_If  # noqa: N815

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for value in node.values[:-1]:
            self.truth(value)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.truth(node.operand)
        self.generic_visit(node)


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    yield from filter(None, [arguments.vararg, arguments.kwarg])


def _counts_axes(node: ast.expr) -> bool:
    """Whether an expression is plainly a number of axes: a literal, `rank` or `len(...)`."""
    match node:
        case ast.Constant() | ast.Name("rank") | ast.Attribute(attr="rank") | ast.Call(func=ast.Name("len")):
            return True
    return False


def _literal(node: ast.expr) -> bool:
    return all(
        isinstance(n, ast.BinOp | ast.UnaryOp | ast.Constant | ast.operator | ast.unaryop)
        for n in ast.walk(node)
    )
