"""Live models with custom code: their figures, what cannot be traced, and that they stay as they were."""

from __future__ import annotations

import math
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
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.keras import from_keras, to_keras
from archcalc.layers.opaque import Opaque
from archcalc.report.verification import DIFFERS

IMAGE, SEQUENCE = (8, 8, 4), (6, 4)
Call = Callable[..., Any]


def custom(call: Call, shape: tuple[int, ...] = IMAGE, **weights: tuple[int, ...]) -> Any:
    """A model of one custom layer with these weights, and one Dense layer after it."""

    class Custom(kl.Layer):  # type: ignore[misc]
        def build(self, input_shape: Any) -> None:
            for name, of in weights.items():
                setattr(self, name, self.add_weight(shape=of, name=name))

        def call(self, x: Any) -> Any:
            return call(self, x)

    x = keras.Input(shape, name="x")
    return keras.Model(x, kl.Dense(3, name="end")(Custom(name="own")(x)))


def standardised(self: Any, x: Any) -> Any:
    k = self.kernel - ops.mean(self.kernel, axis=(0, 1, 2), keepdims=True)
    return ops.conv(x, k / (ops.std(self.kernel, axis=(0, 1, 2), keepdims=True) + 1e-5), padding="same")


def with_token(self: Any, x: Any) -> Any:
    token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, 4))
    return ops.concatenate([token, x], axis=1) + self.positions


class Positions(kl.Layer):  # type: ignore[misc]
    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.table = kl.Embedding(6, 4)

    def call(self, x: Any) -> Any:
        return x + self.table(ops.expand_dims(ops.arange(6), 0))


def with_positions() -> Any:
    x = keras.Input(SEQUENCE, name="x")
    return keras.Model(x, kl.Dense(3, name="end")(Positions(name="own")(x)))


