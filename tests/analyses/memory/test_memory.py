"""Peak memory by hand and with symbols, and of symbolic repeats against the unrolled network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archcalc import arith
from archcalc.analyses import parameters
from archcalc.analyses.memory import tensors
from archcalc.analyses.memory.calls import calls, held_by_node
from archcalc.analyses.memory.peak import Peak, inference
from archcalc.analyses.memory.peak import peak as peak_of
from archcalc.analyses.memory.precision import PRECISIONS, Precision
from archcalc.analyses.memory.steps import MAX_NESTED_REPEATS
from archcalc.analyses.shapes import infer
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Repeat, Tap
from archcalc.graph.substitution import with_values
from tests.networks import chain, conv_pair, made, residual, tower

ROOT = Path(__file__).parents[3]
SINGLE = PRECISIONS["float32"]


IN_PLACE = ("BatchNormalization", "ReLU", "Add")


def simulated(graph: Graph, bytes_each: int = 4) -> int:
    """The peak, by a simulated run: tensors are in a dictionary until no node needs them any more.

    The batch stays. A layer that works in place needs no room if the run needs its input no more.
    """
    shapes = infer(graph)
    remaining = {(i, 0): 0 for i in range(len(graph.nodes))}
    for node in graph.nodes:
        for t in node.inputs:
            remaining[t.node, t.output] += 1
    for t in (*graph.outputs, *map(Tap, graph.inputs)):
        remaining[t.node, t.output] += 1  # the caller needs it at the end
    store: dict[Any, int] = {}

    def size(i: int) -> int:
        total = bytes_each
        for side in shapes[i][0]:
            total *= side
        return total

    for i in graph.inputs:
        store[i, 0] = size(i)
    most = sum(store.values())
    for i, node in enumerate(graph.nodes):
        for t in node.inputs:
            remaining[t.node, t.output] -= 1
        if i not in graph.inputs:
            dying = [t for t in node.inputs if remaining[t.node, t.output] == 0]
            if type(node.layer).__name__ in IN_PLACE and dying:
                del store[dying[0].node, 0]
            store[i, 0] = size(i)
        most = max(most, sum(store.values()))
        for key in [k for k in store if remaining[k] == 0]:
            del store[key]
    return most


def peak(graph: Graph, batch: int = 1, shapes: Any = None) -> Peak:
    """The peak in the order of the nodes."""
    shapes = shapes or infer(graph)
    sizes = tensors.tensors(graph, shapes, SINGLE, 1)
    weights = parameters.weights(graph, shapes)
    made_calls = calls(graph, shapes, held_by_node(graph, shapes, weights), sizes, weights, SINGLE)
    return peak_of(inference(graph, made_calls, range(len(graph.nodes))), batch)


def activations(graph: Graph, precision: Precision, batch: int = 1) -> list[Any]:
    return tensors.activations(graph, tensors.tensors(graph, infer(graph), precision, batch))


def test_peak_by_hand_and_its_layer() -> None:
    graph = residual(8)
    highest = peak(graph)
    # `stem` is held for the sum, with the input and the output of one convolution of the branch
    assert highest.bytes == 8 * 8 * (3 + 3 * 4) * 4
    assert graph.nodes[highest.node or 0].name == "body/b"


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_peak_of_a_symbolic_repeat_is_that_of_the_unrolled_network(n: int) -> None:
    with arith.scope():
        graph = tower()
        unrolled = with_values(graph, {"n": n})
        assert len(unrolled.nodes) == 3 + 2 * n
        assert peak(graph).bytes == peak(unrolled).bytes
        assert peak(unrolled).bytes == simulated(unrolled)


def test_nested_repeats_beyond_the_limit_are_unknown() -> None:
    graph = tower()
    n = symbol("n")
    (repeat,) = graph.repeats
    deep = tuple(
        Repeat(repeat.first, repeat.last, repeat.source, repeat.out, n) for _ in range(MAX_NESTED_REPEATS + 1)
    )
    graph = Graph(graph.name, graph.nodes, graph.inputs, graph.outputs, deep, {"n": None})
    assert isinstance(peak(graph).bytes, Unknown)


@pytest.mark.parametrize("side", [5, 6, 17, 224])
def test_a_symbolic_peak_at_a_point_is_that_of_the_integers(side: int) -> None:
    with arith.scope():
        graph = conv_pair(symbol("H"))
        symbolic = peak(graph, batch=3).bytes
    assert arith.substitute(symbolic, {"H": side}) == 3 * simulated(conv_pair(side))


def test_a_symbolic_peak_omits_terms_that_cannot_be_the_largest() -> None:
    layers = []
    for i in range(5):
        layers.append((f"conv{i}", made("Conv2D", filters=8 * 2**i, kernel_size=3, padding="same")))
        layers.append((f"pool{i}", made("MaxPooling2D", pool_size=2)))
    with arith.scope():
        graph = chain("pyramid", (symbol("H"), symbol("W"), 3), *layers)
        symbolic = peak(graph).bytes
    # the batch, the first convolution and its pooling
    assert str(symbolic) == "44*H*W + 32*(H//2)*(W//2)"


def test_activation_bytes_of_each_node() -> None:
    graph = conv_pair()
    rows = activations(graph, PRECISIONS["mixed_float16"], batch=8)
    assert rows == [8 * 2 * 32 * 32 * 3, 8 * 2 * 30 * 30 * 16, 8 * 2 * 28 * 28 * 32]


def test_an_input_of_integers_keeps_its_own_type() -> None:
    for dtype, each in (("int32", 4), ("uint8", 1), ("float64", 2), (None, 2)):
        graph = Graph.of("x", [("tokens", made("InputLayer", shape=(10,), dtype=dtype), [])], ["tokens"])
        assert activations(graph, PRECISIONS["float16"]) == [10 * each]


def test_calls_of_one_layer_on_integers_and_on_floats() -> None:
    layer = made("Reshape", target_shape=(8,))
    nodes: list[Any] = [
        ("tokens", made("InputLayer", shape=(4, 2), dtype="int32"), []),
        ("x", made("InputLayer", shape=(4, 2)), []),
        ("of_tokens", layer, ["tokens"]),
        ("of_x", layer, ["x"]),
    ]
    graph = Graph.of("x", nodes, ["of_tokens", "of_x"])
    assert activations(graph, PRECISIONS["float16"]) == [32, 16, 32, 16]


def test_an_unknown_size_makes_the_peak_unknown() -> None:
    graph = chain("x", (4, 4, 2), ("conv", made("Conv2D", filters=2, kernel_size=1)))
    assert isinstance(peak(graph, shapes=[((4, 4, 2),), ((Unknown("why"), 4, 2),)]).bytes, Unknown)


def test_a_network_whose_output_is_its_input() -> None:
    graph = Graph.of("x", [("image", made("InputLayer", shape=(4, 4, 2)), [])], ["image"])
    assert peak(graph) == (128, 0, ((Tap(0), 128),))
    assert graph.outputs == (Tap(0),)


@pytest.mark.parametrize("name", PRECISIONS)
def test_precisions_against_keras(name: str) -> None:
    import keras
    import numpy as np

    layer = keras.layers.Dense(2, dtype=name)
    output = layer(np.zeros((1, 3)))
    stored = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
    assert PRECISIONS[name] == (
        stored[layer.kernel.dtype],
        stored[keras.backend.standardize_dtype(output.dtype)],
        layer.compute_dtype,
    )


def test_a_closed_form_does_not_depend_on_the_order_of_hashes() -> None:
    """It is a maximum of hundreds of sizes, without those that another one is known to exceed."""
    code = """
import json, archcalc
path = "examples/resnet50.json"
graph = archcalc.load(path, symbols=dict.fromkeys(json.load(open(path))["symbols"]))
print(archcalc.analyze(graph).totals.training_bytes)
"""
    forms = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        for seed in "01"
    }
    assert len(forms) == 1
