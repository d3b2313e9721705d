"""Compares bounds of a loss's gradient with respect to kernels with those of the real model."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archcalc import analyze
from archcalc.graph import Graph
from archcalc.keras.build import build
from archcalc.keras.jacobians import draw_weights, weights_by_name
from tests.analyses.gradient_bounds.networks import Wiring
from tests.networks import chain, made

pytestmark = pytest.mark.usefixtures("double_precision")


def network(units: int, activation: str) -> Graph:
    """Kernels of every kind between bounded functions."""
    net = Wiring(9, 9, 3)
    net("conv", "Conv2D", filters=4, kernel_size=3, strides=2, padding="same", activation="tanh")
    net("grouped", "Conv2D", filters=4, kernel_size=3, groups=2, dilation_rate=2, padding="same")
    net("bounded", "Activation", activation="sigmoid")
    net("separable", "SeparableConv2D", filters=4, kernel_size=2, depth_multiplier=2, activation="tanh")
    net("up", "Conv2DTranspose", filters=3, kernel_size=3, strides=2, activation="tanh")
    net("depthwise", "DepthwiseConv2D", kernel_size=3, activation="tanh")
    net("local", "LocallyConnected2D", filters=2, kernel_size=2, activation="tanh")
    net("flat", "Flatten")
    net("einsum", "EinsumDense", equation="ab,bc->ac", partial_shape=5, bias_axes="c", activation="tanh")
    net("out", "Dense", units=units, activation=activation)
    return net.graph("kernels")


CASES = [
    ("softmax", None, "categorical_crossentropy"),
    ("sigmoid", None, "binary_crossentropy"),
    ("sigmoid", "mean_squared_error", "mean_squared_error"),
    ("tanh", "mean_squared_error", "mean_squared_error"),
]


def largest_gradients(graph: Graph, loss: str, activation: str) -> tuple[dict[str, float], Any]:
    """The largest norms over inputs and over the worst targets, by layer; and the weights."""
    built = build(graph)
    draw_weights(built, 1)
    random = np.random.default_rng(0)
    largest: dict[str, float] = {}
    names = {id(layer): n.name for n, layer in zip(graph.nodes, built.layers, strict=True)}
    kernels = [
        (names[id(layer)], w.value if hasattr(w, "value") else w)
        for layer in built.layers
        if layer is not None
        for w in layer.trainable_weights
        if "kernel" in w.name
    ]
    for _ in range(2):
        x = tf.constant(random.uniform(-1, 1, (1, 9, 9, 3)))
        y = np.asarray(built.model(x))
        if activation == "softmax":
            target = np.eye(y.shape[-1])[[int(y.argmin())]]
        else:
            ends = (0.0, 1.0) if activation == "sigmoid" else (-1.0, 1.0)
            target = np.where(y > np.mean(ends), ends[0], ends[1])
        with tf.GradientTape() as tape:
            tape.watch([w for _, w in kernels])
            value = tf.reduce_mean(keras.losses.get(loss)(tf.constant(target), built.model(x)))
        squares: dict[str, float] = {}
        for (name, _), g in zip(kernels, tape.gradient(value, [w for _, w in kernels]), strict=True):
            squares[name] = squares.get(name, 0.0) + float(tf.reduce_sum(g * g))
        for name, square in squares.items():
            largest[name] = max(largest.get(name, 0.0), math.sqrt(square))
    return largest, weights_by_name(built)


@pytest.mark.parametrize(("activation", "given", "loss"), CASES)
def test_no_gradient_in_a_kernel_exceeds_its_bound(activation: str, given: str | None, loss: str) -> None:
    graph = network(3, activation)
    measured, weights = largest_gradients(graph, loss, activation)
    report = analyze(graph, gradients=True, weights=weights, input_range=(-1.0, 1.0), loss=given)
    assert loss in report.conventions["weight_gradients"]
    bounds = {row.name: row.gradient for row in report.rows}
    assert set(measured) == {n for n, g in bounds.items() if g and g.weight_gradient_log10 is not None}
    for name, norm in measured.items():
        assert norm <= 10 ** bounds[name].weight_gradient_log10  # type: ignore[union-attr, operator]
    # the last layer's bound has only one inequality: that of the error
    assert 10 ** bounds["out"].weight_gradient_log10 < 10 * measured["out"]  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(("kind", "read"), [("Dense", 2 * math.sqrt(5)), ("Embedding", math.sqrt(5))])
def test_how_large_the_input_of_a_kernel_may_be(kind: str, read: float) -> None:
    """Five inputs up to 2, with an error of sqrt(2); five rows of one table that may be equal."""
    table = made("Embedding", input_dim=7, output_dim=3)
    first = (
        [("in", made("Dense", units=4))] if kind == "Dense" else [("in", table), ("flat", made("Flatten"))]
    )
    graph = chain("first", (5,), *first, ("out", made("Softmax")))
    report = analyze(graph, gradients=True, input_range=(-2.0, 2.0))
    log = report.layers["in"].gradient.weight_gradient_log10
    assert 10**log == pytest.approx(math.sqrt(2) * read)
