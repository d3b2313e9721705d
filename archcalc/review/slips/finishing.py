"""Slips after a count is made: units confused, digits miswritten, another quantity given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from archcalc.review.slips.catalogue import Slip, slip

FLOPS_AS_MACS = slip("flops_as_macs", "one multiply-add were two MACs, which are FLOPs", 0.4)
MACS_AS_FLOPS = slip("macs_as_flops", "one multiply-add were one FLOP, which is a MAC", 0.4)
LAYER_AS_FILTER = slip("layer_as_filter", "the figure of the whole layer were that of one filter", 0.5)
ELEMENTS = slip("elements_as_bytes", "each number took one byte", 0.6)
HALF = slip("half_precision", "each number took two bytes", 0.8)
DOUBLE = slip("double_precision", "each number took eight bytes", 1.0)
BITS = slip("bits_as_bytes", "bits were bytes", 1.2)
SWAPPED = slip("digits_swapped", "two neighbouring digits were swapped", 2.5)
DROPPED = slip("digit_dropped", "a digit were lost", 3.0)
TENFOLD = slip("tenfold", "a zero too many or too few were written", 2.5)
CARRY = slip("carry", "a sum were off by one in one of its digits", 3.0)
LAYER_OMITTED = slip("layer_left_out", "one layer were left out", 0.5)
TYPE_OMITTED = slip("type_left_out", "all layers of one type were left out", 0.8)
LAYER_TWICE = slip("layer_twice", "one layer were counted twice", 0.7)
SHARED_TWICE = slip("shared_twice", "shared weights were counted at each call", 0.6)
_EACH = ((ELEMENTS, 1), (HALF, 2), (DOUBLE, 8), (BITS, 32))  # bytes of a number
OTHER = {
    "parameters": slip("parameters_given", "the parameters were asked for", 1.0),
    "trainable_parameters": slip("trainable_given", "only what is trained counted", 0.9),
    "non_trainable_parameters": slip("non_trainable_given", "only what is not trained counted", 1.2),
    "macs": slip("macs_given", "the multiply-adds were asked for", 1.2),
    "elementwise_operations": slip("elementwise_given", "the elementwise operations were asked for", 1.6),
}


class Finish(NamedTuple):
    """From a count to the figure that is stated; `slip` is None for the right way."""

    slip: Slip | None
    apply: Callable[[int], int | None]


def _times(numerator: int, denominator: int = 1) -> Callable[[int], int | None]:
    return lambda n: None if n * numerator % denominator else n * numerator // denominator


def finishes(quantity: str, per_filter: int | None, bytes_each: int) -> Iterator[Finish]:
    """The right way first; `per_filter` is the number of filters of a claim about one."""
    right = 2 if quantity == "flops" else bytes_each if quantity == "weight_bytes" else 1
    if per_filter is not None:
        yield Finish(None, _times(right, per_filter))
        yield Finish(LAYER_AS_FILTER, _times(right))
        return
    yield Finish(None, _times(right))
    if quantity == "macs":
        yield Finish(FLOPS_AS_MACS, _times(2))
    if quantity == "flops":
        yield Finish(MACS_AS_FLOPS, _times(1))
    if quantity == "weight_bytes":
        yield from (Finish(s, _times(n)) for s, n in _EACH)


def bytes_slips(value: int, quantity: str, bytes_each: int) -> Iterator[tuple[Slip, int]]:
    """What memory of activations becomes with numbers of another size."""
    if quantity.endswith("_bytes"):
        yield from ((s, value * n // bytes_each) for s, n in _EACH if not value * n % bytes_each)


def digit_slips(value: int) -> Iterator[tuple[Slip, int]]:
    """What a number becomes when its digits are miswritten; small numbers have too few."""
    text = str(value)
    if value < 100:
        return
    for i in range(len(text) - 1):
        yield SWAPPED, int(text[:i] + text[i + 1] + text[i] + text[i + 2 :])
    yield TENFOLD, value * 10
    if value % 10 == 0:
        yield TENFOLD, value // 10
    for i in range(len(text)):
        yield DROPPED, int(text[:i] + text[i + 1 :])
    for i in range(1, len(text)):
        yield CARRY, value + 10**i
        yield CARRY, value - 10**i


def other_quantities(figures: dict[str, Any], quantity: str) -> Iterator[tuple[Slip, int]]:
    """Figures of other quantities of the same layers."""
    for name, value in figures.items():
        if name != quantity and type(value) is int and value:
            yield OTHER[name], value
