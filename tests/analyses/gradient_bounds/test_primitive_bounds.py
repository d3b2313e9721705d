"""Bounds and ranges of primitives, by formulas and brute force, and the limits of the centred tier."""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from archcalc.analyses import shapes
from archcalc.analyses.gradient_bounds import centred, primitive_bounds, resampling
from archcalc.analyses.gradient_bounds.gradients import gradients
from archcalc.analyses.gradient_bounds.primitive_bounds import primitive_bound
from archcalc.analyses.gradient_bounds.resampling import rows
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.spectral import ActualNorms
from archcalc.analyses.gradient_bounds.terms import Bound, named, number, plus, power
from archcalc.analyses.gradient_bounds.value_ranges import ANY, UNIT, Interval
from archcalc.analyses.gradient_bounds.weight_norms import SymbolicNorms
from archcalc.arith import scope
from archcalc.arith.symbolic import symbol
from archcalc.errors import ArchcalcError, NetworkError
from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from archcalc.layers.activations import activated
from archcalc.layers.interpolation import INTERPOLATIONS
from archcalc.layers.registry import registered_operations
from tests.networks import chain, made

TRAINING = Setting("layer", SymbolicNorms(), training=True)
INFERENCE = Setting("layer", SymbolicNorms())


ONE_TO_TWO = Interval(1.0, 2.0)


def stretch(primitive: prim.Primitive, setting: Setting, x: Interval = ONE_TO_TWO) -> tuple[float, Interval]:
    bound, values = primitive_bound(primitive, x, setting)
    return (inf if bound.unbounded else 0.0 if bound.is_zero else exp(bound.log)), values  # type: ignore[arg-type]


def test_dropout_scales_in_training_alone() -> None:
    assert stretch(prim.Dropout(0.25), INFERENCE) == (1.0, Interval(1.0, 2.0))
    assert stretch(prim.Dropout(0.0, noise=True), TRAINING)[0] == 1.0
    factor, values = stretch(prim.Dropout(0.25), TRAINING)
    assert factor == pytest.approx(4 / 3)
    assert (values.low, values.high) == (0.0, pytest.approx(8 / 3))
    assert stretch(prim.Dropout(1.0), TRAINING) == (0.0, Interval(0.0, 0.0))
    assert stretch(prim.Dropout(0.5, noise=True), TRAINING)[0] == inf
    assert stretch(prim.Dropout(0.5, noise=True), INFERENCE)[0] == 1.0


def test_alpha_dropout_scales_units_as_keras_does() -> None:
    for rate in (0.1, 0.5, 0.8):
        ones, twos = (
            np.asarray(keras.layers.AlphaDropout(rate, seed=1)(np.full(200, x, "float32"), training=True))
            for x in (1.0, 2.0)
        )
        assert stretch(prim.Dropout(rate, alpha=True), TRAINING)[0] == pytest.approx(
            (twos - ones).max(), rel=1e-5
        )


def test_selections_and_padding_add_zero_to_the_range() -> None:
    assert stretch(prim.Select(), INFERENCE)[1] == Interval(0.0, 2.0)
    assert stretch(prim.Pad(((1, 0),)), INFERENCE)[1] == Interval(0.0, 2.0)
    assert stretch(prim.Pad(((-1, 0),)), INFERENCE)[1] == Interval(1.0, 2.0)
    assert Interval(-3.0, -1.0).with_zero() == Interval(-3.0, 0.0)


