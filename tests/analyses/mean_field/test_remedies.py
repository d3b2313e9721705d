"""The layers that each remedy changes or adds."""

from __future__ import annotations

from archcalc.analyses.mean_field.remedies import _ends, remedies
from archcalc.analyses.mean_field.structure import Structure
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from tests.analyses.mean_field.stacks import network, plain


def changed(graph: Graph) -> dict[str, Graph]:
    return {name: other for name, other, _ in remedies(Structure(graph, infer(graph)))}


def wiring(graph: Graph) -> list[tuple[str, str, list[str]]]:
    """Name, type and inputs of each layer."""
    names = [node.name for node in graph.nodes]
    return [(n.name, type(n.layer).__name__, [names[t.node] for t in n.inputs]) for n in graph.nodes]


def test_normalisation_is_between_weights_and_activation() -> None:
    graph = changed(plain("sigmoid", "glorot_uniform", 3, 8))["batch normalisation before each activation"]
    rows = wiring(graph)
    assert ("h1", "Dense", ["h0/activation"]) in rows
    assert ("h1/normalised", "BatchNormalization", ["h1"]) in rows
    assert ("h1/activation", "Activation", ["h1/normalised"]) in rows
    layers = {node.name: node.layer for node in graph.nodes}
    assert layers["h1"].activation in (None, "linear")
    assert layers["h1/activation"].activation == "sigmoid"


def test_a_skip_over_two_layers_adds_their_input() -> None:
    graph = plain("tanh", "glorot_uniform", 6, 8)
    skipping = changed(graph)["a skip over every two layers"]
    sums = [(name, inputs) for name, kind, inputs in wiring(skipping) if kind == "Add"]
    assert sums
    for _, inputs in sums:
        assert len(inputs) == 2
        assert len(set(inputs)) == 2
    assert len(skipping.nodes) > len(graph.nodes)


def test_another_activation_comes_with_its_initialiser() -> None:
    graph = changed(plain("sigmoid", "glorot_uniform", 4, 8))["ReLU and he_normal"]
    inner = [n.layer for n in graph.nodes if n.name in ("h0", "h1", "h2")]
    assert {layer.activation for layer in inner} == {"relu"}
    assert {layer.kernel_initializer for layer in inner} == {"he_normal"}


def test_if_all_branches_have_weights_the_first_counts_as_the_skip() -> None:
    dense = {"units": 8}
    layers = [("skip", "Dense", dense, ("input",)), ("branch", "Dense", dense, ("input",))]
    graph = network(8, *layers, ("sum", "Add", {}, ("skip", "branch")), ("out", "Dense", dense))
    names = [node.name for node in graph.nodes]
    assert [names[i] for i in _ends(Structure(graph, infer(graph)))] == ["branch"]