# name -> (model, multiply-adds before the last layer, elementwise operations there, types of the rows)
TRACED: dict[str, tuple[Callable[[], Any], int, int, list[str]]] = {
    "weight on the left": (
        lambda: custom(lambda s, x: s.gamma * x + s.beta, gamma=(4,), beta=(4,)),
        0, 2 * 256, ["Parameter", "ops.multiply", "Parameter", "ops.add"],
    ),
    "a scalar, and arithmetic on a weight": (
        lambda: custom(lambda s, x: s.scale * x * (1.0 + s.gamma), scale=(), gamma=(4,)),
        0, 4 + 2 * 256, ["Parameter", "ops.multiply", "Parameter", "ops.add", "ops.reshape", "ops.multiply"],
    ),
    "a matrix": (
        lambda: custom(lambda s, x: ops.matmul(x, s.kernel), kernel=(4, 5)), 64 * 20, 0, ["Dense"],
    ),
    "a transposed matrix": (
        lambda: custom(lambda s, x: x @ ops.transpose(s.kernel), kernel=(5, 4)),
        64 * 20, 0, ["Parameter", "ops.transpose", "ops.einsum"],
    ),
    "einsum": (
        lambda: custom(lambda s, x: ops.einsum("bhwc,cd->bhwd", x, s.kernel), kernel=(4, 5)),
        64 * 20, 0, ["EinsumDense"],
    ),
    "a convolution": (
        lambda: custom(lambda s, x: ops.conv(x, s.kernel, strides=2, padding="same"), kernel=(3, 3, 4, 6)),
        16 * 9 * 4 * 6, 0, ["Conv2D"],
    ),
    "a standardised kernel": (
        lambda: custom(standardised, kernel=(3, 3, 4, 6)),
        64 * 9 * 4 * 6, -1,
        ["Parameter", "ops.mean", "ops.subtract", "ops.std", "ops.add", "ops.true_divide", "ops.Conv"],
    ),
    "a token and positions": (
        lambda: custom(with_token, SEQUENCE, token=(1, 1, 4), positions=(7, 4)),
        0, 28, ["Parameter", "ops.concatenate", "Parameter", "ops.add"],
    ),
    "an embedding that is also the head": (
        lambda: custom(
            lambda s, x: ops.matmul(ops.take(s.table, ops.cast(x, "int32"), axis=0), ops.transpose(s.table)),
            (6,), table=(11, 4),
        ),
        6 * 44, 0, ["ops.cast", "Embedding", "Parameter", "ops.transpose", "ops.einsum"],
    ),
    "the batch in a shape": (
        lambda: custom(lambda _, x: ops.reshape(x, (ops.shape(x)[0], -1, 8))), 0, 0, ["ops.reshape"],
    ),
    "a constant for every sample": (
        lambda: custom(lambda _, x: x * ops.ones((ops.shape(x)[0], 1, 1, 1))), 0, 256, ["ops.multiply"],
    ),
    "an embedding of all positions": (with_positions, 0, 24, ["Parameter", "ops.add"]),
    "layers made in the call": (
        lambda: custom(lambda _, x: kl.add([x, kl.ReLU()(x)])), 0, 512, ["ReLU", "Add"],
    ),
    "a Lambda": (
        lambda: keras.Sequential([keras.Input(IMAGE), kl.Lambda(lambda v: ops.tanh(v) * 2), kl.Dense(3)]),
        0, 512, ["ops.tanh", "ops.multiply"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACED)
def test_custom_code_becomes_known_layers_and_operations(name: str) -> None:
    make, macs, elementwise, types = TRACED[name]
    model = make()
    graph = from_keras(model)
    report = archcalc.analyze(graph)
    rows = list(report.layers.values())
    assert [row.type for row in rows[1:-1]] == types
    assert sum(row.macs for row in rows[1:-1]) == macs
    assert elementwise == -1 or sum(row.elementwise_operations for row in rows[1:-1]) == elementwise
    check_totals(model, graph)
    if "ops.Conv" not in types:  # which only its figures are known of
        assert not [c for c in archcalc.verify(graph).checks if c.verdict == DIFFERS]


@pytest.mark.parametrize("name", TRACED)
def test_a_spec_of_a_traced_model_has_its_figures(name: str) -> None:
    graph = from_keras(TRACED[name][0]())
    again = archcalc.load(archcalc.to_spec(graph))
    rows = [
        [(r.type, r.output_shapes, r.parameters, str(r.macs), str(r.elementwise_operations)) for r in report]
        for report in (archcalc.analyze(g).layers.values() for g in (graph, again))
    ]
    assert rows[0] == rows[1]


def check_totals(model: Any, graph: Graph) -> None:
    """Parameters, trainable ones and the shapes of the outputs are the model's own."""
    totals = archcalc.analyze(graph).totals
    assert totals.parameters == sum(math.prod(w.shape) for w in model.weights)
    assert totals.trainable_parameters == sum(math.prod(w.shape) for w in model.trainable_weights)


# -- what cannot be traced -----------------------------------------------------------------------------
def counting(self: Any, x: Any) -> Any:
    self.count.assign_add(1.0)
    return x * self.count


def numbered(_: Any, x: Any) -> Any:
    numbers = ops.arange(ops.shape(x)[0], dtype="float32")
    return x + ops.reshape(numbers, (-1, 1, 1, 1))


def averaged(_: Any, x: Any) -> Any:
    return x / ops.cast(ops.shape(x)[0], "float32")


def of_frames(self: Any, x: Any) -> Any:
    frames = ops.conv(ops.reshape(x, (-1, 8, 4)), self.kernel, padding="same")
    return ops.reshape(frames, (-1, 8, 8, 4))


def by_numpy(_: Any, x: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(lambda v: v * 2, [x], tf.float32), x.shape)


UNTRACED: dict[str, tuple[Callable[[], Any], str]] = {
    "a tensor with the batch axis": (
        lambda: custom(numbered),
        "depends on the batch's size",
    ),
    "a constant that is the batch's size": (
        lambda: custom(averaged), "a constant of TrueDivide depends on the batch's size",
    ),
    "a mean over samples": (
        lambda: custom(lambda _, x: x - ops.mean(x, axis=0, keepdims=True)), "folds or drops the batch axis",
    ),
    "a convolution of folded samples": (
        lambda: custom(of_frames, kernel=(3, 4, 4)), "folds or drops the batch axis",
    ),
    "numpy": (lambda: custom(by_numpy), "PyFunc depends on values"),
}  # fmt: skip
# models of which one row is unknown, that row, and why
PARTLY: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a branch on a weight": (
        lambda: custom(lambda s, x: ops.tanh(ops.cond(s.gate > 0, lambda: x * 2, lambda: x)), gate=()),
        "own/cond", "which branch runs depends on a tensor's value",
    ),
    "random numbers": (
        lambda: custom(lambda _, x: x + keras.random.normal((4,), seed=1)),
        "own/normal", "it draws random numbers",
    ),
    "an operator without a rule": (
        lambda: custom(lambda _, x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1] * 4, "SAME")),
        "own/extractimagepatches", "TensorFlow's ExtractImagePatches has no rule",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTLY)
