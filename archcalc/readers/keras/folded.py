"""Reshapes that put parts of a sample, such as windows, along the batch: `ops.reshape(x, (-1, 49, 96))`.

Shapes here have no batch, so the parts become an axis of their own, the first, until a reshape joins them
again. Layers between act on each part, as inside a TimeDistributed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from archcalc import arith
from archcalc.arith import Shape
from archcalc.errors import ArchcalcError, Fault, SourceError
from archcalc.graph import Graph, Node
from archcalc.layers.base import Layer
from archcalc.layers.opaque import Opaque
from archcalc.readers.keras.distributed import at_every_step
from archcalc.readers.keras.reading import RESHAPE, Reading


def with_parts_apart(graph: Graph, reading: Reading) -> Graph:
    """The graph with an axis for the parts of a sample wherever they are folded into the batch.

    Raises `SourceError` for a layer that has no rule on such parts.
    """
    nodes: list[Node] = []
    shapes: list[tuple[Shape, ...]] = []
    parts: list[int] = []  # of each node's outputs: how many parts of a sample stand along the batch
    with arith.scope():
        for node in graph.nodes:
            inputs = graph.input_shapes(shapes, node)
            try:
                layer, count = _apart(node, inputs, [parts[t.node] for t in node.inputs], reading)
                shapes.append(layer.output_shapes(*inputs))
            except (ArchcalcError, IndexError):
                return graph  # what does not fit is reported where all shapes are inferred
            nodes.append(node if layer is node.layer else node.with_layer(layer))
            parts.append(count)
    if reading.faults:
        raise SourceError(reading.source, reading.worst())
    left = next((graph.nodes[t.node].name for t in graph.outputs if parts[t.node] > 1), None)
    if left is not None:
        text = f"the output {left!r} holds parts of one sample as if they were samples"
        raise SourceError(reading.source, [Fault("", text)])
    return graph if max(parts) == 1 else dataclasses.replace(graph, nodes=tuple(nodes))


def _apart(node: Node, inputs: tuple[Shape, ...], parts: list[int], reading: Reading) -> tuple[Layer, int]:
    """The layer on tensors whose parts are along an axis of their own, and the parts of its output."""
    layer, count = node.layer, max(parts, default=1)
    if type(layer).__name__ == RESHAPE:
        return _reshape(layer, inputs[0], count)
    if count == 1:
        return layer, 1
    name = type(layer).__name__
    if set(parts) != {count}:
        reading.fault("", f"layer {node.name!r}: {name} of parts of samples and of whole ones has no rule")
    elif isinstance(layer, Opaque):
        return _opaque(layer, count), count
    elif name in _SHIFTED:
        return _SHIFTED[name](layer, inputs[0]), count
    elif name.startswith("ops.") and name not in _AS_THEY_ARE and not _is_elementwise(layer):
        reading.fault("", f"layer {node.name!r}: {name} of parts of a sample, along the batch, has no rule")
    elif name in _AS_THEY_ARE or name.startswith("ops."):
        return layer, count
    else:
        return at_every_step(layer, node.name, 1, "", reading), count
    return layer, count


def _reshape(layer: Any, x: Shape, count: int) -> tuple[Layer, int]:
    target = layer.newshape[1:]
    if not (arith.concrete(x) and arith.concrete(target)):
        return layer, count
    units, known = math.prod(x), math.prod(n for n in target if n != -1)
    if -1 in target:  # the parts stay what they are
        new = tuple(units // count // known if n == -1 else n for n in target)
        return (layer, 1) if count == 1 else (dataclasses.replace(layer, newshape=(-1, count, *new)), count)
    if units % known or (count == 1 and units == known):
        return layer, count
    now = units // known
    return dataclasses.replace(layer, newshape=(-1, *((now,) if now > 1 else ()), *target)), now


def _opaque(layer: Opaque, count: int) -> Layer:
    stated = layer.stated_shape
    shape = stated if isinstance(stated, str) else (count, *stated)
    others = tuple((count, *other) for other in layer.other_shapes)
    return dataclasses.replace(layer, stated_shape=shape, other_shapes=others)


def _with(layer: Layer, **arguments: Any) -> Layer:
    return dataclasses.replace(layer, **arguments)


# -- operations that name axes -----------------------------------------------------------------------
def _axis(layer: Any, _: Shape) -> Layer:
    def moved(axis: Any) -> Any:
        if isinstance(axis, tuple | list):
            return tuple(moved(a) for a in axis)
        return axis if axis is None or axis < 0 else axis + 1

    names = [n for n in ("axis", "axis1", "axis2", "source", "destination") if hasattr(layer, n)]
    return _with(layer, **{n: moved(getattr(layer, n)) for n in names})


def _transpose(layer: Any, x: Shape) -> Layer:
    axes = layer.axes or tuple(range(len(x) - 1, -1, -1))
    return _with(layer, axes=(0, 1, *(a + 1 for a in axes if a)))


def _attention(layer: Any, x: Shape) -> Layer:
    axes = layer.attention_axes
    moved = tuple(range(2, len(x))) if axes is None else tuple(a if a < 0 else a + 1 for a in axes)
    return _with(layer, attention_axes=moved)


def _get_item(layer: Any, _: Shape) -> Layer:
    first, *others = layer.key
    return layer if first is ... else _with(layer, key=(first, slice(None), *others))


_SHIFTED: Mapping[str, Callable[[Any, Shape], Layer]] = {
    "ops.get_item": _get_item,
    "ops.transpose": _transpose,
    "MultiHeadAttention": _attention,
    **dict.fromkeys(
        (
            *(
                "ops.softmax",
                "ops.concatenate",
                "ops.split",
                "ops.unstack",
                "ops.stack",
                "ops.sum",
                "ops.mean",
            ),
            *(
                "ops.max",
                "ops.min",
                "ops.swapaxes",
                "ops.moveaxis",
                "ops.expand_dims",
                "ops.squeeze",
                "ops.stack",
            ),
            "Softmax",
        ),
        _axis,
    ),
}
_AS_THEY_ARE = {"ops.matmul"}


def _is_elementwise(layer: Layer) -> bool:
    from archcalc.layers.operations.elementwise import Broadcasting, Unary

    return isinstance(layer, Broadcasting | Unary) and not hasattr(layer, "axis")
