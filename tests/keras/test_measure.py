"""Supports of gradients that are followed together, against one plain backward pass for each position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras import backward, measure
from archcalc.keras.build import Built, build
from archcalc.keras.linear import linearised
from archcalc.readers import as_graph

CONV = {"type": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "same"}
NETWORK = {
    "archcalc": 1,
    "name": "fork",
    "inputs": {"image": [14, 13, 2]},
    "layers": [
        {"name": "stem", **CONV, "strides": 2},
        {"name": "stem_bn", "type": "BatchNormalization"},
        {"name": "left", **CONV},
        {
            "name": "right",
            "type": "MaxPooling2D",
            "pool_size": 2,
            "strides": 1,
            "padding": "same",
            "inputs": ["stem_bn"],
        },
        {"name": "sum", "type": "Add", "inputs": ["left", "right"]},
        {"name": "after", **CONV, "kernel_size": 1},
        {"name": "wide", "type": "DepthwiseConv2D", "kernel_size": [1, 3], "dilation_rate": 2},
        {"name": "far", **CONV, "padding": "valid"},
    ],
}
AXES = [0, 1]
# gradients of the product depend on values, and the first two layers return what they read
PRODUCT = {
    "archcalc": 1,
    "name": "product",
    "inputs": {"image": [14, 13, 2]},
    "layers": [
        {"name": "first_bn", "type": "BatchNormalization"},
        {"name": "relu", "type": "ReLU"},
        {"name": "one", **CONV, "strides": 2},
        {"name": "other", **CONV, "strides": 2, "inputs": ["relu"]},
        {"name": "rows", "type": "Dot", "axes": 2, "inputs": ["one", "other"]},
    ],
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return as_graph(NETWORK)


@pytest.fixture(params=[0, 99], ids=["compiled", "not compiled"])
def few(request: Any, monkeypatch: Any) -> int:
    monkeypatch.setattr(backward, "FEW", request.param)
    return int(request.param)


def positions(built: Built, node: int) -> list[tuple[int, ...]]:
    height, width = built.tensors[node][0].shape[1:3]
    return [(height // 2, width // 2), (0, 0), (height - 1, 0), (0, width - 1)]


def one_by_one(built: Built, node: int, position: tuple[int, ...], x: Any) -> np.ndarray:
    """The absolute gradient of all channels of a position with respect to the input."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = list(built.run([x]))[node][0]
        total = tf.reduce_sum(y[0, position[0], position[1]])
    return np.abs(np.asarray(tape.gradient(total, x))[0])


@pytest.mark.parametrize("held", [1, measure.HELD])
@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("network", [NETWORK, PRODUCT], ids=["fork", "product"])
@pytest.mark.usefixtures("few")
def test_followed_together_as_one_by_one(
    network: dict[str, Any], spread: bool, held: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(measure, "HELD", held)  # with 1 each node is followed alone
    graph = as_graph(network)
    built = linearised(build(graph))
    nodes = range(1, len(graph.nodes))
    gradients = measure.Gradients(built, nodes, 3)
    (inputs,) = gradients.inputs
    if spread:
        gradients.equalise()
    found = gradients.supports({node: (positions(built, node), AXES) for node in nodes})
    assert list(found) == list(nodes)
    for node, supports in found.items():
        assert not isinstance(supports, Exception)
        for position, (support,) in zip(positions(built, node), supports, strict=True):
            alone = one_by_one(built, node, position, inputs)
            assert support is not None
            for axis in range(alone.ndim):
                along = alone.sum(axis=tuple(a for a in range(alone.ndim) if a != axis))
                reached = np.flatnonzero(along)
                assert support.box[axis] == (reached[0], reached[-1])
                if spread:  # up to a factor
                    assert support.weights[axis] / support.weights[axis].sum() == pytest.approx(
                        along / along.sum(), rel=1e-6
                    )


@pytest.mark.parametrize(
    ("network", "node", "reads"),
    [(NETWORK, "far", False), (PRODUCT, "other", False), (PRODUCT, "rows", True)],
)
def test_which_gradients_depend_on_values(network: dict[str, Any], node: str, reads: bool) -> None:
    graph = as_graph(network)
    built = linearised(build(graph))
    values = [tuple(y[:1] for y in outputs) for outputs in built.run([tf.ones((2, 14, 13, 2), "float64")])]
    names = [n.name for n in graph.nodes]
    step = backward.Step(built, names.index(node), backward.INPUTS, [0], values, 2, large=True)
    assert step.reads_values is reads


def test_a_model_of_linear_layers_runs_once(graph: Graph, monkeypatch: Any) -> None:
    runs = []
    run = Built.run
    monkeypatch.setattr(Built, "run", lambda *given, **more: runs.append(1) or run(*given, **more))  # type: ignore[func-returns-value]
    monkeypatch.setattr(measure, "LARGE", 0)
    built = linearised(build(graph))
    gradients = measure.Gradients(built, [len(graph.nodes) - 1], 2)
    for _ in range(2):
        gradients.supports({len(graph.nodes) - 1: ([(0, 0)], AXES)})
        gradients.equalise()
    assert len(runs) == 1


def test_a_position_that_is_none(graph: Graph) -> None:
    built = linearised(build(graph))
    found = measure.Gradients(built, [1, 2], 2).supports({1: ([(0, 0)], AXES), 2: ([(99, 0)], AXES)})
    assert isinstance(found[2], IndexError)
    ((support,),) = found[1]  # type: ignore[misc]
    assert support is not None
    assert support.box[:2] == ((0, 2), (0, 1))
