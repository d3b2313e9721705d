"""The size of the state of Keras's optimisers, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from archcalc.analyses.memory.precision import OPTIMIZERS
from archcalc.arith import Size, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.layers.base import Weight

Numbers = Callable[[str, Weight], Size]


def _adafactor(_: str, weight: Weight) -> Size:
    """A velocity; for weights of two or more axes also its means along each of the last two axes."""
    if len(weight.shape) < 2:
        return weight.parameters
    *others, rows, columns = weight.shape
    return weight.parameters + prod(others) * (rows + columns)


def _muon(layer: str, weight: Weight) -> Size:
    """A momentum; Adam's second moment too, except for matrices that are not embeddings."""
    orthogonal = len(weight.shape) == 2 and "embedding" not in f"{layer}/{weight.name}".lower()
    return (1 if orthogonal else 2) * weight.parameters


_BY_WEIGHT: Mapping[str, Numbers] = {"adafactor": _adafactor, "muon": _muon}


UNTOLD = Unknown("the file does not say which weights are trained")


def state(
    optimizer: str, weights: Iterable[tuple[str, tuple[Weight, ...]]], further: int = 0
) -> Iterator[Size]:
    """The number of state variables for the trained weights of each layer, given as (its name, its weights).

    `further` ones for each weight: its moving average (`use_ema`), its accumulated gradient.

    Scalars such as step counters are left out: a few numbers, for Adafactor two more per vector.
    """
    slots, rule = OPTIMIZERS[optimizer], _BY_WEIGHT.get(optimizer)
    of_equal: dict[int, tuple[tuple[Weight, ...], Size]] = {}  # equal layers have one object of weights
    for name, group in weights:
        if rule is not None:
            yield _of_trained(group, partial(rule, name), further)
            continue
        if id(group) not in of_equal:
            of_equal[id(group)] = group, _of_trained(group, lambda _: 0, further + (slots or 0))
        yield of_equal[id(group)][1]


def _of_trained(group: Iterable[Weight], numbers: Callable[[Weight], Size], further: int) -> Size:
    return total(
        numbers(w) + further * w.parameters if w.trainable else UNTOLD
        for w in group
        if w.trainable is not False
    )
