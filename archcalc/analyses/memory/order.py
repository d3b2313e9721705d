"""Orders in which one forward pass may run the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from archcalc.graph import Graph


def keras_order(graph: Graph) -> Sequence[int]:
    """Node numbers in the order in which a Functional model of Keras runs them.

    Keras runs nodes by depth, the longest way to an output, and among equals in the order in
    which its walk back from the outputs came upon them (`keras.src.ops.function.map_graph`).
    A layer that is called several times gives all its calls the depth of its deepest one so far.
    Nodes that lead to no output come last. Rows keep their order where a block stands for a
    symbolic number of copies, and in Keras configurations with nested models, which Keras runs
    as one step each: readers list both as they run.
    """
    rows = range(len(graph.nodes))
    nested = graph.format.startswith("keras") and any("/" in node.name for node in graph.nodes)
    if graph.repeats or nested or is_forced(graph):
        return rows
    depths: dict[int, int] = {}
    of_layer: dict[int, int] = {}
    for i in reversed(_inputs_first(graph)):
        node = graph.nodes[i]
        owner = i if node.shared_with is None else node.shared_with
        depth = max(depths.setdefault(i, 0), of_layer.get(owner, 0))
        of_layer[owner] = depths[i] = depth
        for tap in node.inputs:
            depths[tap.node] = max(depth + 1, depths.get(tap.node, 0))
    found = sorted(depths, key=lambda i: -depths[i])  # keeps the order of equals
    return [*found, *(i for i in rows if i not in depths)]


def is_forced(graph: Graph) -> bool:
    """Whether the rows are the only order: each node but the inputs reads the one in front of it."""
    inputs = set(graph.inputs)
    steps = [i for i in range(len(graph.nodes)) if i not in inputs]
    return all(any(t.node == a for t in graph.nodes[b].inputs) for a, b in pairwise(steps))


def _inputs_first(graph: Graph) -> list[int]:
    """What leads to an output, as a depth-first walk back from the outputs leaves it."""
    left: list[int] = []
    seen: set[int] = set()
    for output in graph.outputs:
        stack = [(output.node, False)]
        while stack:
            i, done = stack.pop()
            if done:
                left.append(i)
            elif i not in seen:
                seen.add(i)
                stack.append((i, True))
                stack += [(t.node, False) for t in reversed(graph.nodes[i].inputs)]
    return left
