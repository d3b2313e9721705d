"""The expected gradient against random stacks, and networks without a prediction."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import archcalc
from archcalc.analyses.mean_field.functions import function
from tests.analyses.mean_field.stacks import appended, expected, network, plain, residual


def runs(activation: str, gain: float, depth: int, width: int, seeds: int, kind: str) -> np.ndarray:
    """log10 of the gradient norm at the first block's output over that at the last's, simulated in numpy."""
    phi = function(activation)
    assert phi is not None
    log_norms = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        scale = math.sqrt(gain / width)
        h = random.standard_normal(width)
        layers = []
        for _ in range(depth):
            w1, w2 = scale * random.standard_normal((2, width, width))
            z = w1 @ h
            layers.append((w1, w2, phi.slope(z)))
            y = phi.value(z)
            h = y if kind == "plain" else h + (w2 @ y if kind == "linear end" else y)
        g = random.standard_normal(width)
        start = np.linalg.norm(g)
        for w1, w2, slope in reversed(layers[1:]):
            if kind == "plain":
                g = w1.T @ (slope * g)
            else:
                g = g + w1.T @ (slope * (w2.T @ g if kind == "linear end" else g))
        log_norms.append(math.log10(np.linalg.norm(g) / start))
    return np.array(log_norms)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "selu"])
@pytest.mark.parametrize("kind", ["plain", "linear end"])
def test_stacks(activation: str, kind: str) -> None:
    depth, width = 10, 64
    initializer: Any = {"class_name": "VarianceScaling", "config": {"distribution": "untruncated_normal"}}
    graph = (plain if kind == "plain" else residual)(activation, initializer, depth, width)
    row = expected(graph)["h0"]
    measured = runs(activation, 1.0, depth, width, 60, kind)
    assert row.log10 is not None
    assert row.low is not None
    assert row.high is not None
    # three standard errors of the mean, and terms of higher order at this width
    assert measured.mean() == pytest.approx(row.log10, abs=3 * measured.std() / math.sqrt(60) + 0.02)
    assert ((measured >= row.low) & (measured <= row.high)).mean() >= 0.75
    assert (row.high - row.low) / (2 * 1.645 * measured.std()) < 2


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_the_mean_is_tracked_where_branches_end_in_a_function(activation: str) -> None:
    depth, width = 10, 256
    row = expected(residual(activation, "lecun_normal", depth, width, linear=False))["h0"]
    measured = runs(activation, 1.0, depth, width, 20, "open end")
    # the mean over units grows independently of the rest, which gives an error of order 1/width
    assert measured.mean() == pytest.approx(row.log10, abs=math.log10(1.2))


def test_relu_has_the_moments_of_hanin_and_nica() -> None:
    depth, width = 31, 200
    row = expected(plain("relu", "he_normal", depth, width))["h0"]
    beta = 5 * (depth - 1) / width  # variance of ln |g|^2; its mean is -beta/2
    assert row.log10 == pytest.approx(-beta / 4 / math.log(10), abs=0.01)
    assert row.high is not None
    assert row.low is not None
    assert row.high - row.low == pytest.approx(1.645 * math.sqrt(beta) / math.log(10), rel=0.1)


def test_known_results_for_deep_stacks() -> None:
    vanishing = expected(plain("sigmoid", "glorot_uniform", 30, 128))["h0"].log10
    assert vanishing is not None
    assert -20 < vanishing < -18
    stable = expected(residual("sigmoid", "glorot_uniform", 30, 128))["h0"].log10
    assert stable is not None
    assert abs(stable) < math.log10(2)
    exploding = expected(residual("relu", "he_uniform", 60, 256))["h0"].log10
    assert exploding is not None
    assert 13 < exploding < 15
    # each branch scaled by 1/sqrt(60), by the variance of its last weights
    initializer = {"class_name": "VarianceScaling", "config": {"scale": 2 / 60}}
    scaled = expected(residual("relu", "he_uniform", 60, 256, initializer))["h0"].log10
    assert scaled is not None
    assert abs(scaled) < 0.5


def test_depths_beyond_floating_point() -> None:
    row = expected(plain("sigmoid", "glorot_uniform", 1000, 16))["h0"]
    assert row.log10 is not None
    assert row.log10 < -600


def test_figures_repeat() -> None:
    graph = residual("gelu", "he_normal", 3, 32)
    assert expected(graph) == expected(graph)


def test_the_gradient_at_the_output_has_norm_one() -> None:
    row = expected(plain("tanh", "glorot_uniform", 3, 16))["h2"]
    assert (row.log10, row.low, row.high) == (0.0, 0.0, 0.0)


def test_a_branch_that_starts_as_zero_passes_no_gradient() -> None:
    rows = expected(residual("relu", "he_normal", 3, 16, "zeros"))
    assert rows["h0"].log10 == pytest.approx(0.0, abs=1e-9)
    assert rows["a1"].log10 is None
    assert "zero" in (rows["a1"].reason or "")


def test_no_prediction_without_a_weight_between() -> None:
    act = {"activation": "relu"}
    graph = network(
        16,
        ("d", "Dense", {"units": 16}),
        ("r", "Activation", act),
        ("sum", "Add", {}, ("d", "r")),
        ("out", "Dense", {"units": 4}),
    )
    rows = expected(graph)
    assert rows["d"].log10 is None
    assert "'sum'" in (rows["d"].reason or "")


def test_no_prediction_for_shared_weights_that_meet() -> None:
    graph = network(16, ("d", "Dense", {"units": 16}), ("sum", "Add", {}, ("d", "d")))
    assert expected(graph)["d"].log10 is None


def test_a_layer_without_a_path_to_the_output_has_no_gradient() -> None:
    graph = network(8, ("loose", "Dense", {"units": 3}), ("out", "Dense", {"units": 4}, ("input",)))
    assert "no path" in (expected(graph)["loose"].reason or "")


def test_an_identity_preserves_the_gradient() -> None:
    graph = network(8, ("d", "Dense", {"units": 8}), ("i", "Activation", {"activation": "linear"}))
    assert expected(graph)["d"].log10 == 0.0


def test_orthogonal_stacks_preserve_norms() -> None:
    row = expected(plain("linear", "orthogonal", 20, 32))["input"]
    assert row.log10 == pytest.approx(0.0, abs=1e-9)
    assert row.high == pytest.approx(0.0, abs=1e-9)


def test_symbolic_sizes_need_values() -> None:
    from archcalc.arith.symbolic import symbol

    graph = network(8, ("d", "Dense", {"units": symbol("w")}))
    assert "symbols" in (expected(graph)["d"].reason or "")


@pytest.mark.parametrize(("kind", "units"), [("LayerNormalization", 2), ("RMSNormalization", 1)])
def test_normalisations_with_a_constant_output_have_no_prediction(kind: str, units: int) -> None:
    """Two units are normalised to 1 and -1; a single unit without centring to 1."""

    def stack(units: int) -> Any:
        conv = {"filters": units, "kernel_size": 1}
        return network(
            0, ("conv", "Conv1D", conv), ("norm", kind, {}), ("out", "Dense", {"units": 3}), shape=(6, 2)
        )

    assert "so few units" in str(expected(stack(units))["conv"].reason)
    assert expected(stack(units + 1))["conv"].log10 is not None


@pytest.mark.parametrize("kind", ["LayerNormalization", "RMSNormalization"])
def test_statistics_of_a_sample_reduce_the_gradient_by_their_share(kind: str) -> None:
    random, n, shares = np.random.default_rng(3), 8, []
    for _ in range(4000):
        x, g = random.standard_normal((2, n))
        x = x - (x.mean() if kind == "LayerNormalization" else 0)
        size = math.sqrt((x * x).mean())
        back = (g - g.mean() * (kind == "LayerNormalization") - x * (g @ x) / (n * size**2)) / size
        shares.append((back @ back) * size**2 / n)
    conv = {"filters": n, "kernel_size": 1, "use_bias": False}
    graph = network(0, ("conv", "Conv1D", conv), ("norm", kind, {}), shape=(500, 40))
    rows = expected(graph)
    # from the output, whose gradient has norm 1, to that of the convolution of variance 2/(1 + n/40)
    variance = 2 / (1 + n / 40)
    loss = 2 * rows["conv"].log10 + math.log10(variance)  # type: ignore[operator]
    assert loss == pytest.approx(math.log10(np.mean(shares)), abs=0.03)


def test_max_pooling_over_one_unit_is_the_identity() -> None:
    def stack(*between: Any) -> Any:
        conv = {"filters": 16, "kernel_size": 3}
        return network(0, ("a", "Conv2D", conv), *between, ("b", "Conv2D", conv), shape=(9, 9, 8))

    with_, without = expected(stack(("p", "MaxPooling2D", {"pool_size": 1})))["a"], expected(stack())["a"]
    assert with_.high is not None
    assert without.high is not None
    assert with_.low == pytest.approx(without.low, abs=1e-3)
    assert with_.high == pytest.approx(without.high, abs=1e-3)


def test_gradients_of_groups_are_separate() -> None:
    """Two concatenated tensors, one ten times as large, are read by a convolution in two groups."""
    graph = network(
        0,
        ("small", "Conv2D", {"filters": 64, "kernel_size": 1}, ("input",)),
        ("large", "Conv2D", {"filters": 64, "kernel_size": 1}, ("input",)),
        ("ten", "Rescaling", {"scale": 10.0}, ("large",)),
        ("both", "Concatenate", {}, ("small", "ten")),
        ("grouped", "Conv2D", {"filters": 128, "kernel_size": 1, "groups": 2}),
        ("tanh", "Activation", {"activation": "tanh"}),
        ("out", "Conv2D", {"filters": 8, "kernel_size": 1}),
        shape=(4, 4, 64),
    )
    rows = expected(graph)
    # tanh saturates for the larger tensor
    assert rows["small"].log10 - rows["ten"].log10 > 0.4  # type: ignore[operator]


@pytest.mark.parametrize("joined", [False, True])
def test_a_depthwise_multiplier_is_a_convolution_with_a_group_for_each_channel(joined: bool) -> None:
    """With `joined`, channels have gradients of their own where they enter."""
    normal: Any = {"class_name": "RandomNormal", "config": {"stddev": 0.3}}

    def first(layer: dict[str, Any]) -> float:
        parts = [{"name": "c", "type": "Conv2D", "filters": 2, "kernel_size": 3, "padding": "same"}]
        parts += [{"name": "j", "type": "Concatenate", "inputs": ["x", "c"]}] * joined
        ends = [{"name": "f", "type": "Flatten"}, {"name": "o", "type": "Dense", "units": 9}]
        wide = {"name": "d", "kernel_size": 3, "activation": "relu", **layer}
        spec = {"archcalc": 1, "inputs": {"x": [6, 6, 4]}, "layers": [*parts, wide, *ends]}
        report = archcalc.analyze(spec, gradients=True)
        log10: float = report.layers["c"].to_dict()["gradient"]["expected_log10"]
        return log10

    channels = 6 if joined else 2
    grouped = {"type": "Conv2D", "filters": 3 * channels, "groups": channels, "kernel_initializer": normal}
    depthwise = {"type": "DepthwiseConv2D", "depth_multiplier": 3, "depthwise_initializer": normal}
    assert first(depthwise) == pytest.approx(first(grouped), abs=1e-9)


@pytest.mark.parametrize(("batch", "enough"), [(2, False), (3, True)])
def test_batch_statistics_of_two_samples_have_no_prediction(batch: int, enough: bool) -> None:
    graph = network(
        4,
        ("dense", "Dense", {"units": 6}),
        ("norm", "BatchNormalization", {}),
        ("out", "Dense", {"units": 3}),
    )
    row = expected(graph, batch=batch)["dense"]
    assert (row.log10 is not None) is enough
    assert enough or "so few units" in str(row.reason)


def test_rescaling_preserves_the_distribution_of_a_relu() -> None:
    """The values stay nonnegative, so that a second ReLU only stops the gradient of the half that is zero."""
    first = ("first", "Dense", {"units": 400, "activation": "relu"})
    less = ("less", "Rescaling", {"scale": 0.5})
    rows = expected(network(16, first, less, ("again", "ReLU", {}), ("last", "Dense", {"units": 8})))
    assert rows["less"].log10 == pytest.approx(rows["again"].log10 - math.log10(2) / 2, abs=0.02)


def test_global_max_pooling_is_max_pooling_with_one_window() -> None:
    conv = ("conv", "Conv2D", {"filters": 16, "kernel_size": 3})
    out = ("out", "Dense", {"units": 4})
    whole = network(0, conv, ("p", "GlobalMaxPooling2D", {}), out, shape=(9, 9, 8))
    window = network(
        0, conv, ("p", "MaxPooling2D", {"pool_size": 7}), ("f", "Flatten", {}), out, shape=(9, 9, 8)
    )
    assert expected(whole)["conv"].log10 == pytest.approx(expected(window)["conv"].log10)


def test_no_prediction_before_random_augmentation() -> None:
    rotation = ("rotation", "RandomRotation", {"factor": 0.2})
    conv = ("conv", "Conv2D", {"filters": 16, "kernel_size": 3})
    graph = network(0, conv, rotation, ("out", "Conv2D", {"filters": 4, "kernel_size": 3}), shape=(9, 9, 8))
    assert "random change" in str(expected(graph)["conv"].reason)


@pytest.mark.parametrize("statistics", [([0.5] * 3, [0.04] * 3), (0.5, 0.04)])
def test_a_normalization_with_stated_statistics_is_a_rescaling(statistics: tuple[Any, Any]) -> None:
    mean, variance = statistics
    stem = ("stem", "Conv2D", {"filters": 16, "kernel_size": 3, "activation": "relu"})
    out = ("out", "Conv2D", {"filters": 4, "kernel_size": 3})
    normal = ("scaled", "Normalization", {"mean": mean, "variance": variance})
    scale = ("scaled", "Rescaling", {"scale": 5.0, "offset": -2.5})
    rows = [expected(network(0, first, stem, out, shape=(9, 9, 3))) for first in (normal, scale)]
    for name in ("input", "scaled", "stem"):
        assert rows[0][name].log10 == pytest.approx(rows[1][name].log10)


def test_a_softmax_that_saturates_changes_no_ratio_before_it() -> None:
    """Unscaled residual branches make logits of a thousand; ratios of rows before it stay the same."""

    def rows(end: str) -> dict[str, Any]:
        graph = residual("relu", "he_normal", 14, 64)
        return expected(appended(graph, "out", "Dense", {"units": 10, "activation": end}))

    logits, classes = rows("linear"), rows("softmax")
    assert (classes["h13"].log10 or 0.0) < -100
    for name in ("a0", "h0", "h7"):
        ratios = [r[name].log10 - r["h13"].log10 for r in (logits, classes)]
        assert ratios[0] == pytest.approx(ratios[1], abs=0.02)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 20.0])
def test_the_norm_of_the_jacobian_of_softmax(scale: float) -> None:
    from archcalc.analyses.mean_field.normalised import _log_squared_norm

    z = scale * np.random.default_rng(0).standard_normal((30, 7))
    for row, log_norm in zip(z, _log_squared_norm(z), strict=True):
        powers = [Fraction(math.exp(v - row.max())) for v in row]
        p = [v / sum(powers) for v in powers]
        exact = sum(((a if i == j else 0) - a * b) ** 2 for i, a in enumerate(p) for j, b in enumerate(p))
        assert log_norm == pytest.approx(math.log(exact), abs=1e-9)


def test_biases_of_a_network_whose_values_leave_the_range_of_numbers() -> None:
    """They are added to squares of 10^600 here, in which the gradient loses what the values gain."""
    large = {"class_name": "RandomNormal", "config": {"stddev": 3.0}}
    dense = {"units": 64, "activation": "relu", "kernel_initializer": large, "bias_initializer": "ones"}
    layers = [(f"d{k}", "Dense", dense) for k in range(250)]
    rows = expected(network(64, *layers, ("end", "LayerNormalization", {})))
    first, last = rows["d0"].log10, rows["d249"].log10
    assert first is not None
    assert last is not None
    # each of 249 layers multiplies the square by fan in * variance / 2
    assert first - last == pytest.approx(249 * math.log10(64 * 9 / 2) / 2, rel=0.01)
