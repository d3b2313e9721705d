"""What live Keras models contain: a row for every call of every layer, from Keras's own records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras.src.models.functional import Functional
from keras.src.ops.function import make_node_key

from archcalc import arith
from archcalc.analyses import parameters, shapes
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.readers.keras_config import read_keras


class LiveRow(NamedTuple):
    """One call: outputs without the batch, an axis that is open as None; weights of the first call."""

    name: str
    outputs: tuple[tuple[int | None, ...], ...]
    weights: Counter[tuple[tuple[int, ...], bool]]


def live_rows(model: Any) -> list[LiveRow]:
    """Every call inside a live model, nested models unfolded."""
    return list(_rows(model, "", set(), model.trainable, outer=True))


def _rows(model: Any, prefix: str, seen: set[int], trainable: bool, *, outer: bool) -> Iterator[LiveRow]:
    graph = model._functional if isinstance(model, keras.Sequential) else model
    for operation in graph.operations:
        if not outer and isinstance(operation, keras.layers.InputLayer):
            continue
        nodes = [
            node
            for i, node in enumerate(operation._inbound_nodes)
            if make_node_key(operation, i) in graph._nodes
        ]
        for number, node in enumerate(nodes):
            name = prefix + operation.name + (f"[{number + 1}]" if number else "")
            if isinstance(operation, Functional | keras.Sequential):
                yield from _rows(operation, f"{name}/", seen, trainable, outer=False)
                continue
            first = id(operation) not in seen
            seen.add(id(operation))
            weights = operation.weights if first and hasattr(operation, "weights") else []
            yield LiveRow(
                name,
                tuple(tuple(t.shape[1:]) for t in node.output_tensors),
                Counter((tuple(w.shape), trainable and w.trainable) for w in weights),
            )


def graph_rows(graph: Graph) -> list[LiveRow]:
    """The same rows for a graph that was read."""
    with arith.scope():
        inferred = shapes.infer(graph)
        weights = parameters.weights(graph, inferred)
    return [
        LiveRow(
            node.name,
            tuple(tuple(None if isinstance(n, Expr | Unknown) else n for n in s) for s in outputs),
            Counter((tuple(w.shape), w.trainable) for w in owned),
        )
        for node, outputs, owned in zip(graph.nodes, inferred, weights, strict=True)
    ]


def totals(graph: Graph) -> tuple[int, int]:
    """(all parameters, trainable ones)."""
    with arith.scope():
        inferred = shapes.infer(graph)
        counts = parameters.counts(graph, parameters.weights(graph, inferred))
    return sum(c.parameters for c in counts), sum(c.trainable for c in counts)


def read(model: Any, **options: Any) -> Graph:
    """A live model, read from its JSON."""
    return read_keras(json.loads(model.to_json()), "model.json", **options)


def assert_same(model: Any, graph: Graph) -> None:
    """Assert that every row, every weight and the totals of a graph are those of the live model."""
    live = {row.name: row for row in live_rows(model)}
    rows = {row.name: row for row in graph_rows(graph)}
    assert rows.keys() == live.keys()
    for name, row in live.items():
        assert rows[name] == row, name
    trainable = sum(w.shape.num_elements() for w in model.trainable_weights)
    assert totals(graph) == (model.count_params(), trainable)
