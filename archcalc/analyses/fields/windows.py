"""The windows of every node, the channel axis of its output, and the spatial axes of the model inputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes
from archcalc.graph import Graph
from archcalc.layers.base import Layer
from archcalc.layers.core import Embedding
from archcalc.layers.spatial import ChannelsLast
from archcalc.layers.window import Blocks, Fixed, Phases, Read, Section, Taps, Window


class Windows(NamedTuple):
    """For each node: `reads`, a window for each of its inputs, and `channels`, its output's channel axis."""

    reads: Sequence[tuple[Window, ...]]
    channels: Sequence[int | None]


# how many layers after an input are searched for a data format
MAX_SEARCHED = 64


def windows(graph: Graph, shapes: Shapes) -> Windows:
    """The windows and the channel axis of every node of a graph.

    Fields are those of a position with all of its channels, so every position of a concatenation of
    channels reads all of its inputs: the windows have no `Section` along the channel axis.
    """
    sources = channel_axes(graph, shapes)
    reads: list[tuple[Window, ...]] = []
    channels: list[int | None] = []
    for i, (node, shape) in enumerate(zip(graph.nodes, shapes, strict=True)):
        if node.inputs:
            of_inputs = node.layer.window(*graph.input_shapes(shapes, node))
            axis = _channels(node.layer, of_inputs, [channels[t.node] for t in node.inputs], len(shape[0]))
            reads.append(
                tuple(_all_channels(w, axis) for w in of_inputs) if len(of_inputs) > 1 else of_inputs
            )
            channels.append(axis)
        else:
            reads.append(())
            channels.append(sources[i])
    return Windows(reads, channels)


def channel_axes(graph: Graph, shapes: Shapes) -> dict[int, int | None]:
    """The channel axis of every node without inputs: the last, unless later layers say otherwise.

    The nearest layer with a data format decides. None for a scalar and for the indices of an Embedding.
    """
    consumers = graph.consumers()
    return {
        i: _source_channels(graph, consumers, i, len(shapes[i][0]))
        for i, node in enumerate(graph.nodes)
        if not node.inputs
    }


def spatial_axes(graph: Graph, shapes: Shapes) -> Mapping[int, tuple[int, ...]]:
    """For each input node the axes along which fields are reported: all but the channels."""
    channels = channel_axes(graph, shapes)
    return {i: tuple(a for a in range(len(shapes[i][0])) if a != channels[i]) for i in graph.inputs}


def _source_channels(graph: Graph, consumers: Sequence[Sequence[int]], node: int, rank: int) -> int | None:
    waiting = deque([node])
    seen = {node}
    while waiting:
        for reader in consumers[waiting.popleft()]:
            layer = graph.nodes[reader].layer
            if isinstance(layer, Embedding):
                return None
            if isinstance(layer, ChannelsLast) and layer.channel_axis < rank:
                return layer.channel_axis
            if reader not in seen and len(seen) < MAX_SEARCHED:
                seen.add(reader)
                waiting.append(reader)
    return rank - 1 if rank else None


def _channels(
    layer: Layer, windows: Sequence[Window], input_channels: Sequence[int | None], rank: int
) -> int | None:
    """The channel axis of a layer's output: where its input's goes, or where the layer's data format says.

    Where inputs that are read alike (as by a sum) have different channel axes, it is the last of these.
    """
    if rank == 0:
        return None
    alike = [(w, axis) for w, axis in zip(windows, input_channels, strict=True) if _alike(w, windows[0])]
    output_axes = [_output_axis(w[axis]) for w, axis in alike if axis is not None and axis < len(w)]
    if any(axis is not None for axis in output_axes):
        return max(axis for axis in output_axes if axis is not None)
    if isinstance(layer, ChannelsLast) and layer.channel_axis < rank:
        return layer.channel_axis
    return rank - 1


def _alike(a: Window, b: Window) -> bool:
    """Whether the axes of two inputs go to the same output axes, except for axes of size 1 (broadcast)."""
    return len(a) == len(b) and all(
        isinstance(x, Fixed) or isinstance(y, Fixed) or _output_axis(x) == _output_axis(y)
        for x, y in zip(a, b, strict=True)
    )


def _output_axis(read: Read) -> int | None:
    """The output axis along which an input axis is read; None where all output units read the same."""
    return read.axis if isinstance(read, Taps | Phases | Blocks | Section) else None


def _all_channels(window: Window, channels: int | None) -> Window:
    return tuple(
        Taps(r.axis, 1, -r.start) if isinstance(r, Section) and r.axis == channels else r for r in window
    )
