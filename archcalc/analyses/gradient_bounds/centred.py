"""Gradient bounds around a linear network: every function is replaced by the middle of its slopes.

A slope in [a, b] is c + r E with c = (a + b)/2, r = (b - a)/2 and |E| <= 1. If S is the Jacobian of the
network in which all slopes are c, then

    norm(J(u)) <= norm(S(u -> out)) + sum over functions i after u of B(i) r(i) norm(S(u -> i)),

where B(i) bounds the Jacobian from the output of function i to the output of the network (derived by
replacing one function after the other; a residual block is bounded as a perturbation of its skip in the
same way). Linear maps between functions are multiplied as matrices, so that nothing is lost where
products of norms are loosest. Time and memory grow with the square of the number of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, prod, sqrt
from typing import Any

import numpy as np

from archcalc.analyses.gradient_bounds import primitive_bounds, value_ranges
from archcalc.analyses.gradient_bounds.linear_maps import Array, Map, linear_map, units
from archcalc.analyses.gradient_bounds.primitive_bounds import is_plain_sum
from archcalc.analyses.gradient_bounds.products import Model
from archcalc.analyses.gradient_bounds.spectral import ActualNorms, largest_singular
from archcalc.analyses.gradient_bounds.terms import Bound, Norm, plus, times
from archcalc.analyses.gradient_bounds.value_ranges import Interval
from archcalc.arith import concrete, integers
from archcalc.errors import ArchcalcError
from archcalc.layers import primitives as prim

# limits: units of one tensor, and of all tensors of a network together
MAX_UNITS = 4096
MAX_WORK = 40_000


@dataclass(frozen=True, slots=True)
class Step:
    """A primitive as a linear map (None: zero) and a bound of the deviation of its Jacobian from that."""

    linear: Map | None
    deviation: float


@dataclass(frozen=True, slots=True)
class MergeStep:
    """A merge as a linear map of several tensors, and for each a bound of the Jacobian's deviation."""

    linear: Any
    deviations: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LayerSteps:
    """A layer's merge and its other primitives, each with a bound of the primitives that follow it."""

    merge: MergeStep | None
    following: float  # of the merge
    steps: tuple[tuple[Step, float], ...]


def bounds(model: Model, upper: dict[int, Bound]) -> dict[int, Bound]:
    """The least bound for each node: from `upper`, from better bounds of its readers, or centred.

    Raises `ArchcalcError` for networks that are too large, or have symbols or repeats.
    """
    _require_small(model)
    return _Linearised(model, upper).run()


def _require_small(model: Model) -> None:
    sizes = [units(shape) if concrete(shape) else None for s in model.shapes for shape in s]
    if None in sizes or model.graph.repeats:
        raise ArchcalcError("tier='centred' needs a value for every symbol")
    known = [n for n in sizes if n is not None]
    if max(known) > MAX_UNITS or sum(known) > MAX_WORK:
        raise ArchcalcError(
            f"tier='centred' is for small networks: {max(known):,} units in one tensor "
            f"(limit {MAX_UNITS:,}), {sum(known):,} in all (limit {MAX_WORK:,}); use tier='tight'"
        )


