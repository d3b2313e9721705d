"""What do features learned elsewhere buy? A head on a pretrained backbone, against random features.

Question     Does a pretrained backbone beat random features under the same head, and the classifier that
             learns from scratch: in accuracy, in accuracy per minute, with few images, with few classes?
Hypothesis   Yes against random features, by far. Against the classifier: with few images and per minute,
             yes; with all images the lead shrinks. Fine-tuning the last stage adds a little.
Command      python -m experiments run transfer --profile full --backbone mobilenetv2 --weights FILE
             python -m experiments run transfer                      (ResNet50, Keras's ImageNet weights)
Time         smoke 15 s; quick 45 s, full 1 min a seed (MobileNetV2, one thread)
Found        MobileNetV2, 800 images, 3 seeds: transfer 28.5 %, fine-tuned 28.0 %, random features 8.3 %,
             classifier 23.1 %; the lead shrinks with the data; per minute it is 2.5 times the
             classifier's (docs/experiments.md)

Backbone without its top -> BatchNormalization -> Conv2D 1x1, which reduces dimensions -> Flatten -> Dense.
First the head alone, on features computed once; then, from there, the last stage of the backbone with it, at
a small rate and with BatchNormalization in inference mode. A random backbone's normalisation is first set to
the training images, or its signal would vanish; with `--weights none` there is no other, nothing is
fine-tuned, and nothing is called transfer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.common import backbones, figures
from experiments.common import weights as stored
from experiments.common.classification import Classification
from experiments.common.data.splits import Data, Split
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.feed import Examples, Feed
from experiments.common.heads import build_head, build_whole, take_over
from experiments.common.history import Key
from experiments.common.summary import written
from experiments.common.transfer_findings import (
    CLASSIFIER,
    RANDOM,
    TRANSFER,
    TUNED,
    comparisons,
    condition_name,
    kinds_of,
    main_condition,
    manner,
    means,
    over_classes,
)
from experiments.image_classifier import ClassifierConfig
from experiments.image_classifier import build as build_classifier

if TYPE_CHECKING:
    from experiments.common.features import Features


@dataclasses.dataclass(frozen=True)
class TransferConfig(ClassifierConfig):
    """The classifier's settings, and those of backbone and head."""

    backbone: str = "resnet50"
    weights: str = stored.IMAGENET
    weights_sha256: str = ""  # filled in when the run begins
    size: int = 64  # to which images are enlarged for the backbone
    reduced_filters: int = 64
    head_epochs: int = 8
    fine_tune_epochs: int = 2
    fine_tune_rate: float = 0.0001
    curve_images: tuple[int, ...] = (200,)
    curve_classes: tuple[int, ...] = (3,)

    def __post_init__(self) -> None:
        super().__post_init__()
        backbones.output_shape(self.backbone, self.size)


@dataclasses.dataclass(frozen=True)
class TransferCondition(Condition):
    """What a condition learns from: pixels, enlarged images, or features; and of how many classes."""

    learns_from: str = "pixels"  # "pixels", "enlarged", "features", "random features"
    classes: int | None = None


PROFILES = {
    "smoke": TransferConfig(
        "smoke",
        train_images=48,
        validation_images=16,
        test_images=32,
        epochs=2,
        batch_size=16,
        filters=4,
        dense_units=16,
        eager=True,
        weights=stored.NONE,
        size=32,
        reduced_filters=8,
        head_epochs=2,
        fine_tune_epochs=1,
        curve_images=(),
        curve_classes=(),
    ),
    "quick": TransferConfig(
        "quick",
        train_images=300,
        validation_images=100,
        test_images=200,
        epochs=8,
        batch_size=64,
        filters=8,
        fine_tune_epochs=1,
        curve_images=(100,),
    ),
    "full": TransferConfig(
        "full",
        train_images=800,
        validation_images=200,
        test_images=500,
        epochs=12,
        batch_size=64,
        filters=8,
        seeds=3,
    ),
}


