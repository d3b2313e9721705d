"""Weights of every node, and the parameter counts that follow from them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import compress
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes, Weights
from archcalc.arith import Size, equal, total
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import NetworkError
from archcalc.graph import Graph
from archcalc.layers.base import Layer, Weight, show


class Count(NamedTuple):
    """Parameters of one node, all copies of a repeated block included."""

    parameters: Size
    trainable: Size

    @property
    def non_trainable(self) -> Size:
        return self.parameters - self.trainable


def weights(graph: Graph, shapes: Shapes) -> Weights:
    """The weights of each node; none where it shares those of an earlier node.

    Raises `NetworkError` where a layer that shares weights would need weights of other shapes.
    """
    return owned(graph, list(graph.each(shapes, lambda layer, *inputs: layer.weights(*inputs))))


def owned(graph: Graph, declared: Weights) -> Weights:
    """The same, from the weights that each node's layer declares without regard to sharing.

    Raises `NetworkError` where a layer that shares weights would need weights of other shapes.
    """
    by_node: Weights = []
    flagged: dict[tuple[Layer, int], tuple[Weight, ...]] = {}  # equal layers on equal shapes have one tuple
    indices = {repeat.index for repeat in graph.repeats}
    faults: list[tuple[str, str]] = []
    for node, of_layer in zip(graph.nodes, declared, strict=True):
        layer = node.layer
        if (
            node.shared_with is None and layer.trainable and not layer.trained
        ):  # as declared, in most networks
            by_node.append(of_layer)
        elif node.shared_with is not None:
            owner = graph.nodes[node.shared_with]
            if not _same(of_layer, by_node[node.shared_with], indices):
                faults.append(
                    (
                        node.name,
                        f"shares the weights of {owner.name!r}, {_listed(by_node[node.shared_with])}, "
                        f"but would need {_listed(of_layer)}",
                    )
                )
            by_node.append(())
        else:
            unknown = (layer.trained or {}).keys() - {w.name for w in of_layer}
            if unknown:
                text = f"trained: no weight is named {min(unknown)!r}; it has {_listed(of_layer)}"
                faults.append((node.name, text))
            key = layer, id(of_layer)
            if key not in flagged:
                flagged[key] = _flagged(layer, of_layer)
            by_node.append(flagged[key])
    if faults:
        raise NetworkError(faults)
    return by_node


def _flagged(layer: Layer, weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
    """The weights as they are trained where the layer is frozen, or single weights of it are."""
    stated = layer.trained or {}
    return tuple(w._replace(trainable=stated.get(w.name, layer.trainable and w.trainable)) for w in weights)


def _count(weights: Sequence[Weight]) -> Count:
    """The parameters of the weights, and of those that are trained."""
    sizes = [w.parameters for w in weights]
    trained = [w.trainable for w in weights]
    if None in trained:
        return Count(total(sizes), Unknown("the file does not say which of its weights are trained"))
    return Count(total(sizes), total(compress(sizes, trained)))


def counts(graph: Graph, owned: Sequence[tuple[Weight, ...]]) -> list[Count]:
    """The parameters of each node's weights, times the number of copies that the node represents."""
    of_one: dict[int, Count] = {}  # equal layers on equal shapes have one tuple of weights
    by_node = []
    for of_node in owned:
        count = of_one.get(id(of_node))
        if count is None:
            count = of_one[id(of_node)] = _count(of_node)
        by_node.append(count)
    if not graph.repeats:
        return by_node
    parameters, trainable = (graph.of_all_copies(column) for column in zip(*by_node, strict=True))
    return [Count(*of_all) for of_all in zip(parameters, trainable, strict=True)]


def _same(a: tuple[Weight, ...], b: tuple[Weight, ...], indices: Set[str]) -> bool:
    return len(a) == len(b) and all(
        len(x.shape) == len(y.shape)
        and all(_may_equal(m, n, indices) for m, n in zip(x.shape, y.shape, strict=True))
        for x, y in zip(a, b, strict=True)
    )


def _may_equal(a: Size, b: Size, indices: Set[str]) -> bool:
    """Whether two sizes may be equal; those that change from copy to copy of a block have to be, in each."""
    changing = any(isinstance(n, Expr) and not indices.isdisjoint(n.symbols) for n in (a, b))
    return equal(a, b) is True if changing else equal(a, b) is not False


def _listed(weights: tuple[Weight, ...]) -> str:
    return ", ".join(f"{w.name} {show(w.shape)}" for w in weights) or "none"
