"""Integers that remember the arithmetic they come from, so that a rule shows its own steps.

A layer's rules run on them as on plain integers. `Traced(3, "filters")` is a named size; sums, products
and quotients of such sizes know their operands, and can be written with names or with numbers. A size
with an open symbol has its value at one point, and is shown as the expression that it is.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from archcalc.arith import Shape, substitute
from archcalc.arith.symbolic import Expr
from archcalc.layers.base import Layer

_LEVEL = {"+": 1, "-": 1, "*": 2, "//": 2, "%": 2}
_SIGN = {"*": "×"}
_APPLY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


class Traced(int):
    """An integer with its name, or with the operation and the two operands that gave it."""

    name: str
    sign: str
    operands: tuple[int, ...]
    shown: str  # the value as text

    def __new__(
        cls, value: int, name: str = "", sign: str = "", operands: tuple[int, ...] = (), shown: str = ""
    ) -> Traced:
        made = super().__new__(cls, value)
        made.name, made.sign, made.operands, made.shown = name, sign, operands, shown or str(int(value))
        return made

    def __divmod__(self, other: int) -> Any:
        """An exact division, as rules make it; one by 1 leaves no trace."""
        whole, rest = divmod(int(self), int(other))
        return (self if other == 1 else Traced(whole, "", "//", (self, other))), rest

    def __rdivmod__(self, other: int) -> Any:
        return divmod(Traced(other, str(other)), self)

    __hash__ = int.__hash__
    __eq__ = int.__eq__

    def __reduce__(self) -> Any:
        return int, (int(self),)


def _binary(sign: str, neutral: int | None, *, reflected: bool) -> Callable[[Traced, Any], Any]:
    """An operation that keeps its operands; those with a plain neutral element leave no trace."""
    apply = _APPLY[sign]

    def operation(traced: Traced, other: Any) -> Any:
        left, right = (other, traced) if reflected else (traced, other)
        if not isinstance(other, int):  # a symbol, a fraction, an array
            return apply(other, int(traced)) if reflected else apply(int(traced), other)
        if type(other) is int and other == neutral and (not reflected or sign in "+*"):
            return traced
        return Traced(apply(int(left), int(right)), "", sign, (left, right))

    return operation


for _sign, _method, _neutral in (
    ("+", "add", 0),
    ("-", "sub", 0),
    ("*", "mul", 1),
    ("//", "floordiv", None),
    ("%", "mod", None),
):
    setattr(Traced, f"__{_method}__", _binary(_sign, _neutral, reflected=False))
    setattr(Traced, f"__r{_method}__", _binary(_sign, _neutral, reflected=True))


# -- as text -----------------------------------------------------------------------------------------
def written(value: Any, *, names: bool) -> str:
    """The arithmetic of a value, with names of sizes or with their numbers."""
    return _written(value, names)[0]


def _written(value: Any, names: bool) -> tuple[str, int]:
    """The text, and how tightly its outermost operation binds."""
    if not isinstance(value, Traced) or not value.sign:
        if isinstance(value, Traced):
            return (value.name if names else value.shown), 3
        return str(value), 3
    level = _LEVEL[value.sign]
    left, right = value.operands
    head, of_head = _written(left, names)
    tail, of_tail = _written(right, names)
    if of_head < level or (of_head == level and value.sign == "*" and _divides(left)):
        head = f"({head})"
    if of_tail < level or (of_tail == level and value.sign != "+" and not _product(value, right)):
        tail = f"({tail})"
    return f"{head} {_SIGN.get(value.sign, value.sign)} {tail}", level


def _divides(value: Any) -> bool:
    return isinstance(value, Traced) and value.sign in ("//", "%")


def _product(value: Traced, right: Any) -> bool:
    return value.sign == "*" and isinstance(right, Traced) and right.sign == "*"


def names_in(value: Any) -> Iterator[str]:
    """The names of the sizes that a value was computed from."""
    if isinstance(value, Traced):
        if not value.sign:
            yield value.name
        for operand in value.operands:
            yield from names_in(operand)


# -- a layer and its inputs on traced sizes ----------------------------------------------------------
_AXES: dict[int, tuple[str, ...]] = {
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}
CHANNELS = "channels"


Point = Mapping[str, int]  # values of the open symbols
CLOSED: Point = {}


def traced_layer(layer: Layer, point: Point = CLOSED) -> Layer:
    """A copy of the layer whose sizes carry the names of its arguments."""
    twin = copy.copy(layer)
    for name, kind in layer.kinds.items():
        if kind.holds_sizes:
            twin.__dict__[name] = _named(getattr(layer, name), layer.spec_key(name), point)
    return twin


def _named(value: Any, name: str, point: Point) -> Any:
    if type(value) is int:
        return Traced(value, name)
    if point and isinstance(value, Expr) and type(at := substitute(value, point)) is int:
        text = str(value).replace(" ", "")
        return Traced(at, name, shown=f"({text})" if set("+-*/") & set(text) else text)
    if isinstance(value, tuple):
        if len(value) > 1 and len(set(map(str, value))) == 1:
            return tuple(_named(v, name, point) for v in value)  # the same along all axes
        return tuple(
            _named(v, f"{name}[{i}]" if len(value) > 1 else name, point) for i, v in enumerate(value)
        )
    return value


def traced_inputs(layer: Layer, shapes: Sequence[Shape], point: Point = CLOSED) -> tuple[Shape, ...]:
    """The input shapes with named axes."""
    several = len(shapes) > 1
    return tuple(
        tuple(
            _named(n, f"{name} of input {k + 1}" if several else name, point)
            for n, name in zip(shape, axis_names(layer, len(shape)), strict=True)
        )
        for k, shape in enumerate(shapes)
    )


def with_outputs(twin: Layer, shape: Shape, point: Point = CLOSED) -> None:
    """Let a traced layer's rules read the sizes of its output by name, not as what they follow from."""
    names = axis_names(twin, len(shape))
    given = next((getattr(twin, a) for a in ("filters", "units") if hasattr(twin, a)), None)
    output = tuple(
        given if name == CHANNELS and _same(given, size) else size
        for size, name in (
            (_named(n, f"output {name}", point), name) for n, name in zip(shape, names, strict=True)
        )
    )
    twin.__dict__["output_shape"] = lambda *_: output
    if hasattr(twin, "output_sides"):
        sides = tuple(n for n, name in zip(output, names, strict=True) if name != CHANNELS)
        twin.__dict__["output_sides"] = lambda *_: sides


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, Traced) and isinstance(b, Traced) and a.shown == b.shown


def axis_names(layer: Layer, rank: int) -> tuple[str, ...]:
    """What the axes of a tensor are called: height, width, channels."""
    spatial = _AXES.get(rank - 1, tuple(f"axis {i}" for i in range(rank - 1)))
    if rank == 0:
        return ()
    if getattr(layer, "channels_first", False):
        return (CHANNELS, *spatial)
    return (*spatial, CHANNELS)
