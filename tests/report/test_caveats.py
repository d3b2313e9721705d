"""Mechanisms by which a step holds other bytes than are counted, each against a measurement.

The measurements are those of `python -m benchmarks.step_memory` in docs/evidence/memory.md, in bytes.
"""

from __future__ import annotations

from typing import Any

import pytest

import archcalc
from archcalc.report.caveats import CAVEATS, Caveat

HALF, RECURRENCE, KERNELS, SHARED = CAVEATS
CONV: dict[str, Any] = {"type": "Conv2D", "filters": 32, "kernel_size": 3, "padding": "same"}
DEPTHWISE: dict[str, Any] = {
    "type": "DepthwiseConv2D", "kernel_size": 5, "padding": "same", "activation": "relu"
}  # fmt: skip


def _conv1d(name: str, size: int = 5) -> dict[str, Any]:
    conv = {"type": "Conv1D", "filters": 16, "padding": "same", "activation": "relu"}
    return {"name": name, "kernel_size": size, **conv}


HALF1 = [
    {"name": "l0", "type": "Conv1D", "filters": 16, "kernel_size": 1},
    _conv1d("l1"),
    {"name": "l2", "type": "BatchNormalization"},
    {"name": "l3", "type": "Add", "inputs": ["l0", "l2"]},
    {"name": "l4", "type": "AveragePooling1D", "pool_size": 2},
    _conv1d("l5"),
    {"name": "l6", "type": "LayerNormalization"},
    {"name": "l7", "type": "Add", "inputs": ["l4", "l6"]},
    _conv1d("l8", 3),
    {"name": "l9", "type": "Add", "inputs": ["l7", "l8"]},
    _conv1d("l10"),
    {"name": "l11", "type": "Add", "inputs": ["l9", "l10"]},
    {"name": "l12", "type": "GlobalAveragePooling1D"},
    {"name": "l13", "type": "Dense", "units": 10},
]
RECURRENT2 = [
    {"type": "Bidirectional", "layer": {"type": "SimpleRNN", "units": 64, "return_sequences": True}},
    {"type": "SimpleRNN", "units": 32, "return_sequences": True},
    {"type": "GRU", "units": 32},
    {"type": "Dense", "units": 10},
]
SHARED1 = [
    {"name": "l0", "type": "Dense", "units": 32},
    {"name": "l1", "activation": "relu", **CONV},
    *({"name": f"l{n}", "shared_with": "l1"} for n in range(2, 6)),
    {"name": "l6", "type": "GlobalAveragePooling2D"},
    {"name": "l7", "type": "Dense", "units": 10},
]
CASES: list[tuple[Caveat, list[int], list[Any], int, str, int, float]] = [
    (HALF, [512, 16], HALF1, 716, "mixed_bfloat16", 182795520, HALF.most),
    (RECURRENCE, [96, 32], RECURRENT2, 341, "float32", 40901888, RECURRENCE.least),
    (RECURRENCE, [96, 16], [{"type": "GRU", "units": 96}, {"type": "Dense", "units": 10}], 526, "float32",
     28423168, RECURRENCE.most),
    (KERNELS, [64, 64, 32], [*([DEPTHWISE] * 3), {"type": "Flatten"}, {"type": "Dense", "units": 4}], 64,
     "float32", 178331136, KERNELS.least),
    (SHARED, [32, 32, 3], SHARED1, 171, "float32", 159235584, SHARED.least),
]  # fmt: skip


@pytest.mark.parametrize(("caveat", "shape", "layers", "batch", "dtype", "measured", "percent"), CASES)
def test_a_caveat_says_what_was_measured(
    caveat: Caveat, shape: list[int], layers: list[Any], batch: int, dtype: str, measured: int, percent: float
) -> None:
    named = [{"name": f"n{number}", **layer} for number, layer in enumerate(layers)]
    source = {"archcalc": 1, "inputs": {"x": shape}, "layers": named}
    report = archcalc.analyze(source, batch=batch, dtype=dtype)
    t = report.totals
    inference = t.weight_bytes + t.peak_activation_bytes
    counted = inference if caveat.what == "forward passes" else t.training_bytes
    assert 100 * (measured / counted - 1) == pytest.approx(percent, abs=1.5)
    assert str(caveat) in [f.message for f in report.findings if f.rule == "memory-estimate"]


def test_who_does_not_ask_for_memory_is_not_told() -> None:
    source = {
        "archcalc": 1,
        "inputs": {"x": [9, 4]},
        "layers": [{"name": "g", "type": "GRU", "units": 3}],
    }
    assert not archcalc.analyze(source).findings
    (finding,) = archcalc.analyze(source, memory="1GiB").findings
    assert (finding.rule, finding.layer, finding.severity) == ("memory-estimate", "g", "info")
