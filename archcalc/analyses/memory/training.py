"""Bytes of activations that training holds: what the backward pass reads, each tensor once.

A tensor that two layers read is held once; a view (Flatten, Reshape) is what it views. Where
no weight in front is trained, no gradient flows, and nothing is held. What leaves the model
is held for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.backward import is_view, kept
from archcalc.analyses.memory.precision import Precision
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Size, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Tap

SINGLE = 4  # bytes of a float32


def activations(
    graph: Graph,
    shapes: Shapes,
    made: Sequence[Sequence[Size]],
    trained: Sequence[bool],
    precision: Precision,
    batch: Size = 1,
) -> list[Size]:
    """For each node the bytes held of it over the batch, times the copies it stands for.

    `made` are the bytes of its outputs (`memory.tensors`).
    `trained` says of each node whether weights that it uses are trained. A node whose type has
    no rule makes its own figure an `Unknown`.
    """
    roots = _roots(graph)
    flows = _flows(graph, trained)
    held: set[Tap] = {roots.get(tap, tap) for tap in graph.outputs}
    inside: list[Size] = []
    for i, node in enumerate(graph.nodes):
        if not flows[i]:
            inside.append(0)
            continue
        found = kept(node.layer, *graph.input_shapes(shapes, node))
        if found is None:
            inside.append(
                Unknown(f"no rule says what {type(node.layer).__name__} keeps for the backward pass")
            )
            continue
        half = precision.activation < SINGLE
        upcast = found.upcast and half
        wanted = [k for k in found.inputs if _wanted(graph, flows, trained, i, k)]
        wanted += found.for_weights if trained[i] else ()
        taps = [node.inputs[k] for k in wanted]
        if found.output:
            held.add(roots.get(Tap(i), Tap(i)))
        if not upcast:
            held |= {roots.get(tap, tap) for tap in taps}
        hidden = found.hidden + (found.copied if trained[i] else 0)
        units = hidden + (total(prod(shapes[t.node][t.output]) for t in taps) if upcast else 0)
        own = (SINGLE if upcast else precision.activation) * units + found.masks
        inside.append(batch * (own + (SINGLE * found.single if half else 0)))
    copies = graph.multiplicities()
    figures = []
    for i, outputs in enumerate(made):
        mine = inside[i] + total(size for k, size in enumerate(outputs) if Tap(i, k) in held)
        figures.append(copies.get(i, 1) * mine)
    return figures


def _roots(graph: Graph) -> dict[Tap, Tap]:
    """What each view is a view of."""
    found: dict[Tap, Tap] = {}
    for i, node in enumerate(graph.nodes):
        if node.inputs and is_view(node.layer):
            found[Tap(i)] = found.get(node.inputs[0], node.inputs[0])
    return found


def _flows(graph: Graph, trained: Sequence[bool]) -> list[bool]:
    """Whether a gradient flows through each node: it, or something in front of it, is trained."""
    found: list[bool] = []
    for i, node in enumerate(graph.nodes):
        found.append(trained[i] or any(found[tap.node] for tap in node.inputs))
    return found


def _wanted(graph: Graph, flows: Sequence[bool], trained: Sequence[bool], i: int, k: int) -> bool:
    """Whether an operand is read: for the gradient of another one, of weights, or of itself alone."""
    inputs = graph.nodes[i].inputs
    if trained[i] or len(inputs) == 1:
        return True
    return any(flows[tap.node] for j, tap in enumerate(inputs) if j != k)
