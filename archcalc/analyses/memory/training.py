"""Bytes of activations that training holds: what the backward pass reads, each tensor once.

A tensor that two layers read is held once; a view (Flatten, Reshape) counts as the tensor that it
views. Where neither the layer nor a layer before it is trained, no gradient flows and nothing is
held. The outputs of the model are held for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.events import Call
from archcalc.analyses.memory.held import VIEW, Held
from archcalc.arith import Size, total
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Tap


def activations(graph: Graph, calls: Sequence[Call], rules: Sequence[Held | None]) -> list[Size]:
    """The bytes of one sample that are held for each node, times the number of copies that it represents.

    The figure of a node is an `Unknown` if its layer type has no rule.
    """
    viewed: dict[Tap, Tap] = {}
    held: set[Tap] = set()
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if node.inputs and call.held.value == VIEW:
            viewed[Tap(i)] = viewed.get(node.inputs[0], node.inputs[0])
        if call.has_gradient and rules[i] is not None:
            taps = [node.inputs[k] for k in call.reads] + [Tap(i)] * call.held.output
            held |= {viewed.get(tap, tap) for tap in taps}
    held |= {viewed.get(tap, tap) for tap in graph.outputs}
    copies = graph.multiplicities()
    figures: list[Size] = []
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if call.has_gradient and rules[i] is None:
            figures.append(
                Unknown(f"no rule says what {type(node.layer).__name__} keeps for the backward pass")
            )
            continue
        inside = call.saved if call.has_gradient else 0
        of_node = inside + total(size for k, size in enumerate(call.outputs) if Tap(i, k) in held)
        figures.append(copies.get(i, 1) * of_node)
    return figures
