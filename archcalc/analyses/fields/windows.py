"""What every node reads, which axis of its output holds channels, and what of an input is spatial."""

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
    """For each node the reads of each of its inputs, and the axis of its output that holds channels."""

    reads: Sequence[tuple[Window, ...]]
    channels: Sequence[int | None]


# how many layers behind an input are asked where its channels are
MAX_ASKED = 64


def windows(graph: Graph, shapes: Shapes) -> Windows:
    """What every node of a graph reads.

    A place of a layer's output counts with all of its channels, so a concatenation of
    channels reads all of its inputs: its section of the channel axis is not confined.
    """
    sources = channel_axes(graph, shapes)
    reads: list[tuple[Window, ...]] = []
    channels: list[int | None] = []
    for i, (node, shape) in enumerate(zip(graph.nodes, shapes, strict=True)):
        if node.inputs:
            made = node.layer.window(*graph.input_shapes(shapes, node))
            axis = _channels(node.layer, made, [channels[t.node] for t in node.inputs], len(shape[0]))
            reads.append(tuple(_unconfined(w, axis) for w in made) if len(made) > 1 else made)
            channels.append(axis)
        else:
            reads.append(())
            channels.append(sources[i])
    return Windows(reads, channels)


def channel_axes(graph: Graph, shapes: Shapes) -> dict[int, int | None]:
    """The channel axis of every node without inputs: the last, unless layers behind it say otherwise.

    The first layers with a data format decide; integers that are looked up in a table have
    no channels.
    """
    consumers = graph.consumers()
    return {
        i: _asked(graph, consumers, i, len(shapes[i][0]))
        for i, node in enumerate(graph.nodes)
        if not node.inputs
    }


def spatial_axes(graph: Graph, shapes: Shapes) -> Mapping[int, tuple[int, ...]]:
    """For each input node the axes along which fields are reported: all but the channels."""
    channels = channel_axes(graph, shapes)
    return {i: tuple(a for a in range(len(shapes[i][0])) if a != channels[i]) for i in graph.inputs}


def _asked(graph: Graph, consumers: Sequence[Sequence[int]], node: int, rank: int) -> int | None:
    waiting = deque([node])
    seen = {node}
    while waiting:
        for reader in consumers[waiting.popleft()]:
            layer = graph.nodes[reader].layer
            if isinstance(layer, Embedding):
                return None
            if isinstance(layer, ChannelsLast) and layer.channel_axis < rank:
                return layer.channel_axis
            if reader not in seen and len(seen) < MAX_ASKED:
                seen.add(reader)
                waiting.append(reader)
    return rank - 1 if rank else None


def _channels(layer: Layer, made: Sequence[Window], before: Sequence[int | None], rank: int) -> int | None:
    """Where a layer's output has its channels: where its input's went, or where the layer says.

    Of inputs that are read alike, as by a sum, none comes first: where their channels are
    different axes, it is the last of these.
    """
    if rank == 0:
        return None
    alike = [(w, axis) for w, axis in zip(made, before, strict=True) if _alike(w, made[0])]
    went = [_goes_to(w[axis]) for w, axis in alike if axis is not None and axis < len(w)]
    if any(axis is not None for axis in went):
        return max(axis for axis in went if axis is not None)
    if isinstance(layer, ChannelsLast) and layer.channel_axis < rank:
        return layer.channel_axis
    return rank - 1


def _alike(a: Window, b: Window) -> bool:
    """Whether the axes of two inputs go to the same axes, but for those of 1 that are broadcast."""
    return len(a) == len(b) and all(
        isinstance(x, Fixed) or isinstance(y, Fixed) or _goes_to(x) == _goes_to(y)
        for x, y in zip(a, b, strict=True)
    )


def _goes_to(read: Read) -> int | None:
    """The output axis along which an input's axis is read; none where units read it alike."""
    return read.axis if isinstance(read, Taps | Phases | Blocks | Section) else None


def _unconfined(window: Window, channels: int | None) -> Window:
    return tuple(_opened(r) if isinstance(r, Section) and r.axis == channels else r for r in window)


def _opened(read: Section) -> Read:
    return Taps(read.axis, 1, -read.start)
