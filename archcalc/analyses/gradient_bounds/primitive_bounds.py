"""Upper bounds of the 2-norm of the Jacobian of a primitive, and of a chain of primitives.

Table and sources: docs/gradients.md. The bound of a chain is a product. Where a slope depends on
values, it is bounded over the range of the primitive's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, inf, pi, prod, sin, sqrt
from math import log as ln
from typing import Any

from archcalc.analyses.gradient_bounds import resampling
from archcalc.analyses.gradient_bounds import value_ranges as ranges
from archcalc.analyses.gradient_bounds.recurrent_bounds import recurrent, stacked
from archcalc.analyses.gradient_bounds.resampling import axis_norm, axis_range
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.terms import (
    IDENTITY,
    ZERO,
    Bound,
    hypot,
    infinite,
    named,
    number,
    plus,
    root_of,
    times,
)
from archcalc.analyses.gradient_bounds.value_ranges import ANY, UNIT, Interval
from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.arith import Shape, Size, ceil_div
from archcalc.layers import primitives as prim


@dataclass(frozen=True, slots=True)
class ChainBound:
    """A bound of the Jacobian of a chain for each of its inputs, and the range of its output."""

    bounds: tuple[Bound, ...]
    values: Interval

    def then(self, bound: Bound, values: Interval) -> ChainBound:
        return ChainBound(tuple(times(b, bound) for b in self.bounds), values)


def chain_bound(
    primitives: prim.Primitives, shapes: Sequence[Shape], values: Sequence[Interval], setting: Setting
) -> ChainBound:
    """The bounds of a chain for inputs of these shapes and ranges of values."""
    if not primitives:
        return ChainBound(tuple(IDENTITY for _ in values), values[0] if values else ANY)
    first, *rest = primitives
    if isinstance(first, prim.MULTI_INPUT):
        chain = _multi_input(first, shapes, values, setting)
    else:
        chain = ChainBound((IDENTITY,), values[0])
        rest = list(primitives)
    for primitive in rest:
        chain = chain.then(*primitive_bound(primitive, chain.values, setting))
    return chain


# -- one input ----------------------------------------------------------------------------------------
def primitive_bound(primitive: prim.Primitive, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    """The bound of a primitive with one input of range x, and the range of its output."""
    match primitive:
        case prim.Matrix() | prim.Convolve() | prim.LocallyConnected():
            return linear(primitive, setting), _linear_values(primitive, x, setting)
        case prim.Lookup(weight):
            size = setting.norms.largest(weight)
            return ZERO, ANY if size is None else ranges.symmetric(size)
        case prim.Pointwise():
            return _pointwise(primitive, x, setting)
        case prim.Scale():
            return _factor(primitive, x, setting)
        case prim.Offset(value):
            low, high = _ends(value)
            return IDENTITY, Interval(x.low + low, x.high + high)
        case prim.ZeroGradient(low, high):
            known = isinstance(low, int | float) and isinstance(high, int | float)
            return ZERO, Interval(float(low), float(high)) if known else ANY
        case prim.TrainingNoise() if setting.training:
            return infinite("a random change in training has no bound"), ANY
        case prim.TrainingNoise():
            return IDENTITY, x
        case prim.Dropout():
            return _mask(primitive, x, setting)
        case prim.BatchStandardise():
            return _batch(primitive, x, setting)
        case prim.Standardise():
            return _standardise(primitive, x, setting)
        case prim.DivideByStd():
            return _divide_by_std(primitive, x, setting)
        case prim.Normalise(_, _, epsilon):
            return _normalise(epsilon), ranges.symmetric(1.0)
        case prim.Pool(kind, windows):
            if kind == "max":
                return times(*(root_of(cover(s)) for s in windows)), x
            return times(*(axis_norm(s) for s in windows)), x
        case prim.Reduce():
            return _reduce(primitive, x, setting.masked)
        case prim.Cumulative(kind, _, size):
            return _cumulative(kind, size, x)
        case prim.Upsample() | prim.Resample() | prim.ConstantMatrix():
            return axis_norm(primitive), axis_range(primitive, x)
        case prim.Permute() | prim.Reshape():
            return IDENTITY, x
        case prim.Pad(pairs):
            grown = any(not (type(n) is int and n <= 0) for pair in pairs for n in pair)
            return IDENTITY, x.with_zero() if grown else x
        case prim.Select():
            return IDENTITY, x.with_zero()
        case prim.Repeat(count):
            return root_of(count), x
        case prim.Softmax(_, count, log):
            return _log_softmax(x, count) if log else (number(0.5), UNIT)
        case prim.Sparsemax(_, count):
            return _sparsemax(x, count)
        case prim.PerStep(prefix, inner) | prim.Nested(prefix, inner):
            inside = replace(setting, norms=PrefixedNorms(setting.norms, prefix))
            chain = chain_bound(inner, [()], [x], inside)
            return chain.bounds[0], chain.values
    raise TypeError(f"no bound for {type(primitive).__name__}")


def _normalise(epsilon: float) -> Bound:
    if epsilon == 0.0:
        return infinite("without an epsilon the slope is unbounded near a norm of zero")
    return number(1 / epsilon)


def _log_softmax(x: Interval, count: Size) -> tuple[Bound, Interval]:
    # the Jacobian I - 1 p^T is an oblique projection, whose norm is that of 1 p^T
    low = -(x.high - x.low) - ln(count) if type(count) is int and x.size < inf else -inf
    return root_of(count), Interval(low, 0.0)


def _sparsemax(x: Interval, count: Size) -> tuple[Bound, Interval]:
    # the Jacobian of the k units above the threshold is I - 1 w^T / k with w = (k, ..., 1); the
    # second term has norm at most sqrt(n) |w| / k, which is largest for k = n
    slope = times(number(1 / sqrt(6)), root_of((count + 1) * (2 * count + 1)))
    return plus([IDENTITY, slope]), _thresholded(x, count)


def _thresholded(x: Interval, count: Size) -> Interval:
    """The range of sparsemax: 0 to x_max - threshold, where threshold >= (k + 1) x_min / 2 - 1/k, k <= n."""
    if type(count) is not int or x.size == inf:
        return Interval(0.0, inf)
    least = x.low if x.low > 0 else x.low * (count + 1) / 2
    return Interval(0.0, max(x.high - least + 1, 0.0))


def cover(slide: prim.SlidingWindow | prim.AdaptiveWindow) -> Size:
    """The largest number of windows that read the same unit."""
    if isinstance(slide, prim.AdaptiveWindow):
        return resampling.overlap(slide)
    k, s, d = slide.kernel, slide.stride, slide.dilation
    if not (type(k) is type(s) is type(d) is int):
        return k if not (type(d) is int and d == 1) else ceil_div(k, s)
    # taps d*t fall into classes modulo the stride; windows that read the same unit read it by one class
    most = -(-k // (s // gcd(d, s)))
    return min(most, slide.positions) if type(slide.positions) is int else most


def linear(primitive: prim.Matrix | prim.Convolve | prim.LocallyConnected, setting: Setting) -> Bound:
    """The norm of the weight as a matrix times sqrt(cover), or a better bound from real weights."""
    weight = primitive.weight if isinstance(primitive.weight, str) else "kernel"
    name = f"norm({setting.layer}/{weight})"
    covers = [] if isinstance(primitive, prim.Matrix) else [root_of(cover(s)) for s in primitive.windows]
    bound = times(*covers, named(name, setting.norms.spectral(primitive)))
    better = setting.norms.operator(primitive) if setting.tight else None
    if better is None or not isinstance(bound.log, float):
        return bound
    operator = named(f"norm({setting.layer})", better)
    return operator if isinstance(operator.log, float) and operator.log < bound.log else bound


def _linear_values(
    primitive: prim.Matrix | prim.Convolve | prim.LocallyConnected, x: Interval, setting: Setting
) -> Interval:
    reach = setting.norms.reach(primitive) if x.size < inf else None
    return ANY if reach is None else ranges.symmetric(reach[0] * x.size + reach[1])


def _pointwise(primitive: prim.Pointwise, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    parameters = dict(primitive.parameters)
    if primitive.weight is not None:
        alpha = setting.norms.largest(primitive.weight)
        name = f"max(1, abs({setting.layer}/{primitive.weight}))"
        bound = named(name, None if alpha is None else max(1.0, alpha))
        return bound, ANY if alpha is None or x.size == inf else ranges.symmetric(max(1.0, alpha) * x.size)
    low, high = ranges.slope(primitive.function, parameters, x)
    most = max(abs(low), abs(high))
    bound = infinite(f"the slope of {primitive.function} is unbounded") if most == inf else number(most)
    return bound, ranges.image(primitive.function, parameters, x)


def _ends(value: Any) -> tuple[float, float]:
    """The smallest and the largest element of a number or nested sequence; infinite if it is unknown."""
    if isinstance(value, bool | int | float):
        return float(value), float(value)
    if isinstance(value, tuple | list) and value:
        parts = [_ends(v) for v in value]
        return min(low for low, _ in parts), max(high for _, high in parts)
    return -inf, inf


def _factor(primitive: prim.Scale, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    if primitive.weight is not None:
        largest = setting.norms.largest(primitive.weight)
        bound = named(f"max(abs({setting.layer}/{primitive.weight}))", largest)
        return bound, ANY if largest is None else x.scaled(largest) if x.low == -x.high else ranges.product(
            x, ranges.symmetric(largest)
        )
    values = Interval(*_ends(primitive.value))
    if primitive.reciprocal:
        if values.least == 0.0:
            return infinite("a division by zero"), ANY
        values = ranges.hull(1 / values.low, 1 / values.high)
    bound = infinite("the values of the constant are unknown") if values.size == inf else number(values.size)
    return bound, ranges.product(x, values)


def _mask(primitive: prim.Dropout, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    if not setting.training or primitive.rate == 0.0:
        return IDENTITY, x
    if primitive.noise:
        return infinite("a factor with Gaussian noise is unbounded"), ANY
    if primitive.rate >= 1.0:
        return ZERO, Interval(0.0, 0.0)
    if primitive.alpha:
        # a x + b with a = ((1 - p)(1 + p alpha'^2))^(-1/2), alpha' = -1.7581
        factor = ((1 - primitive.rate) * (1 + primitive.rate * 1.7580993409**2)) ** -0.5
        return number(factor), ANY
    return number(1 / (1 - primitive.rate)), x.scaled(1 / (1 - primitive.rate)).with_zero()


def _batch(primitive: prim.BatchStandardise, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    layer, norms = setting.layer, setting.norms
    if setting.training and primitive.batch_statistics:
        # a bound for the batch as one vector, since the statistics couple its samples
        gamma = (
            IDENTITY
            if primitive.gamma is None
            else named(f"max(abs({layer}/{primitive.gamma}))", norms.largest(primitive.gamma))
        )
        return times(number(primitive.epsilon**-0.5), gamma), ANY
    if isinstance(primitive.variance, str):
        scale = norms.normalised(
            primitive.gamma, primitive.variance, primitive.epsilon if not primitive.floor else 0.0
        )
        if primitive.floor and scale is not None:
            least, most = (min(v, 1 / primitive.epsilon) for v in scale)
            scale = (
                (least, most)
                if not primitive.inverse
                else (1 / most if most else inf, 1 / least if least else inf)
            )
        bound = named(f"scale({layer})", None if scale is None else scale[1])
        return bound, _affine(primitive, x, scale, norms)
    low, high = _ends(getattr(primitive.variance, "value", primitive.variance))
    least, most = max(sqrt(max(low, 0.0)), primitive.epsilon), max(sqrt(max(high, 0.0)), primitive.epsilon)
    scale = (least, most) if primitive.inverse else (1 / most, 1 / least)
    return number(scale[1]), _affine(primitive, x, scale, norms)


def _affine(
    primitive: prim.BatchStandardise, x: Interval, scale: tuple[float, float] | None, norms: Norms
) -> Interval:
    if x.size == inf or scale is None:
        return ANY
    means = (
        primitive.mean
        if isinstance(primitive.mean, str)
        else getattr(primitive.mean, "value", primitive.mean)
    )
    mean = norms.largest(means) if isinstance(means, str) else Interval(*_ends(means)).size
    beta = 0.0 if primitive.beta is None else norms.largest(primitive.beta)
    if mean is None or beta is None:
        return ANY
    return ranges.symmetric(
        scale[1] * x.size + mean if primitive.inverse else scale[1] * (x.size + mean) + beta
    )


def _largest(parameter: Any, setting: Setting) -> tuple[Bound, float | None]:
    """The largest magnitude of gamma or beta, a weight or a constant; 1 if the layer has none."""
    if parameter is None:
        return IDENTITY, 1.0
    if isinstance(parameter, str):
        size = setting.norms.largest(parameter)
        return named(f"max(abs({setting.layer}/{parameter}))", size), size
    most = Interval(*_ends(parameter)).size
    return number(most), most


def _standardise(primitive: prim.Standardise, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    """The Jacobian is a projection divided by the standard deviation, which is at least sqrt(epsilon)."""
    if primitive.epsilon <= 0.0:
        return infinite("without an epsilon the slope is unbounded near a deviation of zero"), ANY
    gamma, size = _largest(primitive.gamma, setting)
    shift = 0.0 if primitive.beta is None else _largest(primitive.beta, setting)[1]
    image = ANY
    if size is not None and shift is not None:
        # a unit is at most sqrt(n), if all n units have a mean square of at most 1
        most = sqrt(primitive.count) if type(primitive.count) is int else inf
        spread = 2 * x.size if primitive.centre else x.size
        image = ranges.symmetric(size * min(most, spread / sqrt(primitive.epsilon)) + shift)
    return times(number(primitive.epsilon**-0.5), gamma), image


def _divide_by_std(primitive: prim.DivideByStd, x: Interval, setting: Setting) -> tuple[Bound, Interval]:
    """X / s with s^2 = variance + epsilon: its Jacobian is I/s - x (x - mean)^T / (n s^3).

    The second part has norm |x| |x - mean| / (n s^3) <= sup|x| / epsilon, since |x - mean| <= sqrt(n) s.
    """
    if x.size == inf or primitive.epsilon <= 0.0:
        return infinite("the slope of a value divided by its deviation is unbounded if the value is"), ANY
    gamma, size = _largest(primitive.gamma, setting)
    root = sqrt(primitive.epsilon)
    image = ANY if size is None else ranges.symmetric(size * x.size / root)
    return times(number(1 / root + x.size / primitive.epsilon), gamma), image


def _reduce(primitive: prim.Reduce, x: Interval, masked: bool) -> tuple[Bound, Interval]:
    match primitive.kind:
        case "mean" if masked:  # a mask may leave a single step
            return IDENTITY, x.with_zero()
        case "max" | "min" | "median":
            return IDENTITY, x
        case "logsumexp":
            return IDENTITY, ANY
        case "norm":
            return IDENTITY, Interval(0.0, inf)
        case "mean":
            return _inverse_root(primitive.count), x
        case "sum":
            count = primitive.count
            return root_of(count), x.scaled(float(count)) if type(count) is int else ANY
        case "std":
            # the gradient of the deviation is a unit vector divided by sqrt(count)
            return _inverse_root(primitive.count), Interval(0.0, inf)
        case "var" if x.size < inf:
            # the gradient 2/n (x - mean) has norm at most 2/n * sqrt(n) * (high - low)/2
            width = number(x.high - x.low)
            return times(_inverse_root(primitive.count), width), Interval(
                0.0, (x.high - x.low) * (x.high - x.low) / 4
            )
    return infinite(f"the slope of a {primitive.kind} over an axis is unbounded"), ANY


def _inverse_root(count: Size) -> Bound:
    if type(count) is int:
        return number(count**-0.5)
    return named(f"1/sqrt({count})", None)


def _cumulative(kind: str, size: Size, x: Interval) -> tuple[Bound, Interval]:
    if kind != "sum":
        return infinite("the slope of a cumulative product is unbounded"), ANY
    if type(size) is not int:
        return named(f"({size})", None), ANY
    # the 2-norm of the lower triangular matrix of ones
    return number(1 / (2 * sin(pi / (4 * size + 2)))), x.scaled(float(size)).with_zero() if size > 1 else x


# -- several inputs ---------------------------------------------------------------------------------
def _multi_input(
    primitive: prim.Primitive, shapes: Sequence[Shape], values: Sequence[Interval], setting: Setting
) -> ChainBound:
    match primitive:
        case prim.Merge():
            return _merge(primitive, values)
        case prim.Contract():
            return _contract(primitive, shapes, values)
        case prim.Recur() | prim.Stacked():
            return ChainBound(*_recurrence(primitive, values, setting))
        case prim.Branches(chains, merge):
            return _branches(chains, merge, shapes, values, setting)
        case prim.Unbounded(reason):
            return ChainBound(
                tuple(infinite(reason) for _ in values), _unbounded_values(primitive, values, setting)
            )
    raise TypeError(f"no bound for {type(primitive).__name__}")


def _unbounded_values(primitive: prim.Unbounded, values: Sequence[Interval], setting: Setting) -> Interval:
    if primitive.input_index is None:
        return ANY
    image = chain_bound(primitive.value_map, [()], [values[primitive.input_index]], setting).values
    return (
        image
        if primitive.extra_range is None
        else ranges.enclosing((image, Interval(*primitive.extra_range)))
    )


def _recurrence(
    primitive: prim.Recur | prim.Stacked, values: Sequence[Interval], setting: Setting
) -> tuple[tuple[Bound, ...], Interval]:
    def bound_of(primitives: prim.Primitives, x: Interval) -> tuple[Bound, Interval]:
        chain = chain_bound(primitives, [()], [x], setting)
        return chain.bounds[0], chain.values

    if isinstance(primitive, prim.Stacked):
        return stacked(primitive, values, setting, bound_of)
    return recurrent(primitive, values, setting, bound_of)


def _merge(primitive: prim.Merge, values: Sequence[Interval]) -> ChainBound:
    copies = [root_of(n) for n in primitive.repeats]
    count = len(values)
    if primitive.kind == "add":
        coefficients = primitive.coefficients
    elif primitive.kind == "average":
        coefficients = (1 / count,) * count
    elif primitive.kind == "stop":
        return ChainBound((ZERO,) * count, ANY)
    elif primitive.kind == "multiply":
        bounds = []
        for i in range(count):
            others = [v for j, v in enumerate(values) if j != i]
            factor = _sup(others)
            bounds.append(times(copies[i], factor))
        image = values[0]
        for v in values[1:]:
            image = ranges.product(image, v)
        return ChainBound(tuple(bounds), image)
    elif primitive.kind == "divide":
        top, bottom = values
        least = bottom.least
        if least == 0.0:
            return ChainBound((infinite("a divisor may be zero"),) * 2, ANY)
        second = _sup([top, Interval(-1 / least, 1 / least), Interval(-1 / least, 1 / least)])
        return ChainBound((times(copies[0], number(1 / least)), times(copies[1], second)), ANY)
    elif primitive.kind == "choose":
        picked = [v for v, c in zip(values, primitive.coefficients, strict=True) if c]
        return ChainBound(
            tuple(times(c, number(w)) for c, w in zip(copies, primitive.coefficients, strict=True)),
            ranges.enclosing(picked).with_zero(),
        )
    elif primitive.kind in ("concatenate", "stack", "maximum", "minimum"):
        return ChainBound(tuple(copies), ranges.enclosing(values))
    elif primitive.kind in ("hypot", "logaddexp"):
        return ChainBound(tuple(copies), ANY)
    else:
        return ChainBound((infinite(f"the slope of {primitive.kind} is unbounded"),) * count, ANY)
    sums = ranges.summed(v.scaled(c) for v, c in zip(values, coefficients, strict=True))
    return ChainBound(
        tuple(times(c, number(abs(w))) for c, w in zip(copies, coefficients, strict=True)), sums
    )


def _sup(factors: Sequence[Interval]) -> Bound:
    """The largest magnitude of a product of values from these intervals."""
    if any(v.size == inf for v in factors) and not any(v.size == 0.0 for v in factors):
        return infinite("a product with unbounded values")
    size = 1.0
    for v in factors:
        size = 0.0 if v.size == 0.0 else size * v.size
    return number(size)


def _contract(primitive: prim.Contract, shapes: Sequence[Shape], values: Sequence[Interval]) -> ChainBound:
    """The bounds of an einsum, whose Jacobian's elements are products of elements of the other operands.

    The norm is at most the square root of the largest row sum times the largest column sum.
    """
    if primitive.normalised:
        # Keras divides vectors by max(norm(x), 1e-7)
        values = [ranges.symmetric(1.0)] * len(values)
    left, _, output = primitive.equation.partition("->")
    labels = left.split(",")
    tensors = iter(zip(shapes, values, strict=True))
    operands: list[tuple[str, Any, Interval, bool]] = []
    for label, constant in zip(labels, primitive.constants, strict=True):
        if constant is None:
            shape, interval = next(tensors)
            operands.append((label[1:], shape, interval, True))
        else:
            operands.append((label, constant.shape, Interval(*_ends(constant.value)), False))
    sizes: dict[str, Any] = {}
    for label, shape, _, _ in operands:
        sizes |= dict(zip(label, shape, strict=True))
    if not all(type(n) is int for n in sizes.values()):
        return ChainBound((infinite("a size of the product is symbolic"),) * len(values), ANY)
    bounds = []
    products = 1
    for n in sizes.values():
        products *= n
    outputs = _size(output[1:], sizes)
    term = Interval(1.0, 1.0)
    for _, _, interval, _ in operands:
        term = ranges.product(term, interval)
    for i, (label, _, _, tensor) in enumerate(operands):
        if not tensor:
            continue
        sup = _sup([v for j, (_, _, v, _) in enumerate(operands) if j != i])
        rows, columns = products // outputs, products // _size(label, sizes)
        bounds.append(times(number(1e7 if primitive.normalised else 1.0), number(sqrt(rows * columns)), sup))
    return ChainBound(tuple(bounds), term.scaled(float(products // outputs)))


def _size(labels: str, sizes: dict[str, int]) -> int:
    return prod(sizes[label] for label in set(labels))


def _branches(
    chains: tuple[prim.Primitives, ...],
    merge: prim.Merge | None,
    shapes: Sequence[Shape],
    values: Sequence[Interval],
    setting: Setting,
) -> ChainBound:
    """Chains on the same first input; the other inputs are divided equally among the chains, in order."""
    share = (len(values) - 1) // len(chains)
    branches = []
    for i in range(len(chains)):
        inputs = [0, *range(1 + i * share, 1 + (i + 1) * share)]
        branches.append(
            chain_bound(chains[i], [shapes[j] for j in inputs], [values[j] for j in inputs], setting)
        )
    if merge is None:
        factors: list[Bound] = [IDENTITY] * len(chains)
        image = ranges.enclosing(b.values for b in branches)
    else:
        merged = _merge(merge, [b.values for b in branches])
        factors, image = list(merged.bounds), merged.values
    separate = merge is None or merge.kind == "concatenate"
    first = [times(b.bounds[0], f) for b, f in zip(branches, factors, strict=True)]
    rest = [times(bound, f) for b, f in zip(branches, factors, strict=True) for bound in b.bounds[1:]]
    return ChainBound((hypot(first) if separate else plus(first), *rest), image)


class PrefixedNorms(Norms):
    """The norms of a nested layer, whose weights have a prefix in the names of the outer layer."""

    def __init__(self, norms: Norms, prefix: str) -> None:
        self.norms = norms
        self.prefix = prefix

    def _of(self, primitive: Any) -> Any:
        return replace(
            primitive,
            weight=f"{self.prefix}/{primitive.weight}",
            bias=primitive.bias and f"{self.prefix}/{primitive.bias}",
        )

    def spectral(self, primitive: Any) -> float | None:
        return self.norms.spectral(self._of(primitive))

    def operator(self, primitive: Any) -> float | None:
        return self.norms.operator(self._of(primitive))

    def reach(self, primitive: Any) -> tuple[float, float] | None:
        return self.norms.reach(self._of(primitive))

    def smallest_singular_value(self, primitive: Any) -> float:
        return self.norms.smallest_singular_value(self._of(primitive))

    def largest(self, weight: str) -> float | None:
        return self.norms.largest(f"{self.prefix}/{weight}")

    def smallest(self, weight: str) -> float | None:
        return self.norms.smallest(f"{self.prefix}/{weight}")

    def normalised(self, gamma: str | None, variance: Any, epsilon: float) -> tuple[float, float] | None:
        return self.norms.normalised(gamma and f"{self.prefix}/{gamma}", f"{self.prefix}/{variance}", epsilon)


def is_plain_sum(primitives: prim.Primitives) -> bool:
    """Whether a layer only adds its inputs."""
    if len(primitives) != 1 or not isinstance(primitives[0], prim.Merge):
        return False
    return primitives[0].kind == "add" and all(c == 1.0 for c in primitives[0].coefficients)
