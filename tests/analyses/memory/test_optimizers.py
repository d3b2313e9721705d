"""Optimiser state against the variables of Keras's own optimisers."""

from __future__ import annotations

from typing import Any

import pytest

import archcalc
from archcalc.analyses.memory.precision import OPTIMIZERS
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers.opaque import Opaque
from tests.networks import chain, made

KERAS_NAMES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "lamb": "Lamb",
    "schedulefreeadamw": "ScheduleFreeAdamW",
    "adadelta": "Adadelta",
    "ftrl": "Ftrl",
    "adafactor": "Adafactor",
    "muon": "Muon",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "lion": "Lion",
    "sgd": "SGD",
}


def network() -> Graph:
    """A network with weights of one to four axes, embeddings, untrained statistics and a frozen layer."""
    return chain(
        "net",
        (12,),
        ("words", made("Embedding", input_dim=30, output_dim=6)),
        ("my_embedding_layer", made("Dense", units=5)),
        ("frozen", made("Dense", units=5, trainable=False)),
        ("conv", made("Conv1D", filters=4, kernel_size=3)),
        ("norm", made("BatchNormalization")),
        ("up", made("Reshape", target_shape=(10, 4, 1))),
        ("conv2", made("Conv2D", filters=3, kernel_size=(3, 2))),
        ("attention", made("Flatten")),
        ("out", made("Dense", units=2)),
    )


def of_keras(name: str) -> Any:
    import keras

    if name == "momentum":
        return keras.optimizers.SGD(momentum=0.9)
    return getattr(keras.optimizers, KERAS_NAMES[name])()


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "float16"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_what_keras_keeps(name: str, dtype: str) -> None:
    import keras

    graph = network()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model = archcalc.to_keras(graph)
        optimizer = of_keras(name)
        optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy(before)
    width = {"float16": 2, "float32": 4, "int64": 8, "int32": 4}
    sizes = [(v.numpy().size, width[keras.backend.standardize_dtype(v.dtype)]) for v in optimizer.variables]
    counters = [(n, each) for n, each in sizes if n == 1]
    state = sum(n * each for n, each in sizes) - sum(n * each for n, each in counters)
    assert archcalc.analyze(graph, optimizer=name, dtype=dtype).totals.optimizer_bytes == state
    # step count, learning rate and the like; Adafactor has up to two unused scalars per weight
    placeholders = 2 * len(model.trainable_variables) if name == "adafactor" else 0
    assert len(counters) <= 4 + placeholders


def test_every_optimizer_of_keras_is_known() -> None:
    import keras

    names = {
        n.lower()
        for n, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    wrappers = {"optimizer", "lossscaleoptimizer", "multioptimizer"}
    assert names - wrappers == set(OPTIMIZERS) - {"momentum"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_unknown_weights_make_the_state_unknown(name: str) -> None:
    graph = chain("x", (4,), ("what", Opaque(stated_shape=[4])))
    state = archcalc.analyze(graph, optimizer=name).totals.optimizer_bytes
    assert isinstance(state, Unknown) or name == "sgd"
