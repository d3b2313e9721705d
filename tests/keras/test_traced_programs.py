"""Random custom code, traced, against the same network written in the functional API.

A program is a list of steps on a tensor of 6 positions and 4 channels. Its custom form is a layer whose
`call` does the steps with weights of its own, in nested layers, lists and dictionaries; its functional form
uses Keras's layers, and `archcalc.keras.Parameter` for weights. Both must have the same parameters, shapes,
work, and fields, and archcalc's own network must compute what the code computes; or the traced form says of
a row why it cannot be read. Steps that cannot be read (branches on values, random numbers) may only ever make
figures unknown.
"""

# ruff: noqa: ARG005  (a table of functions of one signature)

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as kl
from keras import ops

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.keras import Parameter, from_keras
from archcalc.layers.opaque import Opaque
from tests.keras.same_function import computes_the_same

LENGTH, WIDTH = 6, 4
Step = tuple[str, int]

# steps that run on symbolic tensors, those that are read as graphs of TensorFlow, and those that are not read
SYMBOLIC = (
    *("dense", "scale", "scale_right", "shift", "matrix", "transposed", "einsum", "norm", "conv", "gate"),
    *("attention", "residual", "batch_reshape", "expand", "mean_gate", "mask", "shared", "weight_norm"),
    *("own_conv", "half", "dropout", "token", "scalar", "python_branch", "python_loop", "unused", "dict"),
    *("masked", "mixed", "pair"),
)
GRAPHS = (
    *("loop", "map", "vectorized", "tf", "assign", "fold", "scan", "layer_in_map", "layer_in_loop"),
    *("tf_loop", "recurrence"),
)
READ = (*SYMBOLIC, *GRAPHS)
REFUSED = ("value_branch", "random", "layer_in_branch", "batch_mean")


class Masked(kl.Layer):  # type: ignore[misc]
    """A layer that reads the mask of its input."""

    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        return x if mask is None else x * ops.expand_dims(ops.cast(mask, x.dtype), -1)


class Pair(kl.Layer):  # type: ignore[misc]
    """A layer that returns a dictionary with a list inside."""

    def call(self, x: Any) -> Any:
        return {"a": x, "b": [ops.tanh(x), x + 1.0]}


class Body(kl.Layer):  # type: ignore[misc]
    """A program as code: every step uses weights and layers that belong to the layer in some way."""

    def __init__(self, steps: list[Step], depth: int = 0, **words: Any) -> None:
        super().__init__(**words)
        self.steps = steps
        self.parts: dict[str, Any] = {}
        self.inner: list[Any] = []
        for i, (kind, n) in enumerate(steps):
            make = LAYERS.get(kind)
            if make is not None:
                self.parts[str(i)] = make(n)
            if kind in ("residual", "mixed") and depth < 2:
                policy = "mixed_float16" if kind == "mixed" else None
                self.inner.append(Body([("scale", n), ("dense", n)], depth + 1, dtype=policy))

    def build(self, input_shape: Any) -> None:
        self.own = {
            str(i): [self.add_weight(shape=shape, name=f"{kind}_{i}_{k}") for k, shape in enumerate(shapes)]
            for i, (kind, n) in enumerate(self.steps)
            if (shapes := SHAPES.get(kind, lambda _: [])(n))
        }

    def call(self, x: Any, training: bool | None = None) -> Any:
        inner = iter(self.inner)
        for i, (kind, n) in enumerate(self.steps):
            weights = self.own.get(str(i), [])
            if kind == "residual":
                x = x + next(inner)(x)
            elif kind == "mixed":
                x = ops.cast(next(inner)(x), "float32")
            else:
                x = CODE[kind](x, n, self.parts.get(str(i)), *weights)
        return x


