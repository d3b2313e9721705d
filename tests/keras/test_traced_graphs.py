"""Code that runs on no symbolic tensor, read as a graph of TensorFlow: operators, loops, views of the batch.

Besides their figures, the networks that archcalc builds must compute what the code computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.keras import from_keras
from archcalc.layers.opaque import Opaque
from tests.keras.same_function import computes_the_same
from tests.keras.test_tracing import IMAGE, SEQUENCE, Call, check_totals, custom


def with_layers(call: Call, shape: tuple[int, ...] = SEQUENCE, **layers: Any) -> Any:
    """A model of one custom layer with these layers inside."""

    class Custom(kl.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="own")
            for name, layer in layers.items():
                setattr(self, name, layer)

        def build(self, input_shape: Any) -> None:
            for layer in layers.values():
                layer.build(input_shape)

        def call(self, x: Any) -> Any:
            return call(self, x)

    x = keras.Input(shape, name="x")
    return keras.Model(x, kl.Dense(3, name="end")(Custom()(x)))


def windows(self: Any, x: Any) -> Any:
    """Attention in windows of 4 by 4, as in Swin: windows are folded into the batch."""
    w = ops.transpose(ops.reshape(x, (-1, 2, 4, 2, 4, 4)), (0, 1, 3, 2, 4, 5))
    w = self.norm(ops.reshape(w, (-1, 16, 4)))
    scores = ops.softmax(ops.matmul(w, ops.transpose(w, (0, 2, 1))))
    w = ops.reshape(ops.matmul(scores, w), (-1, 2, 2, 4, 4, 4))
    return x + ops.reshape(ops.transpose(w, (0, 1, 3, 2, 4, 5)), (-1, 8, 8, 4))


def swin() -> Any:
    norm = kl.LayerNormalization()
    return with_layers(windows, IMAGE, norm=norm)


def split_windows(self: Any, x: Any) -> Any:
    """The same with queries, keys and values from one layer, which are split inside the windows."""
    w = ops.transpose(ops.reshape(x, (-1, 2, 4, 2, 4, 4)), (0, 1, 3, 2, 4, 5))
    q, k, v = ops.split(self.qkv(ops.reshape(w, (-1, 16, 4))), 3, axis=-1)
    w = ops.matmul(ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1)))), v)
    w = ops.transpose(ops.reshape(w, (-1, 2, 2, 4, 4, 4)), (0, 1, 3, 2, 4, 5))
    return x + ops.reshape(w, (-1, 8, 8, 4))


def with_tensorflow(self: Any, x: Any) -> Any:
    y = tf.nn.relu(self.dense(x))
    return tf.reshape(tf.matmul(y, y, transpose_b=True), (tf.shape(x)[0], 36))


def states(_: Any, x: Any) -> Any:
    """A loop over time that was written with lists of TensorFlow."""
    items = tf.TensorArray("float32", 6).unstack(tf.transpose(x, (1, 0, 2)))
    out = tf.TensorArray("float32", 6)
    state = x[:, 0]
    for i in range(6):
        state = tf.tanh(state + items.read(i))
        out = out.write(i, state)
    return tf.transpose(out.stack(), (1, 0, 2))


# name -> (model, multiply-adds before the last layer, types of the rows or None)
READ: dict[str, tuple[Callable[[], Any], int, list[str] | None]] = {
    "a map over samples": (
        lambda: custom(lambda s, x: ops.map(lambda v: v @ s.k + s.b, x), SEQUENCE, k=(4, 5), b=(5,)),
        120, ["Parameter", "ops.matmul", "Parameter", "ops.add"],
    ),
    "a softmax over the first axis of each sample": (
        lambda: custom(lambda _, x: ops.map(lambda v: ops.softmax(v, axis=0), x), SEQUENCE),
        0, ["ops.softmax"],
    ),
    "running sums of each sample": (
        lambda: custom(lambda _, x: ops.map(lambda v: ops.cumsum(v, axis=0), x), SEQUENCE),
        0, ["ops.cumsum"],
    ),
    "an axis before the batch for a while": (
        lambda: custom(lambda _, x: tf.squeeze(tf.expand_dims(x, 0) * 2.0, 0), SEQUENCE),
        0, ["ops.reshape", "ops.multiply", "ops.reshape"],
    ),
    "a loop": (
        lambda: custom(lambda _, x: ops.fori_loop(0, 3, lambda _, v: v * 2, x)), 0, ["ops.multiply"] * 3,
    ),
    "vectorized_map": (
        lambda: custom(lambda _, x: ops.vectorized_map(lambda v: v * 2, x)), 0, ["ops.multiply"],
    ),
    "a while loop": (
        lambda: custom(lambda _, x: ops.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, -v), (0, x))[1]),
        0, ["ops.negative"] * 2,
    ),
    "a function of TensorFlow": (lambda: custom(lambda _, x: tf.nn.relu(x)), 0, ["ops.relu"]),
    "layers among functions of TensorFlow": (
        lambda: with_layers(with_tensorflow, dense=kl.Dense(5)), 6 * 20 + 36 * 5,
        ["Dense", "ops.relu", "ops.transpose", "ops.matmul", "ops.reshape"],
    ),
    "layers in a loop and a map": (
        lambda: with_layers(
            lambda s, x: ops.map(s.last, ops.fori_loop(0, 2, lambda _, v: s.first(v), x)),
            first=kl.Dense(4), last=kl.Dense(4),
        ),
        3 * 6 * 16, ["Dense"] * 3,
    ),
    "a recurrence's call": (
        lambda: with_layers(lambda s, x: s.lstm.call(x), lstm=kl.LSTM(4, return_sequences=True)),
        6 * 4 * 4 * 8, ["LSTM"],
    ),
    "an assignment": (
        lambda: custom(lambda s, x: (s.count.assign(s.count + 1.0), x * s.count)[1], count=()),
        0, ["Parameter", "ops.add", "ops.reshape", "ops.multiply"],
    ),
    "the batch folded into time": (
        lambda: custom(
            lambda s, x: tf.reshape(tf.matmul(tf.reshape(x, (-1, 4)), s.k), (-1, 6, 5)), SEQUENCE, k=(4, 5)
        ),
        120, ["Dense"],
    ),
    "windows folded into the batch": (swin, 2 * 4 * 16 * 16 * 4, None),
    "windows that are split": (
        lambda: with_layers(split_windows, IMAGE, qkv=kl.Dense(12)), 64 * 4 * 12 + 2 * 4 * 16 * 16 * 4, None
    ),
    "time first": (lambda: custom(states, SEQUENCE), 0, None),
    "a branch on a constant": (
        lambda: custom(lambda _, x: tf.cond(tf.constant(3) > 2, lambda: tf.exp(x), lambda: x)),
        0, ["ops.exp"],
    ),
    "a function inside the graph": (
        lambda: custom(lambda _, x: tf.function(lambda v: tf.sin(v) + v)(x)), 0, ["ops.sin", "ops.add"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_graph_becomes_known_layers_and_operations(name: str) -> None:
    make, macs, types = READ[name]
    model = make()
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    rows = list(archcalc.analyze(graph).layers.values())[1:]
    rows = rows[: next(i for i, row in enumerate(rows) if row.name == "end")]
    assert types is None or [row.type for row in rows] == types
    assert sum(row.macs for row in rows) == macs
    check_totals(model, graph)
    assert computes_the_same(model, graph)


UNARY = (
    *("negative", "exp", "square", "abs", "sign", "sin", "cos", "tanh", "sigmoid", "floor", "ceil", "round"),
    *("atan", "sinh", "cosh", "asinh", "erf", "softplus", "log_sigmoid", "is_nan"),
)
OPERATORS: dict[str, Callable[[Any], Any]] = {
    **{name: lambda x, name=name: getattr(tf.math, name)(x) for name in UNARY},  # type: ignore[misc]
    **{
        name: lambda x, name=name: getattr(tf.math, name)(tf.abs(x) + 1.5)  # type: ignore[misc]
        for name in ("log", "log1p", "sqrt", "rsqrt", "reciprocal", "acosh", "expm1")
    },
    **{
        name: lambda x, name=name: getattr(tf.math, name)(x, tf.abs(x[:, ::-1]) + 0.5)  # type: ignore[misc]
        for name in (
            *("add", "subtract", "multiply", "divide", "maximum", "minimum", "floordiv", "floormod"),
            *("squared_difference", "greater", "less_equal", "divide_no_nan", "atan2", "equal", "not_equal"),
        )
    },
    **{
        name: lambda x, name=name: getattr(tf, name)(x, axis=[1, 2], keepdims=True)  # type: ignore[misc]
        for name in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod")
    },
    "elu": tf.nn.elu, "selu": tf.nn.selu, "relu6": tf.nn.relu6, "softsign": tf.nn.softsign,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.3), "gelu": tf.nn.gelu, "silu": tf.nn.silu,
    "softmax": tf.nn.softmax, "softmax over time": lambda x: tf.nn.softmax(x, axis=1),
    "log_softmax": tf.nn.log_softmax, "pow": lambda x: tf.pow(tf.abs(x) + 0.1, 3.0),
    "bias": lambda x: tf.nn.bias_add(x, tf.constant([1.0, 2.0, 3.0, 4.0])),
    "add_n": lambda x: tf.add_n([x, x, 2.0 * x]), "clip": lambda x: tf.clip_by_value(x, -0.3, 0.4),
    "where": lambda x: tf.where(x > 0.1, x, -x), "logical": lambda x: tf.logical_and(x > 0, ~(x > 0.5)),
    "cast": lambda x: tf.cast(tf.cast(x * 9, "int32"), "float32"),
    "transpose": lambda x: tf.transpose(x, (0, 2, 1)), "expand": lambda x: tf.squeeze(x[:, None, :, 1:2], 1),
    "concat": lambda x: tf.concat([x, x + 1.0], -1), "stack": lambda x: tf.stack([x, -x], 2)[:, :, 0],
    "unstack": lambda x: tf.unstack(x, axis=2)[3], "split": lambda x: tf.split(x, 2, axis=1)[1],
    "split at": lambda x: tf.split(x, [1, 3], axis=2)[1], "strides": lambda x: x[:, ::-2, ..., 1:],
    "slice": lambda x: tf.slice(x, (0, 1, 0), (-1, 3, 2)),
    "gather": lambda x: tf.gather(x, [2, 0, 2], axis=1),
    "tile": lambda x: tf.tile(x, (1, 1, 2)), "pad": lambda x: tf.pad(x, ((0, 0), (1, 2), (0, 0))),
    "pad with 7": lambda x: tf.pad(x, ((0, 0), (0, 0), (1, 0)), constant_values=7.0),
    "mirror": lambda x: tf.pad(x, ((0, 0), (2, 1), (1, 0)), "REFLECT"),
    "mirror with the edge": lambda x: tf.pad(x, ((0, 0), (1, 2), (0, 1)), "SYMMETRIC"),
    "depth to space": lambda x: tf.nn.depth_to_space(x[:, None] + 1.0, 2),
    "space to depth": lambda x: tf.nn.space_to_depth(x[..., None], 2),
    "reverse": lambda x: tf.reverse(x, [2]), "one_hot": lambda x: tf.one_hot(tf.cast(x * 2, "int32"), 3),
    "argmax": lambda x: tf.cast(tf.argmax(x, axis=2), "float32"), "cumsum": lambda x: tf.cumsum(x, axis=1),
    "ones": lambda x: x + tf.ones_like(x) + tf.zeros_like(x), "any": lambda x: tf.reduce_any(x > 0, axis=1),
    "broadcast": lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)),
    "einsum": lambda x: tf.einsum("btc,bsc->bts", x, x),
    "matmul": lambda x: tf.matmul(x, x, transpose_a=True),
    "pooling": lambda x: tf.nn.max_pool2d(x[..., None], 2, (1, 2), "VALID"),
    "average": lambda x: tf.nn.avg_pool2d(x[..., None], 3, 1, "SAME"),
    "normalised": lambda x: tf.nn.l2_normalize(x, axis=-1), "moments": lambda x: tf.nn.moments(x, [1])[1],
    "shape": lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [-1, 2]], 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_of_the_table_computes_what_tensorflow_computes(name: str) -> None:
    class Custom(kl.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            y = tf.cast(OPERATORS[name](tf.convert_to_tensor(x)), "float32")
            return x + tf.reshape(tf.reduce_sum(y, axis=list(range(1, len(y.shape)))), (-1, 1, 1))

    x = keras.Input(SEQUENCE)
    model = keras.Model(x, Custom(name="own")(x))
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    assert computes_the_same(model, graph)


def test_every_operator_of_the_table_is_tried() -> None:
    """The table holds what TensorFlow writes for the functions above, and few others."""
    from archcalc.keras.tracing.tf_operators import OPERATORS as TABLE

    seen: set[str] = set()
    for function in OPERATORS.values():
        graph = tf.__internal__.FuncGraph("operators")
        with graph.as_default():
            function(tf.compat.v1.placeholder("float32", (11, *SEQUENCE)))
        seen |= {op.type for op in graph.get_operations()}
    assert len(set(TABLE) & seen) >= 75


# -- windows that were measured --------------------------------------------------------------------------
def strided(s: Any, x: Any) -> Any:
    """A convolution of rows, in a way that no table can say: samples are folded into rows."""
    rows = ops.conv(ops.reshape(x, (-1, 8, 4)), s.kernel, strides=2, padding="same")
    return ops.reshape(rows, (-1, 8, 4, 4))


def test_the_window_of_code_that_cannot_be_read_is_measured_and_says_so() -> None:
    model = custom(strided, kernel=(3, 4, 4))
    report = archcalc.analyze(from_keras(model))
    row = report.layers["own"]
    assert (row.type, row.parameters) == ("Custom (measured)", 48)
    assert row.receptive_field.size == (1, 3)
    assert row.receptive_field.stride == (1, 2)
    assert "unknown" in str(row.macs)
    assert [f.layer for f in report.findings if f.rule == "measured"] == ["own"]
    assert "(measured)" in str(report)
    assert report.to_dict()["layers"][1]["type"] == "Custom (measured)"


def test_a_spec_keeps_that_a_window_was_measured() -> None:
    graph = from_keras(custom(strided, kernel=(3, 4, 4)))
    again = archcalc.load(archcalc.to_spec(graph))
    assert archcalc.analyze(again).layers["own"].type == "Custom (measured)"


def test_a_softmax_of_each_sample_reads_all_its_positions() -> None:
    report = archcalc.analyze(from_keras(READ["a softmax over the first axis of each sample"][0]()))
    assert report.layers["own/softmax"].receptive_field.size == (6,)
    sums = archcalc.analyze(from_keras(READ["running sums of each sample"][0]()))
    assert sums.layers["own/cumsum"].receptive_field.size == (6,)


def test_no_window_is_measured_across_samples() -> None:
    model = custom(lambda _, x: x - ops.mean(x, axis=0, keepdims=True))
    row = archcalc.analyze(from_keras(model)).layers["own"]
    assert row.type == "Custom"
    assert all(isinstance(n, Unknown) for n in row.receptive_field.size)


def test_a_model_as_a_whole_is_measured() -> None:
    class Rows(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = kl.Conv1D(4, 3, padding="same")

        def call(self, x: Any) -> Any:
            return ops.reshape(self.conv(ops.reshape(x, (-1, 8, 4))), (-1, 8, 8, 4))

    model = Rows()
    model(np.zeros((2, *IMAGE), "float32"))
    rows = archcalc.analyze(from_keras(model)).layers
    assert [row.type for row in rows.values()] == ["InputLayer", "Rows (measured)"]
    assert list(rows.values())[1].receptive_field.size == (1, 3)
