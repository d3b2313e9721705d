"""Effective fields against the weights of every place, summed path by path, and published values."""

from __future__ import annotations

from fractions import Fraction
from math import isclose, sqrt
from typing import Any

from hypothesis import given

import archcalc
from archcalc import arith
from archcalc.analyses.effective_field import Spreads, effective_fields
from archcalc.analyses.field_flow import Flow
from archcalc.analyses.field_maps import TOO_MANY_PIECES
from archcalc.analyses.moments import Exact
from archcalc.analyses.shapes import infer
from archcalc.analyses.windows import spatial_axes, windows
from archcalc.graph import Graph
from archcalc.layers.base import registered
from archcalc.unknown import Unknown
from tests.analyses.toy import Oracle, networks

LAYERS = registered()


def variance(weights: dict[int, Fraction]) -> Fraction | None:
    """The variance of places weighed so; None if there are none."""
    mass = sum(weights.values())
    if not mass:
        return None
    mean = sum(p * w for p, w in weights.items()) / mass
    return sum(((p - mean) ** 2 * w for p, w in weights.items()), Fraction(0)) / mass


def network(*rows: Any) -> Graph:
    """A graph from (name, type, arguments, inputs) rows; the last is the output."""
    nodes = [(name, LAYERS[kind](**arguments), inputs) for name, kind, arguments, inputs in rows]
    return Graph.of("net", nodes, [rows[-1][0]])


def chain(shape: Any, *layers: tuple[str, dict[str, Any]]) -> Graph:
    rows: list[Any] = [("x", "InputLayer", {"shape": shape}, [])]
    for i, (kind, arguments) in enumerate(layers):
        rows.append((f"l{i}", kind, arguments, [rows[-1][0]]))
    return network(*rows)


def last(graph: Graph) -> Any:
    with arith.scope():
        return effective_fields(graph, infer(graph))[-1]["x"]


# -- brute force ----------------------------------------------------------------------------------
@given(networks(1, causal=False))
def test_the_spread_is_that_of_all_paths_together(graph: Graph) -> None:
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    for i, row in enumerate(effective_fields(graph, shapes)):
        for root in graph.inputs:
            field = row[graph.nodes[root].name]
            wanted = variance(oracle.weights(i, (shapes[i][0][0] // 2, 0), root))
            if field is None or isinstance(field.variance[0], Unknown):
                assert wanted is None or (field and field.variance[0] is TOO_MANY_PIECES)
                continue
            assert wanted is not None
            assert isclose(field.variance[0], wanted, rel_tol=1e-9, abs_tol=1e-9)
            assert isclose(field.sigma[0], sqrt(wanted), rel_tol=1e-9, abs_tol=1e-4)


@given(networks(1, causal=False))
def test_exact_numbers_agree_with_floats(graph: Graph) -> None:
    shapes = infer(graph)
    algebra = Spreads(Exact())
    flow = Flow(graph, shapes, windows(graph, shapes), spatial_axes(graph, shapes), algebra)
    exact = [{r: algebra.figures(s, shapes[i][0]) for r, s in state.items()} for i, state in flow]
    for row, other in zip(exact, effective_fields(graph, shapes), strict=True):
        for root, field in row.items():
            (one,), two = field.variance, other[graph.nodes[root].name]
            assert two is not None
            if isinstance(one, Unknown):
                assert isinstance(two.variance[0], Unknown)
            else:
                assert isclose(one, two.variance[0], rel_tol=1e-9, abs_tol=1e-9)


def test_a_group_along_the_sequence_is_read_by_values() -> None:
    layers = [{"name": "n", "type": "GroupNormalization", "groups": 2, "axis": 1}]
    report = archcalc.analyze(archcalc.load({"archcalc": 1, "inputs": {"x": [18, 4]}, "layers": layers}))
    (sigma,) = report.layers["n"].effective_fields["x"].sigma
    assert isinstance(sigma, Unknown)
    assert "depends on weights or values" in sigma.reason
