"""What a network and its remedies have in common: random numbers, and what follows from a layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.analyses.initial import Draw
from archcalc.analyses.mean_field.noise import Draws
from archcalc.graph import Graph
from archcalc.graph.graph import Once
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer, Weight


@dataclass(frozen=True)
class Declared:
    """What a layer declares on inputs of given shapes; `elements`: distributions that were asked for."""

    primitives: prim.Primitives
    weights: dict[str, Weight]
    elements: dict[str, Draw] = field(default_factory=dict)


class Shared:
    """Random numbers and declarations that several networks use, most of whose layers are the same."""

    def __init__(self) -> None:
        self.draws = Draws()
        self._declared = Once(_declared)

    def declared(self, graph: Graph, shapes: Sequence[Sequence[Any]]) -> list[Declared]:
        """What each node's layer declares."""
        return [self._declared(node.layer, graph.input_shapes(shapes, node)) for node in graph.nodes]


def _declared(layer: Layer, *inputs: Any) -> Declared:
    return Declared(layer.primitives(*inputs), {w.name: w for w in layer.weights(*inputs)})
