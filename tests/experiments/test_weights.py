"""Weights of a backbone from files of several layouts, and what is said where they do not fit."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from experiments.common import backbones
from experiments.common import weights as stored
from experiments.common.data import network
from experiments.common.errors import ExperimentError


def small(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, name="conv")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, x, name="small")


def same(first: keras.Model, second: keras.Model) -> bool:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def old_layout(model: keras.Model, path: Path) -> None:
    """As Keras 2 wrote weights: layer/layer/name:0, `depthwise_kernel` for a depthwise kernel."""
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            for weight in layer.weights:
                old = (
                    "depthwise_kernel"
                    if "depthwise" in layer.name and weight.name == "kernel"
                    else weight.name
                )
                file[f"{layer.name}/{layer.name}/{old}:0"] = np.asarray(weight)


def nested_model(model: keras.Model, path: Path) -> None:
    """As a whole classifier on the backbone is saved, with an optimizer beside it."""
    outer = keras.Sequential([model, keras.layers.Flatten(), keras.layers.Dense(2, name="top")])
    outer.compile("adam", "mse")
    outer.fit(np.zeros((2, 32, 32, 3)), np.zeros((2, 2)), epochs=1, verbose=0)
    outer.save(path)


LAYOUTS = {
    "weights.h5 of Keras 3": ("a.weights.h5", lambda model, path: model.save_weights(path)),
    "model of Keras 3": ("a.h5", lambda model, path: model.save(path)),
    "nested": ("a.h5", nested_model),
    "Keras 2": ("a.h5", old_layout),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore")
def test_layouts(layout: str, tmp_path: Path) -> None:
    name, write = LAYOUTS[layout]
    giver, taker = small(1), small(2)
    giver.get_layer("norm").set_weights([np.full(4, v) for v in (0.5, 2.0, -1.0, 3.0)])
    assert not same(giver, taker)
    write(giver, tmp_path / name)
    stored.give(taker, str(tmp_path / name))
    assert same(giver, taker)


def missing(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["conv/conv/kernel:0"]


def reshaped(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["norm/norm/gamma:0"]
        file["norm/norm/gamma:0"] = np.zeros(5)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (missing, r"a\.h5: not the weights of small: conv/kernel is missing"),
        (reshaped, r"norm/gamma is \(5,\), not \(4,\)"),
        (lambda path: path.write_bytes(b"no such thing"), r"a\.h5: not an HDF5 file"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(spoil, text: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.h5"
    old_layout(small(1), path)
    spoil(path)
    with pytest.raises(ExperimentError, match=text) as caught:
        stored.give(small(2), str(path))
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.filterwarnings("ignore")
def test_other_numbered_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(ExperimentError, match="not the weights of small"):
        stored.give(small(1), str(path))


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"one")
    weights, sha256 = stored.settled(str(path))
    stored.require_same(weights, sha256)
    path.write_bytes(b"two")
    with pytest.raises(ExperimentError, match="has changed since the run began"):
        stored.require_same(weights, sha256)
    with pytest.raises(ExperimentError, match="no such file; give an HDF5 file, imagenet or none"):
        stored.settled(str(tmp_path / "none.h5"))


def test_what_is_told_of_them() -> None:
    assert "not verified" in stored.told("/some/where/w.h5", "ab12")
    assert "/some" not in stored.told("/some/where/w.h5", "ab12")
    assert "random" in stored.told(stored.NONE, "")


def test_imagenet_weights_without_a_network_name_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "HOSTS", dict.fromkeys(network.HOSTS, "http://127.0.0.1:9"))
    with pytest.raises(ExperimentError, match="cannot be downloaded") as caught:
        backbones.build("resnet50", keras.Input((32, 32, 3)), stored.IMAGENET)
    assert "--weights FILE" in str(caught.value)
    assert "--weights none" in str(caught.value)


def test_an_unknown_backbone_is_met_with_what_was_meant() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'resnet50'"):
        backbones.find("ResNet-50")


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_each_backbone_gets_its_own_preparation_and_says_its_shape(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    prepared = np.asarray(backbones.preparation(name, 32)(images))
    if name == "mobilenetv2":  # -1 to 1
        assert np.allclose(prepared, images / 127.5 - 1, atol=1e-6)
    else:  # blue first, less the means of ImageNet
        assert np.allclose(prepared, images[..., ::-1] - [103.939, 116.779, 123.68], atol=1e-4)
    assert backbones.preparation(name, 64)(images).shape == (2, 64, 64, 3)
    with pytest.raises(ExperimentError, match="multiple of 32"):
        backbones.output_shape(name, 40)