def test_what_no_table_knows_is_one_unknown_row(name: str) -> None:
    make, unknown, reason = PARTLY[name]
    model = make()
    graph = from_keras(model)
    rows = archcalc.analyze(graph).layers
    assert [n for n, row in rows.items() if isinstance(row.macs, Unknown)] == [unknown]
    assert reason in str(rows[unknown].macs.reason)
    check_totals(model, graph)


@pytest.mark.parametrize("name", UNTRACED)
def test_what_cannot_be_traced_says_why_and_keeps_shapes_and_weights(name: str) -> None:
    make, reason = UNTRACED[name]
    model = make()
    graph = from_keras(model)
    row = archcalc.analyze(graph).layers["own"]
    assert isinstance(next(n.layer for n in graph.nodes if n.name == "own"), Opaque)
    assert row.output_shapes == (tuple(model.get_layer("own").output.shape[1:]),)
    assert isinstance(row.macs, Unknown)
    assert reason in str(row.macs.reason)
    assert isinstance(row.elementwise_operations, Unknown)
    check_totals(model, graph)


def test_one_unknown_operation_leaves_the_rest_known() -> None:
    model = custom(lambda s, x: ops.top_k(x @ s.k, 2)[0], SEQUENCE, k=(4, 5))
    rows = archcalc.analyze(from_keras(model)).layers
    assert rows["own/matmul"].macs == 6 * 20
    assert [row.name for row in rows.values() if isinstance(row.macs, Unknown)] == ["own/top_k"]


def test_weights_that_no_call_reads_are_counted() -> None:
    model = custom(lambda s, x: x * s.gamma, gamma=(4,), spare=(5, 5))
    graph = from_keras(model)
    assert archcalc.analyze(graph).layers["own/spare"].parameters == 25
    check_totals(model, graph)


# -- subclassed models -----------------------------------------------------------------------------------
class Block(kl.Layer):  # type: ignore[misc]
    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.parts = {
            "dense": kl.Dense(4, name="dense"),
            "norms": [kl.LayerNormalization(), kl.BatchNormalization()],
        }

    def call(self, x: Any, training: bool | None = None) -> Any:
        for norm in self.parts["norms"]:
            x = norm(x, training=training)
        return x + self.parts["dense"](x)


class Own(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="own")
        self.blocks = [Block(name=f"block{i}") for i in range(2)]
        self.head = kl.Dense(2, name="head")

    def call(self, x: Any) -> Any:
        for block in (*self.blocks, self.blocks[0]):
            x = block(x)
        return {"logits": self.head(x), "features": ops.mean(x, axis=1)}


