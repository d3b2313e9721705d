"""Compares expected gradients with those of the real model over several initialisations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.shapes import Shapes
from archcalc.graph import Graph
from archcalc.keras.build import reason
from archcalc.keras.measure_gradients import gradient_runs
from archcalc.layers import primitives as prim
from archcalc.report.verification import AGREES, DIFFERS, GRADIENT, Check, cannot_run
from archcalc.verification.case import Case

BATCH = 8  # samples for a network with batch statistics


def checks(case: Case) -> Iterator[Check]:
    """For each row the mean log10 over the initialisations, which must be in the band of single ones."""
    if not case.starts:
        return
    shapes = Shapes(row.output_shapes for row in case.report.rows)
    rows = expected_gradients(case.graph, shapes, batch=BATCH)
    batch = BATCH if _takes_batches(case.graph, shapes) else 1
    runs = []
    try:
        for run in gradient_runs(case.graph, case.starts, first=case.seed, batch=batch):
            runs.append(run)
            case.progress("gradients at initialisation", len(runs), case.starts)
    except Exception as fault:
        yield cannot_run(GRADIENT, None, f"the model's gradients do not run here: {reason(fault)}")
        return
    measured = np.array(runs)
    for i, (node, row) in enumerate(zip(case.graph.nodes, rows, strict=True)):
        if row.log10 is None or row.low is None or row.high is None:
            yield cannot_run(GRADIENT, node.name, row.reason or "no prediction")
            continue
        band = [round(row.low, 4), round(row.high, 4)]
        if np.isnan(measured[:, i]).any():
            yield Check(GRADIENT, node.name, band, None, DIFFERS, "no gradient arrives")
            continue
        mean = float(measured[:, i].mean())
        # the output's own row is exactly 0
        inside = row.low - 1e-6 <= mean <= row.high + 1e-6
        yield Check(
            GRADIENT,
            node.name,
            band,
            round(mean, 4),
            AGREES if inside else DIFFERS,
            ""
            if inside
            else f"log10 of the norm, mean of {case.starts} initialisations, outside the 90 % band",
        )


def _takes_batches(graph: Graph, shapes: Shapes) -> bool:
    return any(
        isinstance(primitive, prim.BatchStandardise) and primitive.batch_statistics
        for i, node in enumerate(graph.nodes)
        if i not in graph.inputs
        for primitive in node.layer.primitives(*graph.input_shapes(shapes, node))
    )
