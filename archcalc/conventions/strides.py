"""Whether a network strides on a 1x1 convolution or on the larger convolution after it.

The shapes after both are the same in either case, the multiply-adds are not. He et al. (2015) stride
ResNet-50 on the 1x1, later implementations on the 3x3: 3.86 against 4.09 GMACs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from archcalc.analyses import shapes, work
from archcalc.arith import Size, total
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Node
from archcalc.layers.base import Elementwise, Layer
from archcalc.layers.convolution import Conv2D
from archcalc.layers.padding import ZeroPadding2D


class Moved(NamedTuple):
    """The multiply-adds of a network whose strides are moved from some convolutions to others."""

    pairs: tuple[tuple[str, str], ...]  # from, to
    macs: Size


def moved_strides(graph: Graph, before: shapes.Shapes) -> Moved | None:
    """The network with each stride on the other convolution of its pair; None if there is no pair.

    A pair is a 1x1 Conv2D and a larger Conv2D after it, of which only one strides, with only
    elementwise layers and padding between them.
    """
    nodes = list(graph.nodes)
    names: list[tuple[str, str]] = []
    seconds: list[int] = []
    for i, a, j, b in _pairs(graph):
        nodes[i] = replace(nodes[i], layer=replace(a, strides=b.strides))
        nodes[j] = replace(nodes[j], layer=replace(b, strides=a.strides))
        first, second = graph.nodes[i].name, graph.nodes[j].name
        names.append((first, second) if _strides(a) else (second, first))
        seconds.append(j)
    if not names:
        return None
    changed = replace(graph, nodes=tuple(nodes))
    try:
        after = shapes.infer(changed)
    except ArchcalcError:
        return None
    if any(after[second] != before[second] for second in seconds):
        return None
    return Moved(tuple(names), total(work.macs(changed, after)))


def _pairs(graph: Graph) -> Iterator[tuple[int, Conv2D, int, Conv2D]]:
    readers = graph.consumers()
    outputs = {tap.node for tap in graph.outputs}
    shared = {node.shared_with for node in graph.nodes}
    for i, node in enumerate(graph.nodes):
        first = _convolution(node)
        if first is None or not _pointwise(first) or i in shared:
            continue
        j = i
        while len(readers[j]) == 1 and j not in outputs:
            j = readers[j][0]
            if not _may_be_between(graph.nodes[j].layer):
                break
        second = _convolution(graph.nodes[j])
        if j == i or second is None or j in shared or _pointwise(second):
            continue
        if _strides(first) != _strides(second):
            yield i, first, j, second


def _convolution(node: Node) -> Conv2D | None:
    """The node's layer if it is a Conv2D that does not share another layer's weights."""
    return node.layer if isinstance(node.layer, Conv2D) and node.shared_with is None else None


def _pointwise(layer: Conv2D) -> bool:
    return tuple(layer.kernel_size) == (1, 1)


def _strides(layer: Conv2D) -> bool:
    return tuple(layer.strides) != (1, 1)


def _may_be_between(layer: Layer) -> bool:
    return isinstance(layer, Elementwise | ZeroPadding2D)
