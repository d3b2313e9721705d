"""Figures as plain data, for JSON, and as text."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Any

from archcalc.unknown import Unknown


class Frozen:
    """What was found does not change: attributes are set once, by `vars(self).update`."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name}: a report says what was found, and does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: a report says what was found, and does not change")


def plain(figure: Any) -> Any:
    """A figure as JSON has it: expressions and fractions as strings, the unknown as null."""
    if figure is None or isinstance(figure, int | str):
        return figure
    if isinstance(figure, tuple | list):
        return [plain(f) for f in figure]
    if isinstance(figure, Unknown):
        return None
    if isinstance(figure, float):
        return figure if isfinite(figure) else None
    if isinstance(figure, Fraction) and figure.denominator == 1:
        return figure.numerator
    return str(figure)


def thousands(figure: Any) -> str:
    """A figure as text, an integer's thousands set apart."""
    return f"{figure:,}" if isinstance(figure, int) else str(figure)


def reasons(owner: Any, names: tuple[str, ...]) -> dict[str, str]:
    """Those of an object's figures that are unknown, each with the reason."""
    values = ((name, getattr(owner, name)) for name in names)
    return {name: value.reason for name, value in values if isinstance(value, Unknown)}
