"""The norm of a large Jacobian from below, by Golub-Kahan-Lanczos bidiagonalisation.

Source: Golub & Kahan 1965. After k steps the largest singular value of a k x k bidiagonal matrix is that
of the Jacobian restricted to the space seen so far: never above the norm, and close to it soon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from archcalc.keras.build import Built, call

STEPS = 8


def norm_from_below(
    built: Built, inputs: Sequence[Any], node: int, seed: int = 0, steps: int = STEPS
) -> float:
    """From below, the 2-norm of the Jacobian of the model's output in a node's output, at one sample.

    All outputs of the model, and of the node, count as one vector.
    """
    at, onward = _onward(built, inputs, node)
    sizes = [int(np.prod(x.shape)) for x in at]

    def vector(parts: Sequence[Any], like: Sequence[Any]) -> np.ndarray:
        return np.concatenate(
            [
                np.zeros(int(np.prod(x.shape))) if p is None else np.asarray(p, float).ravel()
                for p, x in zip(parts, like, strict=True)
            ]
        )

    def tensors(v: np.ndarray, like: Sequence[Any]) -> list[Any]:
        cuts = np.cumsum([int(np.prod(x.shape)) for x in like])[:-1]
        parts = zip(np.split(v, cuts), like, strict=True)
        return [tf.constant(p.reshape(x.shape), x.dtype) for p, x in parts]

    def transposed(u: np.ndarray) -> np.ndarray:
        with tf.GradientTape() as tape:
            tape.watch(at)
            made = onward(at)
        return vector(tape.gradient(made, at, output_gradients=tensors(u, made)), at)

    def forward(v: np.ndarray) -> np.ndarray:
        with tf.autodiff.ForwardAccumulator(at, tensors(v, at)) as accumulator:
            made = onward(at)
        return vector([accumulator.jvp(y) for y in made], made)

    outputs = onward(at)
    count = sum(int(np.prod(y.shape)) for y in outputs)
    return bidiagonal(forward, transposed, count, min(steps, count, sum(sizes)), seed)


def bidiagonal(
    forward: Callable[[np.ndarray], np.ndarray],
    transposed: Callable[[np.ndarray], np.ndarray],
    rows: int,
    steps: int,
    seed: int = 0,
) -> float:
    """The largest singular value that `steps` steps find of a matrix given by its products."""
    u = np.random.default_rng(seed).standard_normal(rows)
    u /= np.linalg.norm(u)
    left: list[np.ndarray] = [u]
    right: list[np.ndarray] = []
    found = np.zeros((steps + 1, steps))
    size = 0
    for k in range(steps):
        w = _without(transposed(left[k]), right)
        alpha = float(np.linalg.norm(w))
        if alpha <= 1e-12 * (1 + found.max(initial=0.0)):
            break
        right.append(w / alpha)
        found[k, k] = alpha
        size = k + 1
        z = _without(forward(right[k]), left)
        beta = float(np.linalg.norm(z))
        if beta <= 1e-12 * (1 + alpha) or k + 1 == steps:
            break
        left.append(z / beta)
        found[k + 1, k] = beta
    # rows that were reached from both sides: a compression of the matrix
    return float(np.linalg.norm(found[:size, :size], 2)) if size else 0.0


def _without(x: np.ndarray, basis: Sequence[np.ndarray]) -> np.ndarray:
    """The part at right angles to an orthonormal basis; twice, as rounding asks for."""
    for _ in range(2):
        for b in basis:
            x = x - (b @ x) * b
    return x


def _onward(
    built: Built, inputs: Sequence[Any], node: int
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """A node's real outputs at this sample, and the model's outputs as a function of them."""
    graph = built.graph
    given = dict(zip(graph.inputs, inputs, strict=True))
    values: list[tuple[Any, ...]] = []

    def made(i: int, before: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        read = [before[t.node][t.output] for t in graph.nodes[i].inputs]
        return tuple(call(built.layers[i], read, graph.nodes[i].layer, training=False))

    for i in range(len(graph.nodes)):
        values.append((tf.constant(given[i]),) if i in given else made(i, values))
    behind = {node}
    for i in range(node + 1, len(graph.nodes)):
        if any(t.node in behind for t in graph.nodes[i].inputs):
            behind.add(i)
    floats = [k for k, y in enumerate(values[node]) if tf.as_dtype(y.dtype).is_floating]

    def onward(at: Sequence[Any]) -> list[Any]:
        now = list(values)
        here = list(values[node])
        for k, y in zip(floats, at, strict=True):
            here[k] = tf.identity(y)
        now[node] = tuple(here)
        for i in sorted(behind - {node}):
            now[i] = made(i, now)
        return [tf.identity(now[t.node][t.output]) for t in graph.outputs]

    return [values[node][k] for k in floats], onward
