"""Initial weights: mean, variance and kurtosis of the elements that Keras's initialisers draw.

Keras computes fans from the weight's shape alone (`compute_fans`), whatever the layer: the last two axes
are (in, out), those before them the receptive field. A depthwise kernel thus has fan_in k*k*C, a
transposed kernel has its fans swapped, a grouped kernel has the fan_in of one group and the fan_out of
all groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from archcalc.arith import Shape, concrete
from archcalc.layers.initializers import INITIALIZERS, Constant, Spread, Structured, VarianceScaling

# standard deviation of a standard normal distribution truncated at two standard deviations
TRUNCATED_STDDEV = 0.87962566103423978


# E x^4 / (E x^2)^2
UNIFORM_KURTOSIS, TRUNCATED_KURTOSIS = 1.8, 2.3662


class Draw(NamedTuple):
    """The distribution of one element of a weight; elements are independent, unless `orthogonal`."""

    mean: float
    variance: float
    kurtosis: float = 3.0
    orthogonal: bool = False


_KURTOSIS = {"uniform": UNIFORM_KURTOSIS, "truncated_normal": TRUNCATED_KURTOSIS}


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Keras's fan_in and fan_out of a weight of this shape."""
    if len(shape) < 2:
        n = shape[0] if shape else 1
        return n, n
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def draw(initializer: Any, shape: Shape) -> Draw | None:
    """The initial distribution of a weight of this shape; None where elements have no common, known one."""
    rule, config = _rule("zeros" if initializer is None else initializer)
    match rule:
        case VarianceScaling() if concrete(shape):
            scale = float(config.get("scale", rule.scale))
            mode = str(config.get("mode", rule.mode))
            if config.get("input_axes") is not None and config.get("output_axes") is not None:
                fan_in = prod(shape[a] for a in config["input_axes"])
                fan_out = prod(shape[a] for a in config["output_axes"])
            else:
                fan_in, fan_out = fans(shape)
            fan = {"fan_in": fan_in, "fan_out": fan_out}.get(mode, (fan_in + fan_out) / 2)
            kind = str(config.get("distribution", rule.distribution))
            return Draw(0.0, scale / max(1.0, fan), _KURTOSIS.get(kind, 3.0))
        case Spread():
            return _spread(rule, config)
        case Constant():
            value = config.get("value", rule.value)
            return Draw(float(value), 0.0) if isinstance(value, int | float) else None
        case Structured("orthogonal") if concrete(shape):
            gain = float(config.get("gain", 1.0))
            rows, columns = prod(shape[:-1]), shape[-1]
            return Draw(0.0, gain**2 / max(rows, columns), orthogonal=True)
    return None


def identity_gain(initializer: Any) -> float | None:
    """The factor c of an initialiser that returns c times the identity matrix; None for others."""
    rule, config = _rule(initializer)
    return float(config.get("gain", 1.0)) if rule == Structured("identity") else None


def _rule(initializer: Any) -> tuple[Any, Mapping[str, Any]]:
    """The rule and the arguments of an initialiser that is given by name or by its Keras configuration."""
    if isinstance(initializer, dict):
        return INITIALIZERS.get(str(initializer.get("class_name"))), initializer.get("config") or {}
    return INITIALIZERS.get(initializer), {}


def _spread(rule: Spread, config: Mapping[str, Any]) -> Draw:
    if "minval" in config or "maxval" in config:
        low, high = float(config.get("minval", -0.05)), float(config.get("maxval", 0.05))
        return Draw((low + high) / 2, (high - low) ** 2 / 12, UNIFORM_KURTOSIS)
    stddev = float(config.get("stddev", rule.stddev))
    if rule.distribution == "truncated_normal":
        stddev *= TRUNCATED_STDDEV
    return Draw(float(config.get("mean", 0.0)), stddev * stddev, _KURTOSIS.get(rule.distribution, 3.0))
