"""Where the norms of weights come from: left open, expected at initialisation, or computed from values.

`Norms` is what the bounds ask; this module answers without arrays. Answers from real weights are in
`archcalc.analyses.gradient_bounds.spectral`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

from archcalc.analyses.initial import draw, identity_gain
from archcalc.layers.base import Weight
from archcalc.layers.primitives import Convolve, LocallyConnected, Matrix


class Norms(ABC):
    """What is known of the weights of one layer, by their names in `Layer.weights`."""

    @abstractmethod
    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        """The 2-norm of a linear primitive's weight as a matrix (inputs of one place, outputs of one place).

        The largest over groups, channels (depthwise) or positions; None if it has no number.
        """

    def operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        """A bound of the whole map that may be better than norm times cover; None if there is none."""
        return None

    @abstractmethod
    def largest(self, weight: str) -> float | None:
        """The largest magnitude among a weight's elements."""

    @abstractmethod
    def smallest(self, weight: str) -> float | None:
        """The smallest magnitude among a weight's elements."""

    def normalised(self, gamma: str | None, variance: Any, epsilon: float) -> tuple[float, float] | None:
        """The smallest and largest |gamma| / sqrt(variance + epsilon)."""
        low, high = (1.0, 1.0) if gamma is None else (self.smallest(gamma), self.largest(gamma))
        least, most = self.smallest(variance), self.largest(variance)
        if low is None or high is None or least is None or most is None:
            return None
        return low / sqrt(most + epsilon), high / sqrt(least + epsilon)

    def reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        """The largest sum of magnitudes into one output unit, and the largest magnitude of the bias."""
        return None

    def smallest_singular_value(self, primitive: Matrix | Convolve | LocallyConnected) -> float:
        """How much the transposed map keeps of every vector at least."""
        return 0.0


class Open(Norms):
    """Nothing is known of the values."""

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return None

    def largest(self, weight: str) -> float | None:
        return None

    def smallest(self, weight: str) -> float | None:
        return None


class Expected(Norms):
    """The expected norms at initialisation.

    A matrix of m x n independent entries of deviation s has an expected 2-norm of at most
    s (sqrt(m) + sqrt(n)) if they are Gaussian (Davidson & Szarek 2001), and the same in the limit
    for all that Keras draws (Bai & Yin 1993). Constants, orthogonal matrices and
    the identity have exact ones.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        self.weights = weights

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        weight = self.weights.get(primitive.weight)
        if weight is None or not all(type(n) is int for n in weight.shape):
            return None
        inputs, outputs = matrix_sizes(primitive, weight.shape)
        drawn = draw(weight.initializer, weight.shape)
        if drawn is None:
            return identity_gain(weight.initializer)
        if drawn.orthogonal:
            return sqrt(drawn.variance * max(prod(weight.shape[:-1]), weight.shape[-1]))
        # of the mean, a matrix of rank 1, and of what is drawn around it
        return abs(drawn.mean) * sqrt(inputs * outputs) + sqrt(drawn.variance) * (
            sqrt(inputs) + sqrt(outputs)
        )

    def largest(self, weight: str) -> float | None:
        found = self.weights.get(weight)
        drawn = None if found is None else draw(found.initializer, found.shape)
        return abs(drawn.mean) if drawn is not None and drawn.variance == 0.0 else None

    def smallest(self, weight: str) -> float | None:
        return self.largest(weight)


def matrix_sizes(primitive: Matrix | Convolve | LocallyConnected, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a linear primitive's weight as `Norms.spectral` reads it."""
    match primitive:
        case Matrix():
            return prod(shape[a] for a in primitive.inputs), prod(shape[a] for a in primitive.outputs)
        case Convolve():
            if primitive.depthwise:
                return prod(shape[:-2]), shape[-1]
            columns = shape[-1] if type(primitive.groups) is not int else shape[-1] // primitive.groups
            return prod(shape[:-1]), columns
        case LocallyConnected():
            taps = prod(s.kernel for s in primitive.windows)
            if primitive.implementation == 1:
                return shape[1], primitive.filters
            return taps, primitive.filters
    raise TypeError(f"not a linear primitive: {primitive!r}")
