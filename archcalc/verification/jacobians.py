"""Compares bounds of gradients with the Jacobians of the real model at its initial weights.

Exact on small networks; on large ones, for a few rows, from below.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log10, prod

import keras

from archcalc.analyses.gradient_bounds.gradients import Gradient, gradients
from archcalc.analyses.shapes import Shapes
from archcalc.arith import integer, scope, total
from archcalc.keras.build import build, reason
from archcalc.keras.jacobians import jacobian_norms, random_inputs, weights_by_name
from archcalc.keras.lanczos import norm_from_below
from archcalc.report.verification import (
    AGREES,
    DIFFERS,
    JACOBIAN,
    JACOBIAN_FROM_BELOW,
    Check,
    cannot_run,
)
from archcalc.verification.case import Case

UNITS = 256  # of all outputs, up to which a Jacobian is computed in full
ELEMENTS = 2 * 10**7  # of all tensors, times the units of all outputs
ROWS = 6  # estimated in a large network
ROUNDING = 1e-4  # of log10, in single precision


def checks(case: Case) -> Iterator[Check]:
    """For each row the norm of the Jacobian at one input, which must not exceed the bound."""
    if not case.starts:
        return
    graph = case.graph
    shapes = Shapes(row.output_shapes for row in case.report.rows)
    outputs = integer(total(prod(shapes[t.node][t.output]) for t in graph.outputs))
    elements = outputs * integer(total(prod(s) for tensors in shapes for s in tensors))
    small = outputs <= UNITS and elements <= ELEMENTS
    what = JACOBIAN if small else JACOBIAN_FROM_BELOW
    measured: dict[int, float] = {}
    try:
        keras.utils.set_random_seed(case.seed)
        built = build(graph)
        inputs = random_inputs(built, case.seed)
        if small:
            norms = jacobian_norms(built, inputs)
            measured = {i: norm for i, norm in enumerate(norms) if norm is not None}
        else:
            for i in _spread(len(graph.nodes)):
                measured[i] = norm_from_below(built, inputs, i, case.seed)
                case.progress("Jacobians from below", len(measured), ROWS)
    except Exception as fault:
        yield cannot_run(what, None, f"the model's gradients do not run here: {reason(fault)}")
        return
    with scope():
        rows = gradients(
            graph,
            shapes,
            weights="actual",
            values=weights_by_name(built),
            tier="tight" if small else "symbolic",
            input_range=(-1.0, 1.0),
        ).rows
    for i, norm in measured.items():
        yield _check(what, graph.nodes[i].name, rows[i], norm)


def _check(what: str, name: str, row: Gradient, norm: float) -> Check:
    if row.unbounded:
        return cannot_run(what, name, f"no bound: {row.cause}")
    bound = row.upper_log10
    assert not isinstance(bound, str)
    log = log10(norm) if norm > 0 else None
    holds = log is None or (bound is not None and log <= bound + ROUNDING)
    return Check(
        what,
        name,
        None if bound is None else round(bound, 4),
        None if log is None else round(log, 4),
        AGREES if holds else DIFFERS,
        "" if holds else "log10 of the Jacobian's norm, above its bound",
    )


def _spread(count: int) -> list[int]:
    """`ROWS` rows, spread from the first to the last."""
    return sorted({round(k * (count - 1) / ROWS) for k in range(ROWS)})
