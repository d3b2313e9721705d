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


class Moved(NamedTuple):
    """The same network with strides moved from some convolutions to others."""

    pairs: tuple[tuple[str, str], ...]  # from, to
    macs: Size


def moved_strides(graph: Graph, found: shapes.Shapes) -> Moved | None:
    """The network with each stride on the other convolution of its pair; None if there is no pair.

    Pairs are Conv2D layers with nothing but elementwise layers and padding between them, one
    of size 1, of which one strides.
    """
    pairs = list(_pairs(graph))
    nodes = list(graph.nodes)
    for first, second in pairs:
        a, b = nodes[first].layer, nodes[second].layer
        nodes[first] = replace(nodes[first], layer=_striding(a, b))
        nodes[second] = replace(nodes[second], layer=_striding(b, a))
    changed = replace(graph, nodes=tuple(nodes))
    try:
        after = shapes.infer(changed)
    except ArchcalcError:
        return None
    if not pairs or any(after[second] != found[second] for _, second in pairs):
        return None
    names = tuple(
        (graph.nodes[i].name, graph.nodes[j].name) if _strides(graph.nodes[i]) else
        (graph.nodes[j].name, graph.nodes[i].name)
        for i, j in pairs
    )  # fmt: skip
    return Moved(names, total(work.macs(changed, after)))


def _pairs(graph: Graph) -> Iterator[tuple[int, int]]:
    readers = graph.consumers()
    kept = {tap.node for tap in graph.outputs}
    shared = {node.shared_with for node in graph.nodes}
    for i, node in enumerate(graph.nodes):
        if not _is_convolution(node) or _size(node) != (1, 1) or i in shared:
            continue
        j = i
        while len(readers[j]) == 1 and j not in kept:
            j = readers[j][0]
            if not _passes(graph.nodes[j].layer):
                break
        other = graph.nodes[j]
        if j != i and _is_convolution(other) and j not in shared and _size(other) != (1, 1) and (
            _strides(node) != _strides(other)
        ):  # fmt: skip
            yield i, j


def _is_convolution(node: Node) -> bool:
    return type(node.layer).__name__ == "Conv2D" and node.shared_with is None


def _size(node: Node) -> tuple[Size, ...]:
    return tuple(getattr(node.layer, "kernel_size"))  # noqa: B009  (only convolutions have one)


def _strides(node: Node) -> bool:
    return tuple(getattr(node.layer, "strides")) != (1, 1)  # noqa: B009


def _passes(layer: Layer) -> bool:
    return isinstance(layer, Elementwise) or type(layer).__name__ == "ZeroPadding2D"


def _striding(layer: Layer, as_does: Layer) -> Layer:
    changed: Layer = replace(layer, strides=getattr(as_does, "strides"))  # type: ignore[call-arg] # noqa: B009
    return changed
