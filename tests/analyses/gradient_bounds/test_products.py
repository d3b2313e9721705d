"""Gradient bounds: their algebra, closed forms in depth, and norms of maps against their matrices."""

from __future__ import annotations

from itertools import product
from math import cos, exp, inf, log, log10, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archcalc import analyze, load
from archcalc.analyses.gradient_bounds import resampling
from archcalc.analyses.gradient_bounds.linear_maps import linear_map
from archcalc.analyses.gradient_bounds.primitive_bounds import cover, primitive_bound
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.spectral import ActualNorms
from archcalc.analyses.gradient_bounds.terms import (
    IDENTITY,
    ZERO,
    Bound,
    hypot,
    infinite,
    named,
    number,
    one_minus,
    plus,
    power,
    text,
    times,
)
from archcalc.analyses.gradient_bounds.value_ranges import ANY, Interval
from archcalc.analyses.gradient_bounds.weight_norms import SymbolicNorms
from archcalc.arith import substitute
from archcalc.arith.symbolic import symbol
from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from tests.analyses.gradient_bounds.networks import Wiring
from tests.networks import chain, made, tower

EXAMPLES = Path(__file__).parents[3] / "examples"


def value(bound: Bound) -> float:
    assert isinstance(bound.log, float)
    return exp(bound.log)


# -- algebra ---------------------------------------------------------------------------------------------
def test_products_sums_and_parts_of_one_tensor() -> None:
    a, b = number(3.0), number(4.0)
    assert value(times(a, b)) == pytest.approx(12)
    assert value(plus([a, b])) == pytest.approx(7)
    assert value(hypot([a, b])) == pytest.approx(5)
    assert value(power(a, 5)) == pytest.approx(243)
    assert times(a, ZERO).is_zero
    assert plus([]).is_zero
    assert times(IDENTITY, IDENTITY) is IDENTITY or value(times(IDENTITY, IDENTITY)) == 1.0


def test_bounds_may_exceed_the_range_of_floats() -> None:
    tiny, huge = number(1e-300), number(1e300)
    assert power(huge, 20).log == pytest.approx(6000 * log(10))
    assert power(tiny, 20).log == pytest.approx(-6000 * log(10))
    assert plus([power(huge, 20), IDENTITY]).log == pytest.approx(6000 * log(10))


def test_an_infinite_factor_keeps_its_cause_and_zero_times_it_is_zero() -> None:
    worse = times(number(2.0), infinite("a reason"))
    assert worse.unbounded
    assert worse.attributed_to("layer").cause == "layer: a reason"
    assert plus([IDENTITY, worse]).cause == "a reason"
    assert times(worse, ZERO).is_zero


def test_norms_without_a_number_stay_as_formulas() -> None:
    product = times(number(0.25), named("norm(a/kernel)", None))
    assert product.log is None
    assert text(product.term) == "norm(a/kernel)/4"
    assert text(power(product, symbol("n")).term) == "(norm(a/kernel)/4)^n"


def test_the_lower_bound_of_an_identity_plus_a_branch() -> None:
    assert value(one_minus(number(0.25))) == pytest.approx(0.75)
    assert one_minus(number(1.5)).is_zero
    assert one_minus(infinite("a reason")).is_zero
    assert one_minus(named("norm(a)", None)).is_zero


# -- closed forms ------------------------------------------------------------------------------------------
def rows(graph: Graph, **options: Any) -> dict[str, Any]:
    return {row.name: row.gradient for row in analyze(graph, gradients=True, **options).rows}


def test_each_layer_of_a_sigmoid_stack_has_a_factor_of_a_quarter() -> None:
    stack = chain("stack", (8,), *[(f"d{i}", made("Dense", units=8, activation="sigmoid")) for i in range(9)])
    weights = {f"d{i}": {"kernel": 2 * np.eye(8), "bias": np.zeros(8)} for i in range(9)}
    by_name = rows(stack, weights=weights, tier="symbolic")
    assert by_name["image"].upper_log10 == pytest.approx(9 * log10(2 / 4), abs=1e-8)
    assert by_name["d0"].upper_log10 == pytest.approx(8 * log10(2 / 4), abs=1e-8)


def test_a_block_repeated_n_times_has_a_power_of_its_bound() -> None:
    by_name = rows(tower(), weights="symbolic")
    assert "^n" in by_name["image"].formula
    assert "1 + " in by_name["image"].formula


def test_a_power_in_depth_is_the_bound_of_the_unrolled_copies() -> None:
    n = symbol("n")
    closed = rows(tower(), weights="expected")["image"].upper_log10
    assert isinstance(closed, str)
    assert str(n) in closed
    for count in (1, 2, 5):
        unfolded = rows(tower(count), weights="expected")["image"].upper_log10
        assert eval(closed, {"n": count}) == pytest.approx(unfolded, abs=1e-5)


