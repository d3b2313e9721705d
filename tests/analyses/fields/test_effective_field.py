"""Effective fields against brute force: the weights of every position, summed over all paths."""

from __future__ import annotations

from math import isclose, sqrt
from typing import Any

from hypothesis import given

import archcalc
from archcalc import arith
from archcalc.analyses.fields.effective_field import UNEVEN, MomentAlgebra, effective_fields
from archcalc.analyses.fields.index_maps import TOO_MANY_MAPS
from archcalc.analyses.fields.moments import Exact
from archcalc.analyses.fields.propagate import Propagation
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.registry import registered
from tests.analyses.fields.toy import Oracle, networks

LAYERS = registered()
REASONS = (TOO_MANY_MAPS, UNEVEN)  # why a figure of a toy may be unknown


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
def test_the_spread_over_one_axis_is_that_of_all_paths_together(graph: Graph) -> None:
    compare(graph)


@given(networks(2, causal=False))
def test_the_spread_over_two_axes_is_that_of_all_paths_together(graph: Graph) -> None:
    compare(graph)


def compare(graph: Graph) -> None:
    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    for i, row in enumerate(effective_fields(graph, shapes)):
        position = tuple(n // 2 for n in shapes[i][0][:-1])
        for root in graph.inputs:
            field = row[graph.nodes[root].name]
            for axis in range(len(position)):
                wanted = oracle.variance(i, (*position, 0), root, axis)
                if field is None or isinstance(field.variance[axis], Unknown):
                    assert wanted is None or (field and field.variance[axis] in REASONS)
                    continue
                assert wanted is not None
                assert isclose(field.variance[axis], wanted, rel_tol=1e-9, abs_tol=1e-9)
                assert isclose(field.sigma[axis], sqrt(wanted), rel_tol=1e-9, abs_tol=1e-4)


def test_a_mixture_that_changes_along_the_other_axis_is_unknown() -> None:
    """The second branch is nonzero only at each third position along both axes."""
    graph = network(
        ("x", "InputLayer", {"shape": (6, 6, 1)}, []),
        ("a", "Conv2D", {"filters": 1, "kernel_size": 3, "strides": 3}, ["x"]),
        ("b", "Conv2DTranspose", {"filters": 1, "kernel_size": 1, "strides": 3, "padding": "same"}, ["a"]),
        ("both", "Concatenate", {}, ["x", "b"]),
    )
    assert last(graph).sigma == (UNEVEN, UNEVEN)


@given(networks(1, causal=False))
def test_exact_numbers_agree_with_floats(graph: Graph) -> None:
    shapes = infer(graph)
    algebra = MomentAlgebra(Exact())
    reads = windows(graph, shapes)
    propagation = Propagation(graph, shapes, reads, reads.axes, algebra)
    exact = [
        {r: algebra.effective_field(s, shapes[i][0]) for r, s in state.items()} for i, state in propagation
    ]
    for row, other in zip(exact, effective_fields(graph, shapes), strict=True):
        for root, field in row.items():
            (variance,), floats = field.variance, other[graph.nodes[root].name]
            assert floats is not None
            if isinstance(variance, Unknown):
                assert isinstance(floats.variance[0], Unknown)
            else:
                assert isclose(variance, floats.variance[0], rel_tol=1e-9, abs_tol=1e-9)


def test_the_spread_over_a_normalised_group_depends_on_values() -> None:
    layers = [{"name": "n", "type": "GroupNormalization", "groups": 2, "axis": 1}]
    report = archcalc.analyze(archcalc.load({"archcalc": 1, "inputs": {"x": [18, 4]}, "layers": layers}))
    (sigma,) = report.layers["n"].effective_fields["x"].sigma
    assert isinstance(sigma, Unknown)
    assert "depends on weights or values" in sigma.reason