def test_a_subclassed_model_that_was_called() -> None:
    model = Own()
    model(np.zeros((2, *SEQUENCE), "float32"))
    model.blocks[1].trainable = False
    graph = from_keras(model)
    check_totals(model, graph)
    report = archcalc.analyze(graph)
    assert report.totals.macs == 6 * (3 * 16 + 8)
    assert report.layers["block0[2]/dense"].shared_with == "block0/dense"
    assert {tuple(report.layers[n].output_shapes[0]) for n in report.outputs} == {(6, 2), (4,)}


def test_a_model_that_was_never_built_is_refused_with_the_remedy() -> None:
    with pytest.raises(ArchcalcError, match=r"never built: call it once on data"):
        from_keras(Own())


# -- masks and dtypes -------------------------------------------------------------------------------------
class MaskedMean(kl.Layer):  # type: ignore[misc]
    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is not None:
            x = x * ops.expand_dims(ops.cast(mask, x.dtype), -1)
        return ops.mean(x, axis=1)


def test_masks_reach_the_code_that_reads_them() -> None:
    x = keras.Input((6,), dtype="int32", name="x")
    model = keras.Model(x, MaskedMean(name="own")(kl.Embedding(9, 4, mask_zero=True)(x)))
    rows = archcalc.analyze(from_keras(model)).layers
    assert [r.type for n, r in rows.items() if n.startswith("own/")] == [
        "ops.cast", "ops.expand_dims", "ops.multiply", "ops.mean",
    ]  # fmt: skip
    assert rows["own/multiply"].elementwise_operations == 24


def test_a_layer_computes_in_its_own_dtype() -> None:
    class Own(kl.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.gamma = self.add_weight(shape=(4,), name="gamma")

        def call(self, x: Any) -> Any:
            return x * self.gamma

    x = keras.Input(SEQUENCE)
    model = keras.Model(x, Own(dtype="mixed_float16", name="own")(x))
    graph = from_keras(model)
    assert [(n.name, n.layer.dtype) for n in graph.nodes[1:3]] == [
        ("own/cast", "float16"),
        ("own/gamma", "float16"),
    ]


# -- the model is left as it was -----------------------------------------------------------------------------
def state(model: Any) -> Any:
    """What tracing could change: lists of calls, variables and values, attributes, names to come."""
    layers = {id(part): part for part in (model, *model._flatten_layers())}.values()
    calls = [
        (list(map(id, part._inbound_nodes)), list(map(id, part._outbound_nodes)), part.built)
        for part in layers
    ]
    attributes = [{k: id(v) for k, v in vars(part).items()} for part in layers]
    values = [v.numpy().tolist() for v in model.variables]
    losses = [len(part._losses) for part in layers]
    return calls, attributes, values, losses, keras.src.utils.naming.uniquify("probe")[:5]


@pytest.mark.parametrize("name", [*TRACED, *UNTRACED, *PARTLY])
def test_the_model_is_left_as_it_was(name: str) -> None:
    model = (TRACED | UNTRACED | PARTLY)[name][0]()
    model(np.ones((2, *model.input_shape[1:]), "float32"))
    before = state(model)
    from_keras(model)
    assert state(model) == before


def test_a_subclassed_model_is_left_as_it_was_and_still_trains() -> None:
    model = Own()
    x = np.ones((2, *SEQUENCE), "float32")
    outputs = model(x)
    before = state(model)
    from_keras(model)
    assert state(model) == before
    assert all(np.array_equal(outputs[k], v) for k, v in model(x).items())


def test_names_of_later_layers_are_not_taken() -> None:
    model = custom(lambda _, x: kl.add([x, ops.relu(x)]))
    keras.backend.clear_session(free_memory=False)
    from_keras(model)
    assert kl.Add().name == "add"


def test_a_traced_model_can_be_built_again() -> None:
    model = custom(with_token, SEQUENCE, token=(1, 1, 4), positions=(7, 4))
    again = to_keras(from_keras(model))
    assert again.count_params() == model.count_params()
    assert again.output_shape == model.output_shape
