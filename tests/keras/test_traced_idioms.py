"""Code as people write it: weights that two layers use, windows of Swin, numbers of numpy, functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops

import archcalc
from archcalc.keras import from_keras
from archcalc.layers.opaque import Opaque
from tests.keras.same_function import computes_the_same
from tests.keras.test_traced_graphs import with_layers
from tests.keras.test_tracing import IMAGE, SEQUENCE, check_totals


# -- weights that several layers use ------------------------------------------------------------------
class Tied(keras.Model):  # type: ignore[misc]
    """A language model whose last product is with the table of its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.table = kl.Embedding(11, 4)
        self.mix = kl.Dense(4)

    def call(self, x: Any) -> Any:
        return ops.matmul(self.mix(self.table(x)), ops.transpose(self.table.embeddings))


class Steps(keras.Model):  # type: ignore[misc]
    """An RNN, and its cell by itself for the steps after it, as in TensorFlow's tutorial on forecasts."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = kl.LSTMCell(5)
        self.warmup = kl.RNN(self.cell, return_state=True)
        self.head = kl.Dense(4)

    def call(self, x: Any, training: Any = None) -> Any:
        y, *state = self.warmup(x)
        predictions = [self.head(y)]
        for _ in range(2):
            y, state = self.cell(predictions[-1], states=state, training=training)
            predictions.append(self.head(y))
        return tf.transpose(tf.stack(predictions), (1, 0, 2))


def called(model: Any, *shape: int, dtype: str = "float32") -> Any:
    model(np.zeros((2, *shape), dtype))
    return model


def test_a_tied_weight_is_a_row_that_owns_nothing_and_no_constant() -> None:
    graph = from_keras(called(Tied(), 6, dtype="int32"))
    rows = {type(n.layer).__name__: n for n in graph.nodes}
    assert rows["Parameter"].shared_with == graph.index()["embedding"]
    totals = archcalc.analyze(graph).totals
    assert (totals.parameters, totals.macs) == (44 + 20, 6 * 16 + 6 * 44)


def test_a_lambda_may_use_the_weights_of_another_layer() -> None:
    x = keras.Input((6,), dtype="int32")
    table = kl.Embedding(11, 4)
    y = kl.Lambda(lambda v: ops.matmul(v, ops.transpose(table.embeddings)))(table(x))
    model = keras.Model(x, y)
    graph = from_keras(model)
    assert not [n for n in graph.nodes if isinstance(n.layer, Opaque)]
    totals = archcalc.analyze(graph).totals
    assert (totals.parameters, totals.macs) == (44, 6 * 44)
    again = archcalc.load(json.loads(archcalc.convert(graph)))
    assert archcalc.analyze(again).totals.parameters == 44


def test_a_cell_that_is_called_by_itself_too_counts_once() -> None:
    model = called(Steps(), 6, 4)
    graph = from_keras(model)
    report = archcalc.analyze(graph)
    cell = 4 * 5 * (4 + 5 + 1)
    assert report.totals.parameters == model.count_params() == cell + 24
    assert report.totals.macs == 8 * 4 * 5 * (4 + 5) + 3 * 20
    (reason,) = {n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)}
    assert reason == "it has weights of 'rnn'"


class Loop(keras.Model):  # type: ignore[misc]
    """A cell in a loop of Python, which begins with zeros."""

    def __init__(self, cell: Any, size: int) -> None:
        super().__init__()
        self.cell, self.size, self.head = cell, size, kl.Dense(3)

    def call(self, x: Any) -> Any:
        states = [ops.zeros((ops.shape(x)[0], self.size)) for _ in range(len(self.cell.get_initial_state(1)))]
        for t in range(5):
            y, states = self.cell(x[:, t], states)
        return self.head(y)


@pytest.mark.parametrize("kind", [kl.SimpleRNNCell, kl.GRUCell, kl.LSTMCell])
def test_a_cell_in_a_loop_begins_with_zeros(kind: Any) -> None:
    model = called(Loop(kind(8), 8), 5, 4)
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    gates = {kl.SimpleRNNCell: 1, kl.GRUCell: 3, kl.LSTMCell: 4}[kind]
    totals = archcalc.analyze(graph).totals
    assert totals.macs == 5 * gates * 8 * (4 + 8) + 24
    assert totals.parameters == model.count_params()
    assert computes_the_same(model, graph)
    again = archcalc.load(json.loads(archcalc.convert(graph)))
    assert archcalc.analyze(again).totals.macs == totals.macs


# -- windows along the batch ----------------------------------------------------------------------------
def heads_first(self: Any, x: Any) -> Any:
    """Swin: queries, keys and values along an axis before the windows, which moves with the batch in it."""
    w = ops.transpose(ops.reshape(x, (-1, 2, 4, 2, 4, 4)), (0, 1, 3, 2, 4, 5))
    qkv = ops.reshape(self.qkv(ops.reshape(w, (-1, 16, 4))), (-1, 16, 3, 2, 2))
    q, k, v = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), axis=0)
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
    mask = ops.convert_to_tensor(np.triu(np.ones((4, 16, 16), "float32")))[:, None]
    scores = ops.reshape(ops.reshape(scores, (-1, 4, 2, 16, 16)) + mask, (-1, 2, 16, 16))
    w = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
    w = ops.transpose(ops.reshape(w, (-1, 2, 2, 4, 4, 4)), (0, 1, 3, 2, 4, 5))
    return x + ops.reshape(w, (-1, 8, 8, 4))


def products(self: Any, x: Any) -> Any:
    """Einsum inside windows, which are joined before they are cut apart again."""
    w = ops.reshape(self.qkv(ops.reshape(x, (-1, 16, 4))), (-1, 16, 3, 2, 2))
    q, k, v = (w[:, :, i] for i in range(3))
    w = ops.einsum("bhqk,bkhd->bqhd", ops.softmax(ops.einsum("bqhd,bkhd->bhqk", q, k)), v)
    both = ops.concatenate([w, ops.flip(w, -1) * 0.5], axis=1)
    return x + ops.reshape(ops.max(ops.reshape(both, (-1, 2, 16, 4)), axis=1), (-1, 8, 8, 4))


@pytest.mark.parametrize("call", [heads_first, products])
def test_windows_may_be_moved_with_the_batch_in_them(call: Callable[..., Any]) -> None:
    model = with_layers(call, IMAGE, qkv=kl.Dense(12))
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    end = 64 * 4 * 3
    assert archcalc.analyze(graph).totals.macs == 64 * 48 + 2 * 4 * 16 * 16 * 4 + end
    check_totals(model, graph)
    assert computes_the_same(model, graph)


def test_frames_that_stand_along_the_batch_of_a_functional_model_are_followed() -> None:
    x = keras.Input((3, 5, 4))
    frames = ops.reshape(x, (-1, 5, 4))
    frames = kl.LayerNormalization()(frames + kl.MultiHeadAttention(2, 3)(frames, frames))
    y = ops.mean(ops.reshape(frames, (-1, 3, 5, 4)), axis=2)
    model = keras.Model(x, with_custom(y))
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    attention = 3 * (5 * 4 * 6 * 4 + 2 * 5 * 5 * 6)
    assert archcalc.analyze(graph).totals.macs == attention
    check_totals(model, graph)


def with_custom(x: Any) -> Any:
    """A layer that makes the model one to be traced."""
    return kl.Lambda(lambda v: v * 2.0)(x)


# -- arguments and layers that Keras does not write down ---------------------------------------------------
class Gate(kl.Layer):  # type: ignore[misc]
    """It states its output shape, so that a functional model never calls its Add."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = kl.Dense(4)
        self.add = kl.Add()

    def build(self, shape: Any) -> None:
        self.dense.build(shape)

    def call(self, x: Any) -> Any:
        return self.add([x, self.dense(x)])

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Grouped(kl.Conv2D):  # type: ignore[misc]
    """A subclass with groups, whose code calls `keras.ops.conv`, which refuses them of symbolic tensors."""

    def call(self, x: Any) -> Any:
        return super().call(x) * 2.0


