"""Which functions of the code under test a check runs: it can find mistakes only in those.

Functions that run while archcalc is loaded, bodies of classes, and functions that cache their
results count as run by every check.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

from tests.mutations.mutants import ROOT, Mutant

Position: TypeAlias = tuple[str, int]  # file, and the line where the function begins
FOLDERS = tuple(str(ROOT / "archcalc" / folder) for folder in ("layers", "analyses"))


@contextmanager
def following() -> Iterator[set[Position]]:
    """A context with a set that receives the functions of `layers/` and `analyses/` called inside."""
    codes: set[Any] = set()
    functions: set[Position] = set()

    def called(frame: Any, *_: Any) -> None:
        codes.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield functions
    finally:
        sys.settrace(before)
        functions |= {
            (code.co_filename.removeprefix(f"{ROOT}/"), code.co_firstlineno)
            for code in codes
            if code.co_filename.startswith(FOLDERS)
        }


def functions_run(check: Callable[[], Any]) -> set[Position]:
    """The functions of `layers/` and `analyses/` that `check` calls."""
    with following() as found:
        check()
    return found


def function_of(mutant: Mutant) -> Position | None:
    """The innermost function with the mistake; None if every check may find it.

    None for functions with a cache and for code outside functions or outside `FOLDERS`.
    """
    if not str(ROOT / mutant.file).startswith(FOLDERS):
        return None
    text = (ROOT / mutant.file).read_bytes()
    start = text.index(mutant.old.encode()) if mutant.start is None else mutant.start
    line = text[:start].count(b"\n") + 1
    stop = line + mutant.old.count("\n")
    holding = [f for f in _functions(mutant.file) if f[0] <= line and stop <= f[1]]
    first, _, remembers = max(holding, default=(0, 0, True))
    return None if remembers else (mutant.file, first)


@cache
def _functions(file: str) -> list[tuple[int, int, bool]]:
    """(first line, last line, whether decorated) of every function that `def` defines."""
    return list(_within(ast.parse((ROOT / file).read_text())))


def _within(tree: ast.AST) -> Iterator[tuple[int, int, bool]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            names = {ast.unparse(d) for d in node.decorator_list}
            yield first, node.end_lineno or first, bool(names - {"property", "classmethod", "staticmethod"})
