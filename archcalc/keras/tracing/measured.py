"""What a layer whose code cannot be read depends on: measured, from gradients of its outputs.

Weights and inputs are drawn at random and positive; where the gradient of an output unit is not zero, it
reads the input. That is evidence, not proof: a figure that follows from it is labelled as measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from archcalc.keras.tracing.recording import converted, recording, with_masks_and_training

_DRAWS = 3
_POSITIONS = 8  # along each axis
_LARGEST = 2_000_000  # elements of the weights and of the input

Span = tuple[int, int]


def measured_window(layer: Any, args: Any, kwargs: Mapping[str, Any], outputs: Any) -> dict[str, Any]:
    """The window and stride of a layer, as an `Opaque` states them; empty where none can be measured.

    One input and one output of real numbers, both with the batch axis first, as many other axes and no
    open sizes, are necessary. The layer's variables are not changed.
    """
    tensors = [x for x in keras.tree.flatten([args, dict(kwargs)]) if isinstance(x, keras.KerasTensor)]
    if len(tensors) != 1 or len(outputs) != 1 or not _is_measurable(layer, tensors[0], outputs[0]):
        return {}
    sizes, ends = tuple(tensors[0].shape[1:-1]), tuple(outputs[0].shape[1:-1])
    spans: dict[tuple[int, ...], list[Span]] = {}
    try:
        with recording(layer, [], random=True):
            for seed in range(_DRAWS):
                for position, found in _spans(layer, args, kwargs, tensors[0], ends, seed):
                    old = spans.setdefault(position, found)
                    spans[position] = [
                        (min(a), max(b))
                        for a, b in (zip(*pair, strict=True) for pair in zip(old, found, strict=True))
                    ]
    except Exception:  # whatever the layer's code raises on real numbers
        return {}
    return _window(spans, sizes, ends)


def _is_measurable(layer: Any, x: Any, y: Any) -> bool:
    shapes = tuple(x.shape[1:]), tuple(y.shape[1:])
    return (
        len(shapes[0]) == len(shapes[1]) > 1
        and not any(n is None for shape in shapes for n in shape)
        and all(keras.backend.is_float_dtype(t.dtype) for t in (x, y))
        and prod(shapes[0]) + sum(prod(v.shape) for v in layer.variables) <= _LARGEST
    )


def _spans(layer: Any, args: Any, kwargs: Any, tensor: Any, ends: tuple[int, ...], seed: int) -> Any:
    """For positions of the output, the first and last index along each axis of the input that it reads."""
    draw = np.random.default_rng(seed)
    x = tf.constant(draw.uniform(0.1, 1, (2, *tensor.shape[1:])), dtype=tensor.dtype)
    states = [
        (v, draw.uniform(0.1, 1, v.shape) if keras.backend.is_float_dtype(v.dtype) else np.zeros(v.shape))
        for v in layer.variables
    ]
    with keras.StatelessScope(states, initialize_variables=False), tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        given, words = keras.tree.map_structure(lambda t: x if t is tensor else t, (args, dict(kwargs)))
        words = with_masks_and_training(layer, given, words)
        (y,) = keras.tree.flatten(layer.call(*converted(layer, given), **converted(layer, words)))
        units = {p: tf.reduce_sum(y[(0, *p)]) for p in _positions(ends)}
    for position, unit in units.items():
        gradient = tape.gradient(unit, x)
        if gradient is None:
            raise ValueError("no gradient")
        read, of_another_sample = np.asarray(gradient) != 0
        if not read.any() or of_another_sample.any():
            raise ValueError("no window of one sample")
        yield position, [(int(where.min()), int(where.max())) for where in np.nonzero(read)[:-1]]


def _positions(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Positions along each axis through the middle of the others."""
    middle = [n // 2 for n in sizes]
    lines = (
        [
            (*middle[:axis], int(i), *middle[axis + 1 :])
            for i in np.unique(np.linspace(0, n - 1, _POSITIONS, dtype=int))
        ]
        for axis, n in enumerate(sizes)
    )
    return list(dict.fromkeys(itertools.chain.from_iterable(lines)))


def _window(spans: Any, sizes: tuple[int, ...], ends: tuple[int, ...]) -> dict[str, Any]:
    """A sliding window that explains every span; the whole input if every unit reads all of it."""
    if all(found == [(0, n - 1) for n in sizes] for found in spans.values()):
        return {"window": "whole", "measured": True}
    window, strides = [], []
    for axis, (n, m) in enumerate(zip(sizes, ends, strict=True)):
        pairs = [(position[axis], found[axis]) for position, found in spans.items()]
        widest = max(hi - lo + 1 for _, (lo, hi) in pairs)
        fits = [
            (k, s) for k in (widest, widest + 1) for s in (*_strides(n, m),) if _explains(pairs, n, m, k, s)
        ]
        if not fits:
            return {}
        window.append(fits[0][0])
        strides.append(fits[0][1])
    return {"window": window, "stride": strides, "measured": True}


def _strides(n: int, m: int) -> list[int]:
    return sorted({1, n // m or 1, -(-n // m)}, reverse=True)


def _explains(pairs: list[tuple[int, Span]], n: int, m: int, k: int, s: int) -> bool:
    """Whether a window of `k` with stride `s`, padded as `Opaque` pads, reads exactly these spans."""
    pad = max((m - 1) * s + k - n, 0) // 2
    return all((max(p * s - pad, 0), min(p * s - pad + k - 1, n - 1)) == found for p, found in pairs)
