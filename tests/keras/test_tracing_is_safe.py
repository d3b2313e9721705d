"""Tracing replaces parts of Keras while it runs: they are put back, also after an error and among threads."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops
from keras.src import backend
from keras.src.models.functional import Functional
from keras.src.ops.node import Node

import archcalc
from archcalc.keras import from_keras
from archcalc.keras.tracing.patches import replaced
from tests.keras.test_tracing import SEQUENCE, state


def keras_as_it_is() -> Any:
    """The functions of Keras, by identity."""
    modules = (backend.random, backend.numpy, backend.nn, backend.core, backend.math, backend.image)
    classes = (Node, Functional, keras.layers.Layer, kl.LSTM, kl.GRU, kl.RNN)
    return [{k: id(v) for k, v in vars(of).items() if callable(v)} for of in (*modules, *classes)]


class Careless(kl.Layer):  # type: ignore[misc]
    """Code that changes its layer while it runs, and may end with an error."""

    def __init__(self, fails: type[BaseException] | None = None, **words: Any) -> None:
        super().__init__(**words)
        self.inner = kl.Dense(4)
        self.fails, self.tracing = fails, False
        self.calls = 0
        self.seen: list[Any] = []
        self.named: dict[str, Any] = {}

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        self.gamma = self.add_weight(shape=(4,), name="gamma")

    def call(self, x: Any) -> Any:
        y = self.inner(x) * self.gamma
        if self.tracing:
            self.calls += 1
            self.last = y
            self.seen.append(y)
            self.named["y"] = y
            self.inner.extra = y
            self.add_loss(ops.sum(y))
            self.gamma.assign(self.gamma * 2.0)
            if self.fails is not None:
                raise self.fails("in the middle")
        return y


def careless(fails: type[BaseException] | None) -> Any:
    x = keras.Input(SEQUENCE, name="x")
    model = keras.Model(x, kl.Dense(2)(Careless(fails, name="own")(x)))
    model.get_layer("own").tracing = True
    return model


@pytest.mark.parametrize("fails", [None, ValueError, RuntimeError, KeyboardInterrupt])
def test_nothing_remains_of_code_that_changes_its_layer(fails: type[BaseException] | None) -> None:
    model = careless(fails)
    before, functions = state(model), keras_as_it_is()
    containers = list(model.get_layer("own").seen), dict(model.get_layer("own").named)
    if fails is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            from_keras(model)
    else:
        assert archcalc.analyze(from_keras(model)).totals.parameters == model.count_params()
    assert state(model) == before
    assert keras_as_it_is() == functions
    assert (list(model.get_layer("own").seen), dict(model.get_layer("own").named)) == containers


def test_what_is_replaced_is_put_back_after_an_error() -> None:
    functions = keras_as_it_is()
    assert "compute_output_shape" not in vars(kl.LSTM)  # inherited
    with (
        pytest.raises(ZeroDivisionError),
        replaced(kl.LSTM, compute_output_shape=len),
        replaced(Functional, compute_output_spec=len),
    ):
        raise ZeroDivisionError
    assert keras_as_it_is() == functions
    assert "compute_output_shape" not in vars(kl.LSTM)


def test_another_thread_runs_keras_meanwhile() -> None:
    """While one thread traces, another one builds, runs and draws as if nothing were replaced."""
    inside, done = threading.Event(), threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        inside.wait(60)
        try:
            x = keras.Input((3,))
            model = keras.Model(x, kl.Dropout(0.5)(kl.Dense(2)(x)))
            assert model(np.ones((2, 3)), training=True).shape == (2, 2)
            assert keras.random.normal((2,)).shape == (2,)
            assert len(model.layers[1]._inbound_nodes) == 1
        except BaseException as fault:
            problems.append(fault)
        finally:
            done.set()

    class Waits(kl.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            if self.name == "waits" and tracing:
                inside.set()
                assert done.wait(60)
            return x * 2.0

    tracing: list[bool] = []
    x = keras.Input(SEQUENCE)
    model = keras.Model(x, Waits(name="waits")(x))
    tracing.append(True)
    other = threading.Thread(target=work)
    other.start()
    graph = from_keras(model)
    other.join()
    assert not problems
    assert [row.type for row in archcalc.analyze(graph).layers.values()] == ["InputLayer", "ops.multiply"]


def test_threads_trace_at_the_same_time() -> None:
    models = [careless(ValueError if i % 2 else None) for i in range(6)]
    totals: list[Any] = [None] * len(models)
    functions = keras_as_it_is()

    def trace(i: int) -> None:
        totals[i] = archcalc.analyze(from_keras(models[i])).totals.parameters

    threads = [threading.Thread(target=trace, args=(i,)) for i in range(len(models))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [model.count_params() for model in models]
    assert keras_as_it_is() == functions


# -- dangers of one road ---------------------------------------------------------------------------------
def test_a_branch_does_not_follow_the_present_value_of_a_weight() -> None:
    class Gated(kl.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.gate = self.add_weight(shape=(), name="gate", initializer="zeros")
            self.dense = kl.Dense(4)
            self.dense.build(shape)

        def call(self, x: Any) -> Any:
            return ops.cond(self.gate > 0, lambda: self.dense(x), lambda: x)

    x = keras.Input(SEQUENCE)
    model = keras.Model(x, Gated(name="own")(x))
    figures = []
    for value in (0.0, 1.0):
        model.get_layer("own").gate.assign(value)
        report = archcalc.analyze(from_keras(model))
        figures.append([(r.name, r.parameters, str(r.macs)) for r in report.layers.values()])
        assert report.totals.parameters == model.count_params() == 21
        assert "which branch runs" in str(report.layers["own/cond"].macs.reason)
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    "hide",
    [
        lambda part, x: ops.map(part, x),
        lambda part, x: ops.vectorized_map(part, x),
        lambda part, x: ops.fori_loop(0, 1, lambda _, v: part(v), x),
        lambda part, x: ops.while_loop(lambda _, i: i < 1, lambda v, i: (part(v), i + 1), (x, 0))[0],
        lambda part, x: ops.swapaxes(
            ops.scan(lambda c, v: (c, part(v)), ops.zeros_like(x[:, 0]), ops.swapaxes(x, 0, 1))[1], 0, 1
        ),
    ],
    ids=["map", "vectorized_map", "fori_loop", "while_loop", "scan"],
)
def test_loops_do_not_hide_the_layers_inside(hide: Any) -> None:
    class Hides(kl.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense = kl.Dense(4, name="dense")

        def build(self, shape: Any) -> None:
            self.dense.build((None, 4))

        def call(self, x: Any) -> Any:
            return hide(self.dense, x)

    x = keras.Input(SEQUENCE)
    model = keras.Model(x, Hides()(x))
    report = archcalc.analyze(from_keras(model))
    assert report.totals.parameters == model.count_params() == 20
    assert report.totals.macs == 6 * 16
    assert report.layers["own/dense"].parameters == 20


def test_time_distributed_is_one_row_and_not_one_a_step() -> None:
    class Steps(kl.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="own")
            self.steps = kl.TimeDistributed(kl.Dense(3), name="steps")

        def build(self, shape: Any) -> None:
            self.steps.build(shape)

        def call(self, x: Any) -> Any:
            return self.steps(x)

    x = keras.Input(SEQUENCE)
    rows = archcalc.analyze(from_keras(keras.Model(x, Steps()(x)))).layers
    assert [(n, r.macs) for n, r in rows.items() if n.startswith("own")] == [("own/steps", 6 * 12)]
