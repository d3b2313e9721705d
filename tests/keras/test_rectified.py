"""ReLU on what is nowhere negative, against real Keras."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.keras.measure_gradients import gradient_runs
from scripts.gradient_study import RECTIFIED, rectified_network
from tests.analyses.mean_field.stacks import network


def relus(count: int) -> Graph:
    dense = ("a", "Dense", {"units": 256, "kernel_initializer": "he_normal"})
    rows = [(f"r{i}", "ReLU", {}) for i in range(count)]
    return network(256, dense, *rows, ("o", "Dense", {"units": 10}))


def zero_gamma_blocks(count: int) -> Graph:
    conv = {"filters": 8, "kernel_size": 3, "padding": "same"}
    rows: list[tuple[object, ...]] = [("s", "Conv2D", conv)]
    before = "s"
    for i in range(count):
        rows += [
            (f"a{i}", "Conv2D", conv, (before,)),
            (f"m{i}", "BatchNormalization", {"gamma_initializer": "zeros"}, (f"a{i}",)),
            (f"p{i}", "Add", {}, (before, f"m{i}")),
            (f"r{i}", "ReLU", {}, (f"p{i}",)),
        ]
        before = f"r{i}"
    ends = (("g", "GlobalAveragePooling2D", {}), ("o", "Dense", {"units": 10}))
    return network(0, *rows, *ends, shape=(8, 8, 3))


def compared(graph: Graph, starts: int, batch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Predicted log10 and the mean of those measured, by row."""
    rows = expected_gradients(graph, infer(graph), batch=batch)
    predicted = np.array([np.nan if r.log10 is None else r.log10 for r in rows])
    measured = np.array(list(gradient_runs(graph, starts, batch=batch))).mean(axis=0)
    # where no gradient arrives there is no figure
    assert np.array_equal(np.isnan(predicted), np.isnan(measured))
    return predicted, measured


@pytest.mark.parametrize("count", [1, 2, 10])
def test_relus_in_a_row_are_one(count: int) -> None:
    predicted, measured = compared(relus(count), 20)
    assert np.abs(predicted - measured).max() < 0.015
    assert predicted[1] == pytest.approx(-0.013, abs=0.01)


def test_zero_branches_with_a_relu_after_the_sum_keep_the_gradient() -> None:
    graph = zero_gamma_blocks(10)
    predicted, measured = compared(graph, 4, batch=8)
    off = np.abs(predicted - measured)
    assert np.nanmax(off[1:]) < np.log10(1.3)
    # the stem has eight channels and a gradient that positions share: its own direction matters
    assert off[0] < np.log10(1.5)
    sums = [predicted[i] for i, node in enumerate(graph.nodes) if node.name.startswith("p")]
    assert np.ptp(sums) == 0


@pytest.mark.parametrize("number", range(RECTIFIED))
def test_drawn_networks(number: int) -> None:
    predicted, measured = compared(rectified_network(number), 6, batch=8)
    assert np.nanmax(np.abs(predicted - measured)) < np.log10(1.3)
