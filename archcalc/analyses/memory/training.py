"""Bytes of activations that training holds: what the backward pass reads, each tensor once.

A tensor that two layers read is held once; a view (Flatten, Reshape) counts as the tensor that it
views. Where neither the layer nor a layer before it is trained, and where no gradient comes from the
outputs, nothing is held. The outputs of the model are held for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.copies_held import HeldTensors
from archcalc.analyses.memory.held import VIEW, Call, Held
from archcalc.analyses.memory.recompute import NOTHING, Plan, reached
from archcalc.arith import Size
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Tap


def activations(
    graph: Graph, calls: Sequence[Call], rules: Sequence[Held | None], plan: Plan = NOTHING
) -> list[Size]:
    """The bytes of one sample that are held for each node, times the number of copies that it represents.

    A block that is recomputed holds what it reads from outside. The figure of a node is an `Unknown` if its
    layer type has no rule.
    """
    backward = reached(graph, calls)
    held = held_tensors(graph, calls, plan, backward)
    figures: list[Size] = []
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if not backward[i]:
            figures.append(0)
        elif rules[i] is None:
            figures.append(
                Unknown(f"no rule says what {type(node.layer).__name__} keeps for the backward pass")
            )
        else:
            figures.append(0 if i in plan.block_of else call.saved)
    return [
        inside + held.bytes(i, call.outputs)
        for i, (inside, call) in enumerate(zip(graph.of_all_copies(figures), calls, strict=True))
    ]


def held_tensors(graph: Graph, calls: Sequence[Call], plan: Plan, backward: Sequence[bool]) -> HeldTensors:
    """The tensors that are held for the backward pass of these nodes, and the outputs, for the loss."""
    held = HeldTensors(graph)
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if node.inputs and call.held.value == VIEW:
            held.views[Tap(i)] = held.views.get(node.inputs[0], node.inputs[0])
        if i in plan.again or backward[i]:
            taps = [node.inputs[k] for k in call.reads]
            if call.held.output:
                taps.append(Tap(i))
            if i in plan.again:
                taps += node.inputs
            block = plan.block_of.get(i)
            for tap in taps:
                if block is None or tap.node not in block.nodes:
                    held.hold(tap, i, block)
    for tap in graph.outputs:
        held.hold(tap)
    return held
