"""Figures measured on a real model: gradient support and spread, and the tensors themselves."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras.build import Built
from archcalc.keras.linear_layers import PRECISION

Position = tuple[int, ...]


@dataclass(frozen=True)
class Support:
    """What a position of one output depends on, for one input of the model.

    `box` holds the first and last unit along each axis of the input (without batch), 0 and -1 for an
    axis without any; `weights` for each axis the absolute gradient, summed over all others.
    """

    box: tuple[tuple[int, int], ...]
    weights: tuple[np.ndarray, ...]


# for each model input; None where no gradient arrives
Supports = tuple[Support | None, ...]

INPUTS = -1  # in place of a node
# memory of a recorded pass with its gradients, over that of all layers' outputs; 2.5 was measured
RECORDED = 3


class Gradients:
    """One forward pass of a linear model, and backward passes from any node's positions.

    Each position of an output is a separate sample of the batch, so that one backward pass computes
    all of them. A position includes all its channels.

    A backward pass pauses at each node that all paths from the inputs run through. A gradient that is
    known from there is not followed again: with positive weights, where it is zero decides which units it
    reaches; for a `spread`, its values do, up to a factor, because the model is linear.

    Raises
    ------
    MemoryError
        This machine has too little memory, for which the system would end the process.
    """

    def __init__(self, built: Built, positions: int, seed: int = 0, *, spread: bool = False) -> None:
        self.positions = _batch(built, positions)
        self.spread = spread
        _require_memory(self.positions * _held(built))
        random = np.random.default_rng(seed)
        self.inputs = []
        for i in built.graph.inputs:
            shape = built.tensors[i][0].shape[1:]
            sample = random.uniform(0.9, 1.1, (1, *shape))
            self.inputs.append(tf.constant(np.repeat(sample, self.positions, axis=0), dtype=PRECISION))
        self.failures: dict[int, str] = {}
        self._before = _before(built.graph)
        self._pauses = set(self._before)
        self._sources: dict[int, Sequence[Any]] = {INPUTS: self.inputs}
        self._known: dict[bytes, Supports] = {}
        self._tape = tf.GradientTape(persistent=True)
        with self._tape:
            self._tape.watch(self.inputs)
            self.values = list(built.run(self.inputs, failures=self.failures, passed_on=self._paused))

    def _paused(self, node: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """What readers of a node get: a backward pass ends there if all paths run through it."""
        if node not in self._pauses:
            return values
        values = tuple(map(tf.stop_gradient, values))
        self._tape.watch([y for y in values if y.dtype.is_floating])
        self._sources[node] = values
        return values

    def support(self, node: int, positions: Sequence[Position], axes: Sequence[int]) -> list[Supports]:
        """What each of `positions` of the node's first output depends on.

        `axes` are the axes of the output (without batch) that a position has an index for; the
        others are summed.
        """
        y = self.values[node][0]
        supports: list[Supports] = []
        for first in range(0, len(positions), self.positions):
            together = positions[first : first + self.positions]
            chosen = np.zeros((self.positions, *y.shape[1:]))
            for sample, position in enumerate(together):
                at: list[Any] = [slice(None)] * (len(y.shape) - 1)
                for axis, index in zip(axes, position, strict=True):
                    at[axis] = index
                chosen[(sample, *at)] = 1.0
            supports += self._reached(node, [tf.constant(chosen, y.dtype)], len(together))
        return supports

    def _reached(self, node: int, gradients: list[Any], count: int) -> list[Supports]:
        """What the first samples reach that have these gradients with respect to the outputs of a node."""
        keys: list[list[bytes]] = [[] for _ in range(count)]
        followed = list(range(count))
        while True:
            arrays = [None if g is None else np.asarray(g) for g in gradients]
            unknown: dict[bytes, int] = {}
            for sample in followed:
                key = self._key(node, [None if g is None else g[sample] for g in arrays])
                keys[sample].append(key)
                if key not in self._known:
                    unknown.setdefault(key, sample)
            if node == INPUTS or not unknown:
                break
            followed = list(unknown.values())
            gradients = self._back(node, gradients)
            node = self._before[node]
        for key, sample in unknown.items():
            self._known[key] = tuple(
                None if g is None else _support(np.abs(g[sample]), self.spread) for g in arrays
            )
        for passed in sorted(keys, key=len, reverse=True):
            self._known |= dict.fromkeys(passed, self._known[passed[-1]])
        return [self._known[passed[-1]] for passed in keys]

    def _key(self, node: int, gradients: list[np.ndarray | None]) -> bytes:
        """The same for gradients that reach the same from here."""
        digest = blake2b(str(node).encode(), digest_size=16)
        known = [g for g in gradients if g is not None]
        largest = max((max(g.max(), -g.min()) for g in known if g.size), default=0) if self.spread else 1
        for g in gradients:
            if g is None:
                digest.update(b"none")
            elif self.spread:
                digest.update(((g / (largest or 1)).astype(np.float32) + np.float32(0)).tobytes())
            else:
                digest.update(np.packbits(g != 0).tobytes())
        return digest.digest()

    def _back(self, node: int, gradients: list[Any]) -> list[Any]:
        """Gradients with respect to where the pass pauses next."""
        sources = self._sources[self._before[node]]
        pairs = [(y, g) for y, g in zip(self.values[node], gradients, strict=False) if g is not None]
        if not pairs:
            return [None] * len(sources)
        outputs, incoming = map(list, zip(*pairs, strict=True))
        found = self._tape.gradient(outputs, sources, output_gradients=incoming)
        return [None if g is None else tf.convert_to_tensor(g) for g in found]


def _before(graph: Graph) -> list[int]:
    """For each node the last one before it that all paths from the inputs run through, or `INPUTS`.

    No edge passes over such a node.
    """
    before: list[int] = []
    reached: set[int] = set()
    last, furthest = INPUTS, max(graph.inputs)
    for i, (node, consumers) in enumerate(zip(graph.nodes, graph.consumers(), strict=True)):
        before.append(last)
        if i in graph.inputs or any(t.node in reached for t in node.inputs):
            reached.add(i)
            last = i if furthest <= i else last
            furthest = max(furthest, *consumers, i)
    return before


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


def _support(magnitudes: np.ndarray, spread: bool) -> Support:
    axes = range(magnitudes.ndim)
    weights = tuple(magnitudes.sum(axis=tuple(a for a in axes if a != axis)) for axis in axes)
    reached = [np.flatnonzero(w) for w in weights]
    box = tuple((int(units[0]), int(units[-1])) if len(units) else (0, -1) for units in reached)
    return Support(box, weights if spread else ())


def standard_deviation(weights: np.ndarray) -> float:
    """Of the position along an axis, weighted."""
    positions = np.arange(len(weights))
    mean = np.average(positions, weights=weights)
    return math.sqrt(np.average((positions - mean) ** 2, weights=weights))


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
