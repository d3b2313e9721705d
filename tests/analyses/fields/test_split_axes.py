"""Fields through reshapes that split and join axes, against which input units each unit depends on."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.analyses.fields.windows import windows
from archcalc.analyses.shapes import infer
from archcalc.arith.unknown import Unknown

Step = tuple[str, Any]
TOKENS = ("token", "token", "cut", "first")


def factorisations(total: int, axes: int) -> list[tuple[int, ...]]:
    if axes == 1:
        return [(total,)]
    return [
        (n, *rest)
        for n in range(1, total + 1)
        if total % n == 0
        for rest in factorisations(total // n, axes - 1)
    ]


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Step]]:
    """An input shape, and a chain of layers that fit: reshapes that cut and join, orders, layers that mix."""
    start = draw(st.sampled_from([(4, 6, 2), (8, 4, 1), (6, 6, 2), (12, 2), (16, 3), (4, 4, 2, 2)]))
    shape = start
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(
            st.sampled_from(["split", "join", "reshape", "order", "mix", "mix", "slide", "add", *TOKENS])
        )
        if kind == "split":
            axis = draw(st.integers(0, len(shape) - 1))
            if len(shape) > 5:
                continue
            parts = draw(st.sampled_from(factorisations(shape[axis], 2)))
            shape = (*shape[:axis], *parts, *shape[axis + 1 :])
            steps.append(("Reshape", shape))
        elif kind == "join" and len(shape) > 2:
            axis = draw(st.integers(0, len(shape) - 2))
            shape = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
            steps.append(("Reshape", shape))
        elif kind == "reshape":
            shape = draw(st.sampled_from(factorisations(prod(shape), draw(st.integers(2, 3)))))
            steps.append(("Reshape", shape))
        elif kind == "order":
            order = tuple(draw(st.permutations(range(len(shape)))))
            shape = tuple(shape[a] for a in order)
            steps.append(("Permute", order))
        elif kind == "mix":
            steps.append(("LayerNormalization", None))
        elif kind == "slide" and len(shape) == 2 and shape[0] > 2:
            stride = draw(st.integers(1, 2))
            steps.append(("Conv1D", stride))
            shape = ((shape[0] - 2) // stride + 1, shape[1])
        elif kind == "add" and steps:
            steps.append(("Add", None))
        elif kind == "token" and len(shape) == 2:
            shape = (shape[0] + 1, shape[1])
            steps.append(("Concatenate", shape[1]))
        elif kind in ("cut", "first") and shape[0] > 1:
            first = kind == "first"
            shape = (1 if first else shape[0] - 1, *shape[1:])
            steps.append(("ops.get_item", slice(0, 1) if first else slice(1, None)))
    return start, steps


def network(start: tuple[int, ...], steps: list[Step]) -> dict[str, Any]:
    layers: list[dict[str, Any]] = []
    channels = start[-1]
    shape = start
    for i, (kind, what) in enumerate(steps):
        name = f"l{i}"
        if kind == "Reshape":
            layers.append({"name": name, "type": kind, "target_shape": list(what)})
            shape = what
        elif kind == "Permute":
            layers.append({"name": name, "type": kind, "dims": [a + 1 for a in what]})
            shape = tuple(shape[a] for a in what)
        elif kind == "Conv1D":
            channels = shape[-1]
            arguments = {"filters": channels, "kernel_size": 2, "strides": what}
            layers.append({"name": name, "type": kind, **arguments})
            shape = ((shape[0] - 2) // what + 1, channels)
        elif kind == "Concatenate":  # a weight before the others, as class tokens are
            before = layers[-1]["name"] if layers else "x"
            token = {"type": "Parameter", "shape": [1, what], "target_shape": [1, what], "inputs": [before]}
            layers.append({"name": f"{name}t", **token})
            layers.append({"name": name, "type": kind, "axis": 1, "inputs": [f"{name}t", before]})
            shape = (shape[0] + 1, shape[1])
        elif kind == "ops.get_item":
            rows = range(*what.indices(shape[0]))
            layers.append(
                {"name": name, "type": kind, "key": [[None, None, None], [what.start, what.stop, None]]}
            )
            shape = (len(rows), *shape[1:])
        elif kind == "Add":  # of the last layer and a layer that mixes what it reads
            layers.append({"name": f"{name}m", "type": "LayerNormalization"})
            layers.append({"name": name, "type": "Add", "inputs": [f"{name}m", layers[-2]["name"]]})
        else:
            layers.append({"name": name, "type": kind})
    return {"archcalc": 1, "inputs": {"x": list(start)}, "layers": layers}


def dependences(start: tuple[int, ...], steps: list[Step]) -> np.ndarray[Any, Any]:
    """For each unit of the output, which units of the input it depends on."""
    count = prod(start)
    units = np.eye(count, dtype=bool).reshape(*start, count)
    for kind, what in steps:
        if kind == "Reshape":
            units = units.reshape(*what, count)
        elif kind == "Permute":
            units = units.transpose(*what, len(what))
        elif kind == "Conv1D":
            length = (units.shape[0] - 2) // what + 1
            windows = [units[what * i : what * i + 2].any(axis=(0, 1)) for i in range(length)]
            units = np.stack([np.broadcast_to(w, units.shape[1:]) for w in windows])
        elif kind == "Concatenate":
            units = np.concatenate([np.zeros_like(units[:1]), units])
        elif kind == "ops.get_item":
            units = units[what]
        else:  # Add too: what is mixed includes what is not
            units = np.broadcast_to(units.any(axis=-2, keepdims=True), units.shape)
    return units.reshape(-1, *start)


def sizes(units: np.ndarray[Any, Any], axis: int) -> tuple[int, int]:
    """The largest and the smallest number of indices between the first and the last that a unit sees."""
    others = tuple(a for a in range(1, units.ndim) if a != axis + 1)
    seen = units.any(axis=others)
    found = [int(np.ptp(np.flatnonzero(row))) + 1 if row.any() else 0 for row in seen]
    return max(found), min(found)


def joins_channels(graph: Any) -> bool:
    """Whether a token is put before units of an axis of channels: fields are those of all channels there."""
    channels = windows(graph, infer(graph)).channels
    return any(0 in channels[i] for i, n in enumerate(graph.nodes) if type(n.layer).__name__ == "Concatenate")


@settings(max_examples=400)
@given(chains())
def test_fields_through_split_and_joined_axes(chain: tuple[tuple[int, ...], list[Step]]) -> None:
    start, steps = chain
    if not steps:
        return
    graph = archcalc.load(network(start, steps))
    if any(kind == "Concatenate" for kind, _ in steps):
        assume(not joins_channels(graph))
    report = archcalc.analyze(graph)
    field = report.layers[report.outputs[0]].receptive_field
    if field is None:
        return
    units = dependences(start, steps)
    assume(units.any())  # the figures of what sees nothing are those of each axis alone
    for axis, size, smallest in zip(field.axes, field.size, field.min_size, strict=True):
        if not isinstance(size, Unknown):
            assert (size, smallest) == sizes(units, axis), (axis, field)


def test_a_token_before_a_sequence_of_one_unit_sees_nothing() -> None:
    start = (6, 6, 2)
    steps: list[Step] = [
        ("Reshape", (24, 1, 3)),
        ("Permute", (1, 0, 2)),
        ("Reshape", (1, 72)),
        ("Concatenate", 72),
    ]
    report = archcalc.analyze(network(start, steps))
    field = report.layers[report.outputs[0]].receptive_field
    units = dependences(start, steps)
    for axis, size, smallest in zip(field.axes, field.size, field.min_size, strict=True):
        assert (size, smallest) == sizes(units, axis)
