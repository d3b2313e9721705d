"""Bounds around the linear network that every function's middle slope makes.

Where a slope lies in [a, b] it is c + r E with c = (a + b)/2, r = (b - a)/2 and |E| <= 1. With S the
Jacobian of the network whose slopes are c, and the true one taken apart at each function in turn,

    norm(J(u)) <= norm(S(u -> out)) + sum over functions i behind u of B(i) r(i) norm(S(u -> i)),

B(i) being a bound from behind function i on (all derived here; the same idea bounds a residual as a
perturbation of its skip). Linear maps between functions are multiplied out, so nothing is lost
where products of norms lose most. Time and memory grow with the square of the units: for small networks.
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
from archcalc.analyses.gradient_bounds.spectral import Actual, largest_singular
from archcalc.analyses.gradient_bounds.terms import Bound, Norm, plus, times
from archcalc.analyses.gradient_bounds.value_ranges import Interval
from archcalc.errors import ArchcalcError
from archcalc.layers import primitives as prim

# units of one tensor, and of all tensors of a network together
MAX_UNITS = 4096
MAX_WORK = 40_000


@dataclass(frozen=True, slots=True)
class Step:
    """One primitive around its middle: the map of its mean slope (None: zero), and how far it may be off."""

    middle: Map | None
    off: float


@dataclass(frozen=True, slots=True)
class Joined:
    """Several tensors around the middle: a map of them all, and how far each may be off."""

    middle: Any
    off: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A layer: how it joins its inputs, its steps, and a bound of all that follows each of them."""

    join: Joined | None
    behind: float
    steps: tuple[tuple[Step, float], ...]


def bounds(model: Model, upper: dict[int, Bound]) -> dict[int, Bound]:
    """The least of the given bounds, their products with better ones behind, and the centred ones.

    Raises `ArchcalcError` for networks that are too large, or hold symbols or repeats.
    """
    _require_small(model)
    return _Centred(model, upper).run()


def _require_small(model: Model) -> None:
    sizes = [
        units(shape) if all(type(n) is int for n in shape) else None for s in model.shapes for shape in s
    ]
    if None in sizes or model.graph.repeats:
        raise ArchcalcError("tier='centred' needs a value for every symbol")
    known = [n for n in sizes if n is not None]
    if max(known) > MAX_UNITS or sum(known) > MAX_WORK:
        raise ArchcalcError(
            f"tier='centred' is for small networks: {max(known):,} units in one tensor "
            f"(limit {MAX_UNITS:,}), {sum(known):,} in all (limit {MAX_WORK:,}); take tier='tight'"
        )


class _Centred:
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
            again = self._product(u, consumers[u], u in outputs)
            found = self._around(u)
            for bound in (again, found):
                mine = self.best[u]
                if bound is None or not isinstance(bound.log, float):
                    continue
                if mine.unbounded or not isinstance(mine.log, float) or bound.log < mine.log:
                    self.best[u] = bound
        return self.best

    def _product(self, u: int, readers: list[int], is_output: bool) -> Bound | None:
        """The sum over readers with their best bounds."""
        if is_output:
            return None
        edges = [
            times(factor, self.best[v])
            for v in dict.fromkeys(readers)
            for tap, factor in zip(self.graph.nodes[v].inputs, self.model.chain_bounds[v].bounds, strict=True)
            if tap.node == u
        ]
        return plus(edges)

    # -- the network around its middle -----------------------------------------------------------------
    def _chain(self, node: int) -> Chain:
        """A layer's primitives around their middles, each with a bound of what follows it in the layer."""
        layer = self.graph.nodes[node]
        if not layer.inputs:
            return Chain(None, 1.0, ())
        shapes = self.graph.input_shapes(self.model.shapes, layer)
        primitives = list(layer.layer.primitives(*shapes))
        norms = self.model.norms[node]
        assert isinstance(norms, Actual)
        setting = self.model.setting(node)
        values = [self.model.values[t.node] for t in layer.inputs]
        join: Joined | None = None
        x = values[0]
        if primitives and isinstance(primitives[0], prim.JOINING):
            first = primitives.pop(0)
            made = primitive_bounds.chain_bound((first,), shapes, values, setting)
            offs = tuple(_plain(b) for b in made.bounds)
            join = _joined(first, shapes, values, offs)
            x = made.values
        steps: list[tuple[Step, float]] = []
        for primitive in primitives:
            mine, after = primitive_bounds.primitive_bound(primitive, x, setting)
            size = _plain(mine)
            # which steps a mask leaves is not known
            known = not setting.masked
            step = _step(primitive, x, norms, size, self.model.training) if known else Step(None, size)
            steps.append((step, size))
            x = after
        behind = 1.0
        found: list[tuple[Step, float]] = []
        for step, bound in reversed(steps):
            found.append((step, behind))
            behind = behind * bound if behind and bound else 0.0
        return Chain(join, behind, tuple(found[::-1]))

    def _reaching(self) -> list[bool]:
        """Whether a row's output leads to the model's."""
        return [not self.best[i].is_zero for i in range(len(self.graph.nodes))]

    def _around(self, u: int) -> Bound | None:
        """The centred bound of one row; None where a term is infinite."""
        shape = self.model.shapes[u][0]
        size = units(shape)
        if size == 0:
            return None
        state: dict[int, Array | None] = {u: np.eye(size).reshape(size, *shape)}
        total = 0.0
        for v in range(u + 1, len(self.graph.nodes)):
            layer = self.graph.nodes[v]
            parts = [state.get(t.node) if t.output == 0 else None for t in layer.inputs]
            if all(p is None for p in parts) or not self.reaches[v]:
                continue
            if len(self.model.shapes[v]) > 1:
                return None
            b = _plain(self.best[v])
            chain = self.chains[v]
            if chain.join is None:
                current = parts[0]
            else:
                current = chain.join.middle(parts, size)
                for off, part in zip(chain.join.off, parts, strict=True):
                    if off and part is not None:
                        total += b * chain.behind * off * _norm(part)
            for step, behind in chain.steps:
                if current is None:
                    break
                if step.off:
                    total += b * behind * step.off * _norm(current)
                current = None if step.middle is None else step.middle(current)
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


