"""Jacobians measured on the real model, and its weights by archcalc's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from archcalc.analyses import parameters, shapes
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.keras.build import Built
from archcalc.keras.calls import call_node
from archcalc.keras.live_weights import arrays
from archcalc.keras.measure import sample


def random_inputs(built: Built, seed: int = 0) -> list[np.ndarray]:
    """One sample for each model input: reals from -1 to 1, or valid indices of embedding tables."""
    random = np.random.default_rng(seed)
    inputs = []
    for i in built.graph.inputs:
        tensor = built.tensors[i][0]
        inputs.append(sample(random, (1, *tensor.shape[1:]), str(tensor.dtype), built.graph, i))
    return inputs


def jacobian_norms(built: Built, inputs: Sequence[np.ndarray], *, largest: int = 256) -> list[float | None]:
    """For each node the 2-norm of the Jacobian of the model's output with respect to its own, at one sample.

    All outputs of the model, and of the node, count as one vector. None for nodes whose values are
    not real numbers. Each unit of the output is a separate sample of the batch, so that one backward
    pass computes all rows; raises `ArchcalcError` for more than `largest` units.
    """
    graph = built.graph
    units = [int(np.prod(built.tensors[t.node][t.output].shape[1:], dtype=int)) for t in graph.outputs]
    count = sum(units)
    if count > largest:
        raise ArchcalcError(f"{count} units of output, more than {largest}")
    repeated = [tf.constant(np.repeat(x, count, axis=0)) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch([x for x in repeated if x.dtype.is_floating])
        values = _values(built, repeated)
        total = tf.zeros((), "float64")
        first = 0
        for tap, n in zip(graph.outputs, units, strict=True):
            y = tf.reshape(tf.cast(values[tap.node][tap.output], "float64"), (count, n))
            # sample i of the batch selects unit i
            total += tf.reduce_sum(y * tf.eye(count, dtype="float64")[:, first : first + n])
            first += n
    real = [
        [y for y in outputs if hasattr(y, "dtype") and tf.as_dtype(y.dtype).is_floating] for outputs in values
    ]
    gradients = iter(tape.gradient(total, [y for outputs in real for y in outputs]))
    norms: list[float | None] = []
    for outputs in real:
        if not outputs:
            norms.append(None)
            continue
        parts = [
            np.zeros((count, 1))
            if g is None
            else np.asarray(tf.convert_to_tensor(g), float).reshape(count, -1)
            for g in (next(gradients) for _ in outputs)
        ]
        norms.append(float(np.linalg.norm(np.hstack(parts), 2)))
    return norms


def _values(built: Built, inputs: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Every node's outputs, each a separate tensor even where a layer returns its input."""
    graph = built.graph
    by_node = dict(zip(graph.inputs, inputs, strict=True))
    values: list[tuple[Any, ...]] = []
    for i, node in enumerate(graph.nodes):
        if i in by_node:
            outputs: tuple[Any, ...] = (by_node[i],)
        else:
            outputs = call_node(built.layers[i], node, values, training=False)
        values.append(tuple(map(_separate, outputs)))
    return values


def _separate(y: Any) -> Any:
    """A copy of the tensor, with the mask that Keras attaches to it."""
    copy = tf.identity(y)
    mask = getattr(y, "_keras_mask", None)
    if mask is not None:
        copy._keras_mask = mask
    return copy


def weights_by_name(built: Built) -> dict[str, dict[str, Any]]:
    """The arrays of every node that owns weights, as `archcalc.analyze(weights=...)` accepts them."""
    graph: Graph = built.graph
    owned = parameters.weights(graph, shapes.infer(graph))
    by_name: dict[str, dict[str, Any]] = {}
    for node, layer, declared in zip(graph.nodes, built.layers, owned, strict=True):
        if not declared:
            continue
        by_name[node.name] = arrays(layer, declared, node.name)
    return by_name


def draw_weights(built: Built, seed: int = 0) -> None:
    """Set all weights to random values that hide no mistake: none is 0 or 1, variances are positive."""
    random = np.random.default_rng(seed)
    for layer in {
        id(layer): layer for layer in built.layers if isinstance(layer, keras.layers.Layer)
    }.values():
        for variable in layer.weights:
            if variable.name == "seed_generator_state":
                continue
            shape = tuple(variable.shape)
            if "variance" in variable.name or "stddev" in variable.name:
                variable.assign(random.uniform(0.5, 2.0, shape))
            elif variable.name in ("gamma", "alpha", "scale"):
                variable.assign(random.uniform(0.3, 1.5, shape) * random.choice([-1, 1], shape))
            else:
                fan = max(1, int(np.prod(shape[:-1], dtype=int)))
                variable.assign(random.normal(size=shape) * random.uniform(0.5, 2.0) / np.sqrt(fan))
        for inner in layer._flatten_layers():
            if isinstance(inner, keras.layers.Normalization):
                inner.finalize_state()  # it computes with copies of its weights
