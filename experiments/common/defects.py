"""Healthy or defective: the data, the networks and the conditions of `defect_detection`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import data as sets
from experiments.common.config import Config
from experiments.common.data import defect48, garments
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

if TYPE_CHECKING:
    import keras

SIGMOID, SOFTMAX, SQUARED, WRONG = "sigmoid", "softmax", "squared", "wrong"
HEALTHY, DEFECTIVE = 0, 1
RECTIFIERS = ("relu", "leaky_relu", "elu")
FRESH = 1_000_000  # the first number of a fresh image; no test image has one as high


@dataclasses.dataclass(frozen=True)
class DefectConfig(Config):
    """Width of the first block, what an error costs, and how many fresh sets are inspected."""

    dataset: str = "defect48"
    size: int = 48  # of one's own pictures
    healthy: str = "healthy"  # the class without a defect; every other is a kind of defect
    filters: int = 8
    activations: tuple[str, ...] = (*RECTIFIERS, "tanh", "sigmoid")
    target: float = 0.85  # validation AUC; the epochs until then are counted
    recall: float = 0.95  # to be found of the defects
    cost_miss: float = 20.0
    cost_false_alarm: float = 1.0
    rare: float = 0.05  # share of defects where they are rare
    most_steps: int = 2_000  # of a head that starts wrong
    resamples: int = 1_000  # of the bootstrap
    fresh_sets: int = 400
    fresh_defects: int = 200  # in each

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.recall <= 1 or not 0 < self.rare < 1:
            raise ExperimentError(f"recall={self.recall} and rare={self.rare} must be shares above 0")
        if min(self.cost_miss, self.cost_false_alarm) <= 0:
            raise ExperimentError("cost_miss and cost_false_alarm must be above 0")
        if "relu" not in self.activations:
            raise ExperimentError("activations must hold relu, with which the others are compared")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One thing that is trained: the function of the hidden layers, the head, the share of defects."""

    name: str
    activation: str = "relu"
    head: str = SIGMOID
    rare: bool = False
    weighted: bool = False


def kinds(config: DefectConfig) -> tuple[Kind, ...]:
    return (
        *(Kind(function, function) for function in config.activations),
        Kind("two softmax units", head=SOFTMAX),
        Kind("squared error", head=SQUARED),
        Kind("softmax of one unit", head=WRONG),
        Kind("rare", rare=True),
        Kind("rare, weighted", rare=True, weighted=True),
    )


# -- data -----------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Inspection(Data):
    """Targets are 0 (healthy) and 1 (defective); `about` tells of each test image what is known of it."""

    kinds: tuple[str, ...]  # of defects
    about: Mapping[str, NDArray[Any]]  # "kind" (of kinds, -1 is healthy), "pixels", "contrast"
    rare: float  # share of defects where they are rare


def load(config: DefectConfig, source: Path | None) -> Inspection:
    """defect48, or one's own folder of classes, of which one is healthy.

    Raises ExperimentError where the healthy one is not there.
    """
    data = sets.load(config, source, config.size)
    if data.train.targets.ndim != 1:
        raise ExperimentError(f"dataset={data.name} has masks, not classes; defect_detection needs classes")
    if config.healthy not in data.classes:
        raise ExperimentError(
            f"healthy={config.healthy!r}: no such class; --set healthy= one of {', '.join(data.classes)}"
        )
    if data.name == "defect48":
        pictures, labels = garments.load(config.garments, source).test
        known = defect48.every(pictures, labels, "test", range(len(data.test)))
        about = {
            "kind": np.array([each.kind if each.label else -1 for each in known]),
            "pixels": np.array([each.pixels for each in known]),
            "contrast": np.array([each.contrast for each in known]),
        }
        return Inspection(**vars(data), kinds=defect48.KINDS, about=about, rare=config.rare)
    number = data.classes.index(config.healthy)
    others = tuple(name for name in data.classes if name != config.healthy)
    targets = data.test.targets
    about = {"kind": np.where(targets == number, -1, targets - (targets > number))}
    splits: dict[str, Any] = {
        part: Split(split.images, (split.targets != number).astype(np.int64))
        for part, split in data.splits.items()
    }
    for part, split in splits.items():
        if not 0 < split.targets.mean() < 1:
            raise ExperimentError(f"--data {source}: only one of healthy and defective for {part}")
    known_of: dict[str, Any] = {"kinds": others, "about": about, "rare": config.rare}
    return Inspection(data.name, defect48.CLASSES, provenance=data.provenance, **known_of, **splits)


def with_few_defects(split: Split, share: float) -> Split:
    """All healthy images and so many of the defective ones that these are a share of all; at least two."""
    healthy, defective = np.flatnonzero(split.targets == 0), np.flatnonzero(split.targets == 1)
    kept = defective[: max(2, round(share / (1 - share) * len(healthy)))]
    chosen = np.sort(np.concatenate([healthy, kept]))
    return Split(split.images[chosen], split.targets[chosen])


def balanced_weights(targets: NDArray[np.int64]) -> dict[int, float]:
    """Weights with which both classes count the same."""
    from sklearn.utils.class_weight import compute_class_weight

    found = compute_class_weight("balanced", classes=np.array([0, 1]), y=targets)
    return dict(enumerate(map(float, found)))


def fresh_defects(which: str, number: int, count: int) -> NDArray[np.uint8]:
    """Set `number` of fresh defective images of defect48, from the test part's garments and photographs."""
    pictures, labels = garments.load(which).test
    first = FRESH + number * count
    made = defect48.every(pictures, labels, "test", range(first, first + count), DEFECTIVE)
    return np.stack([each.picture for each in made])


# -- networks -------------------------------------------------------------------------------------------
def build(config: DefectConfig, kind: Kind, shape: Any) -> keras.Model:
    """Three convolutions with max pooling, the largest of each map, and the head; from bytes, compiled."""
    import keras
    from keras import layers

    from experiments.common.defect_metrics import ScoreAUC

    start = "he_normal" if kind.activation in RECTIFIERS else "glorot_uniform"
    x = inputs = keras.Input(tuple(shape), name="image")
    x = layers.Rescaling(1 / 127.5, -1, name="rescale")(x)
    for number in range(3):
        x = layers.Conv2D(
            config.filters * 2**number,
            3,
            padding="same",
            activation=kind.activation,
            kernel_initializer=start,
            name=f"conv{number + 1}",
        )(x)
        x = layers.MaxPooling2D(name=f"pool{number + 1}")(x)
    x = layers.GlobalMaxPooling2D(name="largest")(x)
    units = 2 if kind.head == SOFTMAX else 1
    function = "softmax" if kind.head in (SOFTMAX, WRONG) else "sigmoid"
    outputs = layers.Dense(units, activation=function, name="score")(x)
    model = keras.Model(inputs, outputs, name="detector")
    losses = {SOFTMAX: "sparse_categorical_crossentropy", SQUARED: "mse"}
    accuracy = keras.metrics.SparseCategoricalAccuracy if units == 2 else keras.metrics.BinaryAccuracy
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=losses.get(kind.head, "binary_crossentropy"),
        metrics=[ScoreAUC(name="auc"), accuracy(name="accuracy")],
        run_eagerly=config.eager,
    )
    return model


def global_statistics(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Nine numbers an image that know nothing of positions: mean, deviation and range of each colour."""
    low, high = np.percentile(images, (1, 99), axis=(1, 2))
    return np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2)), high - low], axis=1)
