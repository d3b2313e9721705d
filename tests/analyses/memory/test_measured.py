"""Small networks against the peaks that TensorFlow's CPU allocator measured of them."""

from __future__ import annotations

from typing import Any

import pytest

import archcalc

MIB = 2**20
ATTENTION = [
    {"name": "a", "type": "MultiHeadAttention", "num_heads": 8, "key_dim": 16, "inputs": ["x", "x"]},
    {"name": "o", "type": "Dense", "units": 8},
]
SEPARABLE = [
    {
        "name": "s",
        "type": "SeparableConv2D",
        "filters": 8,
        "kernel_size": 3,
        "padding": "same",
        "depth_multiplier": 16,
    }
]
NORMALISED = [
    {"name": "c", "type": "Conv2D", "filters": 512, "kernel_size": 1},
    {"name": "b", "type": "BatchNormalization"},
    {"name": "r", "type": "ReLU"},
    {"name": "g", "type": "GlobalAveragePooling2D"},
]
SRCNN = [
    {"name": "a", "type": "Conv2D", "filters": 64, "kernel_size": 9, "padding": "same", "activation": "relu"},
    {"name": "b", "type": "Conv2D", "filters": 32, "kernel_size": 1, "activation": "relu"},
    {"name": "c", "type": "Conv2D", "filters": 1, "kernel_size": 5, "padding": "same"},
]
STEPS = [
    {"name": "d", "type": "Dense", "units": 256},
    {"name": "t", "type": "TimeDistributed", "layer": {"type": "Dense", "units": 64}},
]
CASES: list[tuple[list[int], Any, int, float | None, float | None]] = [
    ([1024, 128], ATTENTION, 8, 280, 786),
    ([128, 128, 8], SEPARABLE, 16, 144, None),
    ([64, 64, 16], NORMALISED, 63, None, 2569),
    ([256, 256, 1], SRCNN, 42, None, 2091),
    ([40, 256], STEPS, 100, 13.3, 167),
]


def totals(shape: list[int], layers: Any, **options: Any) -> Any:
    source = {"archcalc": 1, "inputs": {"x": shape}, "layers": layers}
    return archcalc.analyze(archcalc.load(source), **options).totals


@pytest.mark.parametrize(("shape", "layers", "batch", "forward", "step"), CASES)
def test_counted_bytes_are_near_the_measured_ones(
    shape: list[int], layers: Any, batch: int, forward: float | None, step: float | None
) -> None:
    counted = totals(shape, layers, batch=batch, optimizer="sgd")
    if forward is not None:
        assert 0.95 <= (counted.weight_bytes + counted.peak_activation_bytes) / MIB / forward <= 1.06
    if step is not None:
        assert 0.95 <= counted.training_bytes / MIB / step <= 1.06


def test_a_recurrence_has_a_figure() -> None:
    lstm = {"type": "LSTM", "units": 100, "return_sequences": True}
    layers = [
        *({"name": f"l{i}", **lstm} for i in range(3)),
        {"name": "d", "type": "TimeDistributed", "layer": {"type": "Dense", "units": 1}},
    ]
    assert isinstance(totals([2400, 598], layers).training_bytes, int)


def test_a_step_with_a_frozen_backbone_holds_its_forward_pass() -> None:
    frozen = {"type": "Conv2D", "filters": 64, "kernel_size": 3, "padding": "same", "trainable": False}
    layers = [
        {"name": "c1", **frozen},
        {"name": "c2", **frozen},
        {"name": "g", "type": "GlobalAveragePooling2D"},
        {"name": "d", "type": "Dense", "units": 10},
    ]
    source = {"archcalc": 1, "inputs": {"x": [256, 256, 3]}, "layers": layers}
    report = archcalc.analyze(archcalc.load(source), memory="1GiB")
    t = report.totals
    assert t.training_bytes >= t.weight_bytes + t.peak_activation_bytes
    assert report.fit is not None
    assert report.fit.training.largest_batch <= report.fit.inference.largest_batch


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_moving_averages_and_accumulated_gradients_are_a_number_for_each_weight(optimizer: str) -> None:
    plain = totals([4], [{"name": "d", "type": "Dense", "units": 3}], optimizer=optimizer)
    more = totals(
        [4], [{"name": "d", "type": "Dense", "units": 3}], optimizer=optimizer, ema=True, accumulation=True
    )
    assert more.optimizer_bytes == plain.optimizer_bytes + 2 * 4 * 15
