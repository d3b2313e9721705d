"""Parameter counts against hand calculation and against real Keras."""

from __future__ import annotations

import dataclasses

import pytest

from archcalc.analyses.parameters import counts, weights
from archcalc.analyses.shapes import infer
from archcalc.errors import NetworkError
from archcalc.graph import Graph
from tests.networks import chain, conv_pair, made, residual, tower


def counted(graph: Graph) -> dict[str, tuple[object, object]]:
    by_node = counts(graph, weights(graph, infer(graph)))
    return {n.name: (c.parameters, c.non_trainable) for n, c in zip(graph.nodes, by_node, strict=True)}


def test_by_hand() -> None:
    assert counted(conv_pair()) == {
        "image": (0, 0),
        "first": (3 * 3 * 3 * 16 + 16, 0),
        "second": (3 * 3 * 16 * 32 + 32, 0),
    }


def test_against_keras() -> None:
    from archcalc.keras.build import build

    graph = residual()
    model = build(graph).model
    by_node = counted(graph).values()
    assert sum(int(p) for p, _ in by_node) == model.count_params()  # type: ignore[call-overload]
    frozen = sum(w.numpy().size for w in model.non_trainable_weights)
    assert sum(int(n) for _, n in by_node) == frozen == 2 * 4  # type: ignore[call-overload]


def test_a_frozen_layer_has_no_trainable_parameters() -> None:
    graph = chain("x", (4, 4, 3), ("conv", made("Conv2D", filters=2, kernel_size=3, trainable=False)))
    assert counted(graph)["conv"] == (56, 56)


def shared(second_channels: int) -> Graph:
    dense = made("Dense", units=5)
    return Graph.of(
        "twins",
        [
            ("a", made("InputLayer", shape=(3,)), []),
            ("b", made("InputLayer", shape=(second_channels,)), []),
            ("one", dense, ["a"]),
            ("two", dense, ["b"]),
        ],
        ["one", "two"],
        shared={"two": "one"},
    )


def test_shared_weights_count_once() -> None:
    assert counted(shared(3)) == {"a": (0, 0), "b": (0, 0), "one": (20, 0), "two": (0, 0)}


def test_sharing_weights_of_another_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(NetworkError, match=r"'two'.*'one', kernel \(3, 5\).*would need kernel \(4, 5\)"):
        counted(shared(4))


def test_a_symbolic_repeat_multiplies() -> None:
    assert str(counted(tower())["body/a"][0]) == "148*n"
    assert counted(dataclasses.replace(tower(), repeats=()))["body/a"][0] == 3 * 3 * 4 * 4 + 4