LAYERS: dict[str, Any] = {
    "dense": lambda n: kl.Dense(WIDTH, use_bias=n > 1),
    "norm": lambda n: [kl.LayerNormalization(), kl.BatchNormalization(), kl.RMSNormalization()][n % 3],
    "conv": lambda n: kl.Conv1D(WIDTH, n, padding="same"),
    "attention": lambda n: kl.MultiHeadAttention(n, 2),
    "shared": lambda _: kl.Dense(WIDTH),
    "dropout": lambda _: kl.Dropout(0.5),
    "dict": lambda _: {"first": [kl.Dense(WIDTH)], "second": kl.Dense(WIDTH, activation="relu")},
    "half": lambda _: kl.Dense(WIDTH, dtype="mixed_float16"),
    "masked": lambda _: [kl.Masking(), Masked()],
    "pair": lambda _: Pair(),
    **dict.fromkeys(("layer_in_map", "layer_in_loop", "layer_in_branch"), lambda _: kl.Dense(WIDTH)),
    "recurrence": lambda n: [kl.LSTM, kl.GRU, kl.SimpleRNN][n % 3](WIDTH, return_sequences=True),
}
SHAPES: dict[str, Any] = {
    "scale": lambda _: [(WIDTH,)],
    "scale_right": lambda _: [(WIDTH,)],
    "shift": lambda n: [(LENGTH, WIDTH)] if n == 1 else [(WIDTH,)],
    "matrix": lambda _: [(WIDTH, WIDTH)],
    "transposed": lambda _: [(WIDTH, WIDTH)],
    "einsum": lambda _: [(WIDTH, WIDTH)],
    "gate": lambda _: [(WIDTH,)],
    "weight_norm": lambda _: [(WIDTH,)],
    "own_conv": lambda n: [(n, WIDTH, WIDTH)],
    "token": lambda _: [(1, 1, WIDTH)],
    "scalar": lambda _: [()],
    "unused": lambda n: [(n, 5)],
    **dict.fromkeys(("value_branch", "assign", "layer_in_branch"), lambda _: [()]),
    "fold": lambda _: [(WIDTH, WIDTH)],
}


def assigned(x: Any, count: Any) -> Any:
    count.assign(count + 1.0)
    return x * count


def called(part: Any, x: Any) -> Any:
    """A recurrence's `call`, which runs on no symbolic tensor."""
    if not part.built:
        part.build((None, LENGTH, WIDTH))
    return part.call(x) if not isinstance(x, keras.KerasTensor) else part(x)


def scanned(x: Any) -> Any:
    """Running sums over time, by a scan with time first."""

    def step(total: Any, one: Any) -> Any:
        total = total + one
        return total, total

    _, sums = ops.scan(step, x[:, 0], ops.swapaxes(x[:, 1:], 0, 1))
    return ops.concatenate([x[:, :1], ops.swapaxes(sums, 0, 1)], axis=1)


def summed(x: Any) -> Any:
    """The same, without a scan."""
    total = x[:, 0]
    sums = [total := total + part[:, i] for part in [x[:, 1:]] for i in range(LENGTH - 1)]
    return ops.concatenate([x[:, :1], ops.stack(sums, axis=1)], axis=1)


def folded(x: Any, w: Any) -> Any:
    """A product with the batch folded into time."""
    return ops.reshape(ops.matmul(ops.reshape(x, (-1, WIDTH)), w), (-1, LENGTH, WIDTH))


