"""Work of the forward pass of one sample: multiply-adds, and separately elementwise operations.

One multiply-add is two FLOPs. Bias, activation, normalisation, pooling and merging count as
elementwise operations, not as multiply-adds or FLOPs (rules: docs/conventions.md).
"""

from __future__ import annotations

from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size
from archcalc.graph import Graph

FLOPS_PER_MAC = 2


def macs(graph: Graph, shapes: Shapes) -> list[Size]:
    """The multiply-adds of each node for one sample, times the number of copies that it represents."""
    return graph.of_all_copies(graph.each(shapes, lambda layer, *inputs: layer.macs(*inputs)))


def elementwise(graph: Graph, shapes: Shapes) -> list[Size]:
    """The elementwise operations of each node for one sample, times the copies that it represents."""
    return graph.of_all_copies(graph.each(shapes, lambda layer, *inputs: layer.elementwise_ops(*inputs)))
