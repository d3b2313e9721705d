"""Shapes of all nodes, and networks with several faults."""

from __future__ import annotations

from typing import Any

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


def repeated(*layers: tuple[str, Any]) -> Graph:
    """A chain whose layers together are repeated n times."""
    graph = chain("repeated", (8, 8, 3), *layers)
    block = Repeat(1, len(layers), Tap(0), Tap(len(layers)), symbol("n"))
    return Graph("x", graph.nodes, graph.inputs, graph.outputs, (block,))


def test_copies_of_a_block_that_shrinks_have_its_shape_by_their_number() -> None:
    assert infer(tower())[-1] == ((8, 8, 2),)
    with arith.scope() as scope:
        shapes = infer(repeated(("conv", made("Conv2D", filters=3, kernel_size=3))))
    assert [str(n) for n in shapes[1][0]] == ["-2*i + 6", "-2*i + 6", "3"]
    assert scope.assumptions.texts() == ["n <= 3"]


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (made("MaxPooling2D", pool_size=2), r"gives \(4, 4, 3\)\. Axis 1 \(8, then 4\) has no closed form"),
        (made("Conv2D", filters=5, kernel_size=1), r"gives \(8, 8, 5\)\. Axis 3 \(3, then 5\)"),
        (made("Flatten"), r"gives \(192,\), so it cannot read its own output"),
    ],
)
def test_copies_without_a_rule_for_their_shapes_are_refused(layer: Any, shapes: str) -> None:
    with pytest.raises(NetworkError, match=r"repeated n times.*takes \(8, 8, 3\) and " + shapes):
        infer(repeated(("layer", layer)))


def test_a_long_chain_needs_no_recursion() -> None:
    layers = [(f"c{i}", made("Conv2D", filters=1, kernel_size=1)) for i in range(3000)]
    assert infer(chain("long", (4, 4, 1), *layers))[-1] == ((4, 4, 1),)
