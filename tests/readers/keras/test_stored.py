"""Layers of unknown classes in files that store weights: their parameters are those of Keras."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import pytest
import tf_keras
from keras import layers as kl

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.errors import SourceError


@keras.saving.register_keras_serializable("tests")
class Mine(kl.Layer):  # type: ignore[misc]
    """Weights of its own, layers inside, a list of layers, random numbers, statistics."""

    def __init__(self, units: int = 3, **more: Any) -> None:
        super().__init__(**more)
        self.units = units
        self.dense, self.norm, self.drop = kl.Dense(units), kl.BatchNormalization(), kl.Dropout(0.2)
        self.steps = [kl.Dense(2), kl.Dense(units)]

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],))
        for layer, width in zip((self.dense, *self.steps), (shape[-1], shape[-1], 2), strict=True):
            layer.build((*shape[:-1], width))
        self.norm.build((*shape[:-1], self.units))
        self.drop.build(shape)
        super().build(shape)

    def call(self, x: Any) -> Any:
        return self.norm(self.drop(self.dense(x * self.scale))) + self.steps[1](self.steps[0](x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def network() -> Any:
    x = keras.Input((4,), name="x")
    inner = keras.Sequential([keras.Input((3,)), Mine(name="deep"), kl.Dense(2)], name="inner")
    mine = Mine(name="mine")
    y = mine(kl.Dense(4, name="dense")(x))
    twice = mine(kl.Concatenate(name="wide")([y, kl.Dense(1, name="one")(y)]))
    return keras.Model(x, [inner(y), twice, Mine(name="frozen", trainable=False)(y)])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = network()
    model.compile("adam", "mse")
    path = tmp_path_factory.mktemp("stored") / "net.keras"
    model.save(path)
    return model, path


def test_parameters_of_unknown_classes_in_an_archive(saved: tuple[Any, Path]) -> None:
    model, path = saved
    report = archcalc.analyze(archcalc.load(path, allow_unknown=True))
    assert report.totals.parameters == model.count_params()
    for name in ("mine", "frozen"):
        assert report.layers[name].parameters == model.get_layer(name).count_params()
    deep = model.get_layer("inner").get_layer("deep")
    assert report.layers["inner/deep"].parameters == deep.count_params()
    shapes = sorted(tuple(w.shape) for w in report.layers["mine"].weights)
    assert shapes == sorted(tuple(w.shape) for w in model.get_layer("mine").weights)
    assert report.layers["mine[2]"].parameters == 0


def test_which_of_them_are_trained_is_unknown_unless_none_is(saved: tuple[Any, Path]) -> None:
    model, path = saved
    report = archcalc.analyze(archcalc.load(path, allow_unknown=True))
    assert report.layers["frozen"].trainable_parameters == 0
    assert isinstance(report.layers["mine"].trainable_parameters, Unknown)
    assert {w["trainable"] for w in report.layers["mine"].to_dict()["weights"]} == {None}
    assert isinstance(report.totals.optimizer_bytes, Unknown)
    known = sum(w.shape.num_elements() for layer in ("dense", "one") for w in model.get_layer(layer).weights)
    assert report.totals.at_least["trainable_parameters_at_least"] == known + 3 * 2 + 2


def test_the_spec_of_it_has_them_too(tmp_path: Path) -> None:
    from archcalc.writers.spec import to_spec

    x = keras.Input((4,), name="x")
    model = keras.Model(x, kl.Dense(2)(Mine(name="mine")(x)))
    model.save(tmp_path / "net.keras")
    again = archcalc.load(to_spec(archcalc.load(tmp_path / "net.keras", allow_unknown=True)))
    assert archcalc.analyze(again).totals.parameters == model.count_params()


def test_other_sizes_of_the_input_are_read_again(tmp_path: Path) -> None:
    x = keras.Input((None, 4), name="x")
    model = keras.Model(x, kl.Dense(2)(Mine(name="mine")(x)))
    model.save(tmp_path / "net.keras")
    graph = archcalc.load(tmp_path / "net.keras", allow_unknown=True)
    report = archcalc.analyze(graph, symbols={"T": 7})
    assert report.totals.parameters == model.count_params()


@pytest.mark.parametrize("how", ["deflated", "cut off", "empty"])
def test_weights_that_cannot_be_read_stay_unknown(saved: tuple[Any, Path], how: str, tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(saved[1]) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            raw = old.read(entry)
            if entry.filename.endswith(".h5"):
                raw = {"deflated": raw, "cut off": raw[:3000], "empty": b""}[how]
            method = zipfile.ZIP_DEFLATED if how == "deflated" else zipfile.ZIP_STORED
            new.writestr(entry.filename, raw, method)
    report = archcalc.analyze(archcalc.load(path, allow_unknown=True))
    assert isinstance(report.layers["mine"].parameters, Unknown)


# -- HDF5 --------------------------------------------------------------------------------------------
class Old(tf_keras.layers.Layer):  # type: ignore[misc]
    def build(self, shape: Any) -> None:
        self.dense = tf_keras.layers.Dense(3)
        self.scale = self.add_weight("scale", (shape[-1],))
        super().build(shape)

    def call(self, x: Any) -> Any:
        return self.dense(x * self.scale)


def test_models_in_hdf5_files(tmp_path: Path) -> None:
    kl2 = tf_keras.layers
    x = tf_keras.Input((8, 8, 3), name="x")
    y = kl2.BatchNormalization()(kl2.Conv2D(4, 3, name="conv")(x))
    model = tf_keras.Model(x, kl2.Dense(2)(kl2.Flatten()(y)))
    model.compile("adam", "mse")
    model.save(tmp_path / "net.h5")
    graph = archcalc.load(tmp_path / "net.h5")
    totals = archcalc.analyze(graph).totals
    assert totals.parameters == model.count_params()
    assert (graph.format, graph.optimizer) == ("keras2-config", "adam")
    with pytest.raises(SourceError, match=r"net\.h5: weights are read from \.keras files"):
        archcalc.analyze(graph, gradients=True, weights="actual")


def test_parameters_of_unknown_classes_in_an_hdf5_file(tmp_path: Path) -> None:
    x = tf_keras.Input((4,), name="x")
    model = tf_keras.Model(x, Old(name="old")(tf_keras.layers.Dense(2, name="d")(x)))
    model.save(tmp_path / "net.h5")
    report = archcalc.analyze(archcalc.load(tmp_path / "net.h5", allow_unknown=True))
    assert report.totals.parameters == model.count_params() == 4 * 2 + 2 + 2 + 2 * 3 + 3
    (size,) = report.layers["old"].output_shape  # nothing after it records it
    assert isinstance(size, Unknown)


def test_a_large_model_in_an_hdf5_file(tmp_path: Path) -> None:
    model = tf_keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3))
    model.save(tmp_path / "net.h5")  # its configuration is longer than an object's header
    assert archcalc.analyze(archcalc.load(tmp_path / "net.h5")).totals.parameters == model.count_params()


def test_weights_alone_are_no_network(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), kl.Dense(3)])
    model.save_weights(tmp_path / "a.weights.h5")
    old = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3)])
    old.save_weights(tmp_path / "b.h5")
    for name in ("a.weights.h5", "b.h5"):
        with pytest.raises(SourceError, match="weights without a model_config"):
            archcalc.load(tmp_path / name)