def test_softmax_and_its_logarithm() -> None:
    assert stretch(prim.Softmax((0,), 4), INFERENCE) == (0.5, UNIT)
    factor, values = stretch(prim.Softmax((0,), 4, log=True), INFERENCE)
    assert factor == pytest.approx(2)
    assert (values.low, values.high) == (pytest.approx(-1 - log(4)), 0.0)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_sparsemax_is_that_of_keras(n: int) -> None:
    """Against finite differences and values of Keras's function, on inputs of several sizes."""
    random, step = np.random.default_rng(0), 1e-6
    for size in (0.01, 0.3, 1.0, 3.0):
        most, values = stretch(prim.Sparsemax((0,), n), INFERENCE, Interval(-size, size))
        x = random.uniform(-size, size, (200, 1, n))
        ahead, behind = (np.asarray(ops.sparsemax(x + d * np.eye(n))) for d in (step, -step))
        # at a kink the difference quotient is between two slopes
        assert np.linalg.norm((ahead - behind) / (2 * step), 2, axis=(1, 2)).max() <= most * (1 + 1e-6)
        assert np.asarray(ops.sparsemax(x)).max() <= values.high
    assert stretch(prim.Sparsemax((0,), n), INFERENCE, ANY)[1] == Interval(0.0, inf)


def test_sparsemax_of_a_symbolic_number_of_units_has_a_formula() -> None:
    bound, values = primitive_bound(prim.Sparsemax((0,), symbol("n")), UNIT, INFERENCE)
    assert not bound.unbounded
    assert values.high == inf


def test_gelu_by_name_is_the_exact_one() -> None:
    assert activated("gelu", (3,)) == (prim.Pointwise("gelu"),)
    operation = registered_operations()["ops.gelu"]()
    assert operation.primitives((3,)) == (prim.Pointwise("gelu", (("approximate", True),)),)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
def test_a_matrix_that_reaches_all_of_its_output_keeps_some_of_every_direction(
    shape: tuple[int, int],
) -> None:
    w = np.random.default_rng(1).standard_normal(shape)
    found = ActualNorms({"w": w}).smallest_singular_value(prim.Matrix("w"))
    # rows are inputs: with fewer of them than outputs some direction is lost
    least = np.linalg.svd(w, compute_uv=False)[-1] if shape[0] >= shape[1] else 0.0
    assert found == pytest.approx(least, rel=1e-6)
    assert found <= least


def test_how_far_a_sum_reaches() -> None:
    w = np.random.default_rng(2).standard_normal((4, 6))
    bias = np.array([0.5, -2.0, 0, 0, 0, 0])
    norms = ActualNorms({"w": w, "b": bias, "k": w.reshape(2, 2, 1, 6)})
    assert norms.reach(prim.Matrix("w", "b")) == (pytest.approx(np.abs(w).sum(axis=0).max()), 2.0)
    assert norms.reach(prim.Matrix("w")) == (pytest.approx(np.abs(w).sum(axis=0).max()), 0.0)
    assert norms.reach(prim.Matrix("none")) is None
    windows = (prim.SlidingWindow(0, 5, 4, 2), prim.SlidingWindow(1, 5, 4, 2))
    kernel = prim.Convolve("k", windows, 2)
    assert norms.reach(kernel) == (pytest.approx(np.abs(w).sum(axis=0).max()), 0.0)


def test_equal_powers_add_up_as_a_factor() -> None:
    n = symbol("n")
    once = power(number(3.0), n)
    twice = plus([once, once])
    assert twice.log.constant == pytest.approx(log(2))  # type: ignore[union-attr]
    assert twice.log.terms == once.log.terms  # type: ignore[union-attr]
    # powers of different numbers have no common one
    assert plus([once, power(number(2.0), n)]).log is None
    assert isinstance(plus([once, named("w", None)]), Bound)


@pytest.mark.parametrize(("size", "positions"), [(7, 3), (9, 4), (5, 1), (4, 6), (6, 6)])
def test_adaptive_windows_are_those_of_keras(size: int, positions: int) -> None:
    """Window i is from floor(i n / m) to ceil((i + 1) n / m)."""
    table = rows(prim.AdaptiveWindow(0, size, positions))
    assert table is not None
    for i, row in enumerate(table):
        first, last = int(np.floor(i * size / positions)), int(np.ceil((i + 1) * size / positions))
        assert [j for j, _ in row] == list(range(first, last))
        assert sum(w for _, w in row) == pytest.approx(1)


