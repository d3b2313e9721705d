"""The structure of a network for verdicts and remedies: layers with weights, sums, ends of branches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from archcalc.analyses.mean_field.shared import Shared
from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from archcalc.layers.activations import ACTIVATIONS, activation_name
from archcalc.layers.base import Layer

# what an activation may be, whether a layer of its own or the argument of one with weights
NONLINEAR = (ACTIVATIONS.keys() | {"prelu"}) - {"linear", "exponential"}
KERNELS = (prim.Matrix, prim.Convolve, prim.LocallyConnected)


class Structure:
    """The weighted layers and the branches of a graph."""

    def __init__(self, graph: Graph, shapes: Sequence[Sequence[Any]], shared: Shared | None = None) -> None:
        self.graph = graph
        self.shapes = shapes
        self.consumers = graph.consumers()
        for t in graph.outputs:
            self.consumers[t.node].append(-1)
        self.chains = [each.primitives for each in (shared or Shared()).declared(graph, shapes)]

    @cached_property
    def weighted(self) -> list[int]:
        """Nodes with a matrix or a kernel."""
        return [i for i, chain in enumerate(self.chains) if any(isinstance(s, KERNELS) for s in chain)]

    @cached_property
    def sums(self) -> list[int]:
        """Nodes that add several tensors."""
        return [
            i
            for i, chain in enumerate(self.chains)
            if chain
            and isinstance(chain[0], prim.Merge)
            and chain[0].kind == "add"
            and self._has_several_inputs(i)
        ]

    def _has_several_inputs(self, node: int) -> bool:
        return len(self.graph.nodes[node].inputs) > 1

    @cached_property
    def units(self) -> list[int]:
        """The units of each node's first output."""
        return [math.prod(int(n) for n in outputs[0]) for outputs in self.shapes]

    def layer(self, node: int) -> Layer:
        return self.graph.nodes[node].layer

    def is_activation(self, node: int) -> bool:
        """Whether the node is an activation, and nothing else."""
        return len(self.chains[node]) == 1 and self._ends_in_function(node)

    def has_activation(self, node: int) -> bool:
        """Whether the node has an activation as an argument."""
        own = getattr(self.layer(node), "activation", None)
        return own is not None and activation_name(own) != "linear" and self._ends_in_function(node)

    def _ends_in_function(self, node: int) -> bool:
        last = self.chains[node][-1] if self.chains[node] else None
        return isinstance(last, prim.Pointwise) and activation_name(last.function) in NONLINEAR

    def activated(self, node: int) -> int:
        """The node after whose activation these weights' output is: itself, or a layer that follows."""
        run = [node] if self.has_activation(node) else self.segment(node)
        return next((i for i in run if self.is_activation(i)), node)

    def segment(self, node: int) -> list[int]:
        """The node and its successors, up to the next weights, fork or merge."""
        segment_nodes = [node]
        while len(self.consumers[segment_nodes[-1]]) == 1:
            (successor,) = self.consumers[segment_nodes[-1]]
            if successor < 0 or successor in self._weights or self._has_several_inputs(successor):
                break
            segment_nodes.append(successor)
        return segment_nodes

    @cached_property
    def _weights(self) -> set[int]:
        return set(self.weighted)

    def gains(self, log10: Sequence[float | None]) -> Iterator[tuple[int, float]]:
        """(node, log10 of the factor by which the gradient grows over its step), going backward.

        A step is a node with weights, or one that changes the number of units without weights (pooling), and
        what follows up to the next such node, fork or merge. Yields those whose input no other node reads.
        """
        for i, node in enumerate(self.graph.nodes):
            if len(node.inputs) != 1 or not (i in self._weights or self._resizes(i)):
                continue
            before = node.inputs[0].node
            run = self.segment(i)
            end = next((k for k, j in enumerate(run[1:], 1) if self._resizes(j)), len(run))
            a, b = log10[before], log10[run[end - 1]]
            if len(self.consumers[before]) == 1 and a is not None and b is not None:
                yield i, a - b

    def _resizes(self, node: int) -> bool:
        (before,) = self.graph.nodes[node].inputs
        return node not in self._weights and self.units[node] != math.prod(
            int(n) for n in self.shapes[before.node][before.output]
        )

    def branch_end(self, node: int) -> int | None:
        """The last layer with weights or normalisation in the chain that ends at this node; else None."""
        while len(self.consumers[node]) == 1:
            if node in self._weights or any(isinstance(s, prim.BatchStandardise) for s in self.chains[node]):
                return node
            if len(self.graph.nodes[node].inputs) != 1:
                return None
            node = self.graph.nodes[node].inputs[0].node
        return None