CODE: dict[str, Any] = {
    "dense": lambda x, n, part: part(x),
    "norm": lambda x, n, part: part(x),
    "conv": lambda x, n, part: part(x),
    "attention": lambda x, n, part: part(x, x),
    "shared": lambda x, n, part: part(ops.relu(part(x))),
    "dropout": lambda x, n, part: part(x),
    "dict": lambda x, n, part: part["second"](x) + part["first"][0](x),
    "half": lambda x, n, part: ops.cast(part(x), "float32"),
    "scale": lambda x, n, part, w: w * x,
    "scale_right": lambda x, n, part, w: x * ops.reshape(w, (1, 1, -1)),
    "shift": lambda x, n, part, w: w + x,
    "matrix": lambda x, n, part, w: ops.matmul(x, w),
    "transposed": lambda x, n, part, w: x @ ops.transpose(w),
    "einsum": lambda x, n, part, w: ops.einsum("btc,cd->btd", x, w),
    "gate": lambda x, n, part, w: x * ops.sigmoid(w),
    "weight_norm": lambda x, n, part, w: x * (w / ops.sqrt(ops.sum(ops.square(w)) + 1e-3)),
    "own_conv": lambda x, n, part, w: ops.conv(x, w, padding="same"),
    "token": lambda x, n, part, w: ops.concatenate(
        [ops.broadcast_to(w, (ops.shape(x)[0], 1, WIDTH)), x], axis=1
    )[:, 1:],
    "scalar": lambda x, n, part, w: w * x,
    "unused": lambda x, n, part, w: x,
    "batch_reshape": lambda x, n, part: ops.reshape(x, (ops.shape(x)[0], LENGTH, WIDTH)),
    "expand": lambda x, n, part: ops.squeeze(ops.expand_dims(x, 2), 2),
    "mean_gate": lambda x, n, part: x * ops.sigmoid(ops.mean(x, axis=1, keepdims=True)),
    "mask": lambda x, n, part: ops.where(x > 0, x, 0.1 * x),
    "python_branch": lambda x, n, part: ops.relu(x) if n > 1 else ops.tanh(x),
    "python_loop": lambda x, n, part: [x := x + 1.0 for _ in range(n)][-1],
    "value_branch": lambda x, n, part, w: ops.cond(w > 0, lambda: x * 2.0, lambda: x),
    "loop": lambda x, n, part: ops.fori_loop(0, n, lambda i, v: v * 2.0, x),
    "map": lambda x, n, part: ops.map(lambda v: v * 2.0, x),
    "vectorized": lambda x, n, part: ops.vectorized_map(lambda v: v * 2.0, x),
    "random": lambda x, n, part: x + keras.random.normal((WIDTH,), seed=n),
    "tf": lambda x, n, part: tf.nn.relu(x) if n > 1 else tf.math.multiply(x, 2.0),
    "assign": lambda x, n, part, w: assigned(x, w),
    "masked": lambda x, n, part: part[1](part[0](x)),
    "pair": lambda x, n, part: (y := part(x))["a"] + y["b"][0] * y["b"][1],
    "fold": lambda x, n, part, w: folded(x, w),
    "scan": lambda x, n, part: scanned(x),
    "tf_loop": lambda x, n, part: tf.while_loop(lambda i, _: i < n, lambda i, v: (i + 1, v + 1.0), (0, x))[1],
    "layer_in_map": lambda x, n, part: ops.map(part, x),
    "layer_in_loop": lambda x, n, part: ops.fori_loop(0, n, lambda _, v: part(v), x),
    "layer_in_branch": lambda x, n, part, w: ops.cond(w > 0, lambda: part(x), lambda: x),
    "recurrence": lambda x, n, part: called(part, x),
    "batch_mean": lambda x, n, part: x - ops.mean(x, axis=0, keepdims=True),
}


def tensor(x: Any, shape: tuple[int, ...], dtype: str | None = None) -> Any:
    """A weight in the functional API, with the axes of a sequence."""
    target = (1,) * (2 - len(shape)) + shape if len(shape) < 2 else shape
    return Parameter(shape, target, dtype=dtype)(x)


def functional(x: Any, steps: list[Step]) -> Any:
    """The same steps in the functional API."""
    for kind, n in steps:
        part = LAYERS[kind](n) if kind in LAYERS else None
        shapes = SHAPES.get(kind, lambda _: [])(n)
        if kind == "residual":
            x = x + functional(x, [("scale", n), ("dense", n)])
        elif kind == "matrix":
            x = kl.Dense(WIDTH, use_bias=False)(x)
        elif kind == "einsum":
            x = kl.EinsumDense("btc,cd->btd", (LENGTH, WIDTH))(x)
        elif kind == "own_conv":
            x = kl.Conv1D(WIDTH, n, padding="same", use_bias=False)(x)
        elif kind == "transposed":
            matrix = ops.transpose(tensor(x, (WIDTH, WIDTH)), (0, 2, 1))
            x = ops.einsum("btc,bcd->btd", x, matrix)
        elif kind == "weight_norm":
            w = Parameter((WIDTH,))(x)
            total = ops.sum(ops.square(w), axis=1) + 1e-3
            w = ops.true_divide(w, ops.reshape(ops.sqrt(total), (-1, 1)))
            x = x * ops.reshape(w, (-1, 1, WIDTH))
        elif kind == "token":
            x = ops.concatenate([Parameter((1, 1, WIDTH), (1, WIDTH))(x), x], axis=1)[:, 1:]
        elif kind == "gate":
            x = x * ops.reshape(ops.sigmoid(Parameter((WIDTH,))(x)), (-1, 1, WIDTH))
        elif kind == "unused":
            continue
        elif kind == "mixed":
            h = ops.cast(x, "float16")
            h = tensor(h, (WIDTH,), "mixed_float16") * h
            x = ops.cast(kl.Dense(WIDTH, use_bias=n > 1, dtype="mixed_float16")(h), "float32")
        elif kind == "masked":
            x = part[0](x)
            x = x * ops.expand_dims(ops.cast(keras.src.backend.get_keras_mask(x), x.dtype), -1)
        elif kind == "pair":
            x = x + ops.tanh(x) * (x + 1.0)
        elif kind == "fold":
            x = kl.Dense(WIDTH, use_bias=False)(x)
        elif kind == "assign":
            count = Parameter((), (1,))(x) + 1.0
            x = x * ops.reshape(count, (-1, 1, 1))
        elif kind in ("map", "vectorized", "loop"):
            for _ in range(n if kind == "loop" else 1):
                x = x * 2.0
        elif kind == "tf":
            x = ops.relu(x) if n > 1 else x * 2.0
        elif kind == "tf_loop":
            for _ in range(n):
                x = x + 1.0
        elif kind == "scan":
            x = summed(x)
        elif kind in ("layer_in_map", "layer_in_loop", "recurrence"):
            for _ in range(n if kind == "layer_in_loop" else 1):
                x = part(x)
        elif kind == "scale":
            x = tensor(x, shapes[0]) * x
        elif kind in ("scale_right", "scalar"):
            x = x * tensor(x, shapes[0])
        elif kind == "shift":
            x = tensor(x, shapes[0]) + x
        elif kind == "batch_reshape":
            x = ops.reshape(x, (-1, LENGTH, WIDTH))
        else:
            x = CODE[kind](x, n, part)
    return x


