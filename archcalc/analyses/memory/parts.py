"""The part of a network around a node, between two nodes that everything passes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from archcalc.analyses.memory.held import VIEW, Call
from archcalc.graph import Graph, Tap


class Part(NamedTuple):
    """A network of its own: the first of its nodes stands for all that ran before."""

    graph: Graph
    calls: Sequence[Call]


def around(graph: Graph, calls: Sequence[Call], order: Sequence[int], at: int) -> Part | None:
    """The smallest part around node `at`; None if that is the whole network.

    In every order all nodes before such a part run before all of its own, and of what they have computed it
    needs the first node's output alone.
    """
    place = order.index(at)
    cuts = _cuts(graph, calls, order)
    before = next((p for p in reversed(cuts) if p < place), None)
    after = next((p for p in cuts if p >= place), len(order) - 1)
    if before is None and after == len(order) - 1:
        return None
    first = 0 if before is None else before
    kept = sorted({*graph.inputs, *order[first : after + 1]})
    number = {i: n for n, i in enumerate(kept)}

    def moved(tap: Tap) -> Tap:
        return Tap(number[tap.node], tap.output)

    nodes = []
    for i in kept:
        node = graph.nodes[i]
        if i == order[first] and before is not None:
            nodes.append(replace(node, inputs=(), masks=(), shared_with=None))
            continue
        masks = tuple(mask.moved(moved) for mask in node.masks)
        nodes.append(replace(node, inputs=tuple(map(moved, node.inputs)), masks=masks, shared_with=None))
    ends = [moved(tap) for tap in graph.outputs if tap.node in number]
    inputs = tuple(number[i] for i in graph.inputs)
    part = Graph(graph.name, tuple(nodes), inputs, tuple(ends or [moved(Tap(order[after]))]))
    return Part(part, [calls[i] for i in kept])


def _cuts(graph: Graph, calls: Sequence[Call], order: Sequence[int]) -> list[int]:
    """The places in the order of nodes that all before lead to, and through which all after are reached."""
    inputs = set(graph.inputs)
    last: dict[int, int] = {}  # the place of a node's last reader
    first = 0  # from here on every node reads another one
    for place, i in enumerate(order):
        reads_inputs_only = True
        for source, _ in graph.nodes[i].reads:
            if source not in inputs:
                last[source] = place
                reads_inputs_only = False
        if reads_inputs_only:
            first = place
    cuts: list[int] = []
    reach = 0
    for place, i in enumerate(order):
        # a view has the buffer of something before it
        if place >= first and place >= reach and i not in inputs and calls[i].way != VIEW:
            cuts.append(place)
        if i not in inputs:
            reach = max(reach, last.get(i, len(order)))
    return cuts
