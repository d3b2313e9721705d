"""Bytes of activations that training holds: what the backward pass reads, each tensor once.

A tensor that two layers read is held once; a view (Flatten, Reshape) counts as the tensor that it
views. Where neither the layer nor a layer before it is trained, no gradient flows and nothing is
held. The outputs of the model are held for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.backward import is_view, saved_for_backward
from archcalc.analyses.memory.precision import Precision
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Once, Tap

SINGLE = 4  # bytes of a float32


def activations(
    graph: Graph,
    shapes: Shapes,
    tensor_bytes: Sequence[Sequence[Size]],
    trained: Sequence[bool],
    precision: Precision,
    batch: Size = 1,
) -> list[Size]:
    """The bytes held for each node over the batch, times the number of copies that it represents.

    `tensor_bytes` are the bytes of its outputs (`memory.tensors`); `trained` says of each node whether
    it uses trained weights. The figure of a node is an `Unknown` if its layer type has no rule.
    """
    viewed = _viewed(graph)
    has_gradient = _has_gradient(graph, trained)
    held: set[Tap] = {viewed.get(tap, tap) for tap in graph.outputs}
    inside: list[Size] = []
    saved_by = Once(saved_for_backward)
    for i, node in enumerate(graph.nodes):
        if not has_gradient[i]:
            inside.append(0)
            continue
        saved = saved_by(node.layer, graph.input_shapes(shapes, node))
        if saved is None:
            inside.append(
                Unknown(f"no rule says what {type(node.layer).__name__} keeps for the backward pass")
            )
            continue
        half = precision.activation < SINGLE
        upcast = saved.upcast and half
        operands = [k for k in saved.inputs if _is_read(graph, has_gradient, trained, i, k)]
        operands += saved.for_weights if trained[i] else ()
        taps = [node.inputs[k] for k in operands]
        if saved.output:
            held.add(viewed.get(Tap(i), Tap(i)))
        if not upcast:
            held |= {viewed.get(tap, tap) for tap in taps}
        hidden = saved.hidden + (saved.copied if trained[i] else 0)
        units = hidden + (total(prod(shapes[t.node][t.output]) for t in taps) if upcast else 0)
        per_sample = (SINGLE if upcast else precision.activation) * units + saved.masks
        inside.append(batch * (per_sample + (SINGLE * saved.float32_units if half else 0)))
    copies = graph.multiplicities()
    figures = []
    for i, outputs in enumerate(tensor_bytes):
        of_node = inside[i] + total(size for k, size in enumerate(outputs) if Tap(i, k) in held)
        figures.append(copies.get(i, 1) * of_node)
    return figures


def _viewed(graph: Graph) -> dict[Tap, Tap]:
    """The tensor of which each view is a view."""
    viewed: dict[Tap, Tap] = {}
    for i, node in enumerate(graph.nodes):
        if node.inputs and is_view(node.layer):
            viewed[Tap(i)] = viewed.get(node.inputs[0], node.inputs[0])
    return viewed


def _has_gradient(graph: Graph, trained: Sequence[bool]) -> list[bool]:
    """Whether a gradient is computed at each node: it, or a node before it, is trained."""
    flags: list[bool] = []
    for i, node in enumerate(graph.nodes):
        flags.append(trained[i] or any(flags[tap.node] for tap in node.inputs))
    return flags


def _is_read(graph: Graph, has_gradient: Sequence[bool], trained: Sequence[bool], i: int, k: int) -> bool:
    """Whether gradients of node i's weights, its other operands, or its only operand need operand k."""
    inputs = graph.nodes[i].inputs
    if trained[i] or len(inputs) == 1:
        return True
    return any(has_gradient[tap.node] for j, tap in enumerate(inputs) if j != k)
