"""Multiply-adds of a training step, against TensorFlow's traced graph of one."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

import archcalc

DENSE = {"name": "d", "type": "Dense", "units": 5}
NETWORKS: dict[str, tuple[list[int], list[dict[str, Any]]]] = {
    "dense": ([4, 6], [{**DENSE}, {"name": "e", "type": "Dense", "units": 3}]),
    "convolutions": (
        [9, 8, 3],
        [
            {"name": "a", "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"},
            {"name": "b", "type": "Conv2D", "filters": 2, "kernel_size": 2, "strides": 2},
        ],
    ),
    "frozen": ([4, 6], [{**DENSE, "trainable": False}, {"name": "e", "type": "Dense", "units": 3}]),
    "frozen after": ([4, 6], [DENSE, {"name": "e", "type": "Dense", "units": 3, "trainable": False}]),
    "stopped": ([4, 6], [DENSE, {"name": "s", "type": "ops.stop_gradient"},
                         {"name": "e", "type": "Dense", "units": 3}]),
    "attention": ([6, 4], [{"name": "a", "type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3,
                            "inputs": ["x", "x"]}]),
}  # fmt: skip


def measured(graph: Any) -> int:
    """The multiply-adds of all matrix products and convolutions of a step, from the shapes of its tensors."""
    model = archcalc.to_keras(graph)
    keras.utils.set_random_seed(0)

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(x, training=True)))
        return tape.gradient(loss, model.trainable_variables)

    return macs_in(tf.function(step).get_concrete_function(tf.TensorSpec((1, *model.inputs[0].shape[1:]))))


def macs_in(traced: Any) -> int:
    """The multiply-adds of the operations of a traced graph that lead to its outputs."""
    needed: dict[str, Any] = {}  # the graph also has operations that nothing reads, which never run
    waiting = [tensor.op for tensor in traced.outputs]
    while waiting:
        op = waiting.pop()
        if op.name not in needed:
            needed[op.name] = op
            waiting += [tensor.op for tensor in op.inputs]
    return sum(map(_macs, needed.values()))


def _macs(op: Any) -> int:
    def size(tensor: Any) -> int:
        return int(tensor.shape.num_elements())

    match op.type:
        case "MatMul" | "BatchMatMulV2":
            transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
            summed = op.inputs[0].shape[-2 if transposed else -1]
            return size(op.outputs[0]) * summed
        case "Einsum":
            # each label once: the product of the sizes of all of them
            equation = op.get_attr("equation").decode().split("->")[0].split(",")
            sizes = {
                label: n
                for term, t in zip(equation, op.inputs, strict=True)
                for label, n in zip(term, t.shape, strict=True)
            }
            product = 1
            for n in sizes.values():
                product *= int(n)
            return product
        case "Conv2D":
            kernel = op.inputs[1].shape
            return size(op.outputs[0]) * int(kernel[0] * kernel[1] * kernel[2])
        case "Conv2DBackpropInput":
            kernel = op.inputs[1].shape
            return size(op.inputs[2]) * int(kernel[0] * kernel[1] * kernel[2])
        case "Conv2DBackpropFilter":
            kernel = op.outputs[0].shape
            return size(op.inputs[2]) * int(kernel[0] * kernel[1] * kernel[2])
    return 0


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_adds_of_a_step_are_those_of_its_graph(name: str) -> None:
    shape, layers = NETWORKS[name]
    graph = archcalc.load({"archcalc": 1, "inputs": {"x": shape}, "layers": layers})
    assert archcalc.analyze(graph).totals.training_macs == measured(graph)