class Transfer(Classification):
    name = "transfer"
    claim = "Features learned elsewhere beat random ones and learning anew, most of all with few images."
    found = "20 points over random features, 9 over learning anew with 200 images, 5 with 800"
    question = "What do features learned elsewhere buy, against random ones and against learning anew?"
    hypothesis = (
        "Pretrained features beat random ones under the same head by far; they beat the classifier with few "
        "images and per minute, less with all of them; fine-tuning the last stage adds a little."
    )
    profiles = PROFILES
    expected_time = {"smoke": "15 s", "quick": "45 s", "full": "1 min per seed"}

    def __init__(self) -> None:
        self._features: dict[str, Features] = {}

    def settled(self, config: TransferConfig) -> TransferConfig:
        weights, sha256 = stored.settled(config.weights)
        return dataclasses.replace(config, weights=weights, weights_sha256=sha256)

    def load(self, config: TransferConfig, source: Path | None) -> Data:
        stored.require_same(config.weights, config.weights_sha256)
        return super().load(config, source)

    def conditions(self, config: TransferConfig, data: Data) -> tuple[Condition, ...]:
        pretrained = config.weights != stored.NONE
        main = TRANSFER if pretrained else RANDOM
        shape = data.train.images.shape[1:]
        momentum = config.batchnorm_momentum

        def on_features(name: str, kind: str, images: int | None, classes: int | None) -> Condition:
            count = classes or len(data.classes)
            return TransferCondition(
                name,
                lambda: build_head(config, count),
                config.head_epochs,
                config.batch_size,
                train_images=images,
                batchnorm_momentum=momentum,
                learns_from="features" if kind == TRANSFER else "random features",
                classes=classes,
            )

        def anew(name: str, images: int | None, classes: int | None) -> Condition:
            count = classes or len(data.classes)
            return TransferCondition(
                name,
                lambda: build_classifier(config, shape, count),
                config.epochs,
                config.batch_size,
                train_images=images,
                batchnorm_momentum=momentum,
                classes=classes,
            )

        def one(kind: str, images: int | None = None, classes: int | None = None) -> Condition:
            name = condition_name(kind, images, classes)
            return (
                anew(name, images, classes)
                if kind == CLASSIFIER
                else on_features(name, kind, images, classes)
            )

        tuned = TransferCondition(
            TRANSFER + TUNED,
            lambda: build_whole(config, len(data.classes)),
            config.fine_tune_epochs,
            config.batch_size,
            learns_from="enlarged",
            starts_from=TRANSFER,
            take_over=take_over,
        )
        kinds = kinds_of(config)
        return (
            one(main),
            *((tuned,) if pretrained else ()),
            *(one(kind) for kind in kinds if kind != main),
            *(one(kind, images=images) for images in config.curve_images for kind in kinds),
            *(one(kind, classes=count) for count in config.curve_classes for kind in kinds),
        )

    def part(self, condition: Condition, data: Data) -> Data:
        wanted = condition.classes if isinstance(condition, TransferCondition) else None
        if wanted is not None:
            data = _first_classes(data, wanted)
        return super().part(condition, data)

    def examples(
        self, config: TransferConfig, condition: Condition, data: Data, split: str, seed: int
    ) -> Examples:
        part = self.part(condition, data)
        pixels, targets = self.arrays(config, part.splits[split], len(part.classes))
        learns_from = condition.learns_from if isinstance(condition, TransferCondition) else "pixels"
        if learns_from == "pixels":
            return pixels, targets
        if learns_from == "enlarged":
            return Feed(pixels, targets, backbones.preparation(config.backbone, config.size))
        return self._extracted(config, learns_from, data, seed).of(pixels), targets

    def _extracted(self, config: TransferConfig, learns_from: str, data: Data, seed: int) -> Features:
        """Features of all the data, whatever part a condition takes; the two sets used last are held."""
        from experiments.common.features import Extractor, extracted

        own = learns_from == "features"
        weights, sha256 = (config.weights, config.weights_sha256) if own else (stored.NONE, "")
        extractor = Extractor(config.backbone, config.size, weights, sha256, seed)
        key = extractor.key(data)
        if key not in self._features:
            self._features = dict([*self._features.items()][-1:])
            self._features[key] = extracted(extractor, data)
        return self._features[key]

    def expectations(self, config: TransferConfig) -> tuple[Expectation, ...]:
        return ()  # the questions are open: what is measured is reported, whichever way it goes

    def before(self, outcome: Outcome) -> dict[Key, float]:
        """Seconds that each training owes to what came before: the features, the head it starts from."""
        config, found = outcome.config, {}
        conditions = {c.name: c for c in self.conditions(config, outcome.data)}
        for name, seed in outcome.histories:
            condition = conditions[name]
            first = conditions[condition.starts_from] if condition.starts_from else condition
            assert isinstance(first, TransferCondition)
            owed = sum(outcome.seconds[first.name, seed]) if condition.starts_from else 0.0
            if first.learns_from != "pixels":
                features = self._extracted(config, first.learns_from, outcome.data, seed)
                used = self.part(first, outcome.data)
                owed += features.seconds * len(used.train) / len(features.values)
            found[name, seed] = owed
        return found

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        config = outcome.config
        whole = {key: rows for key, rows in outcome.histories.items() if "," not in key[0]}
        yield Picture("side_by_side", "All training images: loss and accuracy.", figures.curves(whole))
        yield Picture(
            "over_time",
            "Validation accuracy over the seconds spent, the computing of training features included.",
            figures.over_time(whole, outcome.seconds, "val_accuracy", self.before(outcome)),
        )
        accuracies = {name: outcome.values(name, "accuracy") for name in outcome.conditions}
        yield Picture(
            "accuracy",
            "Test accuracy after the last epoch, a dot a seed.",
            figures.spread_over_seeds({k: v for k, v in accuracies.items() if v}, "test accuracy"),
        )
        if config.curve_images:
            yield Picture(
                "images",
                "Test accuracy against the number of training images, mean over seeds.",
                figures.learning_curve(
                    [*config.curve_images, len(outcome.data.train)],
                    means(outcome, [*({"images": n} for n in config.curve_images), {}]),
                    "test accuracy",
                ),
            )
        if config.curve_classes:
            yield Picture(
                "classes",
                "Test accuracy against the number of classes, mean over seeds; chance is dashed.",
                over_classes(outcome),
            )
        yield from self.usual_pictures(outcome, (main_condition(config), config.seed))

    def findings(self, outcome: Outcome) -> list[str]:
        config = outcome.config
        found = [f"backbone {config.backbone}; {stored.told(config.weights, config.weights_sha256)}"]
        before = self.before(outcome)
        chance = 1 / len(outcome.data.classes)
        for name in outcome.conditions:
            values = outcome.values(name, "accuracy")
            if not values:
                continue
            if "," in name:
                found.append(f"{name}: test accuracy {written(values)}")
                continue
            seconds = [before[key] + sum(outcome.seconds[key]) for key in before if key[0] == name]
            rate = (float(np.mean(values)) - chance) * 60 / float(np.mean(seconds))
            found.append(
                f"{name}: test accuracy {written(values)}, {np.mean(seconds):.0f} s a seed, "
                f"{100 * rate:.1f} points above chance per minute; {manner(outcome, name)}"
            )
        return found + comparisons(outcome)


def _first_classes(data: Data, count: int) -> Data:
    """The data of the first `count` classes."""

    def chosen(split: Split) -> Split:
        wanted = split.targets < count
        return Split(split.images[wanted], split.targets[wanted])

    return dataclasses.replace(
        data,
        classes=data.classes[:count],
        train=chosen(data.train),
        validation=chosen(data.validation),
        test=chosen(data.test),
    )
