"""The layers that each remedy changes or adds."""

from __future__ import annotations

import pytest

from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.mean_field.remedies import _ends, remedies
from archcalc.analyses.mean_field.structure import Structure
from archcalc.analyses.mean_field.verdicts import Verdict, verdict
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


def convolutions(form: str, depth: int = 20) -> Graph:
    """Convolutions with ReLU as an argument, an `Activation` or a layer, normalised before or after it."""
    rows: list[tuple[object, ...]] = []
    conv = {"filters": 32, "kernel_size": 3, "padding": "same"}
    for i in range(depth):
        if form == "argument":
            rows.append((f"c{i}", "Conv2D", conv | {"activation": "relu"}))
            continue
        rows.append((f"c{i}", "Conv2D", conv))
        if form == "normalised before":
            rows.append((f"n{i}", "BatchNormalization", {}))
        rows.append(
            (f"r{i}", *(("Activation", {"activation": "relu"}) if form == "Activation" else ("ReLU", {})))
        )
        if form == "normalised after":
            rows.append((f"n{i}", "BatchNormalization", {}))
    ends = [("pool", "GlobalAveragePooling2D", {}), ("out", "Dense", {"units": 10})]
    return network(0, *rows, *ends, shape=(16, 16, 3))


def judged(graph: Graph) -> Verdict:
    shapes = infer(graph)
    found = verdict(graph, shapes, expected_gradients(graph, shapes))
    assert found is not None
    return found


@pytest.mark.parametrize("form", ["Activation", "layer"])
def test_the_form_of_an_activation_changes_nothing(form: str) -> None:
    one, other = judged(convolutions("argument")), judged(convolutions(form))
    assert one.verdict == other.verdict == "vanishing"
    assert other.log10 == one.log10
    assert one.blame == other.blame == "pool"
    assert [r.to_dict() for r in other.remedies] == [r.to_dict() for r in one.remedies]


@pytest.mark.parametrize("form", ["argument", "Activation", "layer", "normalised before", "normalised after"])
def test_remedies_change_every_form(form: str) -> None:
    graph = convolutions(form)
    found = changed(graph)
    selu = found["SELU and lecun_normal"]
    functions = [getattr(n.layer, "activation", None) for n in selu.nodes]
    assert functions.count("selu") == 20
    assert "relu" not in functions
    assert not [n.name for n in selu.nodes if type(n.layer).__name__ == "ReLU"]
    assert "ReLU and he_normal" not in found
    assert ("batch normalisation before each activation" in found) == (form != "normalised before")
    skipping = found["a skip over every two layers"]
    assert sum(type(n.layer).__name__ == "Add" for n in skipping.nodes) == 9
    contents = [[(n.layer, n.inputs) for n in other.nodes] for other in found.values()]
    assert all(a != b for i, a in enumerate(contents) for b in contents[:i])


def test_a_remedy_that_is_there_already_is_not_listed() -> None:
    he = {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": None}}
    dense = {"units": 8, "activation": "selu", "kernel_initializer": he}
    graph = network(8, *((f"h{i}", "Dense", dense) for i in range(4)))
    found = changed(graph)
    assert "the initialiser he_normal" not in found
    assert "SELU and lecun_normal" not in found
    assert "the initialiser lecun_normal" in found
