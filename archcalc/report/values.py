"""Figures as plain data, for JSON, and as text."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import isfinite
from typing import Any

from archcalc.arith.unknown import Unknown

SCHEMA_VERSION = 1
PLAIN = frozenset({int, bool, str, type(None)})  # types of which every value is one of JSON


class Frozen:
    """An object that does not change: attributes are set once, by `vars(self).update`."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name}: a report cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a report cannot be changed")


def to_json_value(value: Any) -> Any:
    """A figure as a JSON value: expressions and fractions are strings, unknown and infinite ones null."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if isfinite(value) else None
    if isinstance(value, tuple | list):
        if PLAIN.issuperset(map(type, value)):
            return [*value]
        return [to_json_value(v) for v in value]
    if isinstance(value, int | str):
        return value
    if isinstance(value, Unknown):
        return None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): to_json_value(v) for k, v in value.items()}
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    if hasattr(value, "tolist"):  # an array or a number of numpy
        return to_json_value(value.tolist())
    return str(value)


def stamp() -> dict[str, Any]:
    """How the JSON of every command begins."""
    from archcalc import __version__

    return {"schema_version": SCHEMA_VERSION, "tool": {"name": "archcalc", "version": __version__}}


def thousands(figure: Any) -> str:
    """A figure as text, an integer with thousands separators."""
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


def reasons(owner: Any, names: tuple[str, ...]) -> dict[str, str]:
    """The figures of an object that are unknown, each with the reason."""
    values = [getattr(owner, name) for name in names]
    if PLAIN.issuperset(map(type, values)):
        return {}
    return {n: value.reason for n, value in zip(names, values, strict=True) if isinstance(value, Unknown)}
