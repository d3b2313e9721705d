"""The figures that a design question may be about, and how each is read from an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcalc import arith
from archcalc.arith import Size
from archcalc.arith.assumptions import Condition
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph import Graph
from archcalc.graph.quantities import TABLE, TOTALS
from archcalc.report.columns import Figures
from archcalc.report.options import AnalysisOptions
from archcalc.report.totals import Totals

# of the last layer whose units have positions, or with @LAYER of the layer of that name
OF_A_LAYER = {
    "receptive_field": "input units that a unit sees along the local path, on the smallest axis",
    "output_size": "positions of a layer's output, on the smallest axis",
}
NAMES = (*TOTALS, *OF_A_LAYER)
UNITS = {q.name: q.unit for q in TABLE} | {"receptive_field": "input units", "output_size": "positions"}


def checked(name: str, graph: Graph) -> str:
    """The name of a figure as the rest of the room writes it: `macs`, `output_size@stage3`.

    Raises `ArchcalcError` for a name that no figure or layer has.
    """
    quantity, at, layer = name.strip().partition("@")
    quantity = quantity.replace("-", "_")
    if quantity not in NAMES:
        known = f"; known: {', '.join(NAMES)}"
        raise ArchcalcError(f"no figure is named {quantity!r}{did_you_mean(quantity, NAMES) or known}")
    if at and quantity not in OF_A_LAYER:
        raise ArchcalcError(f"{quantity} is a figure of the whole network; leave out @{layer}")
    names = [node.name for node in graph.nodes]
    if at and layer not in names:
        raise ArchcalcError(f"no layer is named {layer!r}{did_you_mean(layer, names)}")
    return f"{quantity}{at}{layer}"


class Reader:
    """Reads figures of one graph by name, each computed when it is first read."""

    def __init__(self, graph: Graph, options: AnalysisOptions) -> None:
        self.of = Figures(graph, options)
        self.totals = Totals(self.of)

    def __call__(self, name: str) -> Size:
        """The figure: an integer, an expression, or `Unknown` with the reason."""
        quantity, _, layer = name.partition("@")
        with arith.scope(self.of.scope):
            if quantity not in OF_A_LAYER:
                value: Size = getattr(self.totals, quantity)
                return value
            index = self.of.graph.index().get(layer) if layer else self._last_with_positions()
            sizes = [] if index is None else list(self._axes(quantity, index))
            if not sizes or any(s is None for s in sizes):
                return Unknown(f"{layer or 'every layer'} is without positions along an input's axes")
            return arith.smallest(*sizes)

    def premises(self, name: str) -> list[Condition]:
        """What a figure's closed form assumes beyond the assumptions of the analysis."""
        return [] if name.partition("@")[0] in OF_A_LAYER else self.totals.premises(name)

    def _last_with_positions(self) -> int | None:
        leading = (i for i in reversed(range(len(self.of.graph.nodes))) if i in self.of.leading)
        return next((i for i in leading if self._fields(i)), None)

    def _fields(self, index: int) -> list[Any]:
        """The fields of a layer in those inputs along whose axes its units have positions."""
        of, rank = self.of, len(self.of.output_shapes[index][0])
        inputs = {of.name[i]: len(of.output_shapes[i][0]) for i in of.graph.inputs}
        fields = of.receptive_fields[index]
        seen = [f for name, f in fields.items() if f is not None and f.size and rank >= inputs[name]]
        return [f for f in seen if not any(size is None for size in f.local_size)]

    def _axes(self, quantity: str, index: int) -> Iterator[Any]:
        if quantity == "receptive_field":
            for field in self._fields(index):
                yield from field.local_size
        elif self._fields(index):
            channels_first = any(
                getattr(n.layer, "data_format", "") == "channels_first" for n in self.of.graph.nodes
            )
            shape = self.of.final_shapes[index][0]
            yield from shape[1:] if channels_first else shape[:-1]
