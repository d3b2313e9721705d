"""What every position sees, against the backward pass for one position."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.analyses import shapes
from archcalc.analyses.fields.clipping import clipped_boxes
from archcalc.analyses.fields.positions import positions
from archcalc.analyses.fields.windows import windows
from archcalc.graph import Graph
from archcalc.readers import load
from archcalc.testing.strategies import architectures

ROOT = Path(__file__).parents[3]


def require_equal(graph: Graph, node: int, position: tuple[int, ...]) -> int:
    """Compare one position of a node along every axis where both are known; returns how many are."""
    known, _ = shapes.shapes_and_weights(graph)
    reads = windows(graph, known)
    ends = {i: dict(state) for i, state in positions(graph, known, reads)}[node]
    boxes = clipped_boxes(graph, known, reads, node, position)
    spatial = [a for a in range(len(known[node][0])) if a not in reads.channels[node]]
    at = dict(zip(spatial, position, strict=True))
    compared = 0
    for root, state in ends.items():
        found = []
        for axis, each in zip(reads.axes[root], state, strict=True):
            bounds = boxes[root][axis]
            if each is None or bounds is None:
                continue
            unit = 0 if each.axis is None else at[each.axis]
            first, last = int(each.first[unit]), int(each.last[unit])
            found.append(((first, last) if first <= last else (0, -1), bounds))
        if any(box == (0, -1) for box, _ in found):  # a box that is empty along one axis is empty
            assert any(bounds == (0, -1) for _, bounds in found)
            continue
        for box, bounds in found:
            assert box == bounds
        compared += len(found)
    return compared


@settings(deadline=None)
@given(graph=architectures(), data=st.data())
def test_they_are_those_of_the_backward_pass(graph: Graph, data: st.DataObject) -> None:
    known, _ = shapes.shapes_and_weights(graph)
    node = data.draw(st.integers(0, len(graph.nodes) - 1))
    channels = windows(graph, known).channels[node]
    sizes = [n for a, n in enumerate(known[node][0]) if a not in channels]
    require_equal(graph, node, tuple(data.draw(st.integers(0, int(n) - 1)) for n in sizes))


def test_along_a_real_network() -> None:
    graph = load(ROOT / "examples" / "unet.json")
    last = len(graph.nodes) - 1
    for position in ((0, 0), (7, 200), (387, 1), (193, 387)):
        assert require_equal(graph, last, position) == 2


def test_near_a_border() -> None:
    graph = load("keras:ResNet50")
    node = graph.index()["conv4_block6_out"]
    for position in ((0, 0), (13, 6), (2, 11)):
        assert require_equal(graph, node, position) == 2
