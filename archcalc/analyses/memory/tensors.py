"""Bytes of the tensors that a network computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    known: dict[Any, tuple[str, list[Size]]] = {}  # equal layers on equal shapes are the same objects
    for node, outputs in zip(graph.nodes, shapes, strict=True):
        layer, of_inputs = node.layer, tuple([types[i] for i, _ in node.inputs])
        key = id(layer), id(outputs), of_inputs
        if key not in known:
            own = layer.dtype if declared and isinstance(layer.dtype, str) else ""
            dtype = layer.result_dtype(PRECISIONS.get(own, precision).compute, *of_inputs)
            is_weight = type(layer).__name__ == "Parameter"
            known[key] = dtype, [0] if is_weight else _bytes(dtype, outputs, batch)
        dtype, sizes = known[key]
        types.append(dtype)
        by_node.append(sizes)
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
