"""Figures measured on a real model: gradient support and spread, and the tensors themselves."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras.build import Built
from archcalc.keras.linear_layers import PRECISION

Position = tuple[int, ...]


@dataclass(frozen=True)
class Support:
    """What positions of one output depend on, for one input of the model.

    `lows` and `highs` are the first and last unit along each axis of the input (without batch), one
    row per position; for an axis without any they are 0 and -1. `weights` holds, on request, the
    absolute gradient of each position summed over all but one axis.
    """

    lows: np.ndarray
    highs: np.ndarray
    weights: tuple[np.ndarray, ...] = ()


# memory of a recorded pass with its gradients, over that of all layers' outputs; 2.5 was measured
RECORDED = 3


class Gradients:
    """One forward pass of a linear model, and backward passes from any node's positions.

    Each position of an output is a separate sample of the batch, so that one backward pass computes
    all of them. A position includes all its channels.

    Raises
    ------
    MemoryError
        This machine has too little memory, for which the system would end the process.
    """

    def __init__(self, built: Built, positions: int, seed: int = 0) -> None:
        self.built = built
        self.positions = _batch(built, positions)
        _require_memory(self.positions * _held(built))
        random = np.random.default_rng(seed)
        self.inputs = []
        for i in built.graph.inputs:
            shape = built.tensors[i][0].shape[1:]
            sample = random.uniform(0.9, 1.1, (1, *shape))
            self.inputs.append(tf.constant(np.repeat(sample, self.positions, axis=0), dtype=PRECISION))
        self._tape = tf.GradientTape(persistent=True)
        with self._tape:
            self._tape.watch(self.inputs)
            self.failures: dict[int, str] = {}
            self.values = list(built.run(self.inputs, failures=self.failures))

    def support(
        self, node: int, positions: Sequence[Position], axes: Sequence[int], *, spread: bool = False
    ) -> list[Support | None]:
        """For each model input, what `positions` of the node's first output depend on.

        `axes` are the axes of the output (without batch) that a position has an index for; the
        others are summed. An input without a connection gives None.
        """
        y = self.values[node][0]
        chosen = np.zeros((self.positions, *y.shape[1:]))
        for sample, position in enumerate(positions):
            at: list[Any] = [slice(None)] * (len(y.shape) - 1)
            for axis, index in zip(axes, position, strict=True):
                at[axis] = index
            chosen[(sample, *at)] = 1.0
        gradients = self._tape.gradient(y, self.inputs, output_gradients=tf.constant(chosen, y.dtype))
        return [
            None if g is None else _support(np.abs(_dense(g))[: len(positions)], spread) for g in gradients
        ]


def _held(built: Built) -> int:
    """Bytes of all outputs for one sample, in double precision."""
    return sum(8 * math.prod(map(int, tensor.shape[1:])) for tensors in built.tensors for tensor in tensors)


def _require_memory(held: int) -> None:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not everywhere
        return
    needed = RECORDED * held
    if needed > memory:
        raise MemoryError(
            f"the gradients need about {needed >> 30} GiB of {memory >> 30}: a smaller input needs less"
        )


def _batch(built: Built, positions: int) -> int:
    """The smallest batch, of at least `positions` and two samples, that is the size of no tensor's axis.

    Keras 3.15 adds a tensor of shape (n, 1, 1, 1) to one of (n, n, w, c) along the wrong axis.
    """
    sides = {n for tensors in built.tensors for tensor in tensors for n in tensor.shape[1:]}
    return next(n for n in itertools.count(max(positions, 2)) if n not in sides)


def _dense(gradient: Any) -> np.ndarray:
    return np.asarray(tf.convert_to_tensor(gradient))


def _support(magnitudes: np.ndarray, spread: bool) -> Support:
    count, *sides = magnitudes.shape
    lows = np.zeros((count, len(sides)), int)
    highs = np.full((count, len(sides)), -1)
    weights = []
    for axis, n in enumerate(sides):
        others = tuple(a + 1 for a in range(len(sides)) if a != axis)
        profile = magnitudes.sum(axis=others)
        weights.append(profile)
        seen = profile > 0
        some = seen.any(axis=1)
        lows[some, axis] = seen[some].argmax(axis=1)
        highs[some, axis] = n - 1 - seen[some, ::-1].argmax(axis=1)
    return Support(lows, highs, tuple(weights) if spread else ())


def standard_deviations(weights: np.ndarray) -> np.ndarray:
    """Standard deviation of the position, weighted by each row."""
    positions = np.arange(weights.shape[1])
    total = weights.sum(axis=1)
    mean = (weights * positions).sum(axis=1) / total
    variance: np.ndarray = (weights * (positions - mean[:, None]) ** 2).sum(axis=1) / total
    return np.sqrt(variance)  # type: ignore[no-any-return]


def outputs(built: Built, failures: dict[int, str], seed: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
    """Every node's output arrays for one random sample; none, with the reason noted, if it does not run."""
    random = np.random.default_rng(seed)
    inputs = []
    for i in built.graph.inputs:
        tensor = built.tensors[i][0]
        shape = (1, *tensor.shape[1:])
        inputs.append(tf.constant(sample(random, shape, str(tensor.dtype), built.graph, i)))
    for values in built.run(inputs, failures=failures):
        yield tuple(np.asarray(tf.convert_to_tensor(y)) for y in values)


def sample(
    random: np.random.Generator, shape: tuple[int, ...], dtype: str, graph: Graph, node: int
) -> np.ndarray:
    """Valid values for an input: reals, or indices within the table of the embedding that reads it."""
    if np.issubdtype(np.dtype(dtype), np.floating):
        return random.uniform(-1, 1, shape).astype(dtype)
    tables = [
        n.layer.input_dim  # type: ignore[attr-defined]
        for n in graph.nodes
        if type(n.layer).__name__ == "Embedding" and any(t.node == node for t in n.inputs)
    ]
    return random.integers(0, min(tables, default=2), shape).astype(dtype)
