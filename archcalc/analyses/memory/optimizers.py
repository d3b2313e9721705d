"""The size of the state of Keras's optimisers, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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


def _muon(path: str, weight: Weight) -> Size:
    """A momentum; Adam's second moment too, except for matrices that are not embeddings."""
    orthogonal = len(weight.shape) == 2 and "embedding" not in path.lower()
    return (1 if orthogonal else 2) * weight.parameters


_BY_WEIGHT: Mapping[str, Numbers] = {"adafactor": _adafactor, "muon": _muon}


UNTOLD = Unknown("the file does not say which weights are trained")


def state(optimizer: str, weights: Iterable[tuple[str, Size, tuple[Weight, ...]]], further: int = 0) -> Size:
    """The number of state variables for all trained weights, given as (layer name, copies, its weights).

    `further` ones for each weight: its moving average (`use_ema`), its accumulated gradient.

    Scalars such as step counters are left out: a few numbers, for Adafactor two more per vector.
    """
    slots = OPTIMIZERS[optimizer]
    rule = _BY_WEIGHT[optimizer] if slots is None else lambda _, weight: slots * weight.parameters
    return total(
        copies
        * (
            rule(f"{name}/{weight.name}", weight) + further * weight.parameters
            if weight.trainable
            else UNTOLD
        )
        for name, copies, group in weights
        for weight in group
        if weight.trainable is not False
    )