def _step(primitive: prim.Primitive, x: Interval, norms: Actual, bound: float, training: bool) -> Step:
    """A primitive around its middle; where nothing better is known, around zero."""
    if isinstance(primitive, prim.Pointwise):
        return _function(primitive, x, norms, bound)
    if isinstance(primitive, prim.Dropout) and training and primitive.rate:
        # a mask of 0 and 1/(1 - p), around half of that
        return Step(lambda y: y * (bound / 2), bound / 2)
    if isinstance(primitive, prim.Softmax) and not primitive.log:
        # symmetric, with eigenvalues from 0 to 1/2, and 0 for the constant vector
        axes = tuple(a + 1 for a in primitive.axes)
        return Step(lambda y: (y - y.mean(axes, keepdims=True)) / 4, 0.25)
    if isinstance(primitive, prim.Pool) and primitive.kind == "max":
        return _pool(primitive, norms, bound)
    if isinstance(primitive, prim.TrainingNoise) and training:
        return Step(None, bound)
    if isinstance(primitive, prim.BatchStandardise) and training and primitive.moving:
        return Step(None, bound)
    found = linear_map(primitive, norms)
    return Step(None, bound) if found is None else Step(found, 0.0)


def _function(primitive: prim.Pointwise, x: Interval, norms: Actual, bound: float) -> Step:
    if primitive.weight is not None:
        alpha = norms.array(primitive.weight)
        if alpha is None:
            return Step(None, bound)
        middle = (1 + alpha) / 2
        return Step(lambda y: y * middle, float(np.abs(1 - alpha).max()) / 2)
    low, high = value_ranges.slope(primitive.function, dict(primitive.parameters), x)
    if low == -inf or high == inf:
        return Step(None, bound)
    c, r = (low + high) / 2, (high - low) / 2
    return Step((lambda y: y * c) if c else None, r)


def _pool(primitive: prim.Pool, norms: Actual, bound: float) -> Step:
    """Disjoint windows around their mean: one unit less the mean has norm sqrt(1 - 1/k)."""
    windows = [_apart(s) for s in primitive.windows]
    mean = linear_map(prim.Pool("average", primitive.windows), norms) if all(windows) else None
    return Step(None, bound) if mean is None else Step(mean, sqrt(1 - 1 / prod(windows)))


def _apart(s: prim.SlidingWindow | prim.AdaptiveWindow) -> int:
    """The units of a window, where windows are disjoint, equal and inside; else 0."""
    if isinstance(s, prim.AdaptiveWindow):
        return 0 if s.size % s.positions else int(s.size // s.positions)
    inside = s.before == 0 and (s.positions - 1) * s.stride + s.kernel <= s.size
    return int(s.kernel) if inside and s.stride >= s.kernel else 0


def _joined(
    primitive: prim.Primitive, shapes: Any, values: list[Interval], offs: tuple[float, ...]
) -> Joined:
    """Sums and concatenations as they are, products and choices around their middles."""
    around_zero = Joined(_nothing, offs)
    if not isinstance(primitive, prim.Merge):
        return around_zero
    count = len(values)
    if is_plain_sum((primitive,)) or primitive.kind in ("add", "average"):
        weights = primitive.coefficients or (1 / count,) * count
        return Joined(_Sum(shapes, weights), (0.0,) * count)
    if primitive.kind in ("maximum", "minimum") and count == 2:
        return Joined(_Sum(shapes, (0.5, 0.5)), tuple(0.5 * o for o in offs))
    if primitive.kind == "multiply" and count == 2:
        middles = [(values[1].low + values[1].high) / 2, (values[0].low + values[0].high) / 2]
        half = [(values[1].high - values[1].low) / 2, (values[0].high - values[0].low) / 2]
        # an operand without a range: around zero
        weights = tuple(m if v.size < inf else 0.0 for m, v in zip(middles, values[::-1], strict=True))
        off = tuple(
            o if v.size == inf else (o * h / v.size if v.size else 0.0)
            for o, h, v in zip(offs, half, values[::-1], strict=True)
        )
        return Joined(_Sum(shapes, weights), off)
    if primitive.kind in ("concatenate", "stack") and primitive.axis is not None:
        return Joined(_Concatenation(shapes, primitive.axis, primitive.kind == "stack"), (0.0,) * count)
    return around_zero


def _nothing(_: list[Array | None], __: int) -> None:
    """The map around zero."""


class _Sum:
    """A weighted sum of tensors, axes of size 1 repeated."""

    def __init__(self, shapes: Any, weights: Any) -> None:
        self.weights = weights
        self.shape = np.broadcast_shapes(*shapes)

    def __call__(self, parts: list[Array | None], size: int) -> Array | None:
        found: Array | None = None
        for part, weight in zip(parts, self.weights, strict=True):
            if part is None or weight == 0.0:
                continue
            rank = len(self.shape)
            lifted = part.reshape(size, *(1,) * (rank + 1 - part.ndim), *part.shape[1:])
            term = weight * np.broadcast_to(lifted, (size, *self.shape))
            found = term if found is None else found + term
        return found


class _Concatenation:
    """Tensors one behind the other; those that do not depend on the source are zero."""

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