class _Linearised:
    def __init__(self, model: Model, upper: dict[int, Bound]) -> None:
        self.model = model
        self.graph = model.graph
        self.best = dict(upper)
        self.chains = [self._chain(i) for i in range(len(self.graph.nodes))]
        self.reaches = self._reaching()

    def run(self) -> dict[int, Bound]:
        consumers = self.graph.consumers()
        outputs = {t.node for t in self.graph.outputs}
        for u in range(len(self.graph.nodes) - 1, -1, -1):
            if self.best[u].is_zero or (u in outputs and not consumers[u]) or len(self.model.shapes[u]) > 1:
                continue
            for bound in (self._product(u, consumers[u], u in outputs), self._linearised_bound(u)):
                best = self.best[u]
                if bound is None or not isinstance(bound.log, float):
                    continue
                if best.unbounded or not isinstance(best.log, float) or bound.log < best.log:
                    self.best[u] = bound
        return self.best

    def _product(self, u: int, readers: list[int], is_output: bool) -> Bound | None:
        """The product bound with the best bounds of all readers; None for an output of the model."""
        if is_output:
            return None
        paths = [
            times(factor, self.best[v])
            for v in dict.fromkeys(readers)
            for tap, factor in zip(self.graph.nodes[v].inputs, self.model.chain_bounds[v].bounds, strict=True)
            if tap.node == u
        ]
        return plus(paths)

    # -- the linear network ----------------------------------------------------------------------------
    def _chain(self, node: int) -> LayerSteps:
        """The primitives of a node's layer, linearised."""
        reader = self.graph.nodes[node]
        if not reader.inputs:
            return LayerSteps(None, 1.0, ())
        shapes = self.graph.input_shapes(self.model.shapes, reader)
        primitives = list(reader.layer.primitives(*shapes))
        norms = self.model.norms[node]
        assert isinstance(norms, ActualNorms)
        setting = self.model.setting(node)
        values = [self.model.values[t.node] for t in reader.inputs]
        merge: MergeStep | None = None
        x = values[0]
        if primitives and isinstance(primitives[0], prim.MULTI_INPUT):
            first = primitives.pop(0)
            merged = primitive_bounds.chain_bound((first,), shapes, values, setting)
            merge = _merge_step(first, shapes, values, tuple(_plain(b) for b in merged.bounds))
            x = merged.values
        steps: list[tuple[Step, float]] = []
        for primitive in primitives:
            bound, output_range = primitive_bounds.primitive_bound(primitive, x, setting)
            size = _plain(bound)
            # the steps that a mask leaves are unknown
            known = not setting.masked
            step = _step(primitive, x, norms, size, self.model.training) if known else Step(None, size)
            steps.append((step, size))
            x = output_range
        following = 1.0
        reversed_steps: list[tuple[Step, float]] = []
        for step, size in reversed(steps):
            reversed_steps.append((step, following))
            following = following * size if following and size else 0.0
        return LayerSteps(merge, following, tuple(reversed_steps[::-1]))

    def _reaching(self) -> list[bool]:
        """Whether a path leads from each node to an output of the model."""
        return [not self.best[i].is_zero for i in range(len(self.graph.nodes))]

    def _linearised_bound(self, u: int) -> Bound | None:
        """The centred bound of one node; None if a term is infinite."""
        shape = integers(self.model.shapes[u][0])
        size = units(shape)
        if size == 0:
            return None
        state: dict[int, Array | None] = {u: np.eye(size).reshape(size, *shape)}
        total = 0.0
        for v in range(u + 1, len(self.graph.nodes)):
            parts = [state.get(t.node) if t.output == 0 else None for t in self.graph.nodes[v].inputs]
            if all(p is None for p in parts) or not self.reaches[v]:
                continue
            if len(self.model.shapes[v]) > 1:
                return None
            to_output = _plain(self.best[v])
            chain = self.chains[v]
            if chain.merge is None:
                current = parts[0]
            else:
                current = chain.merge.linear(parts, size)
                for deviation, part in zip(chain.merge.deviations, parts, strict=True):
                    if deviation and part is not None:
                        total += to_output * chain.following * deviation * _norm(part)
            for step, following in chain.steps:
                if current is None:
                    break
                if step.deviation:
                    total += to_output * following * step.deviation * _norm(current)
                current = None if step.linear is None else step.linear(current)
            if not total < inf:
                return None
            state[v] = current
        outputs = [state[t.node] for t in self.graph.outputs if state.get(t.node) is not None]
        if outputs:
            total += _norm(np.hstack([y.reshape(size, -1) for y in outputs if y is not None]))
        return Bound(log(total), Norm("centred")) if 0.0 < total < inf else None


def _plain(bound: Bound) -> float:
    if bound.unbounded or not isinstance(bound.log, float):
        return inf
    return 0.0 if bound.log == -inf else exp(bound.log) if bound.log < 700 else inf


def _norm(y: Array) -> float:
    return largest_singular(y.reshape(len(y), -1)[None])


def _step(primitive: prim.Primitive, x: Interval, norms: ActualNorms, bound: float, training: bool) -> Step:
    """A primitive, linearised at the middle of its slopes, or at zero where that is unknown."""
    if isinstance(primitive, prim.Pointwise):
        return _function(primitive, x, norms, bound)
    if isinstance(primitive, prim.Dropout) and training and primitive.rate:
        # factors are 0 or 1/(1 - p): the middle is half of that
        return Step(lambda y: y * (bound / 2), bound / 2)
    if isinstance(primitive, prim.Softmax) and not primitive.log:
        # the Jacobian is symmetric, with eigenvalues in [0, 1/2], and 0 for the constant vector
        axes = tuple(a + 1 for a in primitive.axes)
        return Step(lambda y: (y - y.mean(axes, keepdims=True)) / 4, 0.25)
    if isinstance(primitive, prim.Pool) and primitive.kind == "max":
        return _pool(primitive, norms, bound)
    if isinstance(primitive, prim.TrainingNoise) and training:
        return Step(None, bound)
    if isinstance(primitive, prim.BatchStandardise) and training and primitive.batch_statistics:
        return Step(None, bound)
    exact = linear_map(primitive, norms)
    return Step(None, bound) if exact is None else Step(exact, 0.0)


