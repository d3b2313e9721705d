"""Weights of every node, and the counts derived from them: never written a second time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes, Weights
from archcalc.arith import Size, equal, total
from archcalc.errors import NetworkError
from archcalc.graph import Graph
from archcalc.layers.base import Weight, show


class Count(NamedTuple):
    """Parameters of one row, all copies of a repeated block included."""

    parameters: Size
    trainable: Size

    @property
    def non_trainable(self) -> Size:
        return self.parameters - self.trainable


def weights(graph: Graph, shapes: Shapes) -> Weights:
    """For each node its weights; none where an earlier node owns them.

    Raises `NetworkError` where a sharing layer would need weights of other shapes.
    """
    made = (node.layer.weights(*graph.input_shapes(shapes, node)) for node in graph.nodes)
    return owned(graph, made)


def owned(graph: Graph, made: Iterable[tuple[Weight, ...]]) -> Weights:
    """The same from the weights that each node's layer has by itself.

    Raises `NetworkError` where a sharing layer would need weights of other shapes.
    """
    found: Weights = []
    faults: list[tuple[str, str]] = []
    for node, own in zip(graph.nodes, made, strict=True):
        if node.shared_with is not None:
            owner = graph.nodes[node.shared_with]
            if not _same(own, found[node.shared_with]):
                faults.append(
                    (
                        node.name,
                        f"shares the weights of {owner.name!r}, {_listed(found[node.shared_with])}, "
                        f"but would need {_listed(own)}",
                    )
                )
            found.append(())
        elif node.layer.trainable:
            found.append(own)
        else:
            found.append(tuple(w._replace(trainable=False) for w in own))
    if faults:
        raise NetworkError(faults)
    return found


def counts(graph: Graph, owned: Sequence[tuple[Weight, ...]]) -> list[Count]:
    """For each node how many parameters its weights hold, times the copies it stands for."""
    copies = graph.multiplicities()
    found = []
    for i, mine in enumerate(owned):
        times = copies.get(i, 1)
        sizes = [(w.parameters, w.trainable) for w in mine]
        found.append(Count(times * total(s for s, _ in sizes), times * total(s for s, t in sizes if t)))
    return found


def _same(a: tuple[Weight, ...], b: tuple[Weight, ...]) -> bool:
    return len(a) == len(b) and all(
        len(x.shape) == len(y.shape)
        and all(equal(m, n) is not False for m, n in zip(x.shape, y.shape, strict=True))
        for x, y in zip(a, b, strict=True)
    )


def _listed(some: tuple[Weight, ...]) -> str:
    return ", ".join(f"{w.name} {show(w.shape)}" for w in some) or "none"