def steps(kinds: tuple[str, ...]) -> Any:
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(1, 3)), min_size=1, max_size=7)


def traced(program: list[Step], subclassed: bool) -> Any:
    if not subclassed:
        x = keras.Input((LENGTH, WIDTH))
        return keras.Model(x, kl.Dense(2)(Body(program)(x)))

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = Body(program), [kl.Dense(2)]

        def call(self, x: Any) -> Any:
            return self.last[0](self.first(x))

    model = Own()
    model(np.zeros((2, LENGTH, WIDTH), "float32"))
    return model


def figures(graph: Any) -> Any:
    """What both forms must have in common."""
    report = archcalc.analyze(graph)
    (out,) = report.outputs
    field = report.layers[out].receptive_field
    work = Counter({"macs": 0, "elementwise": 0})
    for row in report.layers.values():
        work["macs"] += row.macs
        work["elementwise"] += row.elementwise_operations
    unused = sum(r.parameters for r in report.layers.values() if "unused" in r.name)
    parameters = report.totals.parameters - unused
    return parameters, dict(work), report.layers[out].output_shapes, (field.size, field.min_size)


@settings(max_examples=25)
@given(steps(READ), st.booleans())
def test_a_traced_program_is_the_functional_network(program: list[Step], subclassed: bool) -> None:
    check(program, subclassed)


@pytest.mark.slow
@settings(max_examples=1_000)
@given(steps((*READ, *REFUSED)), st.booleans())
def test_a_thousand_programs_are_traced_or_say_what_they_cannot_read(
    program: list[Step], subclassed: bool
) -> None:
    check(program, subclassed)


@settings(max_examples=10)
@given(steps(READ), st.sampled_from(REFUSED), st.integers(1, 3), st.booleans())
def test_what_cannot_be_read_is_never_a_figure(
    program: list[Step], kind: str, n: int, subclassed: bool
) -> None:
    check([*program, (kind, n)], subclassed)


def check(program: list[Step], subclassed: bool) -> list[str] | None:
    """Assert what must hold; why rows are not read, and None for what Keras itself cannot run."""
    try:
        model = traced(program, subclassed)
    except Exception:  # on symbolic tensors
        return None
    graph = from_keras(model)
    report = archcalc.analyze(graph)
    assert report.totals.parameters == sum(int(np.prod(w.shape)) for w in model.weights)
    assert report.totals.trainable_parameters == sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    untraced = [n.layer.reason for n in graph.nodes if isinstance(n.layer, Opaque)]
    refused = any(kind in REFUSED for kind, _ in program)
    assert bool(untraced) == refused, untraced
    if untraced:
        assert all(untraced)
        assert isinstance(report.totals.macs, Unknown)
        return untraced
    x = keras.Input((LENGTH, WIDTH))
    twin = keras.Model(x, kl.Dense(2)(functional(x, program)))
    assert figures(graph) == figures(from_keras(twin))
    assert computes_the_same(model, graph)
    return []
