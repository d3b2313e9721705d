"""Random fluctuations due to finite width and finite batches, from generators with fixed seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.samples import EQUAL_SAMPLES, REPLICAS, balanced
from archcalc.analyses.mean_field.state import Pair

Draw: TypeAlias = Callable[[Generator, int], Any]


class _Kept:
    """The numbers that were drawn from a generator, so that other networks get the same without drawing."""

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._drawn: list[tuple[Draw, int, Any]] = []

    def reader(self) -> Callable[[Draw, int], Any]:
        """Draws from the start; a network that draws otherwise than the first gets a generator of its own."""
        kept, position = self, 0

        def read(draw: Draw, count: int) -> Any:
            nonlocal kept, position
            if position == len(kept._drawn):
                kept._drawn.append((draw, count, draw(kept._random, count)))
            same_draw, same_count, numbers = kept._drawn[position]
            if (same_draw, same_count) != (draw, count):
                kept = kept._until(position)
                return read(draw, count)
            position += 1
            return numbers

        return read

    def _until(self, position: int) -> _Kept:
        other = _Kept(self._seed)
        other._drawn = self._drawn[:position]
        for draw, count, _ in other._drawn:
            draw(other._random, count)
        return other


class Draws:
    """The random numbers of one seed, for any number of networks."""

    def __init__(self, seed: int = 0) -> None:
        self.replicas = _Kept(seed)
        self.samples = _Kept([seed, 1])


class Noise:
    """A source of random numbers with a fixed seed, so that the same graph always gives the same figures.

    With a `batch` size the samples of a batch differ, which matters where its statistics are divided out.
    """

    def __init__(self, draws: Draws | None = None, *, batch: int | None = None) -> None:
        draws = draws or Draws()
        self._random = draws.replicas.reader()
        self._samples = None if batch is None else draws.samples.reader()
        self.batch = batch or 1
        self.zero = np.zeros(REPLICAS)

    def normal(self) -> Array:
        """`REPLICAS` standard normal numbers, in pairs of opposite sign."""
        numbers: Array = self._random(_pairs, REPLICAS // 2)
        return numbers

    def varied(self, sample_squares: Array, variance: float, inverse_units: Pair) -> tuple[float, Array]:
        """`sample_squares` times lognormal factors of mean 1, as `balanced`.

        Their variance is that of one unit, times 1 / (independent units) of a sample and of a position.
        """
        if self._samples is None:
            return balanced(sample_squares)
        of_sample, of_position = inverse_units
        of_samples = math.log1p(max(variance * of_sample, 0.0))
        of_positions = math.log1p(max(variance * of_position, 0.0))
        factors: Array = self._samples(_normals, REPLICAS) * np.array(
            ((math.sqrt(of_samples),), (math.sqrt(of_positions),))
        )
        np.exp(factors, out=factors)
        if sample_squares is not EQUAL_SAMPLES:
            factors *= sample_squares
        mean, factors = balanced(factors, in_place=True)
        # the logs of the factors have the means -v/2, which drop out of quotients by the mean
        return mean - (of_samples + of_positions) / 2, factors

    def batch_means(self, sample_squares: Array) -> Array:
        """The mean over each batch, repeated for all of its samples."""
        if self._samples is None:
            return np.ones(REPLICAS)
        starts, sizes, samples = _batches(self.batch)
        means: Array = np.add.reduceat(sample_squares[0], starts) / sizes
        repeated: Array = means.take(samples)
        return repeated

    def neighbours(self, count: int) -> tuple[Any, Any]:
        """`count` positions that each one (column) reads, itself and random others, and which read it."""
        if self._samples is None or count <= 1:
            return _NO_NEIGHBOURS, _NO_NEIGHBOURS
        read, readers = self._samples(_permutations, count)
        return read, readers

    def kept_samples(self, rate: float) -> Array:
        """Factors of mean 1 that are zero for a share `rate` of the samples."""
        if self._samples is None:
            return EQUAL_SAMPLES
        factors: Array = self._samples(_kept(rate), REPLICAS)
        return factors

    def square_fluctuation(self, variance: float, normal: Any = None) -> Array:
        """Log of a mean square of expectation 1 and this variance, with the moments of log gamma.

        Its mean is below 0. `normal` are the standard normal numbers to use.
        """
        if variance <= 0:
            return self.zero
        shape = 1 / variance
        logs: Array = (self.normal() if normal is None else normal) * math.sqrt(trigamma(shape))
        logs += digamma(shape) - math.log(shape)
        return logs


@lru_cache(maxsize=16)
def _batches(batch: int) -> tuple[Any, Any, Any]:
    """The first sample and the size of each batch, and the batch of each sample."""
    starts = np.arange(max(REPLICAS // batch, 1)) * batch
    sizes = np.diff(starts, append=REPLICAS)
    return starts, sizes, np.repeat(np.arange(len(starts)), sizes)


_NO_NEIGHBOURS = np.empty((0, REPLICAS), dtype=int)


def _pairs(random: Generator, count: int) -> Array:
    half = random.standard_normal(count)
    # scaled to a sample variance of exactly 1, so that sums of few terms have the exact variance
    half /= math.sqrt(float(half @ half) / count)
    return np.concatenate([half, -half])


@lru_cache(maxsize=256)
def _kept(rate: float) -> Draw:
    def drawn(random: Generator, count: int) -> Array:
        kept: Array = (random.random(count) >= rate).astype(float)
        return np.stack([kept / kept.mean(), np.ones(count)])

    return drawn


def _normals(random: Generator, count: int) -> Array:
    return random.standard_normal((len(EQUAL_SAMPLES), count))


def _permutations(random: Generator, count: int) -> tuple[Any, Any]:
    """`count` permutations, the first of which moves nothing, and their inverses."""
    rows = np.stack([np.arange(REPLICAS), *(random.permutation(REPLICAS) for _ in range(count - 1))])
    inverses = np.empty_like(rows)
    np.put_along_axis(inverses, rows, np.arange(REPLICAS)[None, :], axis=1)
    return rows, inverses


@lru_cache(maxsize=4096)
def digamma(x: float) -> float:
    """The derivative of log gamma for x > 0 (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    return shift + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


@lru_cache(maxsize=4096)
def trigamma(x: float) -> float:
    """The second derivative of log gamma for x > 0 (Abramowitz & Stegun 6.4.6, 6.4.12)."""
    shift = 0.0
    while x < 8:
        shift += 1 / (x * x)
        x += 1
    y = 1 / (x * x)
    return shift + 1 / x + y / 2 + y / x * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y / 30)))
