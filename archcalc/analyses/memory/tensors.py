"""Bytes of the tensors that a network makes."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.precision import Precision
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.dtypes import BYTES


def tensors(graph: Graph, shapes: Shapes, precision: Precision, batch: Size) -> list[list[Size]]:
    """For each node the bytes of each of its outputs over the batch, one copy of it."""
    found = []
    types: list[str] = []
    for node, outputs in zip(graph.nodes, shapes, strict=True):
        types.append(node.layer.result_dtype(precision.compute, *(types[t.node] for t in node.inputs)))
        each = batch * BYTES.get(types[-1], Unknown(f"bytes of a {types[-1]} are not known here"))
        found.append([each * prod(shape) for shape in outputs])
    return found


def activations(graph: Graph, made: Sequence[Sequence[Size]]) -> list[Size]:
    """For each node the bytes of its outputs, times the copies it stands for."""
    copies = graph.multiplicities()
    return [copies.get(i, 1) * total(mine) for i, mine in enumerate(made)]
