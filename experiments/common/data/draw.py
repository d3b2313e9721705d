"""Random numbers and image sampling that give the same bits on every machine.

Only correctly rounded operations (`+ - * /`, floor, comparison) touch pixels, and random numbers are raw
words of PCG64, whose stream numpy guarantees, so a generated set has one checksum everywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Draw:
    """One image's own stream: the same key gives the same numbers, whatever else was drawn."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniforms(self, *shape: int) -> Floats:
        """Uniform numbers in [0, 1)."""
        raw = self._bits.random_raw(math.prod(shape))
        return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.uniforms(1)[0])

    def integer(self, low: int, high: int) -> int:
        """An integer of low..high, both included."""
        return low + int(float(self.uniforms(1)[0]) * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return float(self.uniforms(1)[0]) < probability

    def noise(self, *shape: int) -> Floats:
        """Nearly normal numbers, variance 1: four uniform bytes added (no logarithm, so exact)."""
        raw = self._bits.random_raw(-(-math.prod(shape) // 2))
        total = raw.view(np.uint8).reshape(-1, 4).astype(np.float64).sum(axis=1)[: math.prod(shape)]
        normal: Floats = (total.reshape(shape) - 510.0) * (1.0 / 147.80)
        return normal


def grid(size: int) -> tuple[Floats, Floats]:
    """Pixel centres of a square image, relative to its middle: (rows, columns), each (size, size)."""
    axis = np.arange(size, dtype=np.float64) - (size - 1) / 2
    return np.repeat(axis[:, None], size, axis=1), np.repeat(axis[None, :], size, axis=0)


def bilinear(image: Floats, rows: Floats, columns: Floats) -> Floats:
    """Sample (H, W) or (H, W, C) at real positions; zero outside the image."""
    height, width = image.shape[:2]
    bordered = np.zeros((height + 2, width + 2, *image.shape[2:]))
    bordered[1:-1, 1:-1] = image
    rows = np.clip(rows, -1.0, float(height))
    columns = np.clip(columns, -1.0, float(width))
    top, left = np.floor(rows), np.floor(columns)
    down, right = rows - top, columns - left
    if image.ndim == 3:
        down, right = down[..., None], right[..., None]
    i, j = top.astype(np.intp) + 1, left.astype(np.intp) + 1
    below, beside = np.minimum(i + 1, height + 1), np.minimum(j + 1, width + 1)
    upper = bordered[i, j] * (1.0 - right) + bordered[i, beside] * right
    lower = bordered[below, j] * (1.0 - right) + bordered[below, beside] * right
    sampled: Floats = upper * (1.0 - down) + lower * down
    return sampled


def rotation(degrees: float) -> tuple[float, float]:
    """(cosine, sine), cut to 40 bits so that no mathematical library's last digit shows."""
    angle = math.radians(degrees)
    return round(math.cos(angle) * 2**40) / 2**40, round(math.sin(angle) * 2**40) / 2**40


def to_bytes(image: Floats) -> NDArray[np.uint8]:
    """Round half up and clip to 0..255."""
    return np.clip(np.floor(image + 0.5), 0.0, 255.0).astype(np.uint8)
