"""Memory of every configuration where symbols have arrays of values, each analysed by itself.

Which buffers are reused, and which order is the best, is decided anew for each configuration: no formula
holds for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Size
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import EACH, with_values

if TYPE_CHECKING:
    from archcalc.report.columns import Figures


# the totals that are found so
ONE_BY_ONE = (
    "peak_activation_bytes",
    "best_peak_activation_bytes",
    "training_activation_bytes",
    "training_bytes",
)


class Memory(NamedTuple):
    """Bytes of each configuration as arrays; what a training step holds is there for each node."""

    usual: Size
    best: Size
    held: Sequence[Size]
    training: Size


class Elements(NamedTuple):
    """A graph whose open symbols have arrays of values."""

    graph: Graph
    values: Mapping[str, Any]

    @property
    def number(self) -> int:
        """The number of configurations."""
        import numpy as np

        return int(np.prod(np.broadcast_shapes(*(v.shape for v in self.values.values()))))


def memory(of: Elements, figures: Callable[[Graph], Figures]) -> Memory:
    """The memory of each configuration, from the figures of each graph; 0 where there is no network."""
    import numpy as np

    from archcalc.arith import arrays

    together = np.broadcast_arrays(*(np.asarray(v) for v in of.values.values()))
    shape = together[0].shape
    row_of = _Rows(of.graph)
    found = [
        _of_one(of.graph, dict(zip(of.values, map(int, each), strict=True)), figures, row_of)
        for each in zip(*(v.reshape(-1) for v in together), strict=True)
    ]
    columns = [arrays.array(list(column)).reshape(shape) for column in zip(*found, strict=True)]
    usual, best, training, *held = columns
    return Memory(usual, best, held, training)


def _of_one(
    graph: Graph, values: Mapping[str, int], figures: Callable[[Graph], Figures], row_of: _Rows
) -> list[Any]:
    held: list[Any] = [0] * len(graph.nodes)
    try:
        of = figures(with_values(graph, values))
    except ArchcalcError:
        return [0, 0, 0, *held]
    for name, size in zip(of.name, of.training_activation_bytes, strict=True):
        held[row_of[name]] += size
    peaks = of.peaks
    return [peaks.usual.bytes, peaks.best.bytes, of.training.at(of.options.batch), *held]


class _Rows(dict[str, int]):
    """The number of a node by its name; copies of a repeated block are those of the block, `body[*]/conv`."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph.index())
        marked = {name: i for name, i in self.items() if EACH in name}
        self._patterns = [
            (re.compile(r"\[\d+\]".join(map(re.escape, name.split(EACH)))), i) for name, i in marked.items()
        ]

    def __missing__(self, name: str) -> int:
        self[name] = next(i for pattern, i in self._patterns if pattern.fullmatch(name))
        return self[name]
