"""Where a network has weights, what they lead to, and where branches meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer

KERNELS = (prim.Matrix, prim.Convolve, prim.LocallyConnected)


class Structure:
    """A graph with its shapes, looked at for weights and branches."""

    def __init__(self, graph: Graph, shapes: Sequence[Sequence[Any]]) -> None:
        self.graph = graph
        self.shapes = shapes
        self.consumers = graph.consumers()
        for t in graph.outputs:
            self.consumers[t.node].append(-1)
        self.chains: list[prim.Primitives] = [
            () if i in graph.inputs else node.layer.primitives(*graph.input_shapes(shapes, node))
            for i, node in enumerate(graph.nodes)
        ]

    @cached_property
    def weighted(self) -> list[int]:
        """Nodes whose primitives hold a matrix or kernel."""
        return [i for i, chain in enumerate(self.chains) if any(isinstance(s, KERNELS) for s in chain)]

    @cached_property
    def sums(self) -> list[int]:
        """Nodes that add several tensors."""
        return [
            i
            for i, chain in enumerate(self.chains)
            if chain and isinstance(chain[0], prim.Merge) and chain[0].kind == "add" and self._several(i)
        ]

    def _several(self, node: int) -> bool:
        return len(self.graph.nodes[node].inputs) > 1

    @cached_property
    def units(self) -> list[int]:
        return [math.prod(int(n) for n in made[0]) for made in self.shapes]

    def layer(self, node: int) -> Layer:
        return self.graph.nodes[node].layer

    def run(self, node: int) -> list[int]:
        """The node and those behind it, up to the next weights, fork or meeting of branches."""
        found = [node]
        while len(self.consumers[found[-1]]) == 1:
            (after,) = self.consumers[found[-1]]
            if after < 0 or after in self._weights or self._several(after):
                break
            found.append(after)
        return found

    @cached_property
    def _weights(self) -> set[int]:
        return set(self.weighted)

    def steps(self, log10: Sequence[float | None]) -> Iterator[tuple[int, float]]:
        """For each node with weights that alone reads its input: what the gradient gains over its run."""
        for i in self.weighted:
            before = self.graph.nodes[i].inputs[0].node
            a, b = log10[before], log10[self.run(i)[-1]]
            if len(self.consumers[before]) == 1 and a is not None and b is not None:
                yield i, a - b

    def branch_end(self, node: int) -> int | None:
        """The last layer with weights or scale on the way to this node, if nothing else reads that way."""
        while len(self.consumers[node]) == 1:
            if node in self._weights or any(isinstance(s, prim.BatchStandardise) for s in self.chains[node]):
                return node
            if len(self.graph.nodes[node].inputs) != 1:
                return None
            node = self.graph.nodes[node].inputs[0].node
        return None
