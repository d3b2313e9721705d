"""Where a network strides: on a convolution of size 1, or on the larger one behind it.

Either way the shapes behind are the same, and the multiply-adds are not. He et al. (2015)
stride ResNet-50 on the 1x1, later implementations on the 3x3: 3.86 against 4.09 GMACs.
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
    """The same network with strides moved from some convolutions to others."""

    pairs: tuple[tuple[str, str], ...]  # from, to
    macs: Size


def moved_strides(graph: Graph, found: shapes.Shapes) -> Moved | None:
    """The network with each stride on the other convolution of its pair; None if there is no pair.

    Pairs are Conv2D layers with nothing but elementwise layers and padding between them, one
    of size 1, of which one strides.
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
    if any(after[second] != found[second] for second in seconds):
        return None
    return Moved(tuple(names), total(work.macs(changed, after)))


def _pairs(graph: Graph) -> Iterator[tuple[int, Conv2D, int, Conv2D]]:
    readers = graph.consumers()
    kept = {tap.node for tap in graph.outputs}
    shared = {node.shared_with for node in graph.nodes}
    for i, node in enumerate(graph.nodes):
        first = _convolution(node)
        if first is None or not _pointwise(first) or i in shared:
            continue
        j = i
        while len(readers[j]) == 1 and j not in kept:
            j = readers[j][0]
            if not _passes(graph.nodes[j].layer):
                break
        second = _convolution(graph.nodes[j])
        if j == i or second is None or j in shared or _pointwise(second):
            continue
        if _strides(first) != _strides(second):
            yield i, first, j, second


def _convolution(node: Node) -> Conv2D | None:
    """The layer, where it is a convolution that shares no weights."""
    return node.layer if isinstance(node.layer, Conv2D) and node.shared_with is None else None


def _pointwise(layer: Conv2D) -> bool:
    return tuple(layer.kernel_size) == (1, 1)


def _strides(layer: Conv2D) -> bool:
    return tuple(layer.strides) != (1, 1)


def _passes(layer: Layer) -> bool:
    return isinstance(layer, Elementwise | ZeroPadding2D)
