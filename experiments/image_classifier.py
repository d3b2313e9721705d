"""Ten classes from small images: the classic convolutional network, and what a convolution is worth.

Question     Does a plain convolutional network of three blocks learn colour32 in ten epochs?
Hypothesis   On 50,000 images it passes 70 % test accuracy with a healthy curve (validation follows
             training, no turn), where a linear model stays below 30 % and an MLP below 45 %
             (`fitting` trains those two).
Command      python -m experiments run image_classifier --profile full
             python -m experiments run image_classifier --set dataset=cifar10 --data cifar-10-binary.tar.gz
Time         smoke 15 s, quick 1 min, full 8 min a seed on one idle core, the making of its images included
Found        full: 72.2 % test accuracy, a healthy curve (docs/experiments.md); without dropout 71.0 %, and
             learnt by heart from the fifth epoch on

Network: 3 x (Conv2D 3x3, Conv2D 3x3, MaxPooling2D, BatchNormalization), Dropout, Dense, Dense, softmax;
CategoricalCrossentropy, adam, 10 epochs, batches of 256.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from experiments.common.augmenting import augmenting_layer
from experiments.common.classification import Classification
from experiments.common.config import Config
from experiments.common.data.splits import Data
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.summary import written

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class ClassifierConfig(Config):
    """Width of the blocks (f, 2f, 4f filters) and of the first Dense layer."""

    filters: int = 16
    dense_units: int = 128
    # Keras's default .99 averages over the last hundred steps; short trainings have few hundred in all
    batchnorm_momentum: float = 0.9
    # of what the Dense layers see in training: without it, 50,000 images are learnt by heart from epoch 5 on
    dropout: float = 0.3


PROFILES = {
    "smoke": ClassifierConfig(
        "smoke",
        train_images=512,
        validation_images=128,
        test_images=256,
        epochs=3,
        batch_size=64,
        filters=4,
        dense_units=16,
    ),
    "quick": ClassifierConfig("quick", epochs=15, batch_size=64),
    "full": ClassifierConfig(
        "full",
        garments="all",
        train_images=50_000,
        validation_images=5_000,
        test_images=10_000,
    ),
}


def build(
    config: Any,
    shape: Sequence[int],
    classes: int,
    *,
    augmentation: Sequence[str] = (),
    batchnorm_momentum: float | None = None,
    learning_rate: float | None = None,
) -> keras.Model:
    """The compiled classifier for byte images of `shape`; `augmentation` names layers of `augmenting`.

    Weights, for images of side n (a multiple of 8) with c channels, f filters, u units and k classes:
    9cf+f + 9ff+f + ... + u(4f n²/64 + 1) + k(u+1).
    """
    import keras
    from keras import layers

    momentum = config.batchnorm_momentum if batchnorm_momentum is None else batchnorm_momentum
    x = inputs = keras.Input(tuple(shape), name="image")
    for name in augmentation:
        x = augmenting_layer(name)(x)
    x = layers.Rescaling(1 / 255, name="rescale")(x)
    for number in range(3):
        filters, block = config.filters * 2**number, f"block{number + 1}"
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"{block}_conv1")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"{block}_conv2")(x)
        x = layers.MaxPooling2D(name=f"{block}_pool")(x)
        x = layers.BatchNormalization(momentum=momentum, name=f"{block}_norm")(x)
    x = layers.Flatten(name="flatten")(x)
    if config.dropout:
        x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Dense(config.dense_units, activation="relu", name="hidden")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    return compiled(keras.Model(inputs, outputs, name="classifier"), config, learning_rate)


def compiled(model: keras.Model, config: Config, learning_rate: float | None = None) -> keras.Model:
    """With CategoricalCrossentropy, adam (at the config's learning rate where none is given), accuracy."""
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate or config.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        run_eagerly=config.eager,
    )
    return model


class ImageClassifier(Classification):
    name = "image_classifier"
    claim = (
        "A plain convolutional network of three blocks learns small images in ten epochs, without "
        "overfitting."
    )
    found = "72.2 % test accuracy where at least 70 % was expected: hit"
    question = "Does a plain three-block convolutional network learn ten classes of small images?"
    hypothesis = (
        "On 50,000 images of colour32 it passes 70 % test accuracy in ten epochs, with a healthy curve."
    )
    profiles = PROFILES
    expected_time = {"smoke": "15 s", "quick": "1 min", "full": "8 min per seed"}

    def conditions(self, config: ClassifierConfig, data: Data) -> tuple[Condition, ...]:
        shape = data.train.images.shape[1:]
        return (
            Condition(
                "classifier",
                lambda: build(config, shape, len(data.classes)),
                config.epochs,
                config.batch_size,
                batchnorm_momentum=config.batchnorm_momentum,
            ),
        )

    def expectations(self, config: ClassifierConfig) -> tuple[Expectation, ...]:
        if config.dataset == "colour32" and config.train_images >= 50_000:
            return (Expectation("classifier", "accuracy", at_least=0.70),)
        return ()

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        yield from self.usual_pictures(outcome, ("classifier", outcome.config.seed))

    def findings(self, outcome: Outcome) -> list[str]:
        found = []
        accuracies = outcome.values("classifier", "accuracy")
        if accuracies:
            chance = 1 / len(outcome.data.classes)
            found.append(f"test accuracy {written(accuracies)} (chance {chance:.2f})")
            found += _worst_class(outcome)
        return found


def _worst_class(outcome: Outcome) -> list[str]:
    metrics = next(iter(outcome.metrics.values()))
    recall = metrics["recall"]
    worst, best = recall.index(min(recall)), recall.index(max(recall))
    names = outcome.data.classes
    return [
        f"best recognised: {names[best]} ({recall[best]:.0%}); worst: {names[worst]} ({recall[worst]:.0%})"
    ]
