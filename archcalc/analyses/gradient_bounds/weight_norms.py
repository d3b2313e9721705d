"""Norms of weights: symbolic, or expected at initialisation.

`Norms` is the interface that bounds use. Norms of arrays are in `gradient_bounds.spectral`, so that
this module needs no numpy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

from archcalc.analyses.initial import draw, identity_gain
from archcalc.arith import concrete, integer, integers
from archcalc.layers.base import Weight
from archcalc.layers.primitives import Convolve, LocallyConnected, Matrix


class Norms(ABC):
    """Norms of the weights of one layer, by their names in `Layer.weights`; None where a norm is unknown."""

    @abstractmethod
    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        """The 2-norm of a linear primitive's weight as a matrix (inputs of a window, outputs of a position).

        The largest over groups, channels (depthwise) or positions.
        """

    def operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        """A bound of the norm of the whole map that may be better than `spectral` times sqrt(cover)."""
        return None

    @abstractmethod
    def largest(self, weight: str) -> float | None:
        """The largest magnitude among a weight's elements."""

    @abstractmethod
    def smallest(self, weight: str) -> float | None:
        """The smallest magnitude among a weight's elements."""

    def normalised(self, gamma: str | None, variance: Any, epsilon: float) -> tuple[float, float] | None:
        """The smallest and the largest |gamma| / sqrt(variance + epsilon)."""
        low, high = (1.0, 1.0) if gamma is None else (self.smallest(gamma), self.largest(gamma))
        least, most = self.smallest(variance), self.largest(variance)
        if low is None or high is None or least is None or most is None:
            return None
        return low / sqrt(most + epsilon), high / sqrt(least + epsilon)

    def reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        """The largest sum of |weights| of one output unit, and the largest |bias|."""
        return None

    def smallest_singular_value(self, primitive: Matrix | Convolve | LocallyConnected) -> float:
        """The smallest singular value of the transposed map; 0 if it is unknown or not injective."""
        return 0.0


class SymbolicNorms(Norms):
    """Norms of unknown weights: all are None."""

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return None

    def largest(self, weight: str) -> float | None:
        return None

    def smallest(self, weight: str) -> float | None:
        return None


class ExpectedNorms(Norms):
    """The expected norms at initialisation.

    A matrix of m x n independent elements of standard deviation s has an expected 2-norm of at most
    s (sqrt(m) + sqrt(n)) if they are Gaussian (Davidson & Szarek 2001), and of the same in the limit of
    large matrices for all distributions in Keras (Bai & Yin 1993). The norms of constants, orthogonal
    matrices and the identity are exact.
    """

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        self.weights = weights

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        weight = self.weights.get(primitive.weight)
        if weight is None or not concrete(weight.shape):
            return None
        inputs, outputs = matrix_sizes(primitive, weight.shape)
        element = draw(weight.initializer, weight.shape)
        if element is None:
            return identity_gain(weight.initializer)
        if element.orthogonal:
            return sqrt(element.variance * max(prod(weight.shape[:-1]), weight.shape[-1]))
        # the mean is a matrix of rank 1, to which a matrix of mean 0 is added
        return abs(element.mean) * sqrt(inputs * outputs) + sqrt(element.variance) * (
            sqrt(inputs) + sqrt(outputs)
        )

    def largest(self, weight: str) -> float | None:
        declared = self.weights.get(weight)
        element = None if declared is None else draw(declared.initializer, declared.shape)
        return abs(element.mean) if element is not None and element.variance == 0.0 else None

    def smallest(self, weight: str) -> float | None:
        return self.largest(weight)


def matrix_sizes(primitive: Matrix | Convolve | LocallyConnected, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the matrix whose norm `Norms.spectral` gives."""
    match primitive:
        case Matrix():
            return prod(shape[a] for a in primitive.input_axes), prod(shape[a] for a in primitive.output_axes)
        case Convolve():
            if primitive.depthwise:
                return prod(shape[:-2]), shape[-1]
            columns = shape[-1] if type(primitive.groups) is not int else shape[-1] // primitive.groups
            return prod(shape[:-1]), columns
        case LocallyConnected():
            taps = prod(integers(s.kernel for s in primitive.windows))
            if primitive.implementation == 1:
                return shape[1], integer(primitive.filters)
            return taps, integer(primitive.filters)
    raise TypeError(f"not a linear primitive: {primitive!r}")
