"""Is a vertical flip a good augmentation for upright objects, and what does augmentation buy at all?

Question     What do vertical flip + rotation, and horizontal flip + shift, change on test data that are
             upright themselves?
Hypothesis   Garments stand upright in training and test, so the vertical flip spends capacity on pictures
             that never come: less gain than horizontal flip + shift, perhaps a loss. Both narrow the gap
             between training and validation.
Command      python -m experiments run augmentation --profile full --seeds 3
Time         smoke 15 s; quick 30 s, full 1 min per seed and condition (3) on one idle core
Found        full, 3 seeds: none 60.4 %, vertical flip + rotation 52.6 %, horizontal flip + shift 59.0 %;
             quick without dropout, where the network memorises: 38.8 %, 47.9 %, 55.3 % (docs/experiments.md)

The augmenting layers stand inside the model, behind its input: they draw anew for every image of every
epoch in training and do nothing otherwise (tests/experiments/test_augmentation.py). The network is
image_classifier's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.common import figures
from experiments.common.augmenting import augmented
from experiments.common.classification import Classification
from experiments.common.data.splits import Data
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.summary import effect, written
from experiments.image_classifier import ClassifierConfig, build

CONDITIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "vertical flip + rotation": ("vertical_flip", "rotation"),
    "horizontal flip + shift": ("horizontal_flip", "shift"),
}


PROFILES = {
    "smoke": ClassifierConfig(
        "smoke",
        train_images=256,
        validation_images=64,
        test_images=128,
        epochs=2,
        batch_size=128,
        eager=True,
        filters=4,
        dense_units=16,
    ),
    "quick": ClassifierConfig("quick", epochs=15, batch_size=64, filters=8),
    "full": ClassifierConfig(
        "full",
        garments="all",
        train_images=10_000,
        validation_images=2_000,
        test_images=10_000,
        batch_size=64,  # 157 steps an epoch; 256 would leave 40
        filters=8,  # nine trainings in one sitting; `fitting` augments 50,000 images with 16
    ),
}


class Augmentation(Classification):
    name = "augmentation"
    claim = "Augmentation helps, and a vertical flip is wrong for upright objects."
    found = "after dropout neither pays (-7.7 and -1.4 points); the vertical flip is the worse of the two"
    question = "What do flips, rotation and shift change, and is a vertical flip good for upright objects?"
    hypothesis = (
        "Both augmentations narrow the gap between training and validation; the vertical flip gains less on "
        "upright garments than the horizontal one, perhaps nothing."
    )
    profiles = PROFILES
    expected_time = {
        "smoke": "15 s",
        "quick": "30 s per seed and condition (3)",
        "full": "1 min per seed and condition (3)",
    }

    def conditions(self, config: ClassifierConfig, data: Data) -> tuple[Condition, ...]:
        shape, classes = data.train.images.shape[1:], len(data.classes)

        def condition(name: str, layers: tuple[str, ...]) -> Condition:
            return Condition(
                name,
                lambda: build(config, shape, classes, augmentation=layers),
                config.epochs,
                config.batch_size,
                batchnorm_momentum=config.batchnorm_momentum,
            )

        return tuple(condition(name, layers) for name, layers in CONDITIONS.items())

    def expectations(self, config: ClassifierConfig) -> tuple[Expectation, ...]:
        return ()  # the question is open: what is measured is reported, whatever it is

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        images = outcome.data.train.images
        yield Picture(
            "augmented",
            "Three training images (left) and what the network gets of each in five epochs.",
            figures.variants(_variants(images[:3], outcome.config.seed)),
        )
        accuracies = {name: outcome.values(name, "accuracy") for name in CONDITIONS}
        if all(accuracies.values()):
            yield Picture(
                "effect",
                "Test accuracy under each condition: a dot a seed, a bar for the mean.",
                figures.spread_over_seeds(accuracies, "test accuracy"),
            )
        yield from self.usual_pictures(outcome, ("none", outcome.config.seed))

    def findings(self, outcome: Outcome) -> list[str]:
        base = outcome.values("none", "accuracy")
        found = [f"without augmentation: test accuracy {written(base)}"] if base else []
        for name in list(CONDITIONS)[1:]:
            values = outcome.values(name, "accuracy")
            if len(values) == len(base) and base:
                found.append(f"{name}: {written(values)}, {effect(base, values)}")
        for name in CONDITIONS:
            gaps = [
                rows[-1]["accuracy"] - rows[-1]["val_accuracy"]
                for (condition, _), rows in outcome.histories.items()
                if condition == name
            ]
            found.append(f"{name}: training accuracy less validation accuracy at the end {written(gaps)}")
        return found


def _variants(images: NDArray[np.uint8], seed: int) -> list[tuple[str, list[NDArray[np.uint8]]]]:
    """For each augmenting condition and image: the image, then five draws."""
    rows = []
    for name, layers in CONDITIONS.items():
        for number, image in enumerate(images if layers else images[:0]):
            label = name.replace(" + ", " +\n") if number == 1 else ""
            draws = augmented(np.repeat(image[None], 5, axis=0), layers, seed + number)
            rows.append((label, [image, *draws]))
    return rows
