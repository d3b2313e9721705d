"""Figures of calls that are worked out once for equal ones, against each worked out for itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, note, settings
from hypothesis import strategies as st

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.arith.arrays import array
from archcalc.graph import Graph, Node, Tap, topological_order
from archcalc.testing.strategies import architectures
from tests.networks import chain, made, tower
from tests.properties.networks import spec, thorough


def called(layer: Any, *inputs: Any) -> tuple[int, Any]:
    return id(layer), inputs


def one_by_one(graph: Graph, known: shapes.Shapes) -> list[Any]:
    return [called(node.layer, *graph.input_shapes(known, node)) for node in graph.nodes]


@settings(thorough, max_examples=60)
@given(architectures())
def test_each_call_has_the_figure_of_its_own_layer_and_shapes(graph: Graph) -> None:
    note(spec(graph))
    known = shapes.infer(graph)
    assert [*graph.each(known, called)] == one_by_one(graph, known)
    # a copy of the shapes has no cases of its own
    assert [*graph.each(shapes.Shapes(known), called)] == one_by_one(graph, known)


def test_it_is_asked_once_for_equal_calls() -> None:
    conv, asked = made("Conv2D", filters=3, kernel_size=3), []
    graph = chain("net", (9, 9, 3), ("a", conv), ("b", made("ReLU")), ("c", conv), ("d", conv))
    sizes = [*graph.each(shapes.infer(graph), lambda layer, *x: asked.append(x) or layer.output_shape(*x))]
    assert sizes == [(9, 9, 3), (7, 7, 3), (7, 7, 3), (5, 5, 3), (3, 3, 3)]
    assert len(asked) == 5
    conv = made("Conv2D", filters=3, kernel_size=3, padding="same")
    graph = chain("net", (9, 9, 3), ("a", conv), ("b", conv), ("c", conv))
    assert [*graph.each(shapes.infer(graph), lambda *_: asked.append("same"))] == [None] * 4
    assert asked[5:] == ["same", "same"]  # of the input, and of the convolution


def test_a_graph_with_other_layers_has_other_cases() -> None:
    graph = chain("net", (4,), ("a", made("ReLU")), ("b", made("ReLU")))
    known = shapes.infer(graph)
    other = made("Dropout", rate=0.5)
    changed = dataclasses.replace(graph, nodes=(*graph.nodes[:2], Node("b", other, (Tap(1),))))
    assert [*changed.each(known, lambda layer, *_: type(layer).__name__)] == ["InputLayer", "ReLU", "Dropout"]
    assert [*graph.each(known, lambda layer, *_: type(layer).__name__)] == ["InputLayer", "ReLU", "ReLU"]


def test_blocks_that_change_their_shape_and_arrays_of_sizes() -> None:
    grows = growing_block()
    with arith.scope():
        known = shapes.infer(grows)
        assert known.read  # some nodes read what another copy gives
        assert [*grows.each(known, called)] == one_by_one(grows, known)
        known = shapes.infer(tower())
        assert [*tower().each(known, lambda _, *x: x)] == [inputs for _, inputs in one_by_one(tower(), known)]
        sides = array(np.array([8, 9]))
        graph = chain("net", (sides, 8, 3), ("a", made("Conv2D", filters=2, kernel_size=3)))
        known = shapes.infer(graph)
        assert [layer for layer, _ in graph.each(known, called)] == [id(node.layer) for node in graph.nodes]


def growing_block() -> Graph:
    from archcalc.readers import load

    block = [
        {"name": "a", "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"},
        {"name": "join", "type": "Concatenate", "inputs": ["a", "input"]},
    ]
    return load(
        {
            "archcalc": 1,
            "symbols": {"n": None},
            "inputs": {"x": [8, 8, 3]},
            "blocks": {"dense": {"layers": block}},
            "layers": [{"name": "body", "block": "dense", "repeat": "n"}, {"name": "end", "type": "ReLU"}],
        }
    )


@given(st.lists(st.lists(st.integers(0, 7), max_size=3), max_size=8))
def test_the_order_takes_the_lowest_possible_first(parents: list[list[int]]) -> None:
    parents = [[p for p in of if p < len(parents)] for of in parents]
    order: list[int] = []
    while True:  # by definition
        ready = [i for i, of in enumerate(parents) if i not in order and set(of) <= set(order)]
        if not ready:
            break
        order.append(min(ready))
    assert topological_order(parents) == order
