"""Memory against a simulation with reference counts, and against Keras's own optimisers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc import arith, symbolic
from archcalc.analyses.memory import MAX_NESTED_REPEATS, activations, peak
from archcalc.analyses.precision import OPTIMIZER_SLOTS, PRECISIONS
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph, Repeat, Tap
from archcalc.substitution import with_values
from archcalc.symbolic import symbol
from archcalc.unknown import Unknown
from tests.networks import chain, conv_pair, made, residual, tower

SINGLE = PRECISIONS["float32"]


def simulated(graph: Graph, bytes_each: int = 4) -> int:
    """The peak, by running the network: tensors live in a dictionary until nobody will ask for them."""
    shapes = infer(graph)
    remaining = {(i, 0): 0 for i in range(len(graph.nodes))}
    for node in graph.nodes:
        for t in node.inputs:
            remaining[t.node, t.output] += 1
    for t in graph.outputs:
        remaining[t.node, t.output] += 1  # the caller asks for it at the end
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
        if i not in graph.inputs:
            store[i, 0] = size(i)
        most = max(most, sum(store.values()))
        for t in node.inputs:
            remaining[t.node, t.output] -= 1
        for key in [k for k in store if remaining[k] == 0]:
            del store[key]
    return most


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Random graphs of 1x1 convolutions of random widths and sums."""
    nodes: list[tuple[str, Any, list[str]]] = []
    channels: dict[str, int] = {}
    for i in range(draw(st.integers(1, 2))):
        channels[f"in{i}"] = draw(st.integers(1, 5))
        nodes.append((f"in{i}", made("InputLayer", shape=(2, 2, channels[f"in{i}"])), []))
    for i in range(draw(st.integers(1, 10))):
        name = f"layer{i}"
        source = draw(st.sampled_from(sorted(channels)))
        alike = [n for n in channels if channels[n] == channels[source]]
        if draw(st.booleans()):
            channels[name] = draw(st.integers(1, 9))
            nodes.append((name, made("Conv2D", filters=channels[name], kernel_size=1), [source]))
        else:
            channels[name] = channels[source]
            nodes.append((name, made("Add"), [source, draw(st.sampled_from(sorted(alike)))]))
    outputs = draw(st.lists(st.sampled_from(sorted(channels)), min_size=1, max_size=3, unique=True))
    return Graph.of("random", nodes, outputs)


@given(networks())
def test_peak_equals_the_simulation(graph: Graph) -> None:
    assert peak(graph, infer(graph), SINGLE).bytes == simulated(graph)


def test_peak_by_hand_and_its_layer() -> None:
    graph = residual(8)
    found = peak(graph, infer(graph), SINGLE)
    # `stem` is held for the sum while one 8x8x4 tensor turns into the next
    assert found.bytes == 3 * 8 * 8 * 4 * 4
    assert graph.nodes[found.node or 0].name == "body/norm"


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_peak_of_a_symbolic_repeat_is_that_of_the_unrolled_network(n: int) -> None:
    with arith.scope():
        graph = tower()
        unrolled = with_values(graph, {"n": n})
        assert len(unrolled.nodes) == 3 + 2 * n
        assert peak(graph, infer(graph), SINGLE).bytes == peak(unrolled, infer(unrolled), SINGLE).bytes
        assert peak(unrolled, infer(unrolled), SINGLE).bytes == simulated(unrolled)


def test_nested_repeats_beyond_the_limit_are_unknown() -> None:
    graph = tower()
    n = symbol("n")
    (repeat,) = graph.repeats
    deep = tuple(
        Repeat(repeat.first, repeat.last, repeat.source, repeat.out, n) for _ in range(MAX_NESTED_REPEATS + 1)
    )
    graph = Graph(graph.name, graph.nodes, graph.inputs, graph.outputs, deep, {"n": None})
    assert isinstance(peak(graph, infer(graph), SINGLE).bytes, Unknown)