def test_a_residual_branch_adds_to_the_skip_and_leaves_a_lower_bound() -> None:
    net = Wiring(6)
    for i in range(3):
        skip = net.last
        net(f"relu{i}", "Activation", activation="relu")
        net(f"dense{i}", "Dense", units=6)
        net(f"add{i}", "Add", f"dense{i}", skip)
    weights = {f"dense{i}": {"kernel": 0.1 * np.eye(6), "bias": np.zeros(6)} for i in range(3)}
    by_name = rows(net.graph("residual"), weights=weights)
    assert by_name["x"].upper_log10 == pytest.approx(3 * log10(1.1), abs=1e-8)
    assert by_name["x"].lower_log10 == pytest.approx(3 * log10(0.9), abs=1e-8)


def test_a_tensor_added_to_itself_counts_twice() -> None:
    net = Wiring(4)
    net("sum", "Add", "x", "x")
    assert rows(net.graph("double"))["x"].upper_log10 == pytest.approx(log10(2), abs=1e-8)


def test_many_paths_are_one_pass() -> None:
    """The network has 2^60 paths, too many for a sum over paths."""
    net = Wiring(2)
    for i in range(60):
        net(f"add{i}", "Add", net.last, net.last)
    assert rows(net.graph("paths"))["x"].upper_log10 == pytest.approx(60 * log10(2), abs=1e-6)


def test_a_gate_is_bounded_by_the_range_of_its_sigmoid_and_a_product_of_unbounded_values_is_not() -> None:
    net = Wiring(4)
    net("body", "Dense", "x", units=4, activation="tanh")
    net("gate", "Dense", "x", units=4, activation="sigmoid")
    net("product", "Multiply", "body", "gate")
    by_name = rows(net.graph("gated"))
    assert by_name["body"].upper_log10 == by_name["gate"].upper_log10 == 0.0
    net = Wiring(4)
    net("body", "Dense", "x", units=4)
    net("gate", "Dense", "x", units=4)
    net("product", "Multiply", "body", "gate")
    by_name = rows(net.graph("open"))
    assert by_name["body"].unbounded
    assert by_name["body"].cause.startswith("product: ")


def test_blocks_repeated_over_the_same_nodes_have_a_power_of_a_power() -> None:
    spec = {
        "archcalc": 1,
        "symbols": {"m": None, "n": None},
        "inputs": {"x": [8]},
        "blocks": {
            "inner": {"layers": [{"name": "d", "type": "Dense", "units": 8}]},
            "outer": {"layers": [{"name": "i", "block": "inner", "repeat": "n"}]},
        },
        "layers": [{"name": "o", "block": "outer", "repeat": "m"}],
    }
    gradient = analyze(load(spec), gradients=True).layers["x"].gradient
    assert gradient is not None
    assert gradient.formula == "((norm(o[*]/i[*]/d/kernel))^n)^m"


def test_values_inside_a_repeated_block_keep_the_range_of_its_functions() -> None:
    """The Dense layer reads 16 means of sigmoids, with norm 4, and the softmax's error has norm sqrt(2)."""
    by_name = rows(load(str(EXAMPLES / "plain_sigmoid_n.json")))
    assert by_name["classes"].weight_gradient_log10 == pytest.approx(log10(sqrt(2) * 4), abs=1e-8)


# -- maps as matrices ------------------------------------------------------------------------------------
def matrix(primitive: prim.Primitive, shape: tuple[int, ...]) -> np.ndarray:
    apply = linear_map(primitive, ActualNorms({}))
    assert apply is not None
    size = int(np.prod(shape))
    return apply(np.eye(size).reshape(size, *shape)).reshape(size, -1)


def bound(primitive: prim.Primitive) -> float:
    return value(primitive_bound(primitive, ANY, Setting("layer", SymbolicNorms()))[0])


AVERAGES = [
    prim.Pool("average", (prim.SlidingWindow(0, 9, 4, 3, 2),)),
    prim.Pool("average", (prim.SlidingWindow(0, 9, 5, 3, 2, 1, 1),)),
    prim.Pool("average", (prim.SlidingWindow(0, 9, 9, 5, 1, 1, 2),)),
    prim.Pool("average", (prim.SlidingWindow(0, 9, 3, 2, 3, 2, 0),)),
    *[prim.Pool("average", (prim.AdaptiveWindow(0, 9, m),)) for m in (1, 2, 3, 4, 7, 9, 13)],
    *[prim.Upsample(0, 9, 3, kind) for kind in ("nearest", "bilinear", "bicubic", "lanczos3")],
    prim.Reduce("mean", (0,), 9),
    prim.Reduce("sum", (0,), 9),
    prim.Cumulative("sum", 0, 9),
]


@pytest.mark.parametrize("primitive", AVERAGES, ids=repr)
def test_linear_maps_without_weights_have_tight_bounds(primitive: prim.Primitive) -> None:
    exact = float(np.linalg.norm(matrix(primitive, (9,)), 2))
    assert exact <= bound(primitive) * (1 + 1e-12)
    assert bound(primitive) <= 1.4 * exact


