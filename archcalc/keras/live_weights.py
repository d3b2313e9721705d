"""The arrays of a live model's weights, by archcalc's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from archcalc.analyses import parameters, shapes
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.base import Weight


def model_weights(model: Any, graph: Graph) -> dict[str, dict[str, np.ndarray]]:
    """The weights of a live model as `archcalc.analyze(graph, weights=...)` accepts them.

    Parameters
    ----------
    model
        The model, whose weights exist (it was built or called).
    graph
        Its graph, from `archcalc.from_keras(model)`.

    Returns
    -------
    dict
        By the name of each row that owns weights, then by the weight's name, the arrays.

    Raises
    ------
    ArchcalcError
        The model lacks a layer of the graph, or has other weights than the graph declares.
    """
    owned = parameters.weights(graph, shapes.infer(graph))
    layers = dict(_layers(model, ""))
    by_name: dict[str, dict[str, np.ndarray]] = {}
    for node, declared in zip(graph.nodes, owned, strict=True):
        if not declared:
            continue
        if node.name not in layers:
            raise ArchcalcError(f"the model has no layer {node.name!r}: give the graph of this model")
        by_name[node.name] = arrays(layers[node.name], declared, node.name)
    return by_name


def arrays(layer: Any, declared: Sequence[Weight], name: str) -> dict[str, np.ndarray]:
    """A Keras layer's weights by their declared names; raises `ArchcalcError` if their shapes differ."""
    values = [np.asarray(w) for w in layer.weights if w.name != "seed_generator_state"]
    if [tuple(a.shape) for a in values] != [tuple(w.shape) for w in declared]:
        raise ArchcalcError(f"layer {name!r} has other weights than it declares")
    return {w.name: value for w, value in zip(declared, values, strict=True)}


def _layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        name = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model):
            yield from _layers(layer, f"{name}/")
        else:
            yield name, layer
