"""Softmax over one unit, whose gradient is zero: once a NaN that ended in a defect."""

from __future__ import annotations

import pytest

import archcalc


@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_no_gradient_passes(activation: str) -> None:
    layers = [
        {"name": "hidden", "type": "Dense", "units": 4, "activation": "relu"},
        {"name": "out", "type": "Dense", "units": 1, "activation": activation},
    ]
    report = archcalc.analyze({"archcalc": 1, "inputs": {"x": [8]}, "layers": layers}, gradients=True)
    (verdict,) = report.verdicts
    assert verdict.verdict == "vanishing"
    assert "no gradient reaches 'hidden'" in verdict.message
