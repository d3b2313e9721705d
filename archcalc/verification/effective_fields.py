"""Compares effective fields with the spread of gradients in the real model, linear with equal weights.

The prediction holds for a position whose field is not cut by padding; only such positions are
compared. There the linear model computes the same sums that the prediction states in closed form,
so only rounding is left; a tolerance of 1e-5 leaves room for the few layers that run in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archcalc.analyses.fields.clipping import clipped_boxes, is_cut
from archcalc.analyses.fields.windows import Windows, windows
from archcalc.analyses.shapes import Shapes, infer
from archcalc.arith import integers
from archcalc.arith.unknown import Unknown
from archcalc.keras.build import reason
from archcalc.keras.measure import Gradients, Wanted, standard_deviation
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


def checks(case: Case, gradients: Gradients) -> Iterator[Check]:
    """One check for each layer and input; `gradients` then have equal weights."""
    graph = case.graph
    gradients.equalise()
    shapes = infer(graph)
    reads = windows(graph, shapes)
    bent = _bent(graph)
    planned: list[Check | _Comparison] = []
    for node in case.chosen:
        if node in bent or node in gradients.failures:
            why = BENT if node in bent else gradients.failures[node]
            planned.append(cannot_run(SPREAD, graph.nodes[node].name, why))
        else:
            planned += _planned(case, shapes, reads, node)

    def progress(node: int, done: int, steps: int) -> None:
        case.progress(f"spread of {graph.nodes[node].name}", done, steps)

    wanted = {each.node: each.wanted for each in planned if isinstance(each, _Comparison)}
    found = gradients.supports(wanted, progress)
    for each in planned:
        if isinstance(each, Check):
            yield each
            continue
        supports, name = found[each.node], graph.nodes[each.node].name
        if isinstance(supports, Exception):
            yield cannot_run(each.label, name, f"its gradient does not run here: {reason(supports)}")
        elif (support := supports[0][each.number]) is not None:
            yield _compared(each.label, name, each.sigma, [support.weights[a] for a in each.axes])


@dataclass(frozen=True)
class _Comparison:
    """A spread to measure: that of the field of a node's position in the input of this number."""

    label: str
    node: int
    wanted: Wanted
    number: int
    axes: Sequence[int]
    sigma: Sequence[Any]


def _planned(case: Case, shapes: Shapes, reads: Windows, node: int) -> Iterator[Check | _Comparison]:
    """What there is to measure of a node, for each input, or why not."""
    graph, row, shape = case.graph, case.report.rows[node], shapes[node][0]
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
        if whole and any(map(_is_number, predicted.sigma)):
            yield _Comparison(label, node, ([position], spatial), number, axes, predicted.sigma)
        else:
            yield cannot_run(label, row.name, _why_not(predicted.sigma), _rounded(predicted.sigma))


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
