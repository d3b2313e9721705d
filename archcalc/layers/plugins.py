"""Layer types of other packages: entry points of the group `archcalc.layers`, each named as its type.

One is imported when a source names it, and none before; a broken one affects nothing but its own name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from archcalc.errors import LayerError

GROUP = "archcalc.layers"


def names() -> list[str]:
    """The layer types that installed packages offer; nothing is imported."""
    return sorted(_points(tuple(sys.path)))


def load(name: str) -> Any:
    """What the entry point of this name stands for; None without such an entry point.

    Raises `LayerError` if the import fails, or if several packages offer the name.
    """
    points = _points(tuple(sys.path)).get(name, ())
    if len(points) > 1:
        raise LayerError(f"several packages have a layer type {name!r}: {', '.join(map(_package, points))}")
    loaded, fault = _loaded(points[0]) if points else (None, "")
    if fault:
        raise LayerError(f"{origin(name)} cannot be imported: {fault}")
    return loaded


def origin(name: str) -> str:
    """Where a type of another package comes from, in words."""
    point = _points(tuple(sys.path))[name][0]
    return f"the layer type {name!r} of {_package(point)} ({point.value})"


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name} {point.dist.version}" if point.dist else "a package"


@cache
def _loaded(point: EntryPoint) -> tuple[Any, str]:
    """What an entry point stands for, or why its import fails; tried once."""
    try:
        return point.load(), ""
    except Exception as fault:  # whatever the code of another package raises
        return None, f"{' '.join(f'{type(fault).__name__}: {fault}'.split()):.300}"


@cache
def _points(_: tuple[str, ...]) -> Mapping[str, list[EntryPoint]]:
    """Entry points by name; the argument is `sys.path`, on which they depend."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
