"""Operations on channels-first images give the same as on channels-last images."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from archcalc.layers.registry import registered_operations
from archcalc.layers.window import Read

POSITIONS = {0: 1, 1: 2, 2: 0}  # of height, width and channels, if channels come first

CASES: list[tuple[str, dict[str, Any], tuple[int, int, int]]] = [
    ("ops.image.resize", {"size": (12, 15)}, (6, 5, 2)),
    ("ops.image.resize", {"size": (4, 5), "interpolation": "nearest"}, (6, 5, 2)),
    ("ops.image.rgb_to_grayscale", {}, (4, 5, 3)),
    ("ops.image.extract_patches", {"size": 2}, (6, 4, 3)),
    ("ops.depth_to_space", {"block_size": 2}, (3, 2, 8)),
    ("ops.space_to_depth", {"block_size": 2}, (6, 4, 3)),
]


def first(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    height, width, channels = shape
    return channels, height, width


def moved(read: Read) -> Read:
    return dataclasses.replace(read, axis=POSITIONS[read.axis]) if hasattr(read, "axis") else read


@pytest.mark.parametrize(("kind", "arguments", "shape"), CASES)
def test_channels_first_is_channels_last_moved(
    kind: str, arguments: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    operation = registered_operations()[kind]
    last, other = operation(**arguments), operation(**arguments, data_format="channels_first")
    assert other.output_shape(first(shape)) == first(last.output_shape(shape))
    (window,), (window_first,) = last.window(shape), other.window(first(shape))
    assert window_first == first(tuple(map(moved, window)))
    assert other.elementwise_ops(first(shape)) == last.elementwise_ops(shape)
    assert operation(**arguments, data_format="channels_last").window(shape) == (window,)
