"""Changes that must not change a figure, and changes that must not shrink one."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

import archcalc
from archcalc.graph import Graph, Node
from archcalc.layers.base import Layer
from archcalc.testing.strategies import architectures
from tests.properties.networks import by_name, figures, rewired, spec, thorough

NAMED = {"peak_activation_layer": None, "unknown": None}  # these two hold names
COMMUTING = {"Add", "Multiply", "Average", "Maximum", "Minimum"}


@settings(thorough, max_examples=150)
@given(architectures())
def test_names_carry_no_figure(graph: Graph) -> None:
    note(spec(graph))
    renamed = rewired(graph, range(len(graph.nodes)), lambda name: f"x {name[::-1]}")
    before, after = archcalc.analyze(graph), archcalc.analyze(renamed)
    assert [figures(row) for row in after.rows] == [figures(row) for row in before.rows]
    assert after.to_dict()["totals"] | NAMED == before.to_dict()["totals"] | NAMED
    assert after.totals.unknown.keys() == before.totals.unknown.keys()


@settings(thorough, max_examples=150)
@given(architectures(), st.randoms(use_true_random=False))
def test_the_order_of_independent_layers_carries_no_figure(graph: Graph, shuffler: Any) -> None:
    note(spec(graph))
    order = list(range(len(graph.nodes)))
    shuffler.shuffle(order)
    # which call of a shared layer counts its weights, and which input is the first, depends on the order
    owners = {n.shared_with for n in graph.nodes} | {i for i, n in enumerate(graph.nodes) if n.shared_with}
    if owners - {None} or len(graph.inputs) > 1:
        order.sort()
    assert by_name(archcalc.analyze(rewired(graph, order))) == by_name(archcalc.analyze(graph))


@settings(thorough, max_examples=150)
@given(architectures())
def test_the_order_of_branches_carries_no_figure(graph: Graph) -> None:
    note(spec(graph))
    nodes = tuple(
        dataclasses.replace(node, inputs=node.inputs[::-1])
        if type(node.layer).__name__ in COMMUTING
        else node
        for node in graph.nodes
    )
    mirrored = dataclasses.replace(graph, nodes=nodes)
    assert by_name(archcalc.analyze(mirrored)) == by_name(archcalc.analyze(graph))


@settings(thorough, max_examples=150)
@given(architectures(), st.data())
def test_a_wider_kernel_never_shrinks_a_field(graph: Graph, data: Any) -> None:
    note(spec(graph))
    positions = [i for i, node in enumerate(graph.nodes) if _widens(node)]
    if not positions:
        return
    chosen = data.draw(st.sampled_from(positions))
    nodes = [
        dataclasses.replace(node, layer=_wider(node.layer))
        if node.layer is graph.nodes[chosen].layer
        else node
        for node in graph.nodes
    ]
    before = archcalc.analyze(graph)
    after = archcalc.analyze(dataclasses.replace(graph, nodes=tuple(nodes)))
    for old, new in zip(before.rows, after.rows, strict=True):
        for name, field in old.receptive_fields.items():
            wider = new.receptive_fields[name]
            if field is None:
                continue
            assert wider is not None
            for n, m in zip(field.size, wider.size, strict=True):
                assert not (isinstance(n, int) and isinstance(m, int)) or m >= n, (old.name, field, wider)


def _widens(node: Node) -> bool:
    """A convolution whose output keeps its shape for every kernel size."""
    return (
        type(node.layer).__name__ in {"Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D"}
        and node.layer.padding == "same"  # type: ignore[attr-defined]
    )


def _wider(layer: Layer) -> Layer:
    convolution: Any = layer
    return dataclasses.replace(convolution, kernel_size=tuple(k + 2 for k in convolution.kernel_size))
