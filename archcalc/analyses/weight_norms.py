"""Where the norms of weights come from: left open, expected at initialisation, or computed from values.

`Norms` is what the bounds ask; this module answers without arrays. Answers from real weights are in
`archcalc.analyses.spectral`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

from archcalc.layers.base import Weight
from archcalc.layers.initializers import INITIALIZERS, Constant, Spread, Structured, VarianceScaling
from archcalc.layers.stages import Convolve, Local, Matrix


class Norms(ABC):
    """What is known of the weights of one layer, by their names in `Layer.weights`."""

    @abstractmethod
    def spectral(self, stage: Matrix | Convolve | Local) -> float | None:
        """The 2-norm of a linear stage's weight as a matrix (inputs of one place, outputs of one place).

        The largest over groups, channels (depthwise) or places; None if it has no number.
        """

    def operator(self, stage: Matrix | Convolve | Local) -> float | None:
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

    def reach(self, stage: Matrix | Convolve | Local) -> tuple[float, float] | None:
        """The largest sum of magnitudes into one output unit, and the largest magnitude of the bias."""
        return None

    def surjective(self, stage: Matrix | Convolve | Local) -> float:
        """How much the transposed map keeps of every vector at least."""
        return 0.0


class Open(Norms):
    """Nothing is known of the values."""

    def spectral(self, stage: Matrix | Convolve | Local) -> float | None:
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

    def spectral(self, stage: Matrix | Convolve | Local) -> float | None:
        weight = self.weights.get(stage.weight)
        if weight is None or not all(type(n) is int for n in weight.shape):
            return None
        inputs, outputs = matrix_sizes(stage, weight.shape)
        rule = initializer(weight.initializer)
        if isinstance(rule, Constant):
            return abs(rule.value) * sqrt(inputs * outputs)
        if isinstance(rule, Structured):
            return 1.0 if rule.property in ("identity", "orthogonal") else None
        found = deviation(rule, weight.shape)
        return None if found is None else found * (sqrt(inputs) + sqrt(outputs))

    def largest(self, weight: str) -> float | None:
        found = self.weights.get(weight)
        rule = None if found is None else initializer(found.initializer)
        return abs(rule.value) if isinstance(rule, Constant) else None

    def smallest(self, weight: str) -> float | None:
        return self.largest(weight)


def matrix_sizes(stage: Matrix | Convolve | Local, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a linear stage's weight as `Norms.spectral` reads it."""
    match stage:
        case Matrix():
            return prod(shape[a] for a in stage.inputs), prod(shape[a] for a in stage.outputs)
        case Convolve():
            if stage.depthwise:
                return prod(shape[:-2]), shape[-1]
            columns = shape[-1] if type(stage.groups) is not int else shape[-1] // stage.groups
            return prod(shape[:-1]), columns
        case Local():
            taps = prod(s.kernel for s in stage.slides)
            if stage.implementation == 1:
                return shape[1], stage.filters
            return taps, stage.filters
    raise TypeError(f"not a linear stage: {stage!r}")


def initializer(given: Any) -> Any:
    """The rule of an initializer, given by name or as Keras's configuration."""
    if not isinstance(given, dict):
        return INITIALIZERS.get(given)
    rule = INITIALIZERS.get(str(given.get("class_name")))
    config = given.get("config") or {}
    match rule:
        case VarianceScaling(scale, mode, distribution):
            return VarianceScaling(
                float(config.get("scale", scale)),
                str(config.get("mode", mode)),
                str(config.get("distribution", distribution)),
            )
        case Constant():
            return Constant(float(config.get("value", rule.value)))
        case Spread(stddev, distribution):
            if "minval" in config and "maxval" in config:
                return Spread((config["maxval"] - config["minval"]) / sqrt(12), distribution)
            return Spread(float(config.get("stddev", stddev)), distribution)
    return rule


def deviation(rule: Any, shape: tuple[int, ...]) -> float | None:
    """The standard deviation of a weight's elements, by Keras's fans."""
    if isinstance(rule, Spread):
        return rule.stddev
    if not isinstance(rule, VarianceScaling):
        return None
    if len(shape) == 0:
        fan_in = fan_out = 1
    elif len(shape) == 1:
        fan_in = fan_out = shape[0]
    else:
        field = prod(shape[:-2])
        fan_in, fan_out = shape[-2] * field, shape[-1] * field
    fan = {"fan_in": fan_in, "fan_out": fan_out}.get(rule.mode, (fan_in + fan_out) / 2)
    return sqrt(rule.scale / max(1.0, fan))