# name -> (model, multiply-adds, elementwise operations)
PLAIN: dict[str, tuple[Callable[[Any], Any], tuple[int, ...], int]] = {
    "a layer inside that was never called": (lambda x: Gate()(x), SEQUENCE, 6 * 16),
    "a convolution with groups": (
        lambda x: Grouped(4, 3, groups=2, padding="same")(x), IMAGE, 64 * 9 * 2 * 4
    ),
    "padding by an array": (lambda x: ops.pad(x, np.array([[0, 0], [1, 1], [0, 0]])), SEQUENCE, 0),
    "a size of numpy's": (lambda x: ops.image.resize(x, (np.int64(4), np.int32(4))), IMAGE, 0),
    "limits of numpy's": (lambda x: ops.clip(x, np.float32(0), np.float64(6)), SEQUENCE, 0),
    "a shape of numpy's": (lambda x: ops.reshape(x, np.array([-1, 24])), SEQUENCE, 0),
    "a map": (lambda x: ops.map(lambda v: ops.tanh(v), x), SEQUENCE, 0),
    "a loop": (lambda x: ops.fori_loop(0, 2, lambda _, v: v * 2.0, x), SEQUENCE, 0),
    "pixels of channels": (lambda x: kl.Lambda(lambda v: tf.nn.depth_to_space(v, 2))(x), IMAGE, 0),
    "mean and variance": (lambda x: ops.add(*ops.moments(x, axes=(1,), keepdims=True)), SEQUENCE, 0),
    "a Fourier transform": (lambda x: ops.fft((x, ops.zeros_like(x)))[1], (6, 4), 0),
    "a Fourier transform in a Lambda": (
        lambda x: kl.Lambda(lambda v: ops.fft2((v, ops.zeros(ops.shape(v))))[0])(x), (8, 4), 0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_what_keras_does_not_write_down_is_read_from_the_live_model(name: str) -> None:
    make, shape, macs = PLAIN[name]
    x = keras.Input(shape)
    model = keras.Model(x, make(x))
    graph = from_keras(model)
    assert not [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    assert archcalc.analyze(graph).totals.macs == macs
    check_totals(model, graph)
    assert computes_the_same(model, graph)


def test_a_function_as_an_argument_that_cannot_be_read_is_one_unknown_row() -> None:
    x = keras.Input(SEQUENCE)
    y = ops.map(lambda v: ops.cond(ops.sum(v) > 0, lambda: v, lambda: v * 2), x)
    graph = from_keras(keras.Model(x, kl.Dense(3, name="dense")(y)))
    assert [n.name for n in graph.nodes if isinstance(n.layer, Opaque)]
    assert archcalc.analyze(graph).layers["dense"].macs == 72


def test_a_second_output_of_an_unknown_operation_leads_on() -> None:
    x = keras.Input(SEQUENCE)
    y = kl.Lambda(lambda v: ops.top_k(v, 2)[0] + 1.0)(x)
    z = kl.Lambda(lambda v: ops.cast(ops.top_k(v, 2)[1], "float32") + 1.0)(x)
    graph = from_keras(keras.Model(x, [y, z]))
    unknown = [n.layer.class_name for n in graph.nodes if isinstance(n.layer, Opaque)]
    assert unknown == ["ops.TopK"] * 2


def test_unknown_sizes_beside_layers_that_are_called_twice() -> None:
    x = keras.Input((None, 4))
    dense = kl.Dense(4)
    y = kl.Lambda(lambda v: ops.cond(ops.sum(v) > 0, lambda: v, lambda: v * 2))(dense(dense(x)))
    graph = from_keras(keras.Model(x, y))
    assert archcalc.analyze(graph).totals.parameters == 20
