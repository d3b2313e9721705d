"""The monitor measures what it says, changes nothing, and each detector sees its symptom and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archcalc.keras import GradientMonitor
from archcalc.keras.symptoms import DETECTORS, Series, symptoms

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((128, 8)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)
T = 20
STEPS = np.arange(T)


def compiled(model: keras.Model, rate: float = 0.05) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, run_eagerly=True)
    return model


def network(depth: int = 3, activation: str = "relu") -> keras.Model:
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((8,), name="x")
    for number in range(depth):
        x = keras.layers.Dense(16, activation=activation, name=f"hidden{number}")(x)
    return compiled(keras.Model(inputs, keras.layers.Dense(2, name="out")(x)))


def trained(model: keras.Model, epochs: int = 1, **options: Any) -> GradientMonitor:
    monitor = GradientMonitor((X[:32], Y[:32]), **options)
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, callbacks=[monitor])
    return monitor


# -- the monitor -------------------------------------------------------------------------------
def test_training_is_the_same_with_and_without_it() -> None:
    results = []
    for watched in (False, True):
        keras.utils.set_random_seed(2)
        layers = [keras.layers.Dense(8, activation="relu"), keras.layers.BatchNormalization()]
        model = compiled(
            keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dropout(0.5), keras.layers.Dense(2)])
        )
        keras.utils.set_random_seed(3)
        callbacks = [GradientMonitor((X[:32], Y[:32]), every=1)] if watched else []
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=callbacks)
        results.append([weight.copy() for weight in model.get_weights()])
    for without, watched_too in zip(*results, strict=True):
        np.testing.assert_array_equal(without, watched_too)


def test_gradients_are_those_of_a_tape() -> None:
    model = network()
    monitor = trained(model, every=100)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=X[:32], y=Y[:32], y_pred=model(X[:32], training=True))
    wanted = [float(tf.norm(g)) for g in tape.gradient(loss, [v.value for v in model.trainable_variables])]
    np.testing.assert_allclose(monitor.series.gradients[-1], wanted, rtol=1e-5)
    assert monitor.series.loss[-1] == pytest.approx(float(loss), rel=1e-6)
    norms = [float(np.linalg.norm(v)) for v in model.trainable_variables]
    np.testing.assert_allclose(monitor.series.weights[-1], norms, rtol=1e-6)


def test_it_measures_the_start_the_first_steps_every_so_many_and_the_last() -> None:
    assert trained(network(), every=3, first=2).series.steps.tolist() == [0, 1, 2, 3, 6, 8]


def test_two_epochs_are_one_series() -> None:
    assert trained(network(), epochs=2, every=5, first=0).series.steps.tolist() == [0, 5, 8, 10, 15, 16]


def test_moves_are_those_since_the_measurement_before() -> None:
    model = network()
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    series = trained(model, every=100, first=0).series
    after = [
        float(np.linalg.norm(keras.ops.convert_to_numpy(v) - b))
        for v, b in zip(model.trainable_variables, before, strict=True)
    ]
    np.testing.assert_allclose(series.moved[-1], after, rtol=1e-5)
    assert (series.moved[0] == 0).all()


def test_branches_are_told_from_skips_in_either_order() -> None:
    for swapped in (False, True):
        inputs = keras.Input((8,))
        skip = keras.layers.Dense(8, kernel_initializer="ones", name="skip")(inputs)
        branch = keras.layers.Dense(8, kernel_initializer=keras.initializers.Constant(1 / 4), name="branch")(
            skip
        )
        y = keras.layers.Add(name="sum")([branch, skip] if swapped else [skip, branch])
        series = trained(compiled(keras.Model(inputs, keras.layers.Dense(2)(y))), every=100).series
        assert series.branch_names == ("sum",)
        assert series.branches[0, 0] == pytest.approx(2.0, rel=1e-4)


def test_dead_and_saturated_units_are_counted() -> None:
    inputs = keras.Input((8,))
    dead = keras.layers.Dense(
        4, activation="relu", bias_initializer=keras.initializers.Constant(-100), name="dead"
    )
    full = keras.layers.Dense(
        4, activation="tanh", bias_initializer=keras.initializers.Constant(9), name="full"
    )
    model = compiled(keras.Model(inputs, keras.layers.Dense(2, name="out")(full(dead(inputs)))))
    monitor = trained(model, every=100)
    assert monitor.series.idle[0].tolist()[:2] == [1.0, 1.0]
    assert np.isnan(monitor.series.idle[0, 2])
    assert {"dead units", "saturated units"} <= {s.name for s in monitor.symptoms()}


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(x)


@pytest.mark.parametrize(
    "model",
    [Subclassed, lambda: keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)])],
)
def test_models_without_a_graph_are_measured_too(model: Callable[[], keras.Model]) -> None:
    series = trained(compiled(model()), every=4).series
    assert series.weights.shape[1] == len(series.weight_names) > 0
    assert (series.gradients[-1] > 0).any()


def test_layers_before_the_first_weight_have_a_gradient() -> None:
    inputs = keras.Input((4, 2))
    flat = keras.layers.Flatten(name="flat")(inputs)
    model = compiled(keras.Model(inputs, keras.layers.Dense(2, name="out")(flat)))
    monitor = GradientMonitor((X[:32].reshape(32, 4, 2), Y[:32]))
    model.fit(X.reshape(-1, 4, 2), Y, verbose=0, callbacks=[monitor])
    assert monitor.series.layer_names == ("flat", "out")
    assert (monitor.series.signals > 0).all()


def test_every_must_be_positive() -> None:
    with pytest.raises(ValueError, match="Received: every=0"):
        GradientMonitor((X, Y), every=0)


# -- the detectors -----------------------------------------------------------------------------
def healthy() -> Series:
    """Three layers that learn: kernels wander, gradients and loss fall unevenly."""
    random = np.random.default_rng(4)
    names = [f"layer{n}/{part}" for n in range(6) for part in ("kernel", "bias")]
    wander = 1 + 0.02 * np.cumsum(np.abs(random.standard_normal((T, 12))), axis=0)
    fall = np.exp(-STEPS / 8)[:, None] * random.uniform(0.7, 1.3, (T, 12))
    moved = random.uniform(0.5, 1.5, (T, 12))
    moved[0] = 0
    return Series(
        steps=STEPS * 10,
        loss=2.3 * np.exp(-STEPS / 10) + 0.1,
        weights=5 * wander,
        gradients=fall,
        moved=moved,
        signals=fall[:, :6],
        idle=np.full((T, 6), 0.2),
        branches=np.ones((T, 0)),
        weight_names=tuple(names),
        ranks=tuple((2, 1) * 6),
        layer_names=tuple(f"layer{n}" for n in range(6)),
        activations=("relu",) * 3 + ("tanh",) * 2 + ("",),
    )


def changed(name: str, where: Any, values: Any) -> Series:
    series = healthy()
    array = getattr(series, name).copy()
    array[where] = values
    return dataclasses.replace(series, **{name: array})


SICK = {
    "NaN": changed("weights", (slice(12, None), 4), np.nan),
    "exponential growth": changed("weights", (slice(None), 2), 5 * 1.5**STEPS),
    "constant derivatives": changed("gradients", (slice(None), 0), 1e-9),
    "jumping loss": changed("loss", slice(3, 12, 2), 9.0),
    "standing loss": changed("loss", slice(2, None), 2.303),
    "early weights stand": changed("moved", (slice(None), slice(0, 6, 2)), 1e-7),
    "early biases stand": changed("moved", (slice(None), slice(1, 6, 2)), 1e-7),
    "shrinking weights": changed("weights", (slice(None), 6), 5 - 0.2 * STEPS),
    "early stop": changed("loss", slice(6, None), 1.4),
    "dead units": changed("idle", (slice(5, None), 1), 0.7),
    "saturated units": changed("idle", (slice(5, None), 4), 0.9),
}


def test_every_detector_has_a_case() -> None:
    assert list(SICK) == list(DETECTORS)


@pytest.mark.parametrize("name", SICK)
def test_a_detector_sees_its_symptom_and_no_other_does(name: str) -> None:
    found = symptoms(SICK[name])
    assert [symptom.name for symptom in found] == [name]
    assert name in str(found[0])
    assert found[0].step >= 0


def test_a_healthy_training_has_none() -> None:
    assert symptoms(healthy()) == []


def test_growth_along_a_line_is_not_exponential() -> None:
    assert symptoms(changed("weights", (slice(None), 2), 5 * (1 + 1.0 * STEPS))) == []


def test_a_bias_without_effect_may_stand() -> None:
    series = changed("moved", (slice(None), slice(1, 6, 2)), 0.0)
    gradients = series.gradients.copy()
    gradients[:, 1:6:2] = 1e-12  # before a batch normalisation
    assert symptoms(dataclasses.replace(series, gradients=gradients)) == []


def test_few_records_are_not_judged() -> None:
    series = healthy()
    cut = {k: v[:2] for k, v in vars(series).items() if isinstance(v, np.ndarray)}
    assert symptoms(dataclasses.replace(series, **cut)) == []


def test_a_network_that_vanishes_is_told() -> None:
    monitor = trained(network(20, "sigmoid"), epochs=2, every=2)
    assert "early weights stand" in {symptom.name for symptom in monitor.symptoms()}
    signals = monitor.series.signals[0]
    assert signals[0] < 1e-6 * signals[-1]
