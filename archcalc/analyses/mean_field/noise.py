"""What finite width and finite batches add at random, from fixed generators, so that figures repeat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.state import ALIKE, REPLICAS, log_of


class Noise:
    """Independent standard normals in pairs of opposite sign; seeded, so that figures repeat.

    With a `batch` of several its samples differ, which matters where its statistics are divided out.
    """

    def __init__(self, seed: int = 0, *, batch: int | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._samples = None if batch is None else np.random.default_rng([seed, 1])
        self.batch = batch or 1
        self.zero = np.zeros(REPLICAS)

    def normal(self) -> Array:
        half = self._random.standard_normal(REPLICAS // 2)
        # unit variance within the copies too: the spread is then exact for a sum of few terms
        half /= math.sqrt(float((half * half).mean()))
        return np.concatenate([half, -half])

    def sample_factors(self, variance: Array) -> Array:
        """Log of a factor of each sample and of each position, of these variances and mean 1."""
        if self._samples is None:
            return ALIKE
        spread = np.sqrt(np.log1p(np.maximum(variance, 0.0)))
        drawn: Array = spread * self._samples.standard_normal(ALIKE.shape) - spread**2 / 2
        return drawn

    def of_batches(self, sample_squares: Array) -> Array:
        """Log of each batch's mean, for its samples."""
        if self._samples is None:
            return np.zeros(REPLICAS)
        starts = np.arange(max(REPLICAS // self.batch, 1)) * self.batch
        sizes = np.diff(starts, append=REPLICAS)
        means: Array = np.add.reduceat(np.exp(sample_squares[0]), starts) / sizes
        repeated: Array = np.repeat(log_of(means), sizes)
        return repeated

    def neighbours(self, count: int) -> list[Any]:
        """For each position of `REPLICAS` itself and others at random, `count` in all."""
        if self._samples is None or count <= 1:
            return []
        positions = np.arange(REPLICAS)
        return [positions, *(self._samples.permutation(REPLICAS) for _ in range(count - 1))]

    def of_kept(self, rate: float) -> Array:
        """Log of a factor of mean 1 that is zero for this share of the samples."""
        if self._samples is None:
            return ALIKE
        kept = self._samples.random(REPLICAS) >= rate
        return np.stack([log_of(kept / kept.mean()), ALIKE[1]])

    def of_square(self, variance: float, normal: Any = None) -> Array:
        """Log of a sum of squares whose relative variance is this: of a gamma variable, so its mean is
        below 0.
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
    """Derivative of log gamma, x > 0 (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    return shift + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


def trigamma(x: float) -> float:
    """Second derivative of log gamma, x > 0 (Abramowitz & Stegun 6.4.6, 6.4.12)."""
    shift = 0.0
    while x < 8:
        shift += 1 / (x * x)
        x += 1
    y = 1 / (x * x)
    return shift + 1 / x + y / 2 + y / x * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y / 30)))
