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
SAME_DEPTH = {"tuple", "list", "reversed", "sorted", "zip", "enumerate", "iter", "set"}
ONE_OF = {"next", "sum"}
CONTAINERS = {"tuple", "list", "set", "dict", "Mapping", "Sequence", "Iterable", "Iterator"}
COUNTS = {"int", "tuple[int, ...]", "list[int]", "str", "bool"}  # annotations of what is no dimension
ALWAYS_PLAIN = {"len", "isinstance", "type", "range"}

# How deep sizes lie inside a value: 0 a size, 1 a shape, 2 a row of shapes; None: no sizes inside.
# The truth of a size is an offence, that of a row of them only asks whether it is empty.
Depth = int | None


def annotated_depth(annotation: ast.expr | None) -> Depth:
    """The depth that an annotation states: `Size` 0, `Shape` 1, and 1 more for each `tuple[...]` around."""
    match annotation:
        case ast.Name("Size"):
            return 0
        case ast.Name("Shape"):
            return 1
        case ast.Subscript(value=ast.Name(container)) if container in CONTAINERS:
            inner = annotated_depth(annotation.slice)
            return None if inner is None else inner + 1
        case ast.Subscript():
            return annotated_depth(annotation.slice)
        case ast.Tuple(elts):
            return deepest(map(annotated_depth, elts))
        case ast.BinOp():
            return deepest([annotated_depth(annotation.left), annotated_depth(annotation.right)])
    return None


def deepest(depths: Iterable[Depth]) -> Depth:
    return max((d for d in depths if d is not None), default=None)


def inside(depth: Depth) -> Depth:
    """The depth of what iteration or an index gives; of unknown rows at least a size."""
    return None if depth is None else max(depth - 1, 0)