@pytest.mark.parametrize("side", [5, 6, 17, 224])
def test_a_symbolic_peak_at_a_point_is_the_peak_there(side: int) -> None:
    with arith.scope():
        graph = conv_pair(symbol("H"))
        found = peak(graph, infer(graph), SINGLE, batch=3).bytes
    assert symbolic.substitute(found, {"H": side}) == 3 * simulated(conv_pair(side))


def test_a_symbolic_peak_keeps_only_what_can_be_the_largest() -> None:
    layers = []
    for i in range(5):
        layers.append((f"conv{i}", made("Conv2D", filters=8 * 2**i, kernel_size=3, padding="same")))
        layers.append((f"pool{i}", made("MaxPooling2D", pool_size=2)))
    with arith.scope():
        graph = chain("pyramid", (symbol("H"), symbol("W"), 3), *layers)
        found = peak(graph, infer(graph), SINGLE).bytes
    assert str(found) == "44*H*W"


def test_activation_bytes_of_rows() -> None:
    graph = conv_pair()
    rows = activations(graph, infer(graph), PRECISIONS["mixed_float16"], batch=8)
    assert rows == [8 * 2 * 32 * 32 * 3, 8 * 2 * 30 * 30 * 16, 8 * 2 * 28 * 28 * 32]


def test_an_input_of_integers_keeps_its_own_type() -> None:
    for dtype, each in (("int32", 4), ("uint8", 1), ("float64", 2), (None, 2)):
        graph = Graph.of("x", [("tokens", made("InputLayer", shape=(10,), dtype=dtype), [])], ["tokens"])
        assert activations(graph, infer(graph), PRECISIONS["float16"]) == [10 * each]


def test_an_unknown_size_makes_the_peak_unknown() -> None:
    graph = chain("x", (4, 4, 2), ("conv", made("Conv2D", filters=2, kernel_size=1)))
    assert isinstance(peak(graph, [((4, 4, 2),), ((Unknown("why"), 4, 2),)], SINGLE).bytes, Unknown)


def test_taps_of_a_network_that_ends_where_it_begins() -> None:
    graph = Graph.of("x", [("image", made("InputLayer", shape=(4, 4, 2)), [])], ["image"])
    assert peak(graph, infer(graph), SINGLE) == (128, 0)
    assert graph.outputs == (Tap(0),)


KERAS_NAMES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "lamb": "Lamb",
    "adadelta": "Adadelta",
    "ftrl": "Ftrl",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "lion": "Lion",
    "sgd": "SGD",
}


@pytest.mark.parametrize("name", OPTIMIZER_SLOTS)
def test_optimizer_slots_against_keras(name: str) -> None:
    import keras

    made = keras.optimizers.SGD(momentum=0.9) if name == "momentum" else None
    optimizer = made or getattr(keras.optimizers, KERAS_NAMES[name])()
    weight = keras.Variable([[0.0] * 50] * 40, trainable=True, dtype="float16")
    optimizer.build([weight])
    slots = [v for v in optimizer.variables if tuple(v.shape) == (40, 50)]
    assert len(slots) == OPTIMIZER_SLOTS[name]
    assert {v.dtype for v in slots} <= {"float16"}
    # what else it keeps is a handful of numbers, whatever the size of the network
    others = [v for v in optimizer.variables if tuple(v.shape) != (40, 50)]
    assert sum(v.numpy().size for v in others) < 10


@pytest.mark.parametrize("name", PRECISIONS)
def test_precisions_against_keras(name: str) -> None:
    import keras
    import numpy as np

    layer = keras.layers.Dense(2, dtype=name)
    made = layer(np.zeros((1, 3)))
    stored = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
    assert PRECISIONS[name] == (
        stored[layer.kernel.dtype],
        stored[keras.backend.standardize_dtype(made.dtype)],
        layer.compute_dtype,
    )