def test_no_unit_is_in_more_adaptive_windows_than_the_cover() -> None:
    for size, positions in product(range(1, 14), repeat=2):
        window = prim.AdaptiveWindow(0, size, positions)
        table = resampling.rows(window)
        assert table is not None
        most = max(sum(any(j == k for k, _ in row) for row in table) for j in range(size))
        assert most <= cover(window)
        assert most <= substitute(cover(prim.AdaptiveWindow(0, symbol("H"), positions)), {"H": size})


@pytest.mark.parametrize(("kernel", "stride", "dilation", "most"), [(3, 3, 3, 3), (3, 2, 1, 2), (5, 2, 3, 3)])
def test_the_cover_counts_windows_that_read_the_same_unit(
    kernel: int, stride: int, dilation: int, most: int
) -> None:
    slide = prim.SlidingWindow(
        0, 60, (60 - dilation * (kernel - 1) - 1) // stride + 1, kernel, stride, dilation
    )
    reads = np.zeros(60, int)
    for i in range(slide.positions):
        reads[stride * i + dilation * np.arange(kernel)] += 1
    assert reads.max() == cover(slide) == most


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_tight_norm_of_a_convolution_is_close_to_the_exact_one(stride: int, same: bool) -> None:
    random = np.random.default_rng(stride + same)
    kernel = random.standard_normal((3, 3, 2, 3))
    n = 12
    positions = -(-n // stride) if same else (n - 3) // stride + 1
    before = max((positions - 1) * stride + 3 - n, 0) // 2 if same else 0
    windows = tuple(prim.SlidingWindow(axis, n, positions, 3, stride, 1, before) for axis in (0, 1))
    primitive = prim.Convolve("kernel", windows, 2)
    norms = ActualNorms({"kernel": kernel})
    apply = linear_map(primitive, norms)
    assert apply is not None
    exact = np.linalg.norm(apply(np.eye(n * n * 2).reshape(-1, n, n, 2)).reshape(n * n * 2, -1), 2)
    tight = norms.operator(primitive)
    assert tight is not None
    assert exact <= tight * (1 + 1e-9)
    assert tight <= 1.15 * exact


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("stride", "dilation", "same"), [(1, 1, True), (1, 1, False), (2, 1, True), (1, 2, True)]
)
def test_at_32_by_32_the_tight_norm_is_at_most_a_tenth_above_the_measured_one(
    stride: int, dilation: int, same: bool, depthwise: bool
) -> None:
    random = np.random.default_rng(7)
    kernel = random.standard_normal((3, 3, 4, 2 if depthwise else 6))
    reach = 2 * dilation
    positions = -(-32 // stride) if same else (32 - reach - 1) // stride + 1
    before = max((positions - 1) * stride + reach + 1 - 32, 0) // 2 if same else 0
    windows = tuple(prim.SlidingWindow(axis, 32, positions, 3, stride, dilation, before) for axis in (0, 1))
    norms = ActualNorms({"kernel": kernel})
    tight = norms.operator(prim.Convolve("kernel", windows, 2, depthwise=depthwise))
    assert tight is not None
    # a depthwise convolution is a separate convolution of each channel
    parts = [kernel[:, :, c : c + 1] for c in range(4)] if depthwise else [kernel]
    measured = max(_by_power_iteration(part, windows, random) for part in parts)
    assert measured <= tight * (1 + 1e-9)
    assert tight <= 1.1 * measured


def _by_power_iteration(
    kernel: np.ndarray, windows: tuple[prim.SlidingWindow, ...], random: np.random.Generator
) -> float:
    norms = ActualNorms({"kernel": kernel})
    forward = linear_map(prim.Convolve("kernel", windows, 2), norms)
    transposed = linear_map(prim.Convolve("kernel", windows, 2, transposed=True), norms)
    assert forward is not None
    assert transposed is not None
    x = random.standard_normal((1, 32, 32, kernel.shape[2]))
    for _ in range(100):
        x = transposed(forward(x / np.linalg.norm(x)))
    return sqrt(float(np.linalg.norm(x)))


def test_slopes_are_bounded_over_the_range_of_the_input() -> None:
    def most(function: str, low: float, high: float) -> float:
        return value(
            primitive_bound(prim.Pointwise(function), Interval(low, high), Setting("layer", SymbolicNorms()))[
                0
            ]
        )

    assert most("exp", -inf, 1.0) == pytest.approx(exp(1.0))
    assert most("square", -2.0, 1.0) == pytest.approx(4.0)
    assert most("sin", -0.1, 0.1) >= cos(0.1) >= cos(pi)


def test_dividing_by_a_norm_that_may_vanish_is_unbounded() -> None:
    setting = Setting("layer", SymbolicNorms())
    assert primitive_bound(prim.Normalise((0,), 2.0, 0.0), ANY, setting)[0].unbounded
    assert primitive_bound(prim.Standardise((0,), 0.0), ANY, setting)[0].unbounded
    assert value(primitive_bound(prim.Standardise((0,), 1e-4), ANY, setting)[0]) == pytest.approx(100.0)
