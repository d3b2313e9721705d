"""The order in which Keras runs the nodes in a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from archcalc.graph import Graph


def keras_order(graph: Graph) -> Sequence[int]:
    """Node numbers in the order in which a Functional model of Keras runs them.

    Keras runs nodes by decreasing depth (the longest path to an output), and nodes of equal depth in
    the order in which its search from the outputs visits them (`keras.src.ops.function.map_graph`).
    Each call of a shared layer gets at least the depth of the layer's calls visited before it. Nodes
    without a path to an output come last. Nodes keep the graph's order in Keras configurations with
    nested models, each of which Keras runs as one step: readers list these nodes in the order in which
    they run. Where a block represents a symbolic number of copies, this is the order of one of them.
    """
    rows = range(len(graph.nodes))
    nested = graph.format.startswith("keras") and any("/" in node.name for node in graph.nodes)
    if nested or is_forced(graph):
        return rows
    depths: dict[int, int] = {}
    of_layer: dict[int, int] = {}
    for i in reversed(_inputs_first(graph)):
        node = graph.nodes[i]
        owner = i if node.shared_with is None else node.shared_with
        depth = max(depths.setdefault(i, 0), of_layer.get(owner, 0))
        of_layer[owner] = depths[i] = depth
        for tap in node.reads:
            depths[tap.node] = max(depth + 1, depths.get(tap.node, 0))
    by_depth = sorted(depths, key=depths.__getitem__, reverse=True)  # a stable sort
    return [*by_depth, *(i for i in rows if i not in depths)]


def is_forced(graph: Graph) -> bool:
    """Whether the graph's order is the only one: each node except inputs reads the node before it."""
    inputs = set(graph.inputs)
    steps = [i for i in range(len(graph.nodes)) if i not in inputs]
    return all(any(t.node == a for t in graph.nodes[b].reads) for a, b in pairwise(steps))


def _inputs_first(graph: Graph) -> list[int]:
    """The nodes with a path to an output, in postorder of a depth-first search from the outputs."""
    postorder: list[int] = []
    seen: set[int] = set()
    for output in graph.outputs:
        stack = [output.node]
        while stack:
            i = stack.pop()
            if i < 0:  # what it reads is done
                postorder.append(~i)
            elif i not in seen:
                seen.add(i)
                stack.append(~i)
                stack += [source for source, _ in reversed(graph.nodes[i].reads)]
    return postorder
