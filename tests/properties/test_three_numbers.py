"""Integers, symbols and arrays give the same figures for whole networks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, note, settings
from hypothesis import strategies as st

import archcalc
from archcalc import arith
from archcalc.analyses import parameters, shapes, work
from archcalc.arith import substitute
from archcalc.arith.arrays import array
from archcalc.arith.symbolic import Expr, symbol
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.testing.strategies import architectures
from tests.properties.networks import by_name, spec, thorough


def _with_sides(graph: Graph, sides: dict[int, Any]) -> Graph:
    """The first input with other spatial sizes; other inputs are unchanged."""
    first = graph.inputs[0]
    shape = list(graph.nodes[first].layer.shape)  # type: ignore[attr-defined]
    for axis, side in sides.items():
        shape[axis] = side
    layer: Any = graph.nodes[first].layer
    node = dataclasses.replace(graph.nodes[first], layer=dataclasses.replace(layer, shape=tuple(shape)))
    return dataclasses.replace(graph, nodes=(*graph.nodes[:first], node, *graph.nodes[first + 1 :]))


def _sides(graph: Graph) -> dict[int, int]:
    return dict(enumerate(graph.nodes[graph.inputs[0]].layer.shape[:-1]))  # type: ignore[attr-defined]


def _totals(report: Any) -> list[Any]:
    t = report.totals
    return [
        t.parameters,
        t.trainable_parameters,
        t.macs,
        t.elementwise_operations,
        t.activation_bytes,
        t.training_activation_bytes,
    ]


@settings(thorough, max_examples=150)
@given(architectures(max_motifs=5))
def test_symbols_at_a_point_are_integers(graph: Graph) -> None:
    note(spec(graph))
    values = {f"s{axis}": n for axis, n in _sides(graph).items()}
    general = _with_sides(graph, {a: symbol(f"s{a}") for a in _sides(graph)})
    concrete = archcalc.analyze(graph)
    try:
        symbolic = archcalc.analyze(general)
    except ArchcalcError:
        # shapes of weights that depend on a side, a Reshape to fixed sizes: refused, never guessed
        return
    for general_figure, figure in zip(_totals(symbolic), _totals(concrete), strict=True):
        assert str(substitute(general_figure, values)) == str(figure)  # the unknown, with its reason
    assert by_name(archcalc.analyze(with_values(general, values))) == by_name(concrete)


@settings(thorough, max_examples=150)
@given(architectures(max_motifs=5), st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_arrays_are_integers_element_by_element(graph: Graph, sides: list[int]) -> None:
    note(spec(graph))
    axes = _sides(graph)
    if not axes:
        return
    general = _with_sides(graph, {0: array(sides)})
    with arith.scope() as notes:
        try:
            known = shapes.infer(general)
            counts = parameters.weights(general, known)
            macs = work.macs(general, known)
        except ArchcalcError:
            return
    valid = np.broadcast_to(np.asarray(notes.valid), (len(sides),))
    for k, side in enumerate(sides):
        network = _with_sides(graph, {0: side})
        try:
            report = archcalc.analyze(network)
        except ArchcalcError:
            assert not valid[k], f"side {side} is refused as an integer, not as an array"
            continue
        assert valid[k], f"side {side} is masked as an array, not refused as an integer"
        for i, row in enumerate(report.rows):
            assert [_element(n, k) for n in known[i][0]] == list(row.output_shape)
            assert sum(_element(w.parameters, k) for w in counts[i]) == row.parameters
            assert _element(macs[i], k) == row.macs


def _element(size: Any, k: int) -> Any:
    assert not isinstance(size, Expr)
    return int(size[k]) if arith.is_array(size) else size
