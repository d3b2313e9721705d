"""Layers of absurd extent: every figure is known, or unknown with a reason, after a bounded number of steps.

A tracer counts executed lines; nothing is timed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.layers.registry import registered

LAYERS = registered()
HUGE = 10**9
MOST_LINES = 3_000_000


@contextmanager
def bounded() -> Iterator[None]:
    """Raise as soon as more than `MOST_LINES` lines have run."""
    left = MOST_LINES

    def line(*_: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise AssertionError("too many steps")
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        yield
    finally:
        sys.settrace(before)


CASES: dict[str, tuple[int, list[tuple[str, dict[str, Any]]]]] = {
    "nearest": (8, [("UpSampling1D", {"size": HUGE})]),
    "bilinear": (8, [("UpSampling2D", {"size": (HUGE, 1), "interpolation": "bilinear"})]),
    "transposed, stride": (8, [("Conv1DTranspose", {"filters": 1, "kernel_size": 3, "strides": HUGE})]),
    "transposed, kernel": (8, [("Conv1DTranspose", {"filters": 1, "kernel_size": HUGE, "strides": 2})]),
    "kernel": (8, [("Conv1D", {"filters": 1, "kernel_size": HUGE, "padding": "same", "dilation_rate": 3})]),
    "kernel after phases": (
        8,
        [
            ("Conv1DTranspose", {"filters": 1, "kernel_size": 1, "strides": 1000}),
            ("Conv1D", {"filters": 1, "kernel_size": HUGE, "padding": "same"}),
        ],
    ),
    "dilation": (
        HUGE,
        [("Conv1D", {"filters": 1, "kernel_size": HUGE, "padding": "same", "dilation_rate": 1000})],
    ),
    "gaps": (
        HUGE,
        [
            ("AveragePooling1D", {"pool_size": 1, "strides": 2}),
            ("Conv1DTranspose", {"filters": 1, "kernel_size": 1, "strides": 3}),
            ("GlobalAveragePooling1D", {}),
        ],
    ),
    "blocks": (
        8,
        [("Permute", {"dims": (2, 1)}), ("Conv1D", {"filters": HUGE, "kernel_size": 1, "groups": 4})],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_absurd_extents_take_bounded_work(case: str) -> None:
    side, layers = CASES[case]
    shape = (side, 8, 4) if case == "bilinear" else (side, 4)
    nodes: list[Any] = [("x", LAYERS["InputLayer"](shape=shape), [])]
    for i, (kind, arguments) in enumerate(layers):
        nodes.append((f"l{i}", LAYERS[kind](**arguments), [nodes[-1][0]]))
    graph = Graph.of("net", nodes, [nodes[-1][0]])
    shapes = infer(graph)
    with bounded():
        field = fields(graph, shapes, "all")[-1]["x"]
        effective_fields(graph, shapes)
    assert field is not None
