"""Differences between samples and positions, and single mean-field rules, against random samples."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from archcalc.analyses.initial import Draw
from archcalc.analyses.mean_field import merging, normalised, spatial, units, weighted
from archcalc.analyses.mean_field.functions import function
from archcalc.analyses.mean_field.maps import Map, alike, alone, zeros
from archcalc.analyses.mean_field.noise import Noise
from archcalc.analyses.mean_field.samples import EQUAL_SAMPLES, REPLICAS, averaged, of_samples
from archcalc.analyses.mean_field.squares import Squares
from archcalc.analyses.mean_field.state import Backward, Forward


def unit_tensor(shape: tuple[int, ...] = (4, 4, 8)) -> Forward:
    return Forward(shape, Squares.same(0.0, shape), zeros(shape), 0.0, np.zeros(REPLICAS), 1, shape[-1])


def unit_gradient(shape: tuple[int, ...], corr: float) -> Backward:
    return Backward(shape, Squares.same(0.0, shape), corr, np.zeros(REPLICAS), 1, shape[-1])


def test_the_gradient_of_a_broadcast_is_one_sum_over_both_axes() -> None:
    random, corr = np.random.default_rng(0), 0.3
    drawn = math.sqrt(corr) * random.standard_normal((20_000, 1)) + math.sqrt(
        1 - corr
    ) * random.standard_normal((20_000, 20))
    output = merging.unbroadcast(unit_gradient((5, 4, 8), corr), (1, 1, 8))
    assert [g.size for g in output.profile.groups] == [1, 1, 8]
    assert math.exp(output.log_mean) == pytest.approx((drawn.sum(axis=1) ** 2).mean(), rel=0.05)


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_dropped_samples_are_those_of_the_gradient(rate: float) -> None:
    output, pullback = units.drop_samples(unit_tensor(), rate, Noise(batch=32))
    g = pullback(unit_gradient((4, 4, 8), 0.0))
    kept = output.sample_squares[0]
    # within the spread of a binomial over 512 samples
    assert (kept == 0).mean() == pytest.approx(rate, abs=0.06)
    assert kept.mean() == pytest.approx(1)
    assert np.array_equal(output.sample_squares, g.sample_squares)
    assert output.log_mean_q == pytest.approx(-math.log1p(-rate))


def test_samples_are_equal_without_batch_statistics() -> None:
    noise = Noise()
    output, _ = units.drop_samples(unit_tensor(), 0.5, noise)
    assert (output.sample_squares == 1).all()
    mean, sample_squares = noise.varied(EQUAL_SAMPLES, 1.0, (1.0, 1.0))
    assert mean == 0
    assert (sample_squares == 1).all()


def test_factors_of_samples_have_mean_one_and_their_variance() -> None:
    mean, factors = Noise(batch=32).varied(EQUAL_SAMPLES, 0.5, (0.4, 0.1))
    assert factors.mean(axis=1) == pytest.approx([1, 1])
    assert factors.var(axis=1) == pytest.approx([0.2, 0.05], rel=0.25)
    # their means were taken out, and deviate as means of 512 samples do
    assert mean == pytest.approx(0, abs=4 * math.sqrt(0.25 / REPLICAS))


def test_factors_multiply_the_differences_that_are_there() -> None:
    """The same random numbers as for equal samples, times the squares: against the product itself."""
    sample_squares = np.random.default_rng(3).random((2, REPLICAS))
    mean, varied = Noise(batch=32).varied(sample_squares, 0.5, (0.4, 0.1))
    of_factors, factors = Noise(batch=32).varied(EQUAL_SAMPLES, 0.5, (0.4, 0.1))
    squares = factors * sample_squares
    assert varied == pytest.approx(squares / squares.mean(axis=1, keepdims=True))
    assert mean == pytest.approx(of_factors + float(np.log(squares.mean(axis=1)).sum()))


@pytest.mark.parametrize("batch", [1, 8, 48, 512, 1000])
def test_batches_share_their_mean(batch: int) -> None:
    sample_squares = np.random.default_rng(0).random((2, REPLICAS))
    means = Noise(batch=batch).batch_means(sample_squares)
    assert means[: min(batch, REPLICAS)] == pytest.approx(sample_squares[0][:batch].mean())
    assert means.mean() == pytest.approx(sample_squares[0].mean())


def test_a_window_averages_positions() -> None:
    noise = Noise(batch=8)
    sample_squares = np.random.default_rng(0).random((2, REPLICAS))
    output = averaged(sample_squares, noise.neighbours(9)[0])
    assert np.array_equal(output[0], sample_squares[0])
    assert output[1].mean() == pytest.approx(sample_squares[1].mean())
    assert output[1].var() == pytest.approx(sample_squares[1].var() / 9, rel=0.3)
    assert np.array_equal(of_samples(sample_squares), [sample_squares[0], EQUAL_SAMPLES[1]])


@pytest.mark.parametrize("name", ["silu", "relu", "gelu"])
def test_a_function_of_samples_of_different_size(name: str) -> None:
    """E phi(z)^2 of the batch, and of each sample relative to it."""
    phi = function(name)
    assert phi is not None
    sizes = np.array([0.25, 1.75])
    x = unit_tensor()
    x = replace(x, sample_squares=np.stack([np.resize(sizes, REPLICAS), EQUAL_SAMPLES[1]]))
    output, _ = units.pointwise(x, phi, Noise())
    z = np.random.default_rng(1).standard_normal(400_000)
    squares = np.array([(phi.value(math.sqrt(q) * z) ** 2).mean() for q in sizes])
    assert output.sample_squares[0][:2] == pytest.approx(squares / squares.mean(), rel=0.02)
    assert math.exp(output.log_mean_q) == pytest.approx(squares.mean(), rel=0.02)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", ["silu", "relu"])
def test_the_gradient_of_few_weights_is_correlated_with_their_unit(name: str, shared: bool) -> None:
    """phi, nine weights, standardisation and phi again: E g^2 phi'^2 over E g^2 E phi'^2."""
    phi = function(name)
    assert phi is not None
    random, taps, figures = np.random.default_rng(2), 9, []
    for _ in range(600):
        w, z = random.uniform(-1, 1, taps), random.standard_normal(2000)
        u = np.convolve(phi.value(z), w, mode="same")
        size = u.std()
        g = phi.slope((u - u.mean()) / size) * (1.0 if shared else random.standard_normal(z.shape))
        g = np.convolve(g, w[::-1], mode="same") / size
        slopes = phi.slope(z) ** 2
        figures.append([(g**2 * slopes).mean(), (g**2).mean() * slopes.mean()])
    measured = np.divide(*np.mean(figures, axis=0))
    x = unit_tensor()
    responses = units._slope_responses(phi, x.values, phi.value(x.values))
    shared_response, single_response, value_moment = responses
    value_response = weighted._value_response((shared_response * shared, single_response), taps, 1.8)
    assert 1 + value_response * (value_moment - 1) == pytest.approx(measured, rel=0.05)


def test_the_gradient_of_a_broadcast_axis_of_size_two_is_a_sum() -> None:
    output = merging.unbroadcast(unit_gradient((2, 3, 8), 0.0), (1, 3, 8))
    assert math.exp(output.log_mean) == pytest.approx(2)
    output = merging.unbroadcast(unit_gradient((4, 2, 3), 0.0), (1, 2, 3))
    assert math.exp(output.log_mean) == pytest.approx(4)


def test_units_of_a_sample_and_of_a_position() -> None:
    assert unit_tensor((3, 3, 1)).inverse_units == pytest.approx((1 / 9, 1))
    assert unit_tensor((3, 3, 4)).inverse_units == pytest.approx((1 / 36, 1 / 4))
    # a vector has only one position
    vector = unit_tensor((8,))
    assert vector.inverse_units == pytest.approx((1 / 8, 0))


@pytest.mark.parametrize(("size", "positions"), [(7, 3), (9, 4), (4, 6), (5, 1)])
def test_windows_of_adaptive_pooling(size: int, positions: int) -> None:
    from archcalc.analyses.mean_field.program import _adaptive_taps

    for i, row in enumerate(_adaptive_taps(size, positions).by_group(np.arange(size), size)):
        inside = range(math.floor(i * size / positions), math.ceil((i + 1) * size / positions))
        assert [j for j, is_read in enumerate(row) if is_read] == list(inside)


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
def test_independent_units_are_interpolated_by_the_squares_of_their_weights(kind: str) -> None:
    from archcalc.analyses.gradient_bounds.resampling import rows
    from archcalc.analyses.mean_field.program import Context, interpret
    from archcalc.layers import primitives as prim

    primitive = prim.Upsample(0, 5, 3, kind)
    x = unit_tensor((5, 8))
    output, _ = interpret(primitive, [x], Context({}, lambda _: 0, Noise(), False))
    table = rows(primitive)
    assert table is not None
    squares = np.array([sum(w * w for _, w in row) for row in table])
    assert output.squares.over(0.0).full[:, 0] == pytest.approx(squares)


@pytest.mark.parametrize(("ratio", "corr"), [(0.4, 0.6), (-0.5, 0.4), (0.0, 0.7)])
def test_the_correlation_of_samples_after_a_function(ratio: float, corr: float) -> None:
    """Against pairs of Gaussian units of mean square 1 with this mean and correlation."""
    random = np.random.default_rng(0)
    shared, *independent = random.standard_normal((3, 400_000))
    pair = [ratio + math.sqrt(corr - ratio**2) * shared + math.sqrt(1 - corr) * e for e in independent]
    a, b = (np.maximum(z, 0) for z in pair)
    relu = function("relu")
    assert relu is not None
    square = (a * a).mean()
    x = replace(unit_tensor(), corr=corr)
    at = units.moments(relu, np.zeros(3), np.full(3, ratio))._replace(
        mean=np.full(3, a.mean() / math.sqrt(square))
    )
    output = units._correlation(relu, x, 0.0, ratio, at)
    assert output == pytest.approx((a * b).mean() / square, abs=0.02)


@pytest.mark.parametrize(("corr", "count"), [(0.0, 20), (0.3, 20)])
def test_the_mean_square_of_a_mean(corr: float, count: int) -> None:
    """The mean over `count` positions of units of mean square 1 with correlation `corr`."""
    random = np.random.default_rng(0)
    shared, independent = random.standard_normal((20_000, 1)), random.standard_normal((20_000, count))
    means = (math.sqrt(corr) * shared + math.sqrt(1 - corr) * independent).mean(axis=1)
    x = replace(unit_tensor((5, 4, 8)), corr=corr)
    output, _ = spatial.reduced_mean(x, (8,), (0, 1), 20, keepdims=False, total=False)
    assert math.exp(output.log_mean_q) == pytest.approx((means**2).mean(), rel=0.05)


def test_the_variance_between_units_of_a_uniform_matrix() -> None:
    """E x^2 of a unit is the sum of its squared weights, of relative variance (kurtosis - 1) / fan_in."""
    fan = 50
    squares = (np.random.default_rng(0).uniform(-1, 1, (20_000, fan)) ** 2).sum(axis=1)
    draw = Draw(0.0, 1.0, kurtosis=1.8)
    output, _ = weighted.matrix(unit_tensor((4, 4, fan)), draw, 30, 1, Noise())
    assert output.channel_variance == pytest.approx(squares.var() / squares.mean() ** 2, rel=0.05)


def test_padding_is_zero() -> None:
    x = unit_tensor((4, 3, 8))
    output, pullback = spatial.margin(x, [(1, 2), (0, 0), (0, 0)], (7, 3, 8))
    assert output.squares.over(0.0).full[:, 0, 0].tolist() == [0, 1, 1, 1, 1, 0, 0]
    cropped = pullback(Backward((7, 3, 8), output.squares, 0.0, np.zeros(REPLICAS), 1, 8)).squares
    assert cropped.over(0.0).values.tolist() == [[[1]]]
    assert [g.size for g in cropped.profile.groups] == [4, 3, 8]


@pytest.mark.parametrize("corr", [0.1, 0.4])
def test_the_mean_of_centred_squares_is_the_variance(corr: float) -> None:
    logs = Map(np.array([0.0, 1.0]).reshape(2, 1, 1), (alone(2), alike(1), alike(8)))
    x = replace(unit_tensor((2, 1, 8)), squares=Squares.of(logs), corr=corr, shared_elasticity=0.7)
    squares, _, variance = normalised._centred_squares(x, (0, 1))
    assert math.exp(variance.level) == pytest.approx((1 - corr) * math.exp(x.log_mean_q))
    assert np.exp(squares.logs.full).mean() == pytest.approx((1 - corr) * math.exp(x.log_mean_q))


@pytest.mark.parametrize(("log_square", "expected"), [(2000.0, 2000.0), (0.0, math.log(2)), (-2000.0, 0.0)])
def test_a_constant_is_added_to_squares_of_any_size(log_square: float, expected: float) -> None:
    x = replace(unit_tensor(), squares=Squares.same(log_square, (4, 4, 8)))
    output, _ = units.offset(x, 1.0, 0.0)
    assert output.log_mean_q == pytest.approx(expected)


def test_zeros_remain_zero_through_interpolation_and_a_function() -> None:
    """They were 10^-300, so that a table of the function's moments reached from there, with few points."""
    phi = function("elu")
    assert phi is not None
    padded, _ = spatial.margin(unit_tensor((2, 1, 8)), [(0, 2), (0, 0), (0, 0)], (4, 1, 8))
    larger, _ = spatial.linear(padded, (8, 1, 8), 0, np.repeat(np.eye(4), 2, axis=0))
    output, _ = units.pointwise(larger, phi, Noise())
    z = np.random.default_rng(0).standard_normal(400_000)
    assert output.log_mean_q == pytest.approx(math.log((phi.value(z) ** 2).mean() / 2), abs=0.01)


