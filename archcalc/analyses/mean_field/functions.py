"""Functions of each unit in numpy: value, slope and the points where they are not smooth.

They are needed for expectations without a closed form. Tests compare them with Keras's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

from archcalc.arith import functions
from archcalc.arith.functions import Array as Array
from archcalc.layers.activations import activation_name
from archcalc.layers.functions import described


class Function(NamedTuple):
    """A function of each unit; `kinks` are the points where it or its slope is not smooth.

    `kind` is "linear" (a line through 0), "broken" (piecewise linear with one kink at 0 and the slopes
    `slopes` left and right of it), or "" for functions that are integrated numerically.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    kinks: tuple[float, ...] = ()
    kind: str = ""
    slopes: tuple[float, float] = (1.0, 1.0)

    def value_and_slope(self, x: Array) -> tuple[Array, Array]:
        """Both, with what they have in common worked out once."""
        once = _Once()
        of_value, of_slope = self.value, self.slope
        if isinstance(of_value, partial) and isinstance(of_slope, partial):
            return of_value.func(once, x), of_slope.func(once, x)
        return of_value(x), of_slope(x)


class _Once:
    """`functions` within one call: those that take most of the time are called once for the same array."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[Array, Array]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(functions, name)

    def sigmoid(self, x: Array) -> Array:
        return self._once("sigmoid", x)

    def cumulative(self, x: Array) -> Array:
        return self._once("cumulative", x)

    def _once(self, name: str, x: Array) -> Array:
        key = name, id(x)
        if key not in self._known:  # with the array, so that no other gets its id
            self._known[key] = x, getattr(functions, name)(x)
        return self._known[key][1]


def function(name: Any, parameters: Mapping[str, Any] | None = None) -> Function | None:
    """The function by its Keras name and arguments; None if there is no rule for it."""
    try:
        return _bound(activation_name(name), tuple((parameters or {}).items()))
    except TypeError:  # an argument that is no number
        return None


@lru_cache(maxsize=256)
def _bound(name: str, arguments: tuple[tuple[str, Any], ...]) -> Function | None:
    known = described(name, dict(arguments))
    if known.value is None or known.slope is None:
        return None
    left, right = known.pieces or (1.0, 1.0)
    kind = "" if known.pieces is None else "linear" if left == right else "broken"
    return Function(
        partial(known.value, functions), partial(known.slope, functions), known.kinks, kind, (left, right)
    )