def _function(primitive: prim.Pointwise, x: Interval, norms: ActualNorms, bound: float) -> Step:
    if primitive.weight is not None:
        alpha = norms.array(primitive.weight)
        if alpha is None:
            return Step(None, bound)
        linear = (1 + alpha) / 2
        return Step(lambda y: y * linear, float(np.abs(1 - alpha).max()) / 2)
    low, high = value_ranges.slope(primitive.function, dict(primitive.parameters), x)
    if low == -inf or high == inf:
        return Step(None, bound)
    c, r = (low + high) / 2, (high - low) / 2
    return Step((lambda y: y * c) if c else None, r)


def _pool(primitive: prim.Pool, norms: ActualNorms, bound: float) -> Step:
    """Maximum over disjoint windows of k units, minus their mean: a map of norm sqrt(1 - 1/k)."""
    windows = [_disjoint(s) for s in primitive.windows]
    mean = linear_map(prim.Pool("average", primitive.windows), norms) if all(windows) else None
    return Step(None, bound) if mean is None else Step(mean, sqrt(1 - 1 / prod(windows)))


def _disjoint(s: prim.SlidingWindow | prim.AdaptiveWindow) -> int:
    """The units of a window if windows are disjoint, of equal size and without padding; else 0."""
    if isinstance(s, prim.AdaptiveWindow):
        n, m = integers((s.size, s.positions))
        return 0 if n % m else n // m
    n, m, k, stride, before = integers((s.size, s.positions, s.kernel, s.stride, s.pad_before))
    return k if before == 0 and (m - 1) * stride + k <= n and stride >= k else 0


def _merge_step(
    primitive: prim.Primitive, shapes: Any, values: list[Interval], deviations: tuple[float, ...]
) -> MergeStep:
    """Sums and concatenations exactly, products and maxima linearised, others around zero."""
    around_zero = MergeStep(_nothing, deviations)
    if not isinstance(primitive, prim.Merge):
        return around_zero
    count = len(values)
    if is_plain_sum((primitive,)) or primitive.kind in ("add", "average"):
        weights = primitive.coefficients or (1 / count,) * count
        return MergeStep(_Sum(shapes, weights), (0.0,) * count)
    if primitive.kind in ("maximum", "minimum") and count == 2:
        return MergeStep(_Sum(shapes, (0.5, 0.5)), tuple(0.5 * o for o in deviations))
    if primitive.kind == "multiply" and count == 2:
        middles = [(values[1].low + values[1].high) / 2, (values[0].low + values[0].high) / 2]
        half = [(values[1].high - values[1].low) / 2, (values[0].high - values[0].low) / 2]
        # linearised at zero if the range of the other operand is unbounded
        weights = tuple(m if v.size < inf else 0.0 for m, v in zip(middles, values[::-1], strict=True))
        deviation = tuple(
            o if v.size == inf else (o * h / v.size if v.size else 0.0)
            for o, h, v in zip(deviations, half, values[::-1], strict=True)
        )
        return MergeStep(_Sum(shapes, weights), deviation)
    if primitive.kind in ("concatenate", "stack") and primitive.axis is not None:
        return MergeStep(_Concatenation(shapes, primitive.axis, primitive.kind == "stack"), (0.0,) * count)
    return around_zero


def _nothing(_: list[Array | None], __: int) -> None:
    """The zero map."""


class _Sum:
    """A weighted sum of tensors, with broadcasting."""

    def __init__(self, shapes: Any, weights: Any) -> None:
        self.weights = weights
        self.shape = np.broadcast_shapes(*shapes)

    def __call__(self, parts: list[Array | None], size: int) -> Array | None:
        result: Array | None = None
        for part, weight in zip(parts, self.weights, strict=True):
            if part is None or weight == 0.0:
                continue
            rank = len(self.shape)
            lifted = part.reshape(size, *(1,) * (rank + 1 - part.ndim), *part.shape[1:])
            term = weight * np.broadcast_to(lifted, (size, *self.shape))
            result = term if result is None else result + term
        return result


class _Concatenation:
    """A concatenation, or with `new` a stack; tensors that do not depend on the source are zero."""

    def __init__(self, shapes: Any, axis: int, new: bool) -> None:
        self.shapes = shapes
        self.axis = axis + 1
        self.new = new

    def __call__(self, parts: list[Array | None], size: int) -> Array | None:
        if all(part is None for part in parts):
            return None
        full = [
            np.zeros((size, *shape)) if part is None else part
            for part, shape in zip(parts, self.shapes, strict=True)
        ]
        return np.stack(full, self.axis) if self.new else np.concatenate(full, self.axis)
