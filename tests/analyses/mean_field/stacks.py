"""Small networks for tests of the expected gradient."""

from __future__ import annotations

from typing import Any

from archcalc.analyses.mean_field.expectation import Expected, expected_gradients
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered


def network(width: int, *layers: tuple[Any, ...], shape: tuple[int, ...] | None = None) -> Graph:
    """A network of layers (name, type, arguments, inputs); by default the input is the layer before."""
    types = registered()
    nodes: list[Any] = [("input", types["InputLayer"](shape=shape or (width,)), ())]
    for name, kind, arguments, *inputs in layers:
        nodes.append((name, types[kind](**arguments), inputs[0] if inputs else (nodes[-1][0],)))
    return Graph.of("stack", nodes, [nodes[-1][0]])


def plain(activation: str, initializer: str, depth: int, width: int) -> Graph:
    dense = {"units": width, "activation": activation, "kernel_initializer": initializer}
    return network(width, *((f"h{i}", "Dense", dense) for i in range(depth)))


def residual(
    activation: str, initializer: str, depth: int, width: int, last: Any = None, *, linear: bool = True
) -> Graph:
    """Blocks h + W2 phi(W1 h), where `last` is the initialiser of W2; if not `linear`, h + phi(W1 h)."""
    layers: list[tuple[Any, ...]] = []
    before = "input"
    for i in range(depth):
        dense = {"units": width, "activation": activation, "kernel_initializer": initializer}
        layers.append((f"a{i}", "Dense", dense, (before,)))
        if linear:
            end = {"units": width, "kernel_initializer": last or initializer}
            layers.append((f"b{i}", "Dense", end, (f"a{i}",)))
        layers.append((f"h{i}", "Add", {}, (before, f"b{i}" if linear else f"a{i}")))
        before = f"h{i}"
    return network(width, *layers)


def expected(graph: Graph, **options: Any) -> dict[str, Expected]:
    rows = expected_gradients(graph, infer(graph), **options)
    return {node.name: row for node, row in zip(graph.nodes, rows, strict=True)}


def appended(graph: Graph, name: str, kind: str, arguments: dict[str, Any]) -> Graph:
    """The graph with one more layer at its end."""
    nodes: list[Any] = [(n.name, n.layer, [graph.nodes[t.node].name for t in n.inputs]) for n in graph.nodes]
    nodes.append((name, registered()[kind](**arguments), [nodes[-1][0]]))
    return Graph.of(graph.name, nodes, [name])
