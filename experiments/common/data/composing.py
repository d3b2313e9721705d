"""What the generated sets have in common: a garment turned, scaled, shifted, coloured, on a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.draw import Draw, Floats, bilinear, grid, rotation

DARK = 10  # of 255; below this a garment's pixel counts as background


@dataclass(frozen=True)
class Pose:
    """Where and how the garment lies in the picture."""

    degrees: float
    scale: float
    down: float
    right: float

    @staticmethod
    def of(draw: Draw, turn: float, scale: tuple[float, float], shift: float) -> Pose:
        return Pose(
            draw.uniform(-turn, turn),
            draw.uniform(*scale),
            draw.uniform(-shift, shift),
            draw.uniform(-shift, shift),
        )


def garment_positions(pose: Pose, size: int) -> tuple[Floats, Floats]:
    """For each pixel of a (size, size) picture, its place (row, column) in the garment's 28 x 28.

    `scale` 1 lets the garment fill the picture; `down` and `right` are pixels of the picture.
    """
    rows, columns = grid(size)
    rows, columns = rows - pose.down, columns - pose.right
    cosine, sine = rotation(pose.degrees)
    step = 28.0 / (size * pose.scale)
    return (
        (rows * cosine + columns * sine) * step + 13.5,
        (columns * cosine - rows * sine) * step + 13.5,
    )


def colour(draw: Draw) -> Floats:
    """A random colour, (3,), 30..255."""
    return 30.0 + 225.0 * draw.uniforms(3)


def cloth(draw: Draw, rows: Floats, columns: Floats) -> Floats:
    """Plain, striped, chequered or spotted cloth in two colours, (H, W, 3), fixed to the garment."""
    first, second = colour(draw), colour(draw)
    kind = draw.integer(0, 3)
    cosine, sine = rotation(draw.uniform(0.0, 180.0))
    period = draw.uniform(3.0, 9.0)
    along, across = (rows * cosine + columns * sine) / period, (columns * cosine - rows * sine) / period
    along, across = along - np.floor(along), across - np.floor(across)
    if kind == 0:
        share = np.zeros_like(along)
    elif kind == 1:
        share = (along < 0.5).astype(np.float64)
    elif kind == 2:
        share = ((along < 0.5) != (across < 0.5)).astype(np.float64)
    else:
        share = ((along - 0.5) ** 2 + (across - 0.5) ** 2 < 0.08).astype(np.float64)
    return first + share[..., None] * (second - first)


def mask_of(garment: NDArray[np.uint8], rows: Floats, columns: Floats) -> Floats:
    """How much of each pixel the garment covers, 0..1: its outline, interpolated and steepened."""
    covered = bilinear((garment > DARK).astype(np.float64), rows, columns)
    return np.clip(covered * 2.0 - 0.5, 0.0, 1.0)


def shade_of(garment: NDArray[np.uint8], rows: Floats, columns: Floats) -> Floats:
    """Light and dark of the garment itself, 0.3..1."""
    return 0.3 + bilinear(garment.astype(np.float64), rows, columns) * (0.7 / 255.0)
