"""What a network and its remedies have in common: random numbers, and what follows from a layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.analyses.initial import Draw
from archcalc.analyses.mean_field.noise import Draws
from archcalc.graph import Graph
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
        # by the layer's object, since hashing a layer takes long; it is held, so that no other gets its id
        self._known: dict[tuple[int, Any], tuple[Layer, Declared]] = {}

    def declared(self, graph: Graph, shapes: Sequence[Sequence[Any]]) -> list[Declared]:
        """What each node's layer declares."""
        return list(graph.each(shapes, self._declared))

    def _declared(self, layer: Layer, *inputs: Any) -> Declared:
        key = id(layer), inputs
        if key not in self._known:
            weights = {w.name: w for w in layer.weights(*inputs)}
            self._known[key] = layer, Declared(layer.primitives(*inputs), weights)
        return self._known[key][1]
