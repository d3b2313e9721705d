"""An unknown figure; every result computed from it is unknown too.

An unknown layer never counts as zero: its figures are `Unknown` with a reason, and so is every
sum and product that contains one of them.
"""

from __future__ import annotations

from typing import Any


class Unknown:
    """An unknown number; `reason` says which layer makes it unknown and why."""

    __slots__ = ("reason",)
    __array_ufunc__ = None  # numpy then calls our operators in mixed operations

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def _absorb(self, *_: Any) -> Unknown:
        return self if type(self) is Unknown else Unknown(self.reason)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _absorb
    __truediv__ = __rtruediv__ = __neg__ = __abs__ = _absorb

    def __bool__(self) -> bool:
        raise TypeError(f"an unknown figure has no truth value: {self.reason}")

    def __repr__(self) -> str:
        return f"Unknown({self.reason!r})"

    def __str__(self) -> str:
        return "unknown"


class AtLeast(Unknown):
    """A sum of which some parts are unknown: `known` is the sum of the others, `layers` has the unknown ones.

    It is unknown to all arithmetic; a difference of two such sums has no known part.
    """

    __slots__ = ("known", "layers")

    def __init__(self, reason: str, known: Any, layers: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.known = known
        self.layers = layers
