"""How the mean squares of samples and of positions differ, for networks that normalise over a batch.

`sample_squares` are two rows of `REPLICAS` numbers: the mean square of each sample over that of the batch,
and of each position over that of its sample. Both rows have mean 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.squares import FLOOR

REPLICAS = 512
EQUAL_SAMPLES = np.ones((2, REPLICAS))  # equal samples with equal positions


def balanced(sample_squares: Array, *, in_place: bool = False) -> tuple[float, Array]:
    """Log of the product of the means over samples and over positions, and the squares over these means."""
    if sample_squares is EQUAL_SAMPLES:
        return 0.0, sample_squares
    means = np.add.reduce(sample_squares, axis=1, keepdims=True)
    means *= 1 / REPLICAS
    of_samples, of_positions = means.ravel().tolist()
    if not (of_samples > 0 and of_positions > 0):
        return FLOOR, EQUAL_SAMPLES
    squares: Array = np.divide(sample_squares, means, out=sample_squares if in_place else None)
    return math.log(of_samples * of_positions), squares


def product(*sample_squares: Array) -> Array:
    """The product of several."""
    unequal = [squares for squares in sample_squares if squares is not EQUAL_SAMPLES]
    return math.prod(unequal[1:], start=unequal[0]) if unequal else EQUAL_SAMPLES


def quotient(sample_squares: Array, divisors: Array) -> Array:
    """Those over others."""
    return sample_squares if divisors is EQUAL_SAMPLES else sample_squares / divisors


def of_samples(sample_squares: Array) -> Array:
    """Those without the differences between positions."""
    if sample_squares is EQUAL_SAMPLES:
        return sample_squares
    of_samples = sample_squares.copy()
    of_samples[1] = 1.0
    return of_samples


def mean_of_parts(parts: Sequence[Array], shares: Sequence[float]) -> Array:
    """The mean over several tensors, weighted by shares that need not add up to 1."""
    if all(squares is EQUAL_SAMPLES for squares in parts):
        return EQUAL_SAMPLES
    total = sum(shares) or 1.0
    first, *others = (share / total * squares for squares, share in zip(parts, shares, strict=True))
    return sum(others, start=first)


def averaged(sample_squares: Array, positions: NDArray[np.intp]) -> Array:
    """Each position is the mean of those that it reads, a column of `positions`."""
    if not len(positions) or sample_squares is EQUAL_SAMPLES:
        return sample_squares
    averages = sample_squares.copy()
    np.add.reduce(sample_squares[1].take(positions), axis=0, out=averages[1])
    averages[1] /= len(positions)
    return averages
