"""Conversion of arguments to plain Python integers."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any


def integer(value: Any) -> int:
    """A plain int from an int or a numpy integer, so that no later calculation can overflow.

    Raises `TypeError` for everything else, booleans and floats included.
    """
    if type(value) is int:
        return value
    # numpy 1 takes its own truth values for indices
    if isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
        raise TypeError(f"expected an integer, got {value!r}")
    return operator.index(value)


def integers(values: Iterable[Any]) -> tuple[int, ...]:
    """Plain ints from sizes that must be numbers here; raises `TypeError` as `integer` does."""
    return tuple(map(integer, values))
