"""Where paths meet in a concatenation, bounds add up in squares: against Jacobians computed as matrices."""

from __future__ import annotations

import numpy as np
import pytest

from archcalc.analyses.gradient_bounds.gradients import gradients
from archcalc.analyses.gradient_bounds.joins import joins
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from tests.analyses.gradient_bounds.networks import Wiring

W = {name: np.random.default_rng(i).standard_normal((6, 6)) for i, name in enumerate("abcd")}
ONE = np.eye(6)


def upper(graph: Graph) -> dict[str, float]:
    values = {name: {"kernel": w} for name, w in W.items() if name in graph.index()}
    found = gradients(graph, infer(graph), weights="actual", values=values).rows
    return {n.name: 10**r.upper_log10 for n, r in zip(graph.nodes, found, strict=True)}  # type: ignore[operator]


def norm(*blocks: np.ndarray) -> float:
    return float(np.linalg.norm(np.concatenate(blocks), 2))


def dense(net: Wiring, name: str, *inputs: str) -> str:
    return net(name, "Dense", *inputs, units=6, use_bias=False)


def sigma(name: str) -> float:
    return float(np.linalg.norm(W[name], 2))


def beside_itself(net: Wiring) -> None:
    dense(net, "a", "x")
    net("join", "Concatenate", "x", "a")


def test_beside_a_function_of_itself() -> None:
    net = Wiring(6)
    beside_itself(net)
    # the singular values of [1; A] are sqrt(1 + s^2): the bound is attained
    assert upper(net.graph("net"))["x"] == pytest.approx(norm(ONE, W["a"].T), rel=1e-8)


@pytest.mark.parametrize("kind", ["Maximum", "Minimum", "Concatenate"])
def test_two_functions_of_one_tensor(kind: str) -> None:
    net = Wiring(6)
    dense(net, "a", "x")
    dense(net, "b", "x")
    net("join", kind, "a", "b")
    found = upper(net.graph("net"))["x"]
    assert found == pytest.approx(np.hypot(sigma("a"), sigma("b")), rel=1e-8)
    if kind == "Concatenate":
        assert found >= norm(W["a"].T, W["b"].T)
    else:
        # every choice of rows is a Jacobian of the maximum somewhere
        rows = [np.array([i >> k & 1 for k in range(6)], bool)[:, None] for i in range(64)]
        assert found >= max(norm(np.where(r, W["a"].T, W["b"].T)) for r in rows)


def test_a_sum_after_a_concatenation_adds_as_it_is() -> None:
    net = Wiring(6)
    dense(net, "a", "x")
    dense(net, "b", "x")
    net("join", "Concatenate", "a", "b")
    net("take", "GlobalAveragePooling1D", net("fold", "Reshape", "join", target_shape=(2, 6)))
    net("sum", "Add", "x", "take")
    found = upper(net.graph("net"))["x"]
    assert found == pytest.approx(1 + np.hypot(sigma("a"), sigma("b")) / np.sqrt(2), rel=1e-8)
    assert found >= norm(ONE + (W["a"].T + W["b"].T) / 2)


def test_outputs_are_one_vector() -> None:
    net = Wiring(6)
    dense(net, "a", "x")
    dense(net, "b", "x")
    dense(net, "c", "a")
    graph = Graph.of("net", net.nodes, ["c", "b"])
    found = upper(graph)["x"]
    assert found == pytest.approx(np.hypot(sigma("a") * sigma("c"), sigma("b")), rel=1e-8)
    assert found >= norm(W["c"].T @ W["a"].T, W["b"].T)


def test_nested_joins_and_a_tensor_listed_twice() -> None:
    net = Wiring(6)
    dense(net, "a", "x")
    net("j1", "Concatenate", "x", "a", "x")
    net("s", "Activation", "j1", activation="relu")
    net("j2", "Concatenate", "j1", "s")
    found = upper(net.graph("net"))
    assert found["j1"] == pytest.approx(np.sqrt(2), rel=1e-8)
    assert found["x"] == pytest.approx(np.sqrt(2) * np.sqrt(2 + sigma("a") ** 2), rel=1e-8)


def test_where_paths_meet() -> None:
    net = Wiring(6)
    dense(net, "a", "x")
    dense(net, "b", "a")
    net("s", "Add", "a", "b")
    net("unread", "Activation", "a", activation="relu")
    net("j", "Concatenate", "x", "s")
    graph = Graph.of("net", net.nodes, ["j"])
    names = [n.name for n in graph.nodes]
    found = {
        names[a]: names[b] if b < len(names) else "end"
        for a, b in joins(graph, graph.outputs, 0, len(names) - 1).items()
    }
    assert found == {"x": "j", "a": "s", "b": "s", "s": "j", "j": "end"}
