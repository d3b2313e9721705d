"""Bytes of the tensors that a network computes."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.precision import PRECISIONS, Precision
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, Size, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.dtypes import BYTES


def tensors(
    graph: Graph, shapes: Shapes, precision: Precision, batch: Size, *, declared: bool = False
) -> list[list[Size]]:
    """The bytes of each output of each node over the batch; a repeated node counts once.

    `declared`: inputs have their own type, and layers that declare a dtype policy follow that one.
    """
    by_node: list[list[Size]] = []
    types: list[str] = []
    for node, outputs in zip(graph.nodes, shapes, strict=True):
        own = node.layer.dtype if declared and isinstance(node.layer.dtype, str) else ""
        compute = PRECISIONS.get(own, precision).compute
        types.append(node.layer.result_dtype(compute, *[types[t.node] for t in node.inputs]))
        if type(node.layer).__name__ == "Parameter":  # it is held as a weight
            by_node.append([0])
            continue
        by_node.append(_bytes(types[-1], outputs, batch))
    return by_node


def of_input(graph: Graph, shapes: Shapes, i: int, precision: Precision) -> list[Size]:
    """The bytes of one sample of an input of the network, in the type in which layers compute."""
    return _bytes(graph.nodes[i].layer.result_dtype(precision.compute), shapes[i], 1)


def _bytes(dtype: str, outputs: Sequence[Shape], batch: Size) -> list[Size]:
    bytes_each: Size | None = BYTES.get(dtype)
    if bytes_each is None:
        bytes_each = Unknown(f"bytes of a {dtype} are not known here")
    per_unit = batch * bytes_each
    return [per_unit * prod(shape) for shape in outputs]


def activations(graph: Graph, tensor_bytes: Sequence[Sequence[Size]]) -> list[Size]:
    """The bytes of all outputs of each node, times the number of copies that the node represents."""
    return graph.of_all_copies(map(total, tensor_bytes))
