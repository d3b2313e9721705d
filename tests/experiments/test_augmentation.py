"""Augmenting layers change images in training, and nothing at all otherwise."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from experiments import augmentation, image_classifier
from experiments.common.augmenting import augmented, augmenting_layer
from experiments.common.data import colour32, garments
from experiments.common.summary import effect
from experiments.image_classifier import build

NAMES = ("vertical_flip", "horizontal_flip", "rotation", "shift")
IMAGES = colour32.images(garments.load("slice").train[0], "train", 16)
CONFIG = augmentation.PROFILES["smoke"]


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_acts_in_training_only(name: str) -> None:
    x = IMAGES.astype(np.float32)
    layer = augmenting_layer(name)
    assert (np.asarray(layer(x, training=False)) == x).all()
    changed = np.asarray(layer(x, training=True))
    assert changed.shape == x.shape
    assert (changed != x).any()


@pytest.mark.parametrize("names", augmentation.CONDITIONS.values(), ids=augmentation.CONDITIONS)
def test_a_model_augments_while_it_fits_and_never_when_asked(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches the rescaling layer, behind the augmentation, in fit, evaluate and predict."""
    model = build(CONFIG, (32, 32, 3), 10, augmentation=names)
    seen: list[np.ndarray] = []
    rescale = model.get_layer("rescale")
    real = rescale.call

    def call(inputs: Any, *arguments: Any) -> Any:
        seen.append(np.asarray(inputs))
        return real(inputs, *arguments)

    monkeypatch.setattr(rescale, "call", call)
    model.run_eagerly = True
    x, y = IMAGES, np.eye(10, dtype=np.float32)[np.arange(16) % 10]
    model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert (seen.pop() == x).all() == (not names)
    model.evaluate(x, y, batch_size=16, verbose=0)
    assert (seen.pop() == x).all()
    model.predict(x, batch_size=16, verbose=0)
    assert (seen.pop() == x).all()


def test_flips_are_flips() -> None:
    for name, axis in (("vertical_flip", 0), ("horizontal_flip", 1)):
        for before, after in zip(IMAGES, augmented(IMAGES, (name,), seed=0), strict=True):
            assert (after == before).all() or (after == np.flip(before, axis)).all()


def test_augmentation_adds_no_weight() -> None:
    plain = build(CONFIG, (32, 32, 3), 10)
    for names in augmentation.CONDITIONS.values():
        assert build(CONFIG, (32, 32, 3), 10, augmentation=names).count_params() == plain.count_params()


def test_the_effect_is_told_with_its_spread() -> None:
    assert effect([0.50, 0.52, 0.54], [0.60, 0.62, 0.64]) == (
        "+10.0 points, more than two standard errors (0.0) over 3 seeds"
    )
    assert "within two standard errors" in effect([0.5, 0.6, 0.7], [0.7, 0.6, 0.5])
    assert effect([0.5], [0.4]) == "-10.0 points (one seed: no spread known)"


def test_the_network_is_the_one_described() -> None:
    """Parameters by hand: 32 x 32 x 3, f filters, 128 units, ten classes; 4 a normalised channel."""
    f = 16
    convolutions = (
        (27 * f + f)
        + (9 * f * f + f)
        + sum(9 * a * b + b for a, b in ((f, 2 * f), (2 * f, 2 * f), (2 * f, 4 * f), (4 * f, 4 * f)))
    )
    dense = (16 * 4 * f + 1) * 128 + 129 * 10
    norms = 4 * (f + 2 * f + 4 * f)
    full = image_classifier.PROFILES["full"]
    assert (full.epochs, full.batch_size, full.train_images) == (10, 256, 50_000)
    model = build(full, (32, 32, 3), 10)
    assert model.count_params() == convolutions + norms + dense
    assert [type(layer).__name__ for layer in model.layers[2:]] == [
        *["Conv2D", "Conv2D", "MaxPooling2D", "BatchNormalization"] * 3,
        *["Flatten", "Dropout", "Dense", "Dense"],
    ]
    assert isinstance(model.loss, keras.losses.CategoricalCrossentropy)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