@pytest.mark.parametrize("kind", sorted(INTERPOLATIONS))
def test_interpolated_rows_add_up_to_one(kind: str) -> None:
    table = rows(prim.Upsample(0, 5, 3, kind))
    assert table is not None
    for i, row in enumerate(table):
        assert sum(w for _, w in row) == pytest.approx(1)
        positions = [j for j, _ in row]
        assert len(set(positions)) == len(positions)
        assert min(abs(j - (i + 0.5) / 3 + 0.5) for j in positions) < 1
    assert resampling.axis_norm(prim.Upsample(0, 5, 3, kind)) is not None


# -- the centred tier ------------------------------------------------------------------------------------
def small(width: int, depth: int) -> Graph:
    layers: list[Any] = [(f"d{i}", made("Dense", units=width, activation="tanh")) for i in range(depth)]
    return chain("small", (width,), *layers)


@pytest.mark.parametrize(("units", "work", "enough"), [(8, 32, True), (7, 32, False), (8, 31, False)])
def test_the_centred_tier_refuses_large_networks(
    units: int, work: int, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network has four tensors of eight units."""
    monkeypatch.setattr(centred, "MAX_UNITS", units)
    monkeypatch.setattr(centred, "MAX_WORK", work)
    graph = small(8, 3)
    random = np.random.default_rng(0)
    values = {
        f"d{i}": {"kernel": random.standard_normal((8, 8)) / sqrt(8), "bias": np.zeros(8)} for i in range(3)
    }
    with scope():
        options: Any = {"weights": "actual", "values": values, "tier": "centred", "input_range": (-1.0, 1.0)}
        if enough:
            assert gradients(graph, shapes.infer(graph), **options).rows
            return
        with pytest.raises(ArchcalcError, match="small networks"):
            gradients(graph, shapes.infer(graph), **options)


def test_the_centred_tier_needs_a_value_for_every_symbol() -> None:
    graph = chain("open", (symbol("n"),), ("d", made("Activation", activation="tanh")))
    with scope(), pytest.raises(ArchcalcError, match="value for every symbol"):
        gradients(graph, shapes.infer(graph), weights="actual", values={}, tier="centred")


def test_networks_with_too_many_tensors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of three layers has one input, one output and two weights."""
    graph = small(4, 3)
    monkeypatch.setattr(shapes, "TENSORS_A_NODE", 0)
    monkeypatch.setattr(shapes, "MIN_TENSORS", 1 + 3 * 4)
    assert shapes.infer(graph)
    monkeypatch.setattr(shapes, "MIN_TENSORS", 3 * 4)
    with pytest.raises(NetworkError, match="too many inputs, outputs and weights"):
        shapes.infer(graph)


def test_products_are_linearised_at_the_middle_of_their_ranges() -> None:
    """|a b' - a' b| with a in [-1, 1] and b in [2, 4]: middles 0 and 3, half widths 1 and 1."""
    primitive = prim.Merge("multiply", (1, 1))
    shapes_: Any = ((3,), (3,))
    step = centred._merge_step(primitive, shapes_, [Interval(-1.0, 1.0), Interval(2.0, 4.0)], (2.0, 5.0))
    # the bound of each operand times the half width of the other's range over its largest magnitude
    assert step.deviations == (pytest.approx(2 * 1 / 4), pytest.approx(5 * 1 / 1))
    for parts, middle in (([np.eye(3), None], 3.0), ([None, np.eye(3)], 0.0)):
        linear = step.linear(parts, 3)
        assert np.allclose(np.zeros((3, 3)) if linear is None else linear, middle * np.eye(3))


def test_the_reach_of_a_transposed_kernel() -> None:
    kernel = np.random.default_rng(5).standard_normal((2, 3, 4, 5))  # taps, then channels out and in
    windows = (prim.SlidingWindow(0, 6, 3, 2, 2), prim.SlidingWindow(1, 9, 3, 3, 3))
    primitive = prim.Convolve("k", windows, 2, transposed=True)
    most = np.abs(kernel).sum(axis=(0, 1, 3)).max()
    assert ActualNorms({"k": kernel}).reach(primitive) == (pytest.approx(most), 0.0)


def test_a_recurrence_with_symbolic_weights_has_a_formula() -> None:
    graph = chain("steps", (5, 3), ("rnn", made("SimpleRNN", units=4)), ("out", made("Dense", units=2)))
    with scope():
        rows_ = gradients(graph, shapes.infer(graph), weights="symbolic").rows
    assert [row.formula for row in rows_] == ["gain(rnn)*norm(out/kernel)", "norm(out/kernel)", "1"]
    assert [row.upper_log10 for row in rows_] == [None, None, 0.0]
    assert not any(row.unbounded for row in rows_)


def test_ranges_after_moving_statistics() -> None:
    weights = {"mean": [3.0, -4.0], "variance": [0.25, 1.0], "beta": [0.5, -1.0]}
    norms = ActualNorms({name: np.array(values) for name, values in weights.items()})
    setting = Setting("layer", norms)
    primitive = prim.BatchStandardise((1,), 0.0, mean="mean", variance="variance", beta="beta")
    # (|x| + 4) / 0.5 + 1
    assert stretch(primitive, setting, Interval(-2.0, 2.0))[1].high == pytest.approx(13.0)
    inverse = prim.BatchStandardise((1,), 1e-7, mean="mean", variance="variance", floor=True, inverse=True)
    assert stretch(inverse, setting, Interval(-2.0, 2.0))[1].low == pytest.approx(-6.0)
    assert stretch(primitive, setting, ANY)[1] == ANY
    (stated,) = made("Normalization", mean=[1.0, -3.0], variance=[0.25, 4.0]).primitives((5, 2))
    assert stretch(stated, setting, Interval(-2.0, 2.0))[1].high == pytest.approx((2 + 3) / 0.5)


@pytest.mark.parametrize("gate", ["sigmoid", "tanh", "relu6"])
@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_ranges_of_recurrences_contain_the_values_of_keras(kind: str, gate: str) -> None:
    """With large weights, so that gates saturate; negative gates change the sign of states."""
    arguments = {"recurrent_activation": gate, "return_state": True}
    graph = chain("steps", (6, 2), ("y", made(kind, units=3, **arguments)))
    layer = getattr(keras.layers, kind)(3, return_sequences=True, dtype="float64", **arguments)
    layer.build((None, 6, 2))
    random = np.random.default_rng(4)
    layer.set_weights([4 * random.standard_normal(w.shape) for w in layer.get_weights()])
    x = random.uniform(-1, 1, (500, 6, 2))
    largest = max(float(np.abs(np.asarray(y)).max()) for y in layer(x))
    cell = "gru_cell" if kind == "GRU" else "lstm_cell"
    norms = ActualNorms({f"{cell}/{w.name}": np.asarray(w) for w in layer.weights})
    primitives = graph.nodes[1].layer.primitives((6, 2))
    values = primitive_bounds.chain_bound(
        primitives, [(6, 2)], [Interval(-1.0, 1.0)], Setting("y", norms)
    ).values
    assert largest <= max(abs(values.low), values.high) < inf
    if gate == "sigmoid" and kind == "GRU":
        # a convex combination of the state before and a tanh
        assert values == Interval(pytest.approx(-1.0), pytest.approx(1.0))


def test_dropout_is_linearised_at_the_middle() -> None:
    """The factors of dropout are 0 and 1/(1 - p); their middle is linear, the deviation is half of it."""
    layers = made("Dense", units=4), made("Dropout", rate=0.5), made("Dense", units=3)
    graph = chain("dropped", (5,), *zip(("a", "drop", "b"), layers, strict=True))
    random = np.random.default_rng(1)
    a, b = random.standard_normal((5, 4)), random.standard_normal((4, 3))
    values = {"a": {"kernel": a, "bias": np.zeros(4)}, "b": {"kernel": b, "bias": np.zeros(3)}}
    with scope():
        row = gradients(
            graph, shapes.infer(graph), weights="actual", values=values, tier="centred", training=True
        ).rows[0]
    whole, first, last = (np.linalg.norm(m, 2) for m in (a @ b, a, b))
    assert row.upper_log10 == pytest.approx(np.log10(min(whole + first * last, 2 * first * last)))


def test_the_range_of_a_normalised_sample() -> None:
    """N units have mean square 1, so that one may be sqrt(n) if all others are 0."""
    plain = made("LayerNormalization", scale=False, center=False).primitives((3, 9))
    values = primitive_bounds.chain_bound(plain, [(3, 9)], [ANY], INFERENCE).values
    assert (values.low, values.high) == (pytest.approx(-3.0), pytest.approx(3.0))


def test_an_average_is_linear() -> None:
    shapes_: Any = ((3,), (3,))
    primitive = prim.Merge("average", (1, 1))
    step = centred._merge_step(primitive, shapes_, [ANY, ANY], (0.5, 0.5))
    assert step.deviations == (0.0, 0.0)
    linear = step.linear([np.eye(3), None], 3)
    assert linear is not None
    assert np.allclose(linear, np.eye(3) / 2)


def test_missing_and_empty_weights_have_no_largest_element() -> None:
    for norms in (ActualNorms({}), ActualNorms({"w": np.zeros((0, 3))})):
        assert norms.largest("w") is None
        assert norms.smallest("w") is None


@pytest.mark.parametrize(
    ("kind", "arguments", "shape"),
    [
        ("LSTM", {"units": 3}, (5, 2)),
        ("GRU", {"units": 3}, (5, 2)),
        ("GRU", {"units": 3, "reset_after": False}, (5, 2)),
        ("ConvLSTM1D", {"filters": 3, "kernel_size": 2}, (5, 6, 2)),
    ],
)
def test_each_recurrence_has_a_formula(kind: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    graph = chain("steps", shape, ("y", made(kind, **arguments)))
    with scope():
        row, _ = gradients(graph, shapes.infer(graph), weights="symbolic").rows
    assert row.formula == "gain(y)"
    assert not row.unbounded


def test_stacked_cells_have_separate_gains() -> None:
    cells = [{"type": "SimpleRNNCell", "units": 3}, {"type": "GRUCell", "units": 2}]
    graph = chain("steps", (5, 3), ("rnn", made("RNN", cell={"type": "StackedRNNCells", "cells": cells})))
    with scope():
        row, _ = gradients(graph, shapes.infer(graph), weights="symbolic").rows
    names = sorted(w.name.rpartition("/")[0] for w in graph.nodes[1].layer.weights((5, 3)))
    assert row.formula == "*".join(f"gain(rnn/{name})" for name in dict.fromkeys(reversed(names)))


@pytest.mark.parametrize(("kind", "cell"), [("SimpleRNN", "simple_rnn_cell"), ("LSTM", "lstm_cell")])
def test_a_recurrence_with_zero_weights_has_no_gradient(kind: str, cell: str) -> None:
    graph = chain("steps", (6, 2), ("y", made(kind, units=3)))
    values = {w.name: np.zeros(w.shape) for w in graph.nodes[1].layer.weights((6, 2))}
    assert f"{cell}/kernel" in values
    with scope():
        row, _ = gradients(graph, shapes.infer(graph), weights="actual", values={"y": values}).rows
    assert row.upper_log10 is None
    assert not row.unbounded


def test_statistics_of_a_wrapped_layer_are_read_by_their_names() -> None:
    inner = made("BatchNormalization", scale=False, epsilon=0.0)
    graph = chain("steps", (6, 2), ("y", made("TimeDistributed", layer=inner)))
    values = {w.name: np.full(w.shape, 4.0) for w in graph.nodes[1].layer.weights((6, 2))}
    with scope():
        row, _ = gradients(graph, shapes.infer(graph), weights="actual", values={"y": values}).rows
    assert row.upper_log10 == pytest.approx(-log(2) / log(10))
