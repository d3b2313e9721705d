"""Compares effective fields with the spread of gradients in the real model, linear with equal weights.

The prediction holds for a position whose field is not cut by padding; only such positions are
compared. There the linear model computes the same sums that the prediction states in closed form,
so only rounding is left; a tolerance of 1e-5 leaves room for the few layers that run in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archcalc.analyses.fields.clipping import clipped_boxes, is_cut
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.arith import integers
from archcalc.arith.unknown import Unknown
from archcalc.keras.build import Built, reason
from archcalc.keras.linear_weights import set_weights
from archcalc.keras.measure import Gradients, standard_deviation
from archcalc.layers.attention import AttentionLayer
from archcalc.layers.recurrent import Recurrent
from archcalc.layers.wrappers import Bidirectional
from archcalc.report.verification import AGREES, DIFFERS, Check, cannot_run

if TYPE_CHECKING:
    from archcalc.graph import Graph
    from archcalc.verification.case import Case

SPREAD = "effective field"
TOLERANCE = 1e-5
BENT = "a recurrence or an attention is not linear here, so the weights of positions depend on values"
CURVED = (Recurrent, Bidirectional, AttentionLayer)


def checks(case: Case, linear: Built) -> Iterator[Check]:
    """One check for each layer and input; `linear` is the linear model, whose weights are set again."""
    graph = case.graph
    set_weights(linear, None)
    try:
        gradients = Gradients(linear, 1, case.seed, spread=True)
    except Exception as fault:
        yield cannot_run(SPREAD, None, f"the linear model does not run: {reason(fault)}")
        return
    shapes = infer(graph)
    reads = windows(graph, shapes)
    bent = _bent(graph)
    for done, node in enumerate(case.chosen):
        row = case.report.rows[node]
        case.progress(f"spread of {row.name}", done, len(case.chosen))
        if node in bent or node in gradients.failures:
            yield cannot_run(SPREAD, row.name, BENT if node in bent else gradients.failures[node])
            continue
        shape = shapes[node][0]
        spatial = [a for a in range(len(shape)) if a not in reads.channels[node]]
        position = integers(shape[a] // 2 for a in spatial)
        boxes = clipped_boxes(graph, shapes, reads, node, position)
        cut = is_cut(graph, shapes, reads, node, position)
        for number, root in enumerate(graph.inputs):
            source, axes = graph.nodes[root].name, reads.axes[root]
            label = SPREAD if len(graph.inputs) == 1 else f"{SPREAD} in {source}"
            predicted = row.effective_fields.get(source)
            field = row.receptive_fields.get(source)
            if predicted is None or field is None or not axes:
                continue
            whole = not cut and all(_is_whole(boxes[root][a], field.size[k]) for k, a in enumerate(axes))
            if not whole or not any(map(_is_number, predicted.sigma)):
                yield cannot_run(label, row.name, _why_not(predicted.sigma), _rounded(predicted.sigma))
                continue
            try:
                (supports,) = gradients.support(node, [position], spatial)
            except Exception as fault:
                yield cannot_run(label, row.name, f"its gradient does not run here: {reason(fault)}")
                continue
            support = supports[number]
            if support is not None:
                yield _compared(label, row.name, predicted.sigma, [support.weights[a] for a in axes])


def _bent(graph: Graph) -> set[int]:
    """Nodes after layers that the linear model has not made linear: the slope differs among positions."""
    nodes: set[int] = set()
    for i, node in enumerate(graph.nodes):
        if isinstance(node.layer, CURVED) or any(t.node in nodes for t in node.inputs):
            nodes.add(i)
    return nodes


def _is_whole(box: tuple[int, int] | None, size: Any) -> bool:
    """Whether a position, with all its channels, has the field of one unit."""
    return box is not None and isinstance(size, int) and box[1] - box[0] + 1 == size


def _compared(what: str, layer: str, sigma: Sequence[Any], weights: Sequence[np.ndarray]) -> Check:
    measured = [standard_deviation(w) for w in weights]
    close = all(
        np.isclose(m, s, rtol=TOLERANCE, atol=TOLERANCE)
        for m, s in zip(measured, sigma, strict=True)
        if _is_number(s)
    )
    why = "" if close else "standard deviations of the gradient"
    return Check(what, layer, _rounded(sigma), _rounded(measured), AGREES if close else DIFFERS, why)


def _why_not(sigma: Sequence[Any]) -> str:
    """Why a spread is not compared.

    Padding that cuts the field along one axis changes the weights of branches along all of them, and a branch
    that reads nothing along one axis reads nothing along the others.
    """
    unknown = [s.reason for s in sigma if isinstance(s, Unknown)]
    return unknown[0] if unknown else "padding cuts the field here, and the figure is that of an uncut field"


def _is_number(figure: Any) -> bool:
    return isinstance(figure, int | float)


def _rounded(sigma: Sequence[Any]) -> list[float | None]:
    return [round(s, 6) if _is_number(s) else None for s in sigma]
