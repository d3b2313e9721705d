"""Work of one sample's forward pass: multiply-adds, and scalar operations counted apart.

One multiply-add is two FLOPs. Bias, activation, normalisation, pooling and merging are
`elementwise` operations and not part of either (rules: docs/conventions.md).
"""

from __future__ import annotations

from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size
from archcalc.graph import Graph

FLOPS_PER_MAC = 2


def macs(graph: Graph, shapes: Shapes) -> list[Size]:
    """For each node its multiply-adds, times the copies it stands for."""
    copies = graph.multiplicities()
    return [
        copies.get(i, 1) * node.layer.macs(*graph.input_shapes(shapes, node))
        for i, node in enumerate(graph.nodes)
    ]


def elementwise(graph: Graph, shapes: Shapes) -> list[Size]:
    """For each node its elementwise operations, times the copies it stands for."""
    copies = graph.multiplicities()
    return [
        copies.get(i, 1) * node.layer.elementwise_ops(*graph.input_shapes(shapes, node))
        for i, node in enumerate(graph.nodes)
    ]
