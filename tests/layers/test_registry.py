"""Every module that declares layer types or operations is listed, so that it is imported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from archcalc.layers.registry import LAYER_MODULES, OPERATION_MODULES

LAYERS = Path(__file__).parents[2] / "archcalc" / "layers"


def declares(path: Path, decorator: str) -> bool:
    """Whether a module decorates a class with `@decorator` or `@decorator(...)`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    marked = [d for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for d in node.decorator_list]
    names = [d.func if isinstance(d, ast.Call) else d for d in marked]
    return any(isinstance(name, ast.Name) and name.id == decorator for name in names)


@pytest.mark.parametrize(
    ("folder", "decorator", "listed"),
    [(LAYERS, "layer", LAYER_MODULES), (LAYERS / "operations", "operation", OPERATION_MODULES)],
    ids=["layers", "operations"],
)
def test_every_declaring_module_is_listed(folder: Path, decorator: str, listed: tuple[str, ...]) -> None:
    declaring = {path.stem for path in folder.glob("*.py") if declares(path, decorator)}
    assert declaring == set(listed)
    assert len(listed) == len(declaring)
