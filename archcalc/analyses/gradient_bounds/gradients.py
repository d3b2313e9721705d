"""Gradient figures of every row, as they are reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Any, NamedTuple

from archcalc.analyses.gradient_bounds import products
from archcalc.analyses.gradient_bounds.products import Model, RowBounds
from archcalc.analyses.gradient_bounds.terms import Bound, Linear
from archcalc.analyses.gradient_bounds.value_ranges import ANY, Interval
from archcalc.analyses.gradient_bounds.weight_gradients import weight_gradients
from archcalc.analyses.gradient_bounds.weight_norms import Expected, Norms, Open
from archcalc.analyses.shapes import Shapes
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph

WEIGHTS = ("symbolic", "expected", "actual")
TIERS = ("symbolic", "tight", "centred")
# what a computed bound is rounded up by, in log10: far above the rounding of its sums
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Gradient:
    """How a change of this row's output reaches the model's output.

    `local_log10` bounds the layer's own Jacobian; `upper_log10` and `lower_log10` the 2-norm of the
    Jacobian of the model's output in this row's output (None: unbounded, or no number). They are texts
    where a symbolic size is left. `tier` says which bound it is, `formula` what the upper bound is made
    of, `cause` why it is infinite. `expected_log10` and its 90 % band predict the gradient's norm here
    over that at the output at initialisation; where they are None, `no_expectation` says why.
    `weight_gradient_log10` bounds the norm of a loss's gradient in the layer's kernels, for one sample;
    where kernels have no bound, `no_weight_gradient` says why.
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
    """Every row's figures, and of which loss the gradients in kernels are, in words."""

    rows: list[Gradient]
    loss: str


def log10_of(bound: Bound, *, below: bool = False) -> float | str | None:
    """The bound in log10, rounded to the safe side; None for zero, infinity and open norms."""
    if bound.log is None or bound.log in (inf, -inf):
        return None
    if isinstance(bound.log, Linear):
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
    """Bounds for every row.

    Parameters
    ----------
    weights
        `symbolic` leaves norms open, `expected` takes those expected at initialisation, `actual`
        those of `values`.
    values
        Arrays of every layer that owns weights: by node name, then by weight name.
    tier
        `symbolic` (norm times cover), `tight` (the best bound of each map) or `centred` (of the whole
        network around its mean slopes; needs `actual` weights). Default: the tightest that `weights`
        admits apart from `centred`.
    training
        Bounds of training: batch statistics, dropout.
    input_range
        The interval that all inputs lie in, where it is known.
    loss
        Of which the gradients in kernels are bounded (`losses`); without one the
        cross-entropy that belongs to a softmax or a sigmoid at the end.
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
    given = ANY if input_range is None else Interval(*input_range)
    model = Model(graph, shapes, norms, training, tier != "symbolic", given)
    found = products.bounds(model)
    if tier == "centred":
        from archcalc.analyses.gradient_bounds import centred

        upper = centred.bounds(model, {i: row.upper for i, row in enumerate(found)})
        found = [row._replace(upper=upper[i]) for i, row in enumerate(found)]
    kernels = weight_gradients(model, loss)
    rows = [_gradient(row, tier, kernel) for row, kernel in zip(found, kernels.rows, strict=True)]
    return Gradients(rows, kernels.words)


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
    found: list[Norms] = []
    for node in graph.nodes:
        owner = node if node.shared_with is None else graph.nodes[node.shared_with]
        if weights == "symbolic":
            found.append(Open())
        elif weights == "expected":
            declared = owner.layer.weights(*graph.input_shapes(shapes, owner))
            found.append(Expected({w.name: w for w in declared}))
        else:
            from archcalc.analyses.gradient_bounds.spectral import Actual

            assert values is not None
            found.append(Actual(values.get(owner.name, {})))
    return found
