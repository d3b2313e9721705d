"""Training steps of archcalc's LocallyConnected2D against `tf_keras`'s, in one run.

    python benchmarks/locally_connected.py

Both run the same step (forward, loss, gradients of input and weights) compiled with
`tf.function`, in turns on the same arrays; the median of the turns counts. The figure to
quote is the ratio. The first call, which traces the function, is listed separately: `tf_keras`'s
implementation 1 creates one slice per output position.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras

from archcalc.keras.locally_connected import LocallyConnected2D

CASES: list[tuple[tuple[int, int, int], dict[str, Any]]] = [
    ((14, 14, 8), {"filters": 16, "kernel_size": 3}),
    ((32, 32, 16), {"filters": 32, "kernel_size": 3}),
    ((32, 32, 3), {"filters": 16, "kernel_size": 5, "strides": 2}),
    ((14, 14, 8), {"filters": 8, "kernel_size": 3, "padding": "same", "implementation": 3}),
    ((10, 10, 4), {"filters": 8, "kernel_size": 3, "padding": "same", "implementation": 2}),
]
BATCH, TURNS = 32, 15


def step_of(layer: Any) -> Callable[[Any], Any]:
    """One compiled training step of a layer."""
    weights = [getattr(w, "value", w) if isinstance(layer, LocallyConnected2D) else w for w in layer.weights]

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(tf.square(layer(x)))
        return tape.gradient(loss, [x, *weights])

    return step


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print one row per case."""
    print(f"{'input':>12} {'arguments':<62} {'tf_keras':>9} {'archcalc':>9} {'ratio':>6} {'first calls':>13}")
    for shape, arguments in CASES:
        x = tf.constant(np.random.default_rng(0).normal(size=(BATCH, *shape)).astype("float32"))
        steps, first = [], []
        for layer in (tf_keras.layers.LocallyConnected2D(**arguments), LocallyConnected2D(**arguments)):
            layer.build((None, *shape))
            steps.append(step_of(layer))
            first.append(seconds(lambda: steps[-1](x)))  # noqa: B023  (called at once)
        turns = [[seconds(lambda: step(x)) for step in steps] for _ in range(TURNS)]  # noqa: B023
        theirs, ours = (statistics.median(column) for column in zip(*turns, strict=True))
        print(
            f"{'x'.join(map(str, shape)):>12} {arguments!s:<62} {theirs * 1e3:7.2f}ms {ours * 1e3:7.2f}ms "
            f"{theirs / ours:5.1f}x {first[0]:5.2f}s {first[1]:5.2f}s"
        )


if __name__ == "__main__":
    main()
