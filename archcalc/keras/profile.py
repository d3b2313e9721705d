"""FLOPs of a real model, layer by layer, as TensorFlow's profiler counts them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from archcalc.keras.build import Built

_SCOPE = "node"


def profiled_flops(built: Built, batch: int = 1) -> list[int]:
    """For each node the profiler's `float_ops` of one forward pass at inference.

    Each layer runs in its own name scope, which tells its operations apart. Operations for which
    TensorFlow has no rule count as zero, silently: `archcalc.conventions.tf_profiler` lists the
    layer types that are covered.
    """
    graph = built.graph
    inputs = [built.tensors[i][0] for i in graph.inputs]
    signature = [tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype) for tensor in inputs]

    def forward(*tensors: Any) -> list[Any]:
        nodes = built.run(tensors, scope=lambda i: tf.name_scope(_scope(i)))
        return list(nodes)

    traced = tf.function(forward, autograph=False).get_concrete_function(*signature)
    tools = tf.compat.v1.profiler
    options = tools.ProfileOptionBuilder(tools.ProfileOptionBuilder.float_operation())
    root = tools.profile(traced.graph, options=options.with_empty_output().build(), cmd="scope")
    flops = [0] * len(graph.nodes)
    pending = list(root.children)
    while pending:
        operation = pending.pop()
        pending.extend(operation.children)
        if operation.float_ops:
            flops[int(operation.name.split("/")[0].removeprefix(_SCOPE))] += operation.float_ops
    return flops


def _scope(node: int) -> str:
    return f"{_SCOPE}{node}"
