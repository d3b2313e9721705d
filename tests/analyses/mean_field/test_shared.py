"""A network and its remedies share random numbers and declarations: figures as if each were alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from archcalc.analyses.mean_field.expectation import Expected, expected_gradients
from archcalc.analyses.mean_field.functions import function
from archcalc.analyses.mean_field.remedies import Tried, remedies
from archcalc.analyses.mean_field.shared import Shared
from archcalc.analyses.mean_field.structure import Structure
from archcalc.analyses.mean_field.verdicts import verdict
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from tests.analyses.mean_field.stacks import network


def mobile(depth: int, normalised: bool) -> Graph:
    """Inverted bottlenecks with squeeze-and-excite, stochastic depth and strides."""
    same: dict[str, Any] = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    layers: list[tuple[Any, ...]] = [("stem", "Conv2D", {"filters": 8, "kernel_size": 3, **same})]
    for i in range(depth):
        before = layers[-1][0]
        layers.append((f"wide{i}", "Conv2D", {"filters": 16, "kernel_size": 1, **same}))
        if normalised:
            layers.append((f"norm{i}", "BatchNormalization", {}))
        layers.append((f"swish{i}", "Activation", {"activation": "silu"}))
        layers.append((f"deep{i}", "DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}))
        if normalised:
            layers.append((f"deepnorm{i}", "BatchNormalization", {}))
        layers.append((f"deepswish{i}", "Activation", {"activation": "silu"}))
        scaled = layers[-1][0]
        layers.append((f"mean{i}", "GlobalAveragePooling2D", {"keepdims": True}))
        layers.append((f"few{i}", "Conv2D", {"filters": 4, "kernel_size": 1, "activation": "silu"}))
        layers.append((f"gate{i}", "Conv2D", {"filters": 16, "kernel_size": 1, "activation": "sigmoid"}))
        layers.append((f"gated{i}", "Multiply", {}, (scaled, f"gate{i}")))
        layers.append((f"narrow{i}", "Conv2D", {"filters": 8, "kernel_size": 1, **same}))
        layers.append((f"sum{i}", "Add", {}, (before, f"narrow{i}")))
    layers += [("pooled", "GlobalAveragePooling2D", {}), ("logits", "Dense", {"units": 5})]
    return network(8, *layers, shape=(11, 9, 3))


def dense(depth: int) -> Graph:
    layer = {"units": 24, "activation": "sigmoid", "kernel_initializer": "glorot_uniform"}
    return network(24, *((f"h{i}", "Dense", layer) for i in range(depth)))


NETWORKS = {"mobile": mobile(2, True), "mobile without normalisation": mobile(2, False), "dense": dense(8)}


def variants(graph: Graph) -> list[Tried]:
    shapes = infer(graph)
    return [("itself", graph, shapes), *remedies(Structure(graph, shapes))]


def figures(tried: list[Tried], shared: Shared | None) -> dict[str, list[Expected]]:
    return {name: list(expected_gradients(graph, shapes, shared=shared)) for name, graph, shapes in tried}


@pytest.mark.parametrize("name", NETWORKS)
def test_variants_together_are_variants_alone(name: str) -> None:
    """In any order: what one network draws or declares changes nothing in another."""
    tried = variants(NETWORKS[name])
    assert len(tried) >= 8
    alone = figures(tried, None)
    assert figures(tried, Shared()) == alone
    assert figures(tried[::-1], Shared()) == alone


def test_the_verdict_lists_figures_of_each_remedy_alone() -> None:
    graph = NETWORKS["dense"]
    shapes, shared = infer(graph), Shared()
    found = verdict(graph, shapes, expected_gradients(graph, shapes, shared=shared), shared=shared)
    assert found is not None
    assert found.verdict == "vanishing"
    remedy_figures = {r.name: r.log10 for r in found.remedies}
    assert len(remedy_figures) >= 7
    for name, changed, new_shapes in variants(graph)[1:]:
        rows = expected_gradients(changed, new_shapes)
        alone = verdict(changed, new_shapes, rows, with_remedies=False)
        assert alone is not None
        assert remedy_figures[name] == alone.log10


def test_a_layer_that_is_gone_leaves_nothing_to_another() -> None:
    """Layers of one network are gone when the next is analysed, whose layers may get their addresses."""
    shared = Shared()
    for width, activation in itertools.product((7, 8, 9), ("relu", "tanh")):
        layer = {"units": width, "activation": activation, "kernel_initializer": "he_normal"}
        graph = network(width, *((f"h{i}", "Dense", layer) for i in range(3)))
        shapes = infer(graph)
        alone = list(expected_gradients(graph, shapes))
        assert list(expected_gradients(graph, shapes, shared=shared)) == alone
        del graph


@pytest.mark.parametrize("name", ["silu", "gelu", "sigmoid", "tanh", "mish", "relu", "selu", "softplus"])
def test_value_and_slope_together_are_those_alone(name: str) -> None:
    phi = function(name)
    assert phi is not None
    x = np.linspace(-9, 9, 101).reshape(1, -1)
    value, slope = phi.value_and_slope(x)
    assert np.array_equal(value, phi.value(x))
    assert np.array_equal(slope, phi.slope(x))
