"""Which test files need no Keras: read from what they import, directly or through other test files.

archcalc itself imports Keras only in `archcalc.keras` and `archcalc.verification` (an import contract).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import archcalc

ROOT = Path(__file__).parents[1]
KERAS = {"keras", "tensorflow", "tf_keras", "h5py", "experiments"}
ROOMS = ("archcalc.keras", "archcalc.verification")
PUBLIC = {f"archcalc.{name}" for name, home in archcalc._HOMES.items() if home.startswith(ROOMS)}
FOLLOWED = ("tests", "scripts", "benchmarks")


@cache
def needs(path: Path) -> str | None:
    """The first package that a file needs and the light core lacks: Keras, or one that is not installed."""
    for name in _imported(ast.parse(path.read_text(encoding="utf-8"))):
        package = name.partition(".")[0]
        if package in KERAS or name.startswith(ROOMS) or name in PUBLIC:
            return "keras"
        if package in FOLLOWED:
            file = next((f for f in _files(name) if f.exists() and f != path), None)
            found = needs(file) if file else None
        else:
            found = None if find_spec(package) else package
        if found:
            return found
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """The names of modules and of what is taken from them; imports inside functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Attribute(attr="importorskip"), args=[ast.Constant(str(name))]):
                yield name
            case ast.Attribute(value=ast.Name("archcalc"), attr=name):
                yield f"archcalc.{name}"


def _files(module: str) -> list[Path]:
    path = ROOT.joinpath(*module.split("."))
    return [path.with_suffix(".py"), path / "__init__.py"]
