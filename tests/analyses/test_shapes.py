"""Shapes of all nodes, and networks with several faults."""

from __future__ import annotations

import pytest

from archcalc import arith
from archcalc.analyses.shapes import infer
from archcalc.arith.symbolic import symbol
from archcalc.errors import NetworkError
from archcalc.graph import Graph, Repeat, Tap
from tests.networks import chain, conv_pair, made, residual, tower


def test_shapes_of_a_chain() -> None:
    assert infer(conv_pair()) == [((32, 32, 3),), ((30, 30, 16),), ((28, 28, 32),)]


def test_symbolic_shapes_list_their_assumptions() -> None:
    with arith.scope() as scope:
        shapes = infer(conv_pair(symbol("H")))
    assert str(shapes[-1][0][0]) == "H - 4"
    assert scope.assumptions.texts() == ["H >= 5"]


def test_every_independent_fault_is_reported_and_no_consequence_of_one() -> None:
    graph = Graph.of(
        "broken",
        [
            ("image", made("InputLayer", shape=(4, 4, 3)), []),
            ("wide", made("Conv2D", filters=2, kernel_size=5), ["image"]),
            ("after", made("Conv2D", filters=2, kernel_size=3), ["wide"]),
            ("groups", made("Conv2D", filters=4, kernel_size=1, groups=2), ["image"]),
            ("small", made("Conv2D", filters=2, kernel_size=3), ["image"]),
            ("sum", made("Add"), ["small", "image"]),
        ],
        ["sum"],
    )
    with pytest.raises(NetworkError) as caught:
        infer(graph)
    assert [name for name, _ in caught.value.faults] == ["wide", "groups", "sum"]
    assert "shorter than the window of 5" in dict(caught.value.faults)["wide"]


def test_reading_an_output_that_does_not_exist() -> None:
    graph = residual()
    nodes = list(graph.nodes)
    nodes[-1] = type(nodes[-1])("join", nodes[-1].layer, (Tap(4, 1), Tap(1)))
    with pytest.raises(NetworkError, match=r"body/b.*has 1 outputs, output number 1 is read"):
        infer(Graph("x", tuple(nodes), graph.inputs, graph.outputs))


def test_a_symbolic_repeat_must_keep_its_shape() -> None:
    assert infer(tower())[-1] == ((8, 8, 2),)
    graph = chain(
        "shrinking",
        (8, 8, 3),
        ("conv", made("Conv2D", filters=3, kernel_size=3)),
    )
    graph = Graph("x", graph.nodes, graph.inputs, graph.outputs, (Repeat(1, 1, Tap(0), Tap(1), symbol("n")),))
    with pytest.raises(NetworkError, match=r"repeated n times.*takes \(8, 8, 3\) and gives \(6, 6, 3\)"):
        infer(graph)


def test_a_long_chain_needs_no_recursion() -> None:
    layers = [(f"c{i}", made("Conv2D", filters=1, kernel_size=1)) for i in range(3000)]
    assert infer(chain("long", (4, 4, 1), *layers))[-1] == ((4, 4, 1),)
