"""Compares receptive fields with the support of gradients in the real model, made linear.

For several positions of a layer's output (the middle, both ends of every axis, some drawn ones)
the predicted box of input units, without what padding cuts off at any layer, must equal the
bounding box of the units whose gradient is not zero, along every axis of the input.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from archcalc.analyses.fields.clipping import clipped_boxes
from archcalc.analyses.fields.windows import Windows, windows
from archcalc.analyses.shapes import Shapes, infer
from archcalc.arith import Shape, integer, integers
from archcalc.errors import NetworkError
from archcalc.graph import Graph, Tap
from archcalc.keras.build import reason
from archcalc.keras.linear import linearised
from archcalc.keras.measure import Gradients, Position, Support, Supports
from archcalc.layers.attention import AttentionLayer
from archcalc.layers.window import Read, Scattered, Taps
from archcalc.report.verification import DIFFERS, Check, cannot_run, compare
from archcalc.verification import effective_fields, input_axes
from archcalc.verification.case import Case

FIELD = "receptive field"
NOTHING = (0, -1)
# bytes of tensors that one pass may hold
MEMORY = 2 << 30


def checks(case: Case) -> Iterator[Check]:
    """The checks of receptive fields, then those of effective fields."""
    graph = case.graph
    try:
        linear = linearised(case.built)
    except NetworkError as fault:
        name, why = fault.faults[0]
        yield cannot_run(FIELD, name, f"the linear model cannot be built: {why}")
        return
    shapes = infer(graph)
    reads = windows(graph, shapes)
    positions = positions_by_node(graph, shapes, reads, case.seed)
    wanted = {node: positions[node][: case.positions] for node in case.chosen}
    try:
        gradients = Gradients(linear, case.chosen, _together(case), case.seed)
    except Exception as fault:
        why = f"the linear model does not run: {reason(fault)}"
        yield from (cannot_run(FIELD, graph.nodes[node].name, why) for node in case.chosen)
        yield cannot_run(effective_fields.SPREAD, None, why)
        return
    found = measured(case, gradients, wanted, reads.channels)
    flattened, one_key = _after_flattening(graph, reads), _after_one_key(graph, shapes)
    for node in case.chosen:
        name = graph.nodes[node].name
        supports = found[node]
        if isinstance(supports, str):
            yield cannot_run(FIELD, name, supports)
            continue
        predicted = [clipped_boxes(graph, shapes, reads, node, position) for position in wanted[node]]
        for number, root in enumerate(graph.inputs):
            axes = reads.axes[root]
            boxes = [list(p[root]) for p in predicted]
            real = [_box(f[number], len(shapes[root][0])) for f in supports]
            label = FIELD if len(graph.inputs) == 1 else f"{FIELD} in {graph.nodes[root].name}"
            field = case.report.rows[node].receptive_fields.get(graph.nodes[root].name)
            # after flattening, a position includes all of an axis, and `size` is that of one unit
            flat = node in flattened or len(wanted[node][0]) < len(axes)
            sizes = {} if field is None or flat else dict(zip(axes, field.size, strict=True))
            if node in one_key and any(map(_differ, boxes, real)) and _are_inside(real, boxes):
                yield cannot_run(label, name, ONE_KEY, boxes)
                continue
            yield _compared(label, name, wanted[node], boxes, real, axes, sizes)
    yield from input_axes.checks(case, gradients, reads)
    yield from effective_fields.checks(case, gradients)


def _after_flattening(graph: Graph, reads: Windows) -> set[int]:
    """Nodes after a flattened axis, or after one that became the channels.

    A position of their output does not select a position on such an axis.
    """
    nodes: set[int] = set()
    for i, node in enumerate(graph.nodes):
        flattens = any(
            isinstance(read, Scattered) or _turns_to_channels(read, axis, reads, i, tap)
            for tap, window in zip(node.inputs, reads.reads[i], strict=True)
            for axis, read in enumerate(window)
        )
        if flattens or any(t.node in nodes for t in node.inputs):
            nodes.add(i)
    return nodes


ONE_KEY = (
    "where a position attends to a single key, as the first one does under a causal mask, that key's weight "
    "is 1 whatever the query is, and no gradient reaches the query"
)


def _after_one_key(graph: Graph, shapes: Shapes) -> set[int]:
    """Attention layers of which some position may attend to a single key, and the nodes after them.

    Not where the query is also a key or a value: what it does not reach as a query it reaches as those.
    """
    nodes: set[int] = set()
    for i, node in enumerate(graph.nodes):
        layer = node.layer
        if isinstance(layer, AttentionLayer) and node.inputs[0] not in node.inputs[1:]:
            keys = graph.input_shapes(shapes, node)[-1][:-1]
            narrow = getattr(layer, "sliding_window", None) == 1
            if layer.use_causal_mask or narrow or all(n == 1 for n in integers(keys)):
                nodes.add(i)
        if any(t.node in nodes for t in node.inputs):
            nodes.add(i)
    return nodes


def _are_inside(
    measured: Sequence[Sequence[tuple[int, int]]], predicted: Sequence[Sequence[tuple[int, int] | None]]
) -> bool:
    """Whether each measured box lies within the predicted one."""
    return all(
        box is None or real[1] < real[0] or (box[0] <= real[0] and real[1] <= box[1])
        for reals, boxes in zip(measured, predicted, strict=True)
        for real, box in zip(reals, boxes, strict=True)
    )


def _turns_to_channels(read: Read, axis: int, reads: Windows, node: int, tap: Tap) -> bool:
    return getattr(read, "axis", None) in reads.channels[node] and axis not in reads.channels[tap.node]


def measured(
    case: Case,
    gradients: Gradients,
    positions: dict[int, list[Position]],
    channels: Sequence[Collection[int]],
) -> dict[int, list[Supports] | str]:
    """What each position of each node depends on, or why that does not run here."""

    def progress(node: int, done: int, steps: int) -> None:
        case.progress(f"field of {case.graph.nodes[node].name}", done, steps)

    wanted = {}
    for node, chosen in positions.items():
        if node not in gradients.failures:
            rank = len(gradients.shape(node))
            wanted[node] = chosen, [a for a in range(rank) if a not in channels[node]]
    supports: dict[int, list[Supports] | str] = dict(gradients.failures)
    for node, found in gradients.supports(wanted, progress).items():
        if isinstance(found, Exception):
            supports[node] = f"its gradient does not run here: {reason(found)}"
        else:
            supports[node] = found
    return supports


def _box(support: Support | None, rank: int) -> list[tuple[int, int]]:
    return [NOTHING] * rank if support is None else list(support.box)


def positions_by_node(graph: Graph, shapes: Shapes, reads: Windows, seed: int) -> list[list[Position]]:
    """Positions to measure of every node; those of its input for a layer that works unit by unit.

    The gradient of such a layer is then the same as its input's from there on, and is followed once.
    """
    draw = np.random.default_rng(seed)
    positions: list[list[Position]] = []
    for i, node in enumerate(graph.nodes):
        shape, channels = shapes[i][0], reads.channels[i]
        first = node.inputs[0] if node.inputs else None
        if (
            first
            and not first.output
            and channels == reads.channels[first.node]
            and all(
                read == Taps(axis) and side == shape[axis]
                for axis, (read, side) in enumerate(
                    zip(reads.reads[i][0], shapes[first.node][0], strict=True)
                )
                if axis not in channels
            )
        ):
            positions.append(positions[first.node])
        else:
            positions.append(_positions(shape, channels, draw))
    return positions


def _together(case: Case) -> int:
    """How many positions go through the model at once: as many as memory allows."""
    held = 2 * integer(case.report.totals.activation_bytes)  # float64 instead of float32
    return max(1, min(case.positions, MEMORY // max(held, 1)))


def _positions(shape: Shape, channels: Collection[int], draw: np.random.Generator) -> list[Position]:
    """Positions to measure: the middle, the ends of every axis together and crosswise, and drawn ones."""
    sides = integers(n for axis, n in enumerate(shape) if axis not in channels)
    if not sides:
        return [()]
    ends = [0 if k % 2 else n - 1 for k, n in enumerate(sides)]
    positions: list[Position] = [
        tuple(n // 2 for n in sides),
        tuple(0 for _ in sides),
        tuple(n - 1 for n in sides),
        tuple(ends),
        *(tuple(int(draw.integers(n)) for n in sides) for _ in range(2)),
    ]
    return list(dict.fromkeys(positions))


def _compared(
    what: str,
    layer: str,
    positions: Sequence[Position],
    predicted: Sequence[Sequence[tuple[int, int] | None]],
    measured: Sequence[Sequence[tuple[int, int]]],
    axes: Sequence[int],
    sizes: Mapping[int, Any],
) -> Check:
    """One check for all positions; a box that is unknown at a position is not compared there.

    Boxes have an entry for every axis of the input; `sizes` are those of the reported `axes`.
    """
    unknown = any(box[a] is None for box in predicted for a in axes)
    pairs = [
        (position, box, real)
        for position, box, real in zip(positions, predicted, measured, strict=True)
        if _differ(box, real)
    ]
    if pairs:
        position, box, real = pairs[0]
        at = ", ".join(map(str, position))
        why = f"at position ({at}) {_box_text(box)} is predicted, the gradient reaches {_box_text(real)}"
        return Check(what, layer, list(predicted), list(measured), DIFFERS, why)
    for position, real in zip(positions, measured, strict=True):
        if any(isinstance(n, int) and real[a][1] - real[a][0] + 1 > n for a, n in sizes.items()):
            why = f"at position {position} the gradient reaches {_box_text(real)}, more than the largest size"
            return Check(what, layer, list(sizes.values()), [real[a] for a in sizes], DIFFERS, why)
    if unknown:
        return cannot_run(what, layer, "which units are seen is unknown here", list(predicted))
    known = [
        [p if p is not None else r for p, r in zip(*pair, strict=True)]
        for pair in zip(predicted, measured, strict=True)
    ]
    return compare(what, layer, known, list(measured))


def _differ(box: Sequence[tuple[int, int] | None], real: Sequence[tuple[int, int]]) -> bool:
    """Whether a predicted box is another one than the measured one, where it is known."""
    return any(b is not None and b != r for b, r in zip(box, real, strict=True))


def _box_text(box: Sequence[tuple[int, int] | None]) -> str:
    return " × ".join("?" if b is None else "nothing" if b[1] < b[0] else f"{b[0]}..{b[1]}" for b in box)
