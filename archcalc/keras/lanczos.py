"""A lower estimate of the norm of a large Jacobian, by Golub-Kahan-Lanczos bidiagonalisation.

Source: Golub & Kahan 1965. After k steps a bidiagonal matrix of k columns has the norm of the
Jacobian restricted to the space spanned so far: never above the norm, and soon close to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from archcalc.keras.build import Built
from archcalc.keras.calls import call_node

STEPS = 8


def norm_from_below(
    built: Built, inputs: Sequence[Any], node: int, seed: int = 0, steps: int = STEPS
) -> float:
    """A lower estimate of the 2-norm of the Jacobian of the model's output with respect to a node's.

    It is taken at one sample. All outputs of the model, and of the node, count as one vector.
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
            results = onward(at)
        return vector(tape.gradient(results, at, output_gradients=tensors(u, results)), at)

    def forward(v: np.ndarray) -> np.ndarray:
        with tf.autodiff.ForwardAccumulator(at, tensors(v, at)) as accumulator:
            results = onward(at)
        return vector([accumulator.jvp(y) for y in results], results)

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
    """The largest singular value that `steps` steps find, of a matrix given by its products."""
    u = np.random.default_rng(seed).standard_normal(rows)
    u /= np.linalg.norm(u)
    left: list[np.ndarray] = [u]
    right: list[np.ndarray] = []
    matrix = np.zeros((steps + 1, steps))
    size = 0
    for k in range(steps):
        w = _without(transposed(left[k]), right)
        alpha = float(np.linalg.norm(w))
        if alpha <= 1e-12 * matrix.max(initial=0.0):
            break
        right.append(w / alpha)
        matrix[k, k] = alpha
        size = k + 1
        z = _without(forward(right[k]), left)
        matrix[k + 1, k] = beta = float(np.linalg.norm(z))
        if beta <= 1e-12 * matrix.max() or k + 1 == steps:
            break
        left.append(z / beta)
    # the matrix on the space of the right vectors
    return float(np.linalg.norm(matrix[: size + 1, :size], 2)) if size else 0.0


def _without(x: np.ndarray, basis: Sequence[np.ndarray]) -> np.ndarray:
    """The part of `x` that is orthogonal to an orthonormal basis; subtracted twice against rounding."""
    for _ in range(2):
        for b in basis:
            x = x - (b @ x) * b
    return x


def _onward(
    built: Built, inputs: Sequence[Any], node: int
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """A node's real outputs at this sample, and the model's outputs as a function of them."""
    graph = built.graph
    by_node = dict(zip(graph.inputs, inputs, strict=True))
    values: list[tuple[Any, ...]] = []

    def compute(i: int, before: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        return call_node(built.layers[i], graph.nodes[i], before, training=False)

    for i in range(len(graph.nodes)):
        values.append((tf.constant(by_node[i]),) if i in by_node else compute(i, values))
    after = {node}
    for i in range(node + 1, len(graph.nodes)):
        if any(t.node in after for t in graph.nodes[i].inputs):
            after.add(i)
    floats = [k for k, y in enumerate(values[node]) if tf.as_dtype(y.dtype).is_floating]

    def onward(at: Sequence[Any]) -> list[Any]:
        current = list(values)
        here = list(values[node])
        for k, y in zip(floats, at, strict=True):
            here[k] = tf.identity(y)
        current[node] = tuple(here)
        for i in sorted(after - {node}):
            current[i] = compute(i, current)
        return [tf.identity(current[t.node][t.output]) for t in graph.outputs]

    return [values[node][k] for k in floats], onward
