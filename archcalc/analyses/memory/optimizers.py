"""What Keras's optimisers keep, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archcalc.analyses.memory.precision import OPTIMIZERS
from archcalc.arith import Size, prod, total
from archcalc.layers.base import Weight

Numbers = Callable[[str, Weight], Size]


def _adafactor(_: str, weight: Weight) -> Size:
    """A velocity, and where there are two axes its means along either of the last two."""
    whole = weight.parameters
    if len(weight.shape) < 2:
        return whole
    *others, rows, columns = weight.shape
    return whole + prod(others) * (rows + columns)


def _muon(path: str, weight: Weight) -> Size:
    """A momentum for all; matrices that are no embeddings need nothing else, the rest goes by Adam."""
    orthogonal = len(weight.shape) == 2 and "embedding" not in path.lower()
    return (1 if orthogonal else 2) * weight.parameters


_BY_WEIGHT: Mapping[str, Numbers] = {"adafactor": _adafactor, "muon": _muon}


def state(optimizer: str, weights: Iterable[tuple[str, Size, tuple[Weight, ...]]]) -> Size:
    """The numbers kept for all trained weights; each group has its layer's name and its copies.

    Step counters and the like are left out: a few numbers, for Adafactor two more a vector.
    """
    slots = OPTIMIZERS[optimizer]
    rule = _BY_WEIGHT[optimizer] if slots is None else lambda _, weight: slots * weight.parameters
    return total(
        copies * rule(f"{name}/{weight.name}", weight)
        for name, copies, group in weights
        for weight in group
        if weight.trainable
    )
