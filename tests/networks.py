"""Small networks that several tests build by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.arith.symbolic import symbol
from archcalc.graph import Graph, Repeat, Tap
from archcalc.layers.registry import registered


def made(kind: str, **arguments: Any) -> Any:
    """A layer of any registered type."""
    return registered()[kind](**arguments)


def chain(name: str, shape: Sequence[Any], *layers: tuple[str, Any], **more: Any) -> Graph:
    """An input named `image` and layers one behind the other."""
    nodes: list[tuple[str, Any, list[str]]] = [("image", made("InputLayer", shape=tuple(shape)), [])]
    for layer_name, layer in layers:
        nodes.append((layer_name, layer, [nodes[-1][0]]))
    return Graph.of(name, nodes, [nodes[-1][0]], **more)


def conv_pair(side: Any = 32) -> Graph:
    """Two 3x3 convolutions, 448 + 4,640 parameters."""
    return chain(
        "conv_pair",
        (side, side, 3),
        ("first", made("Conv2D", filters=16, kernel_size=3)),
        ("second", made("Conv2D", filters=32, kernel_size=3)),
    )


def residual(side: Any = 8) -> Graph:
    """A 1x1 convolution whose output is kept over two more until it is added."""
    conv = {"filters": 4, "kernel_size": 3, "padding": "same"}
    return Graph.of(
        "residual",
        [
            ("image", made("InputLayer", shape=(side, side, 3)), []),
            ("stem", made("Conv2D", filters=4, kernel_size=1), ["image"]),
            ("body/a", made("Conv2D", activation="relu", **conv), ["stem"]),
            ("body/norm", made("BatchNormalization"), ["body/a"]),
            ("body/b", made("Conv2D", **conv), ["body/norm"]),
            ("join", made("Add"), ["body/b", "stem"]),
        ],
        ["join"],
    )


def tower(count: Any = None) -> Graph:
    """A residual block repeated `n` times between a stem and a head."""
    n = symbol("n") if count is None else count
    conv = {"filters": 4, "kernel_size": 3, "padding": "same"}
    graph = Graph.of(
        "tower",
        [
            ("image", made("InputLayer", shape=(8, 8, 3)), []),
            ("stem", made("Conv2D", **conv), ["image"]),
            ("body/a", made("Conv2D", activation="relu", **conv), ["stem"]),
            ("body/join", made("Add"), ["body/a", "stem"]),
            ("head", made("Conv2D", filters=2, kernel_size=1), ["body/join"]),
        ],
        ["head"],
    )
    at = graph.index()
    repeat = Repeat(at["body/a"], at["body/join"], Tap(at["stem"]), Tap(at["body/join"]), n)
    return Graph(graph.name, graph.nodes, graph.inputs, graph.outputs, (repeat,), {"n": None})


def with_unknown() -> Graph:
    """A layer in the middle of which only the shape is stated."""
    return chain(
        "mystery",
        (8, 8, 3),
        ("conv", made("Conv2D", filters=4, kernel_size=3)),
        ("secret", made("Opaque", stated_shape=(6, 6, 4))),
        ("last", made("Conv2D", filters=2, kernel_size=1)),
    )
