"""The gradient figures of every row: sound bounds and the values expected at initialisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archcalc.analyses.gradient_bounds import gradients as bounds
from archcalc.analyses.gradient_bounds.gradients import Gradient
from archcalc.analyses.mean_field.expectation import BATCH, Expected, expected_gradients
from archcalc.analyses.mean_field.shared import Shared
from archcalc.analyses.mean_field.verdicts import Verdict, verdict
from archcalc.analyses.shapes import Shapes
from archcalc.graph import Graph
from archcalc.report.options import GradientOptions


def conventions(options: GradientOptions, loss: str) -> dict[str, str]:
    """What the gradients of a report are, and what they assume."""
    assumed = {
        "symbolic": "norms of weights left open",
        "expected": "norms of weights as expected at initialisation",
        "actual": f"norms of the actual weights ({options.tier or 'tight'})",
    }[options.kind]
    ends = options.input_range
    inputs = "any inputs" if ends is None else f"inputs from {ends[0]:g} to {ends[1]:g}"
    return {
        "gradients": "bounds of the output's Jacobian (2-norm) in "
        f"{'training' if options.training else 'inference'}, {assumed}, {inputs}",
        "weight_gradients": "norm of the loss's gradient with respect to a layer's kernels, for one "
        f"sample: {loss}",
        "expected_gradients": "log10 of the gradient's norm over that at the output, in training at "
        f"initialisation, on inputs of mean 0 and variance 1, in batches of {BATCH} "
        "(docs/gradients-expected.md)",
    }


def gradients(
    graph: Graph, known: Shapes, options: GradientOptions
) -> tuple[Sequence[Gradient], str, Shared]:
    """The gradient figures of every row, and the loss whose gradient with respect to kernels is bounded.

    Also what the verdicts need again.
    """
    shared = Shared()
    values = None if isinstance(options.weights, str) else options.weights
    bounded = bounds.gradients(
        graph,
        known,
        weights=options.kind,
        values=values,
        tier=options.tier,
        training=options.training,
        input_range=options.input_range,
        loss=options.loss,
    )
    rows = [
        replace(
            bound,
            expected_log10=each.log10,
            expected_log10_low=each.low,
            expected_log10_high=each.high,
            no_expectation=each.reason,
            expected_of_weights=None if each.of_weights is None else _figures(each.of_weights),
        )
        for bound, each in zip(bounded.rows, expected_gradients(graph, known, shared=shared), strict=True)
    ]
    return rows, bounded.loss, shared


def _figures(each: Expected) -> tuple[float | None, float | None, float | None, str | None]:
    return each.log10, each.low, each.high, each.reason


def verdicts(
    graph: Graph, known: Shapes, rows: Sequence[Gradient], shared: Shared | None = None
) -> tuple[Verdict, ...]:
    """A verdict on the gradient, in words; empty where no gradient is predicted."""
    expected = [
        Expected(
            r.expected_log10,
            r.expected_log10_low,
            r.expected_log10_high,
            r.no_expectation,
            None if r.expected_of_weights is None else Expected(*r.expected_of_weights),
        )
        for r in rows
    ]
    judged = verdict(graph, known, expected, shared=shared)
    return () if judged is None else (judged,)
