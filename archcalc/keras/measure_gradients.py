"""Gradient norms of the real model at initialisation, over random weights, inputs and output directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from archcalc.graph import Graph
from archcalc.keras.build import Built, build


def gradient_runs(
    graph: Graph, seeds: int, *, first: int = 0, batch: int = 1, training: bool = True
) -> Iterator[np.ndarray]:
    """For each seed log10 of every node's gradient norm over the output's; NaN where no gradient arrives.

    Each seed draws new weights with the layers' own initialisers, standard normal inputs
    and a random direction at the output. With a `batch` of several, norms are those of the whole batch.
    """
    for seed in range(first, first + seeds):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(seed)
        yield gradient_norms(build(graph), seed, batch=batch, training=training)


def gradient_norms(built: Built, seed: int, *, batch: int = 1, training: bool = True) -> np.ndarray:
    """One run of `gradient_runs`, with the model's present weights."""
    random = np.random.default_rng(seed)
    inputs = []
    for i in built.graph.inputs:
        tensor = built.tensors[i][0]
        drawn = random.standard_normal((batch, *tensor.shape[1:]))
        inputs.append(tf.constant(drawn, dtype=tensor.dtype))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        values = list(built.run(inputs, training=training))
        outputs = [values[t.node][t.output] for t in dict.fromkeys(built.graph.outputs)]
        directions = [tf.constant(random.standard_normal(y.shape), y.dtype) for y in outputs]
        along = tf.add_n([tf.reduce_sum(y * v) for y, v in zip(outputs, directions, strict=True)])
    gradients = tape.gradient(along, [results[0] for results in values])
    size = np.sqrt(sum(float(tf.reduce_sum(tf.cast(v, tf.float64) ** 2)) for v in directions))
    return np.array([_log_norm(g) - np.log10(size) for g in gradients])


def _log_norm(gradient: Any) -> float:
    if gradient is None:
        return float("nan")
    g = np.asarray(tf.convert_to_tensor(gradient), np.float64)
    top = float(np.abs(g).max(initial=0.0))
    return float("nan") if top == 0 else float(np.log10(top) + np.log10(np.linalg.norm(g / top)))
