"""What stands around a layer in its network, of which a miscount may take a number."""

from __future__ import annotations

from math import prod
from typing import Any

from archcalc.report.columns import Figures
from archcalc.review.terms import Around

RGB = 3
KEEPING = {"Flatten", "Dropout", "Activation", "ReLU", "BatchNormalization", "InputLayer"}


def around(of: Figures, node: int) -> Around:
    """Channels of the image and of neighbours, and the map that a dense layer's input was flattened from."""
    graph = of.graph
    images = [_channels(of, i) for i in graph.inputs]
    image = tuple(dict.fromkeys([*(c for c in images if c), RGB]))
    readers = [i for i, n in enumerate(graph.nodes) if any(t.node == node for t in n.inputs)]
    near = [_channels(of, i) for i in (*_parents(of, node), *readers)]
    branches: tuple[int, ...] = ()
    flattened: tuple[Any, ...] = ()
    for parent in _back(of, node):
        inputs = graph.nodes[parent].inputs
        if of.type[parent] == "Concatenate":
            branches = tuple(dict.fromkeys(c for t in inputs if (c := _channels(of, t.node))))
        if of.type[parent] == "Flatten":
            flattened = tuple(of.output_shapes[inputs[0].node][0])
    return Around(
        image if all(type(c) is int for c in image) else (RGB,),
        tuple(dict.fromkeys(c for c in near if c)),
        branches,
        flattened if all(type(n) is int for n in flattened) and prod(flattened) else (),
    )


def _channels(of: Figures, node: int) -> int | None:
    shape: tuple[Any, ...] = of.output_shapes[node][0]
    axis = getattr(of.graph.nodes[node].layer, "channel_axis", len(shape) - 1)
    return shape[axis] if axis < len(shape) and type(shape[axis]) is int else None


def _parents(of: Figures, node: int) -> list[int]:
    return [t.node for parent in _back(of, node) for t in of.graph.nodes[parent].inputs]


def _back(of: Figures, node: int) -> list[int]:
    """The layers before this one, through those that keep what they read."""
    chain: list[int] = []
    while of.graph.nodes[node].inputs and len(chain) < 10:
        node = of.graph.nodes[node].inputs[0].node
        chain.append(node)
        if of.type[node] not in KEEPING:
            break
    return chain
