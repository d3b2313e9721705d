"""The windows of every node, the channel axes of its output, and the spatial axes of the model inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.analyses.fields.input_axes import feature_axes
from archcalc.analyses.fields.sliding import CommonTapsOf
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, concrete
from archcalc.graph import Graph
from archcalc.layers.window import (
    Fixed,
    Phases,
    Read,
    Scattered,
    Section,
    Taps,
    Window,
    identity,
)


class Windows(NamedTuple):
    """For each node: `reads`, a window for each of its inputs, and `channels`, its output's channel axes.

    `source`: the node itself or, where each of its units reads one unit of its only input, the one at its own
    place, the source of that input: both see the same.
    `axes` holds for each model input the axes along which fields are reported; `common_taps` gives, and
    remembers, what a window reads of several axes alike.
    """

    reads: Sequence[tuple[Window, ...]]
    channels: Sequence[frozenset[int]]
    source: Sequence[int]
    axes: Mapping[int, tuple[int, ...]]
    common_taps: CommonTapsOf


def windows(graph: Graph, shapes: Shapes) -> Windows:
    """The windows and the channel axes of every node of a graph, and the spatial axes of its inputs.

    Fields are those of a position with all of its channels, so every position of a concatenation of
    channels reads all of its inputs: the windows have no `Section` along a channel axis.
    """
    stated = list(graph.each(shapes, lambda layer, *inputs: layer.window(*inputs) if inputs else ()))
    features = feature_axes(graph, shapes)
    reads: list[tuple[Window, ...]] = []
    channels: list[frozenset[int]] = []
    source: list[int] = []
    known: dict[Any, tuple[tuple[Window, ...], frozenset[int], bool]] = {}  # of equal layers on equal shapes
    for i, (node, outputs, of_inputs) in enumerate(zip(graph.nodes, shapes, stated, strict=True)):
        if not node.inputs:
            of_node: tuple[tuple[Window, ...], frozenset[int], bool] = (), features[i], False
        else:
            tap = node.inputs[0]
            before = tuple([channels[t.node] for t in node.inputs])
            key = id(of_inputs), before, id(outputs), id(shapes[tap.node]), tap.output
            if key not in known:
                several = len(of_inputs) > 1
                same = not several and tap.output == 0 and _same(outputs[0], shapes[tap.node][0])
                if same and _is_elementwise(of_inputs[0]):
                    known[key] = of_inputs, before[0], True
                else:
                    axes = _channels(of_inputs, before, len(outputs[0]))
                    merged = tuple(_all_channels(w, axes) for w in of_inputs) if several else of_inputs
                    known[key] = merged, axes, False
            of_node = known[key]
        reads.append(of_node[0])
        channels.append(of_node[1])
        source.append(source[node.inputs[0].node] if of_node[2] else i)
    spatial = {i: tuple(a for a in range(len(shapes[i][0])) if a not in features[i]) for i in graph.inputs}
    return Windows(reads, channels, source, spatial, CommonTapsOf())


def _same(a: Shape, b: Shape) -> bool:
    return a is b or (concrete((*a, *b)) and a == b)


def _is_elementwise(window: Window) -> bool:
    return window is identity(len(window)) or all(
        type(r) is Taps and r.axis == axis and concrete((r.stride, r.offset, r.count))
        and r.stride == r.count == 1 and r.offset == 0
        for axis, r in enumerate(window)
    )  # fmt: skip


def _channels(
    windows: Sequence[Window], input_channels: Sequence[Collection[int]], rank: int
) -> frozenset[int]:
    """The channel axes of a layer's output: where its inputs' go, or where no axis of its inputs goes.

    Inputs that are read alike (as by a sum) contribute each its own.
    """
    if all(isinstance(read, Phases) and not any(read.reads) for w in windows for read in w):
        return frozenset(range(rank)[-1:])  # of a weight, which reads nothing
    alike = [(w, of) for w, of in zip(windows, input_channels, strict=True) if _alike(w, windows[0])]
    moved = {a for w, of in alike for axis in of if axis < len(w) for a in _output_axes(w[axis], rank)}
    if moved:
        return frozenset(moved)
    reached = {a for w in windows for read in w for a in _output_axes(read, rank)}
    new = frozenset(range(rank)) - reached
    if len(windows[0]) == rank:
        # a normalisation reads axes as a whole, and they remain what they were
        new = new.intersection(*(of for _, of in alike)) or new
    if new:
        return new
    scattered = [r for w in windows for r in w if isinstance(r, Scattered)]
    return frozenset(a for read in scattered for a in _output_axes(read, rank))


def _alike(a: Window, b: Window) -> bool:
    """Whether the axes of two inputs go to the same output axes, except for axes of size 1 (broadcast)."""
    if a is b:
        return True
    return len(a) == len(b) and all(
        isinstance(x, Fixed) or isinstance(y, Fixed) or _output_axis(x) == _output_axis(y)
        for x, y in zip(a, b, strict=True)
    )


def _output_axis(read: Read) -> int | None:
    """The output axis along which an input axis is read; None where all output units read the same."""
    return getattr(read, "axis", None)


def _output_axes(read: Read, rank: int) -> tuple[int, ...]:
    if isinstance(read, Scattered):
        return read.axes or tuple(range(rank))
    axis = _output_axis(read)
    return () if axis is None else (axis,)


def _all_channels(window: Window, channels: Collection[int]) -> Window:
    return tuple(
        Taps(r.axis, 1, -r.start) if isinstance(r, Section) and r.axis in channels else r for r in window
    )
