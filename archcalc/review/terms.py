"""A layer's count as a person writes it: a sum of products whose factors have roles.

The factors come from the layer's own rules, run on named sizes (`report.traced`); the slips of
`review.slips.counts` exchange, drop and repeat factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any, NamedTuple

from archcalc.arith import Shape
from archcalc.layers.base import Layer
from archcalc.report.traced import Traced, names_in, traced_inputs, traced_layer, with_outputs

KERNEL, CHANNELS, FILTERS, POSITIONS = "kernel", "channels", "filters", "positions"
INPUTS, MULTIPLIER, CONSTANT = "input positions", "depth multiplier", "constant"
_ROLES = {
    "kernel_size": KERNEL,
    "pool_size": KERNEL,
    "channels": CHANNELS,
    "groups": CHANNELS,  # always as a divisor of the channels
    "filters": FILTERS,
    "units": FILTERS,
    "output channels": FILTERS,
    "depth_multiplier": MULTIPLIER,
}
MOST_TERMS = 64


class Operand(NamedTuple):
    role: str
    value: int


class Term(NamedTuple):
    """One product; `name` is the weight's, empty in a count of work."""

    name: str
    factors: tuple[Operand, ...]
    trainable: bool = True

    @property
    def value(self) -> int:
        return prod(f.value for f in self.factors)

    def of(self, role: str) -> list[int]:
        return [f.value for f in self.factors if f.role == role]

    def without(self, *roles: str) -> Term:
        return self._replace(factors=tuple(f for f in self.factors if f.role not in roles))

    def exchanged(self, role: str, *values: int) -> Term:
        """The product with these factors in the place of those of a role."""
        kept = self.without(role)
        return kept._replace(factors=(*(Operand(role, v) for v in values), *kept.factors))

    def times(self, *factors: Operand) -> Term:
        return self._replace(factors=(*self.factors, *factors))


@dataclass(frozen=True)
class LayerCount:
    """One layer's count of one quantity, with the sizes that a slip may put in."""

    name: str
    type: str
    terms: tuple[Term, ...]
    channels: int = 1  # of the input, groups not divided out
    filters: int = 1  # channels of the output
    groups: int = 1
    kernel: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    input_sides: tuple[int, ...] = ()
    input_shape: tuple[int, ...] = ()
    bias: bool = False  # whether a bias term exists
    copies: int = 1
    left_out: tuple[Term, ...] = ()  # terms of the layer that do not belong to this quantity
    around: Around = field(default_factory=lambda: Around())

    @property
    def value(self) -> int:
        return self.copies * sum(t.value for t in self.terms)

    def having(self, terms: Iterable[Term]) -> LayerCount:
        return replace(self, terms=tuple(terms))


class Around(NamedTuple):
    """What stands around a layer: channels of the image, of neighbours, of branches; flattened maps."""

    image_channels: tuple[int, ...] = ()
    neighbours: tuple[int, ...] = ()
    branches: tuple[int, ...] = ()
    flattened: tuple[int, ...] = ()  # the map that was flattened before a dense layer


def layer_count(
    name: str,
    type_name: str,
    layer: Layer,
    inputs: Sequence[Shape],
    output: Shape,
    quantity: str,
    trained: Mapping[str, bool | None],
    **more: Any,
) -> LayerCount | None:
    """The count of parameters or multiply-adds; None where it cannot be told apart into products.

    `trained` says of weights by name whether they are trained.
    """
    twin, named = traced_layer(layer), traced_inputs(layer, inputs)
    with_outputs(twin, output)
    try:
        if quantity == "macs":
            terms = tuple(Term("", factors) for factors in _products(twin.macs(*named)))
        else:
            terms = tuple(
                Term(w.name, factors, trained.get(w.name, w.trainable) is not False)
                for w in twin.weights(*named)
                for factors in _products(w.parameters)
            )
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    left_out = tuple(t for t in terms if not t.trainable) if quantity == "trainable_parameters" else ()
    axis = getattr(layer, "channel_axis", len(inputs[0]) - 1) if inputs else 0
    known = output[axis] if len(output) > axis else 1
    first: tuple[Any, ...] = tuple(inputs[0]) if inputs else ()
    filters: Any = getattr(layer, "filters", getattr(layer, "units", known))
    if not all(type(n) is int for n in (filters, *first[axis : axis + 1])):
        return None
    return LayerCount(
        name,
        type_name,
        tuple(t for t in terms if t not in left_out),
        channels=first[axis] if axis < len(first) else 1,
        filters=filters,
        groups=int(getattr(layer, "groups", 1) or 1),
        kernel=tuple(getattr(layer, "kernel_size", ())),
        positions=_sides(output, axis),
        input_sides=_sides(first, axis),
        input_shape=first,
        bias=any(t.name.rpartition("/")[2] == "bias" for t in terms),
        left_out=left_out,
        **more,
    )


def _sides(shape: Sequence[Any], axis: int) -> tuple[int, ...]:
    """The sizes of spatial axes; none where one is open."""
    sides = tuple(n for i, n in enumerate(shape) if i != axis)
    return sides if all(type(n) is int for n in sides) else ()


# -- from an arithmetic to sums of products ----------------------------------------------------------
def _products(value: Any) -> list[tuple[Operand, ...]]:
    """The products whose sum a value is; sums of sizes of windows stay whole."""
    if isinstance(value, Traced) and value.sign == "*":
        left, right = map(_products, value.operands)
        if len(left) * len(right) > MOST_TERMS:
            raise ValueError("too many products")
        return [(*a, *b) for a, b in product(left, right)]
    if isinstance(value, Traced) and value.sign == "+" and not _windowed(value):
        return [p for operand in value.operands for p in _products(operand)]
    if not isinstance(value, int):
        raise TypeError(f"{value} is open")
    if value == 1 and not isinstance(value, Traced):
        return [()]
    return [(Operand(role(value), int(value)),)] if int(value) else []


def _windowed(value: Traced) -> bool:
    return any(n in ("strides", "height", "width", "length", "depth") for n in names_in(value))


def role(value: Any) -> str:
    """What a size means in a count."""
    names = set(_plain(names_in(value)))
    roles = {_ROLES.get(n, "") for n in names}
    if not names:
        return CONSTANT
    if len(roles) == 1 and "" not in roles:
        return roles.pop()
    if all(n.startswith("output ") for n in names):
        return POSITIONS
    if names <= {"height", "width", "length", "depth", "strides", "kernel_size", "dilation_rate"}:
        return INPUTS
    return min(names)


def _plain(names: Iterable[str]) -> Iterator[str]:
    """Names without the number of their axis or input."""
    for name in names:
        yield name.partition("[")[0].partition(" of input ")[0]
