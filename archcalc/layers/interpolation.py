"""Kernels of image interpolation, and the pixels that each of them reads when an axis is enlarged.

Half-pixel centres without antialiasing, as in `tf.image.resize`: with factor f, output pixel i
is at position (i + 1/2)/f - 1/2 of the input.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import pi, sin
from typing import NamedTuple


class Interpolation(NamedTuple):
    """A kernel as a function of the distance in input pixels; zero from `radius` on."""

    radius: int
    weight: Callable[[float], float]


def _cubic(x: float) -> float:
    """The cubic kernel of Keys (1981) with a = -1/2, which TensorFlow uses with half-pixel centres."""
    return (1.5 * x - 2.5) * x * x + 1 if x < 1 else ((-0.5 * x + 2.5) * x - 4) * x + 2


def _lanczos(radius: int) -> Callable[[float], float]:
    def weight(x: float) -> float:
        return radius * sin(pi * x) * sin(pi * x / radius) / (pi * x) ** 2 if x else 1.0

    return weight


INTERPOLATIONS: dict[str, Interpolation] = {
    "bilinear": Interpolation(1, lambda x: 1 - x),
    "bicubic": Interpolation(2, _cubic),
    "lanczos3": Interpolation(3, _lanczos(3)),
    "lanczos5": Interpolation(5, _lanczos(5)),
}


# limit of a table; no network upsamples by more in one layer
MAX_FACTOR = 1024


def phase_table(kind: Interpolation, factor: object) -> tuple[tuple[tuple[int, float], ...], ...] | None:
    """As `phases`; None for a factor that is symbolic or too large for a table."""
    return phases(kind, factor) if type(factor) is int and factor <= MAX_FACTOR else None


def phases(kind: Interpolation, factor: int) -> tuple[tuple[tuple[int, float], ...], ...]:
    """For each phase r < factor: (input offset, weight) pairs around the point (r + 1/2)/factor - 1/2."""
    table: list[tuple[tuple[int, float], ...]] = []
    for r in range(factor):
        centre = Fraction(2 * r + 1 - factor, 2 * factor)
        taps = []
        for offset in range(-kind.radius - 1, kind.radius + 2):
            distance = abs(offset - centre)
            # all kernels are zero at integer distances except 0, which rounding must not hide
            if distance < kind.radius and (distance == 0 or distance.denominator > 1):
                taps.append((offset, kind.weight(float(distance))))
        table.append(tuple(taps))
    return tuple(table)
