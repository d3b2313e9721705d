"""Tensors that the backward pass of a real Keras model reads, from TensorFlow's traced graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# operations whose output is the buffer of their input, or a view of it
ALIASES = {"Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "Snapshot", "IdentityN"}


def saved_tensors(model: Any, batch: int) -> dict[str, int]:
    """Tensors of the forward pass that operations of the backward pass read, with their bytes.

    A training step is traced: forward pass, loss, gradients of all trainable weights. Operations
    before the gradient call are the forward pass; its tensors that later operations read are saved.
    A view counts as the tensor that it views. Variables, constants and tensors without a batch axis
    (shapes, statistics of the batch, casts of weights) are left out.
    """
    split: list[int] = []

    def step(*inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(list(inputs) if len(inputs) > 1 else inputs[0], training=True)
            loss = sum(tf.cast(tf.reduce_sum(tf.square(y)), tf.float32) for y in tf.nest.flatten(outputs))
        split.append(len(tf.compat.v1.get_default_graph().get_operations()))
        return tape.gradient(loss, model.trainable_variables)

    signature = [tf.TensorSpec((batch, *x.shape[1:]), x.dtype) for x in model.inputs]
    graph = tf.function(step).get_concrete_function(*signature).graph
    operations = graph.get_operations()
    before = {op.name for op in operations[: split[-1]]}
    saved: dict[str, int] = {}
    for operation in operations[split[-1] :]:
        for tensor in operation.inputs:
            root = tensor
            while root.op.type in ALIASES:
                root = root.op.inputs[0]
            if root.op.name in before and _counts(root, batch):
                saved[root.name] = root.shape.num_elements() * root.dtype.size
    return saved


def _counts(tensor: Any, batch: int) -> bool:
    if (
        tensor.dtype == tf.resource
        or tensor.shape.rank in (None, 0)
        or tensor.op.type in ("Const", "ReadVariableOp")
    ):
        return False
    return tensor.shape[0] % batch == 0
