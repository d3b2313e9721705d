"""Gradient bounds of every row of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Any, NamedTuple

from archcalc.analyses.gradient_bounds import products
from archcalc.analyses.gradient_bounds.products import Model, RowBounds
from archcalc.analyses.gradient_bounds.terms import Bound, LinearLog
from archcalc.analyses.gradient_bounds.value_ranges import ANY, Interval
from archcalc.analyses.gradient_bounds.weight_gradients import weight_gradients
from archcalc.analyses.gradient_bounds.weight_norms import ExpectedNorms, Norms, SymbolicNorms
from archcalc.analyses.shapes import Shapes
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph

WEIGHTS = ("symbolic", "expected", "actual")
TIERS = ("symbolic", "tight", "centred")
# added to a computed bound, in log10: far above the rounding errors of its sums
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Gradient:
    """Bounds of the gradient at this row's output, and its expectation at initialisation.

    `local_log10` bounds the 2-norm of the layer's own Jacobian, `upper_log10` and `lower_log10` that of
    the Jacobian of the model's output with respect to this row's output (None: unbounded, or without a
    number). They are texts where a symbolic size is left. `tier` is the kind of bound, `formula` the
    formula of the upper bound, `cause` the reason why it is infinite. `expected_log10` and its 90 % band
    predict the norm of the gradient here over that at the output, at initialisation; where they are
    None, `no_expectation` is the reason. `weight_gradient_log10` bounds the norm of a loss's gradient
    with respect to the layer's kernels, for one sample; where kernels have no bound,
    `no_weight_gradient` is the reason. `expected_of_weights` is the expectation (log10, its band, the reason)
    before the layer's own activation; verdicts need it, reports do not show it.
    """

    local_log10: float | str | None
    upper_log10: float | str | None
    lower_log10: float | str | None
    tier: str
    formula: str
    cause: str | None = None
    expected_log10: float | None = None
    expected_log10_low: float | None = None
    expected_log10_high: float | None = None
    weight_gradient_log10: float | str | None = None
    no_expectation: str | None = None
    no_weight_gradient: str | None = None
    expected_of_weights: tuple[float | None, float | None, float | None, str | None] | None = None

    @property
    def unbounded(self) -> bool:
        return self.cause is not None

    def to_dict(self) -> dict[str, Any]:
        return {
            "local_log10": self.local_log10,
            "upper_log10": self.upper_log10,
            "lower_log10": self.lower_log10,
            "expected_log10": self.expected_log10,
            "expected_log10_low": self.expected_log10_low,
            "expected_log10_high": self.expected_log10_high,
            "no_expectation": self.no_expectation,
            "weight_gradient_log10": self.weight_gradient_log10,
            "no_weight_gradient": self.no_weight_gradient,
            "tier": self.tier,
            "unbounded": self.unbounded,
            "cause": self.cause,
            "formula": self.formula,
        }


class Gradients(NamedTuple):
    """The bounds of every row, and a description of the loss whose gradients in kernels are bounded."""

    rows: list[Gradient]
    loss: str


def log10_of(bound: Bound, *, below: bool = False) -> float | str | None:
    """The bound in log10, rounded to the safe side; None for zero, infinity and symbolic norms."""
    if bound.log is None or bound.log in (inf, -inf):
        return None
    if isinstance(bound.log, LinearLog):
        return bound.log.log10()
    value = bound.log / log(10)
    return value if value == 0.0 else value - ROUNDING if below else value + ROUNDING


def gradients(
    graph: Graph,
    shapes: Shapes,
    *,
    weights: str = "expected",
    values: Mapping[str, Mapping[str, Any]] | None = None,
    tier: str | None = None,
    training: bool = False,
    input_range: tuple[float, float] | None = None,
    loss: str | None = None,
) -> Gradients:
    """Gradient bounds for every row.

    Parameters
    ----------
    weights
        `symbolic` leaves norms as symbols, `expected` uses those expected at initialisation, `actual`
        those of `values`.
    values
        The arrays of every layer with weights: by node name, then by weight name.
    tier
        `symbolic` (norm times sqrt(cover)), `tight` (the best bound of each map) or `centred` (of the
        whole network, linearised at the middle of each range of slopes); the last two need `actual`
        weights. Default: `tight` for `actual` weights, else `symbolic`.
    training
        Whether the bounds are those of training (batch statistics, dropout) instead of inference.
    input_range
        The interval of all input values, if known.
    loss
        The loss whose gradients in kernels are bounded (one of `losses.LOSSES`). Default: the
        cross-entropy that belongs to a softmax or a sigmoid at the end.

    Raises
    ------
    ArchcalcError
        An argument has none of its values, or `values` are needed and missing.
    """
    if weights not in WEIGHTS:
        raise ArchcalcError(f"weights={weights!r}: expected {' or '.join(map(repr, WEIGHTS))}")
    tier = tier or ("tight" if weights == "actual" else "symbolic")
    if tier not in TIERS:
        raise ArchcalcError(f"tier={tier!r}: expected {' or '.join(map(repr, TIERS))}")
    if tier != "symbolic" and weights != "actual":
        raise ArchcalcError(f"tier={tier!r} needs the weights themselves: weights='actual'")
    if weights == "actual" and values is None:
        raise ArchcalcError("weights='actual' needs their values: a .keras file, or `archcalc.read_weights`")
    norms = _norms(graph, shapes, weights, values)
    inputs = ANY if input_range is None else Interval(*input_range)
    model = Model(graph, shapes, norms, training, tier != "symbolic", inputs)
    bounds = products.bounds(model)
    if tier == "centred":
        from archcalc.analyses.gradient_bounds import centred

        upper = centred.bounds(model, {i: row.upper for i, row in enumerate(bounds)})
        bounds = [row._replace(upper=upper[i]) for i, row in enumerate(bounds)]
    kernels = weight_gradients(model, loss)
    rows = [_gradient(row, tier, kernel) for row, kernel in zip(bounds, kernels.rows, strict=True)]
    return Gradients(rows, kernels.loss)


def _gradient(row: RowBounds, tier: str, kernel: Bound | None) -> Gradient:
    return Gradient(
        log10_of(row.local),
        log10_of(row.upper),
        log10_of(row.lower, below=True),
        tier,
        row.formula,
        row.upper.cause,
        weight_gradient_log10=None if kernel is None else log10_of(kernel),
        no_weight_gradient=None if kernel is None else kernel.cause,
    )


def _norms(
    graph: Graph, shapes: Shapes, weights: str, values: Mapping[str, Mapping[str, Any]] | None
) -> Sequence[Norms]:
    by_node: list[Norms] = []
    for node in graph.nodes:
        owner = node if node.shared_with is None else graph.nodes[node.shared_with]
        if weights == "symbolic":
            by_node.append(SymbolicNorms())
        elif weights == "expected":
            declared = owner.layer.weights(*graph.input_shapes(shapes, owner))
            by_node.append(ExpectedNorms({w.name: w for w in declared}))
        else:
            from archcalc.analyses.gradient_bounds.spectral import ActualNorms

            assert values is not None
            by_node.append(ActualNorms(values.get(owner.name, {})))
    return by_node