def dimension_functions(trees: Iterable[ast.Module]) -> dict[str, int]:
    """Functions and methods that return dimensions, and how deep inside.

    A name that returns dimensions in one place and something else in another is left out.
    """
    found: dict[str, list[Depth]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(annotated_depth(node.returns))
    return {
        name: min(d for d in depths if d is not None) for name, depths in found.items() if None not in depths
    }


def faults(tree: ast.Module, fields: set[str], functions: dict[str, int]) -> list[tuple[int, str]]:
    """Every (line, offence) of a module, given the names of size fields and of dimension functions."""
    found = _Module(fields, functions)
    found.visit(tree)
    return sorted(set(found.faults))


class _Module(ast.NodeVisitor):
    """Offences anywhere in a module; function bodies are read in order, so that names carry over."""

    def __init__(self, fields: set[str], functions: dict[str, int]) -> None:
        self.fields = fields
        self.functions = functions
        self.names: dict[str, Depth] = {}
        self.plain: set[str] = {"rank"}  # names that are certainly no dimensions: ranks, axes, indices
        self.faults: list[tuple[int, str]] = []

    def fault(self, node: ast.expr | ast.stmt, text: str) -> None:
        self.faults.append((node.lineno, text))

    # -- what is a dimension -----------------------------------------------------------------
    def is_dimension(self, node: ast.expr) -> bool:
        return self.depth(node) is not None

    def depth(self, node: ast.expr) -> Depth:
        match node:
            case ast.Name():
                return self.names.get(node.id)
            case ast.Attribute(value=ast.Name("self"), attr=name):
                return 0 if name in self.fields else None
            case ast.Subscript(slice=ast.Slice()) | ast.Starred() | ast.NamedExpr():
                return self.depth(node.value)
            case ast.Subscript():
                return inside(self.depth(node.value))
            case ast.BinOp():
                return deepest([self.depth(node.left), self.depth(node.right)])
            case ast.UnaryOp(op=ast.USub()):
                return self.depth(node.operand)
            case ast.IfExp():
                return deepest([self.depth(node.body), self.depth(node.orelse)])
            case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts):
                starred = [self.depth(e.value) for e in elts if isinstance(e, ast.Starred)]
                plain = [self.depth(e) for e in elts if not isinstance(e, ast.Starred)]
                return deepest([*starred, *(None if d is None else d + 1 for d in plain)])
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                self.bind_generators(node.generators)
                each = self.depth(node.elt)
                return None if each is None else each + 1
            case ast.Call(func=ast.Name(name)) if name in SAME_DEPTH:
                return deepest(map(self.depth, node.args))
            case ast.Call(func=ast.Name(name)) if name in ONE_OF:
                return inside(deepest(map(self.depth, node.args)))
            case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)):
                return self.functions.get(name)
        return None

    def is_plain(self, node: ast.expr) -> bool:
        """Whether an expression is certainly no dimension, whatever its value."""
        match node:
            case ast.Constant():
                return True
            case ast.Name():
                return node.id in self.plain
            case ast.Attribute(value=ast.Name("self"), attr=name):
                return name not in self.fields and name not in self.functions
            case ast.Call(func=ast.Name(name)):
                return name in ALWAYS_PLAIN
            case ast.BinOp():
                return self.is_plain(node.left) and self.is_plain(node.right)
            case ast.UnaryOp():
                return self.is_plain(node.operand)
            case ast.IfExp():
                return self.is_plain(node.body) and self.is_plain(node.orelse)
            case ast.Tuple(elts) | ast.List(elts):
                return all(map(self.is_plain, elts))
            case ast.GeneratorExp() | ast.ListComp():
                self.bind_generators(node.generators)
                return self.is_plain(node.elt)
        return False

    def bind(self, target: ast.expr, value: ast.expr | None, depth: Depth) -> None:
        """Give the names of `target` the depth of `value`, part by part where it is a tuple."""
        if isinstance(target, ast.Name):
            self.names[target.id] = depth
            self.plain.discard(target.id)
            if value is not None and self.is_plain(value):
                self.plain.add(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            parts: list[tuple[ast.expr | None, Depth]]
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                parts = [(e, self.depth(e)) for e in value.elts]
            else:
                parts = [(value, inside(depth))] * len(target.elts)
            for name, (part, found) in zip(target.elts, parts, strict=True):
                if isinstance(name, ast.Starred):
                    self.bind(name.value, None, depth)
                else:
                    self.bind(name, part, found)

    def bind_elements(self, target: ast.expr, rows: ast.expr) -> None:
        """Give the names of a loop's target what its rows hold; `zip` and `enumerate` by position."""
        match target, rows:
            case (ast.Tuple(names), ast.Call(func=ast.Name("zip"), args=args)) if len(names) == len(args):
                for name, argument in zip(names, args, strict=True):
                    self.bind(name, argument, inside(self.depth(argument)))
            case ast.Tuple([number, element]), ast.Call(func=ast.Name("enumerate"), args=[inner, *_]):
                self.bind(number, ast.Constant(0), None)
                self.bind_elements(element, inner)
            case _:
                self.bind(target, rows, inside(self.depth(rows)))

    def bind_generators(self, generators: list[ast.comprehension]) -> None:
        for generator in generators:
            self.bind_elements(generator.target, generator.iter)

    # -- names ---------------------------------------------------------------------------------
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self.names, self.plain
        self.names, self.plain = dict(self.names), set(self.plain)
        for argument in _arguments(node.args):
            depth = annotated_depth(argument.annotation)
            row = argument is node.args.vararg and depth is not None
            self.names[argument.arg] = depth + 1 if row and depth is not None else depth
            if argument.annotation is not None and ast.unparse(argument.annotation) in COUNTS:
                self.plain.add(argument.arg)
        self.generic_visit(node)
        self.names, self.plain = outer

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.bind(target, node.value, self.depth(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self.bind(node.target, node.value, annotated_depth(node.annotation))

    def visit_For(self, node: ast.For) -> None:
        self.bind_elements(node.target, node.iter)
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
            self.names[node.target.id] = self.depth(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name in FORBIDDEN_CALLS and not all(map(self.is_plain, node.args)):
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
        if self.depth(test) == 0:
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


def _literal(node: ast.expr) -> bool:
    return all(
        isinstance(n, ast.BinOp | ast.UnaryOp | ast.Constant | ast.operator | ast.unaryop)
        for n in ast.walk(node)
    )
