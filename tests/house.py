"""What the source says of its own structure, read from its syntax trees: names, imports, cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Edges = Mapping[str, set[str]]


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(tree: ast.AST, known: Iterable[str]) -> Iterator[str]:
    """The modules among `known` that a tree imports anywhere, functions included, type checking left out."""
    known = set(known)
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known:
                    yield whole
                elif node.module in known:
                    yield node.module
        yield from imports(node, known)


def import_graph(package: Path) -> dict[str, set[str]]:
    """Which module imports which."""
    paths = modules(package)
    return {
        name: {m for m in imports(ast.parse(path.read_text(encoding="utf-8")), paths) if m != name}
        for name, path in paths.items()
    }


def without(edges: Edges, allowed: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The same graph less some imports."""
    left_out = set(allowed)
    return {a: {b for b in targets if (a, b) not in left_out} for a, targets in edges.items()}


def rooms(edges: Edges, depth: int) -> dict[str, set[str]]:
    """Which folder (at most `depth` names below the package) imports which."""

    def room(module: str) -> str:
        return ".".join(module.split(".")[: depth + 1])

    graph: dict[str, set[str]] = {}
    for module, targets in edges.items():
        graph.setdefault(room(module), set()).update(room(t) for t in targets if room(t) != room(module))
    return graph


def cycles(edges: Edges) -> list[set[str]]:
    """Sets of modules that import each other in a circle."""
    import networkx

    graph = networkx.DiGraph([(a, b) for a, targets in edges.items() for b in targets])
    return [set(part) for part in networkx.strongly_connected_components(graph) if len(part) > 1]


def functions(tree: ast.AST) -> Iterator[tuple[int, str, int]]:
    """Every function with its first line and its number of lines, decorators left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every class, function and field that a module defines, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.lineno, item.target.id
                elif isinstance(item, ast.Assign):
                    yield from ((item.lineno, t.id) for t in item.targets if isinstance(t, ast.Name))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
