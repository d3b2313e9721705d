"""Random fluctuations due to finite width and finite batches, from generators with fixed seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.state import EQUAL_SAMPLES, REPLICAS, log_of


class Noise:
    """A source of random numbers with a fixed seed, so that the same graph always gives the same figures.

    With a `batch` size the samples of a batch differ, which matters where its statistics are divided out.
    """

    def __init__(self, seed: int = 0, *, batch: int | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._samples = None if batch is None else np.random.default_rng([seed, 1])
        self.batch = batch or 1
        self.zero = np.zeros(REPLICAS)

    def normal(self) -> Array:
        """`REPLICAS` standard normal numbers, in pairs of opposite sign."""
        half = self._random.standard_normal(REPLICAS // 2)
        # scaled to a sample variance of exactly 1, so that sums of few terms have the exact variance
        half /= math.sqrt(float((half * half).mean()))
        return np.concatenate([half, -half])

    def sample_factors(self, variance: Array) -> Array:
        """Log of lognormal factors of mean 1 and this variance, for each sample and each position."""
        if self._samples is None:
            return EQUAL_SAMPLES
        stddev = np.sqrt(np.log1p(np.maximum(variance, 0.0)))
        logs: Array = stddev * self._samples.standard_normal(EQUAL_SAMPLES.shape) - stddev**2 / 2
        return logs

    def batch_means(self, sample_squares: Array) -> Array:
        """Log of the mean over each batch, repeated for all of its samples."""
        if self._samples is None:
            return np.zeros(REPLICAS)
        starts = np.arange(max(REPLICAS // self.batch, 1)) * self.batch
        sizes = np.diff(starts, append=REPLICAS)
        means: Array = np.add.reduceat(np.exp(sample_squares[0]), starts) / sizes
        repeated: Array = np.repeat(log_of(means), sizes)
        return repeated

    def neighbours(self, count: int) -> list[Any]:
        """`count` index arrays over positions: each position itself, then random other ones."""
        if self._samples is None or count <= 1:
            return []
        positions = np.arange(REPLICAS)
        return [positions, *(self._samples.permutation(REPLICAS) for _ in range(count - 1))]

    def kept_samples(self, rate: float) -> Array:
        """Log of factors of mean 1 that are zero for a share `rate` of the samples."""
        if self._samples is None:
            return EQUAL_SAMPLES
        kept = self._samples.random(REPLICAS) >= rate
        return np.stack([log_of(kept / kept.mean()), EQUAL_SAMPLES[1]])

    def square_fluctuation(self, variance: float, normal: Any = None) -> Array:
        """Log of a mean square of expectation 1 and this variance, with the moments of log gamma.

        Its mean is below 0. `normal` are the standard normal numbers to use.
        """
        if variance <= 0:
            return self.zero
        shape = 1 / variance
        return (
            digamma(shape)
            - math.log(shape)
            + math.sqrt(trigamma(shape)) * (self.normal() if normal is None else normal)
        )


def digamma(x: float) -> float:
    """The derivative of log gamma for x > 0 (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    return shift + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


def trigamma(x: float) -> float:
    """The second derivative of log gamma for x > 0 (Abramowitz & Stegun 6.4.6, 6.4.12)."""
    shift = 0.0
    while x < 8:
        shift += 1 / (x * x)
        x += 1
    y = 1 / (x * x)
    return shift + 1 / x + y / 2 + y / x * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y / 30)))
