"""Verdicts and remedies of stacks whose behaviour is known."""

from __future__ import annotations

import json

import pytest

from archcalc.analyses.mean_field.verdicts import Verdict, factor
from archcalc.analyze import analyze
from archcalc.graph import Graph
from tests.analyses.mean_field.stacks import network, plain, residual


def verdict(graph: Graph) -> Verdict:
    (only,) = analyze(graph, gradients=True).verdicts
    return only


def test_a_sigmoid_stack_vanishes_and_has_remedies() -> None:
    judged = verdict(plain("sigmoid", "glorot_uniform", 30, 64))
    assert judged.verdict == "vanishing"
    assert judged.log10 is not None
    assert -19 < judged.log10 < -17
    assert judged.blame == "h0"
    cures = {r.name: r for r in judged.remedies}
    assert cures["ReLU and he_normal"].verdict == "stable"
    assert cures["a skip over every two layers"].verdict == "stable"
    # remedies are evaluated: here a larger variance of the weights changes little
    assert cures["the initialiser he_normal"].verdict == "vanishing"
    assert "stable with" in judged.message


def test_skips_alone_do_not_stop_an_explosion() -> None:
    judged = verdict(residual("relu", "he_normal", 60, 64))
    assert judged.verdict == "exploding"
    assert "not scaled down" in judged.message
    cures = {r.name: r for r in judged.remedies}
    scaled = cures["branches scaled by 1/sqrt(number of sums)"]
    zero = cures["branches that start as zero (zero gamma or zero last weights)"]
    assert scaled.verdict == zero.verdict == "stable"
    # (1 + 1/60)^(59/2), reduced by finite width
    assert scaled.log10 == pytest.approx(0.2, abs=0.3)
    assert zero.log10 == pytest.approx(0.0, abs=1e-9)


def test_zero_gamma() -> None:
    blocks: list[tuple[object, ...]] = []
    before = "input"
    for i in range(30):
        dense = {"units": 32, "kernel_initializer": "he_normal"}
        blocks += [
            (f"a{i}", "Dense", dense | {"activation": "relu"}, (before,)),
            (f"b{i}", "Dense", dense, (f"a{i}",)),
            (f"n{i}", "BatchNormalization", {"gamma_initializer": "zeros"}, (f"b{i}",)),
            (f"h{i}", "Add", {}, (before, f"n{i}")),
        ]
        before = f"h{i}"
    judged = verdict(network(32, *blocks))
    assert judged.verdict == "stable"
    assert judged.layer == "input"


def test_a_relu_stack_is_stable_and_has_no_remedies() -> None:
    judged = verdict(plain("relu", "he_normal", 20, 64))
    assert judged.verdict == "stable"
    assert judged.remedies == ()


def test_gradients_leave_the_range_of_number_types() -> None:
    judged = verdict(plain("sigmoid", "glorot_uniform", 90, 32))
    limits = {dtype: row for dtype, row, what in judged.limits if what == "zero"}
    assert set(limits) == {"float16", "bfloat16", "float32"}
    # each factor is about 10^-0.63: 2^-24 is reached after about 11 layers, 2^-149 after about 70
    assert 74 <= int(limits["float16"][1:]) <= 82
    assert int(limits["float32"][1:]) < int(limits["bfloat16"][1:]) < 30


def test_one_layer_has_no_verdict() -> None:
    assert analyze(plain("relu", "he_normal", 1, 8), gradients=True).verdicts == ()


def test_a_missing_prediction_is_reported() -> None:
    graph = network(
        8,
        ("d", "Dense", {"units": 8}),
        ("r", "Activation", {"activation": "relu"}),
        ("sum", "Add", {}, ("d", "r")),
        ("out", "Dense", {"units": 4}),
    )
    judged = verdict(graph)
    assert judged.verdict == "unknown"
    assert "'sum'" in judged.message


def test_json() -> None:
    report = json.loads(
        json.dumps(analyze(plain("sigmoid", "glorot_uniform", 9, 8), gradients=True).to_dict())
    )
    gradient = report["layers"][1]["gradient"]
    assert gradient["expected_log10_low"] < gradient["expected_log10"] < gradient["expected_log10_high"]
    assert report["verdicts"][0]["verdict"] == "vanishing"
    assert report["verdicts"][0]["remedies"]


def test_without_gradients_no_verdict() -> None:
    assert analyze(plain("relu", "he_normal", 3, 8)).to_dict()["verdicts"] == []


def test_a_factor_in_words() -> None:
    assert [factor(x) for x in (None, 0.0, -0.004, 0.004, 0.38, -2.0)] == ["?", "1", "1", "1", "2.4", "1/100"]
