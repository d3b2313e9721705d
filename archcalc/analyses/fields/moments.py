"""Mass, mean and variance of a unit's dependence along one axis of a model input.

As for the maps of `index_maps`, moments after upsampling are given for each unit of a period, and
means move by a step from one period to the next. Numbers are floats where all sizes are integers,
and exact (fractions and expressions) where a size is symbolic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm, log2
from typing import Any, NamedTuple, Protocol, TypeAlias

from archcalc.analyses.fields.index_maps import (
    MAX_MAPS,
    MAX_PERIOD,
    PHASE,
    TOO_MANY_MAPS,
    TOO_MANY_PHASES,
)
from archcalc.arith import Size, certainly, equal
from archcalc.arith.symbolic import Expr, divide
from archcalc.arith.unknown import Unknown
from archcalc.layers.window import Blocks, Fixed, Phases, Prefix, Read, Taps, UnknownRead, Whole

UNEQUAL = Unknown("how strongly a whole axis is read depends on weights or values")
UNEQUAL_BLOCK = Unknown("how strongly a group of units is read depends on weights or values")
ORDERED = Unknown("how strongly earlier units are read depends on weights or values")
MOVED = Unknown("which units of a flattened or joined axis are read is not a steady window")
NOTHING = Unknown("position n//2 reads nothing of this input")
SYMBOLIC_PHASES = Unknown("a window after upsampling depends on a symbol; give it a value with --set")
SIGNS = Unknown("bicubic and Lanczos kernels have weights of both signs, which cancel along some paths")
MANY_TAPS = Unknown("a window after upsampling has too many taps to follow one by one")

MAX_TAPS = 1 << 14  # that are followed one by one
# exact fractions double in length with each merge of branches; larger denominators are rounded to
# this one, which changes a figure by less than a part in 10^15
MAX_DENOMINATOR = 1 << 60


class Component(NamedTuple):
    """One component of a mixture, for each phase r of units along `axis` (None: the same for all units).

    At unit `period*q + r` its mean is `step*q + mean[r]`, its variance `variance[r]` and its
    mass `mass[r]`. The masses of all components of an axis add up to 1 on average over the phases.
    """

    axis: int | None
    step: Size
    mean: tuple[Any, ...]
    variance: tuple[Any, ...]
    mass: tuple[Any, ...]

    @property
    def period(self) -> int:
        return len(self.mean)


# the mixture along one axis; empty if nothing is read
Moments: TypeAlias = "tuple[Component, ...] | Unknown"


class Numbers(Protocol):
    """The arithmetic of moments, and of scales, whose range may exceed that of floats."""

    def number(self, x: Any) -> Any:
        """An exact number, converted."""

    def ratio(self, a: Any, b: Any) -> Any:
        """`a / b`."""

    def rounded(self, x: Any) -> Any:
        """The number, rounded if its representation has become too long."""

    @property
    def unit_scale(self) -> Any:
        """The scale 1."""

    def scaled(self, scale: Any, factor: Any) -> Any:
        """A scale times a number."""

    def parts(self, scales: Sequence[Any]) -> tuple[list[Any], Any] | Unknown:
        """Each scale as a fraction of their sum, and the sum."""


class Floats:
    """Double precision. Scales are stored as log2, because they double at each residual sum."""

    unit_scale = 0.0

    def number(self, x: Any) -> float:
        return float(x)

    def ratio(self, a: Any, b: Any) -> float:
        return float(a) / float(b)

    def rounded(self, x: float) -> float:
        return x

    def scaled(self, scale: float, factor: Any) -> float:
        return scale + log2(factor)

    def parts(self, scales: Sequence[float]) -> tuple[list[float], float]:
        most = max(scales)
        each = [2.0 ** (s - most) for s in scales]
        whole = sum(each)
        return [e / whole for e in each], most + log2(whole)


class Exact:
    """Fractions, and expressions where a symbol is left."""

    unit_scale = 1

    def number(self, x: Any) -> Any:
        return Fraction(x) if isinstance(x, float) else x

    def ratio(self, a: Any, b: Any) -> Any:
        return divide(a, b)

    def rounded(self, x: Any) -> Any:
        if isinstance(x, Fraction) and x.denominator > MAX_DENOMINATOR:
            return Fraction(round(x * MAX_DENOMINATOR), MAX_DENOMINATOR)
        return x

    def scaled(self, scale: Any, factor: Any) -> Any:
        return scale * factor

    def parts(self, scales: Sequence[Any]) -> tuple[list[Any], Any] | Unknown:
        whole = scales[0]
        for scale in scales[1:]:
            whole = whole + scale
        each = [divide(s, whole) for s in scales]
        if any(isinstance(e, Expr) for e in each):
            return Unknown("how strongly branches mix depends on a symbol; give it a value with --set")
        return [self.rounded(e) for e in each], whole


class Composition:
    """Composition of moments, in floats or exact numbers."""

    def __init__(self, numbers: Numbers) -> None:
        self.n = numbers

    def identity(self, axis: int) -> Moments:
        """The moments of units along `axis` of which unit i depends on index i."""
        return (self.component(axis, 1, [(1, 0, 0)]),)

    def component(self, axis: int | None, step: Size, rows: Iterable[tuple[Any, Any, Any]]) -> Component:
        """A component from (mass, mean, variance) of each phase."""
        masses, means, variances = zip(*(map(self.n.number, row) for row in rows), strict=True)
        return Component(axis, step, means, variances, masses)

    # -- composition -----------------------------------------------------------------------------
    def through(self, moments: Moments, window: Sequence[Read], shape: Sequence[Size]) -> tuple[Moments, Any]:
        """The moments of a layer's output through one input, normalised, and the factor of its mass."""
        if isinstance(moments, Unknown):
            return moments, 1
        components: list[Component] = []
        for part in moments:
            if part.axis is None:
                composed: Component | Unknown | None = self._constant_through(part, window)
            else:
                composed = self._moving_through(part, window[part.axis], shape[part.axis])
            if isinstance(composed, Unknown):
                return composed, 1
            if composed is not None:
                components.append(composed)
        if len(components) == len(moments) and all(a is b for a, b in zip(components, moments, strict=True)):
            return moments, 1
        return self._normalised(self.joined(components))

    def _moving_through(self, part: Component, read: Read, n: Size) -> Component | Unknown | None:
        match read:
            case Taps():
                return self._taps(part, read)
            case Phases():
                rows = _balanced(read)
                return None if rows is None else self._phases(part, read.axis, read.step, rows)
            case Blocks(uniform=False):
                return UNEQUAL_BLOCK
            case Blocks():
                if type(read.outputs) is not int or type(read.inputs) is not int:
                    return SYMBOLIC_PHASES
                if read.outputs * read.inputs > MAX_TAPS:
                    return MANY_TAPS
                rows = [[(j, 1.0 / read.inputs) for j in range(read.inputs)]] * read.outputs
                return self._phases(part, read.axis, read.inputs, rows)
            case Whole(uniform=True):
                return self._whole(part, n)
            case Whole():
                return UNEQUAL
            case Fixed():
                row = self.at(part, read.index)
                return row if isinstance(row, Unknown) else self.component(None, 0, [row])
            case UnknownRead():
                return Unknown(read.reason)
            case Prefix():
                return ORDERED
        return MOVED

    def _constant_through(self, part: Component, window: Sequence[Read]) -> Component | None:
        """A constant component, whose mass varies where the phases of a read have different weights."""
        for read in window:
            if type(read) is Phases:
                rows = _balanced(read)
                if rows is None:
                    return None
                strengths = [sum(w for _, w in row) for row in rows]
                if max(strengths) > min(strengths):
                    each = [
                        (part.mass[0] * self.n.number(s), part.mean[0], part.variance[0]) for s in strengths
                    ]
                    return self.component(read.axis, 0, each)
        return part

    def _taps(self, part: Component, read: Taps) -> Component | Unknown:
        axis, stride, offset, count, dilation = read.axis, read.stride, read.offset, read.count, read.dilation
        if part.period == 1:
            reach = dilation * (count - 1)
            if _zero(offset) and _zero(reach) and type(stride) is int and stride == 1:
                return part if axis == part.axis else part._replace(axis=axis)
            step, number, ratio = part.step, self.n.number, self.n.ratio
            mean = part.mean[0] + number(step) * (number(offset) + ratio(reach, 2))
            variance = part.variance[0] + ratio(twelvefold_variance(step, count, dilation), 12)
            return Component(axis, step * stride, (mean,), (variance,), part.mass)
        if not (type(stride) is type(offset) is type(count) is type(dilation) is int):
            return SYMBOLIC_PHASES
        period = part.period // gcd(part.period, stride)
        if period * count > MAX_TAPS:
            return MANY_TAPS
        weight = self.n.ratio(1, count)
        rows = [[(stride * r + offset + dilation * t, weight) for t in range(count)] for r in range(period)]
        return self._table(part, axis, stride * period, rows)

    def _phases(
        self, part: Component, axis: int, step: int, reads: Sequence[Sequence[tuple[int, float]]]
    ) -> Component | Unknown:
        if any(weight < 0 for row in reads for _, weight in row):
            return SIGNS
        times = part.period // gcd(part.period, step)
        if times * len(reads) > MAX_PERIOD or times * sum(map(len, reads)) > MAX_TAPS:
            return TOO_MANY_PHASES
        rows = [[(step * m + o, self.n.number(w)) for o, w in row] for m in range(times) for row in reads]
        return self._table(part, axis, step * times, rows)

    def _table(
        self, part: Component, axis: int, shift: int, reads: Sequence[Sequence[tuple[int, Any]]]
    ) -> Component | Unknown:
        rows = []
        for row in reads:
            seen = []
            for unit, weight in row:
                moments = self.at(part, unit)
                if isinstance(moments, Unknown):
                    return moments
                mass, mean, variance = moments
                seen.append((mass * weight, mean, variance))
            rows.append(self.mixture(seen))
        return self.component(axis, part.step * (shift // part.period), rows)

    def _whole(self, part: Component, n: Size) -> Component | Unknown:
        """The uniform mixture over n units: variance step^2 (n^2 - 1)/12 plus that of each unit."""
        if part.period == 1:
            groups = [(n, 0)]
        elif type(n) is int:
            groups = [((n - 1 - r) // part.period + 1, r) for r in range(min(part.period, n))]
        else:
            return PHASE
        ratio, step = self.n.ratio, part.step
        seen = [
            (
                part.mass[r] * ratio(count, n),
                part.mean[r] + ratio(step * (count - 1), 2),
                part.variance[r] + ratio(step * step * (count * count - 1), 12),
            )
            for count, r in groups
        ]
        return self.component(None, 0, [seen[0] if len(seen) == 1 else self.mixture(seen)])

    # -- evaluation and mixtures --------------------------------------------------------------------
    def at(self, part: Component, unit: Size) -> tuple[Any, Any, Any] | Unknown:
        """(mass, mean, variance) at one unit."""
        if part.period == 1:
            return part.mass[0], part.mean[0] + self.n.number(part.step * unit), part.variance[0]
        if type(unit) is not int:
            return PHASE
        q, r = divmod(unit, part.period)
        return part.mass[r], part.mean[r] + self.n.number(part.step * q), part.variance[r]

    def mixture(self, rows: Sequence[tuple[Any, Any, Any]]) -> tuple[Any, Any, Any]:
        """(mass, mean, variance) of a mixture; zeros for an empty one."""
        mass = sum(row[0] for row in rows)
        if _zero(mass):
            return 0, 0, 0
        origin = rows[0][1]
        shift = sum(self.n.ratio(m, mass) * (mean - origin) for m, mean, _ in rows)
        variance: Any = 0
        for m, mean, v in rows:
            apart = mean - origin - shift
            variance = variance + self.n.ratio(m, mass) * (v + apart * apart)
        return mass, self.n.rounded(origin + shift), self.n.rounded(variance)

    def joined(self, parts: Iterable[Component]) -> Moments:
        """The mixture of components; those of equal axis and stride are merged into one."""
        distinct: list[Component] = []
        for part in parts:
            for k, other in enumerate(distinct):
                if part.axis == other.axis and _same(part.step * other.period, other.step * part.period):
                    period = lcm(part.period, other.period)
                    if period > MAX_PERIOD:
                        return TOO_MANY_PHASES
                    distinct[k] = self._both(_expand(other, period, self.n), _expand(part, period, self.n))
                    break
            else:
                distinct.append(part)
        return tuple(distinct) if len(distinct) <= MAX_MAPS else TOO_MANY_MAPS

    def _both(self, a: Component, b: Component) -> Component:
        rows = [
            self.mixture([(a.mass[r], a.mean[r], a.variance[r]), (b.mass[r], b.mean[r], b.variance[r])])
            for r in range(a.period)
        ]
        return self.component(a.axis, a.step, rows)

    def weighed(self, moments: Moments, weight: Any) -> Moments:
        """The moments with all masses multiplied by `weight`."""
        if isinstance(moments, Unknown):
            return moments
        return tuple(c._replace(mass=tuple(m * weight for m in c.mass)) for c in moments)

    def _normalised(self, moments: Moments) -> tuple[Moments, Any]:
        """The moments with an average mass of 1, and the average mass before."""
        if isinstance(moments, Unknown):
            return moments, 1
        if all(part.period == 1 for part in moments) and len(moments) == 1:
            average = moments[0].mass[0]
        else:
            average = sum(self.n.ratio(sum(part.mass), part.period) for part in moments)
        if isinstance(average, Expr):
            return SYMBOLIC_PHASES, 1
        if average == 1:
            return moments, 1
        if not average > 0:
            return (), 1
        return self.weighed(moments, self.n.ratio(1, average)), average

    def spread(self, moments: Moments, shape: Sequence[Size]) -> Any:
        """The variance at position n//2 of an output of this shape."""
        if isinstance(moments, Unknown):
            return moments
        if len(moments) == 1:
            (part,) = moments
            same = all(v == part.variance[0] for v in part.variance)
            if same and not any(map(_zero, part.mass)):
                return part.variance[0]
        rows = []
        for part in moments:
            unit = 0 if part.axis is None else shape[part.axis] // 2
            row = self.at(part, unit)
            if isinstance(row, Unknown):
                return row
            rows.append(row)
        mass, _, variance = self.mixture(rows)
        return NOTHING if _zero(mass) else variance


def twelvefold_variance(step: Any, count: Any, dilation: Any) -> Any:
    """That of a uniform window of k taps, d units apart: d^2 (k^2 - 1)/12 in the squares of a unit's step."""
    return step * step * dilation * dilation * (count * count - 1)


def _expand(part: Component, period: int, numbers: Numbers) -> Component:
    times = period // part.period
    if times == 1:
        return part
    mean = tuple(v + numbers.number(part.step * m) for m in range(times) for v in part.mean)
    return Component(part.axis, part.step * times, mean, part.variance * times, part.mass * times)


def _same(a: Size, b: Size) -> bool:
    return a == b if type(a) is int and type(b) is int else certainly(equal(a, b))


def _zero(x: Any) -> bool:
    return not isinstance(x, Expr | Unknown) and x == 0


def _balanced(read: Phases) -> list[list[tuple[int, float]]] | None:
    """The reads, with weights that add up to 1 on average over the phases; None if nothing is read."""
    weight = sum(w for row in read.reads for _, w in row)
    if not weight > 0:
        return None
    each = len(read.reads) / weight
    return [[(o, w * each) for o, w in row] for row in read.reads]