def test_samples_whose_means_vary_little_beside_what_they_share() -> None:
    """The squares of centred samples are a power of those before, here of 10,000."""
    squares = np.exp(np.random.default_rng(0).standard_normal((2, REPLICAS)))
    squares /= squares.mean(axis=1, keepdims=True)
    x = replace(unit_tensor(), corr=1 - 1e-4, shared_elasticity=0.0, sample_squares=squares)
    x = replace(x, squares=Squares.same(-60.0, x.shape))
    centred, samples, variance = normalised._centred_squares(x, (0, 1))
    assert centred.log_mean == pytest.approx(math.log(1e-4) - 60)
    assert variance.log_mean == pytest.approx(math.log(1e-4) - 60)
    assert samples.mean(axis=1) == pytest.approx([1, 1])
    assert (samples > 0).all()


@pytest.mark.parametrize(("variance", "epsilon"), [(0.01, 1e-3), (1e9, 1e-3), (1e-9, 1e-3), (2.0, 0.0)])
def test_a_realised_variance_beside_epsilon(variance: float, epsilon: float) -> None:
    shares = normalised._shares(Squares.same(math.log(variance), (3, 4)), epsilon)
    assert shares == pytest.approx(
        (variance / (variance + epsilon), epsilon / (variance + epsilon)), rel=1e-12, abs=0
    )
    realised = np.array([0.25, 1.0, 4.0])
    divisors = (realised * variance + epsilon) / (variance + epsilon)
    assert np.exp(normalised._log_divisor(np.log(realised), shares)) == pytest.approx(divisors)


def test_positions_are_read_by_those_that_read_them() -> None:
    read, readers = Noise(batch=8).neighbours(9)
    assert np.array_equal(read[0], np.arange(REPLICAS))
    for positions, inverse in zip(read, readers, strict=True):
        assert np.array_equal(positions[inverse], np.arange(REPLICAS))
    assert len(read) == 9
