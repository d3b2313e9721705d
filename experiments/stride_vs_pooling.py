"""How to make feature maps smaller: by stride, or by max, average or blurred pooling?

Question     What do they cost, which input pixels do they skip, and what becomes of accuracy, of outlines,
             and of the answer when the image moves by a pixel?
Hypothesis   A stride is cheapest and, where it is larger than the kernel, skips pixels; pooling is as
             accurate or better; blurred pooling is the most consistent under shifts. Small strides matter for
             outlines, less for classes.
Command      python -m experiments run stride_vs_pooling --profile full
Time         smoke 20 s, quick 3 min, full 25 min of the processor; three seeds
Found        a stride of 4 skips 43.8 % of the pixels, as predicted; a quarter of the multiply-adds takes
             1/2.5 of the time; a stride is the least consistent under shifts and blurred pooling the most, at
             every factor; max pooling is 11 points more accurate than a stride of 4; outlines gain nothing
             from small strides where the fields are equal

Classification of colour32 and segmentation of seg96. The networks differ in one downsampling after their
first 3x3 convolution, by a factor of 1 to 4, and have the same trainable weights. Dilations of the
segmentation's convolutions are chosen so that all see about as many pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import data as sets
from experiments.common import (
    downsampling,
    equal_time,
    figures,
    files,
    masks,
    pooling_claims,
    pooling_figures,
)
from experiments.common.claims import Claim, Measurement
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.downsampling import METHODS, STRIDE
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture
from experiments.common.pooling_claims import CLASSES, MASKS
from experiments.common.summary import written

if TYPE_CHECKING:
    import keras

TASKS = (CLASSES, MASKS)
MOVES = ((0, 1), (1, 0), (1, 1))  # pixels down and right


@dataclasses.dataclass(frozen=True)
class PoolingConfig(Config):
    """Filters of the first convolution (then twice as many), factors, and the size of the segmentation."""

    filters: int = 16
    factors: tuple[int, ...] = (2, 3, 4)
    mask_filters: int = 8
    mask_train: int = 150
    mask_validation: int = 30
    mask_test: int = 80
    mask_epochs: int = 8
    mask_batch: int = 10


PROFILES = {
    "smoke": PoolingConfig(
        "smoke",
        train_images=64,
        validation_images=32,
        test_images=32,
        epochs=1,
        batch_size=32,
        eager=True,
        filters=4,
        factors=(4,),
        mask_filters=2,
        mask_train=8,
        mask_validation=4,
        mask_test=4,
        mask_epochs=1,
        mask_batch=4,
    ),
    "quick": PoolingConfig(
        "quick",
        train_images=1_500,
        validation_images=300,
        test_images=600,
        epochs=4,
        batch_size=64,
        learning_rate=0.003,
        filters=8,
        factors=(2, 4),
        mask_train=80,
        mask_epochs=5,
    ),
    "full": PoolingConfig(
        "full",
        train_images=4_000,
        validation_images=500,
        test_images=1_400,
        epochs=8,
        batch_size=32,
        learning_rate=0.003,
        seeds=3,
    ),
}


@dataclasses.dataclass(frozen=True)
class TwoSets(Data):
    """Images with classes, and beside them images with masks."""

    second: Data

    def checksum(self) -> str:
        return files.sha256_of(super().checksum() + self.second.checksum())


class StrideVsPooling(Experiment):
    name = "stride_vs_pooling"
    claim = "A stride is cheaper than pooling, skips pixels, and costs detail and consistency under shifts."
    found = (
        "full: a stride of 4 skips 43.8 % of the pixels, as predicted: hit; a stride is the least consistent "
        "under shifts, blurred pooling the most: hit; a quarter of the multiply-adds takes 1/2.5 of the "
        "time: miss; outlines gain nothing from small strides: miss"
    )
    question = "How to make feature maps smaller: by stride, or by max, average or blurred pooling?"
    hypothesis = (
        "A stride is cheapest and skips pixels where it passes the kernel; pooling is as accurate or "
        "better; blurred "
        "pooling is the most consistent under shifts; small strides matter for outlines, less for classes."
    )
    profiles = PROFILES
    expected_time = {"smoke": "20 s", "quick": "3 min", "full": "25 min"}

    def load(self, config: PoolingConfig, source: Path | None) -> Data:
        first = sets.load(config, source)
        other = dataclasses.replace(
            config,
            dataset="seg96",
            train_images=config.mask_train,
            validation_images=config.mask_validation,
            test_images=config.mask_test,
        )
        return TwoSets(**vars(first), second=sets.load(other, source))

    def part(self, condition: Condition, data: Data) -> Data:
        return data.second if isinstance(data, TwoSets) and condition.name.startswith(MASKS) else data

    def arrays(self, config: PoolingConfig, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return split.images, split.targets

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        """Probabilities of classes as they are; of pixels the likeliest class."""
        return outputs.argmax(axis=-1).astype(np.uint8) if outputs.ndim == 4 else outputs

    def conditions(self, config: PoolingConfig, data: Data) -> tuple[Condition, ...]:
        assert isinstance(data, TwoSets)

        def condition(task: str, method: str, factor: int) -> Condition:
            of = data.second if task == MASKS else data
            return Condition(
                f"{task} {method} {factor}",
                partial(_compiled, config, task, method, factor, of.train.images.shape[1:], len(of.classes)),
                config.mask_epochs if task == MASKS else config.epochs,
                config.mask_batch if task == MASKS else config.batch_size,
                batchnorm_momentum=0.9,
            )

        return tuple(condition(task, *kind) for task in TASKS for kind in _kinds(config))

    def expectations(self, config: PoolingConfig) -> tuple[Expectation, ...]:
        return ()  # the claims say more

    def measure(self, split: Split, predicted: NDArray[Any], classes: int) -> Metrics:
        if split.targets.ndim == 1:
            from experiments.common import metrics

            return metrics.classification(split.targets, predicted, classes)
        from experiments.common.segmentation_metrics import segmentation

        near = downsampling.near_outline(split.targets)
        edge = segmentation(split.targets[near], predicted[near], classes)
        return {**segmentation(split.targets, predicted, classes), "outline_iou": edge["iou"]}

    def claims(self, config: PoolingConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        return pooling_claims.claims(
            prediction["models"], config.factors, timed=not config.eager, quality=_enough(config)
        )

    def study(self, outcome: Outcome) -> None:
        home = outcome.folder / "consistency"
        home.mkdir(exist_ok=True)
        for key in outcome.histories:
            path = home / f"{key[0]}-seed{key[1]}.json"
            if not path.is_file():
                files.write_json(path, _consistency(outcome, key))

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        return pooling_claims.judged(outcome, _studied(outcome), quality=_enough(outcome.config))

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        data, studied = outcome.data, _studied(outcome)
        assert isinstance(data, TwoSets)
        yield Picture(
            "samples",
            "Training images: classes above, and masks with their images below.",
            figures.gallery(
                [
                    (image, data.classes[n])
                    for image, n in zip(data.train.images[:6], data.train.targets[:6], strict=True)
                ]
                + [(image, "") for image in data.second.train.images[:6]]
                + [(masks.coloured(mask), "") for mask in data.second.train.targets[:6]],
                columns=6,
            ),
        )
        qualities = {
            "class: test accuracy": _table(outcome, CLASSES, "accuracy"),
            "masks: test IoU": _table(outcome, MASKS, "iou"),
            "masks: IoU within 2 pixels of the outline": _table(outcome, MASKS, "outline_iou"),
        }
        yield Picture(
            "quality",
            "Accuracy and IoU by the factor of downsampling, a dot a seed.",
            pooling_figures.by_factor(qualities),
        )
        consistent = {
            f"{text}: {what}": {
                (method, factor): [each["consistency"] for each in studied[f"{task} {method} {factor}"]]
                for method, factor in _kinds(outcome.config)
            }
            for task, text, what in (
                (CLASSES, "class", "same answer after a shift"),
                (MASKS, "masks", "IoU with the mask after a shift"),
            )
        }
        yield Picture(
            "consistency",
            "How alike the answers are when the image moves by one pixel (mean over three directions).",
            pooling_figures.by_factor(consistent),
        )
        yield Picture(
            "cost",
            "Multiply-adds that archcalc predicts and processor time an epoch, both over those of factor 1.",
            pooling_figures.cost(
                {name: model["totals"]["macs"] for name, model in outcome.prediction["models"].items()},
                {name: equal_time.cost(outcome.processor_seconds, name) for name in outcome.conditions},
                TASKS,
            ),
        )
        for task in TASKS:
            histories = {key: rows for key, rows in outcome.histories.items() if key[0].startswith(task)}
            yield Picture(f"curves_{task}", f"{task}: loss and accuracy, epoch by epoch.", _curves(histories))
        yield _gallery(outcome)

    def findings(self, outcome: Outcome) -> list[str]:
        studied, found = _studied(outcome), []
        for name in outcome.conditions:
            measure = "accuracy" if name.startswith(CLASSES) else "iou"
            model = outcome.prediction["models"][name]
            field = model["layers"][-1]["receptive_field"] if name.startswith(MASKS) else None
            sees = f", a pixel sees {field['size'][0]}x{field['size'][1]}" if field else ""
            edge = (
                f", at the outline {written(outcome.values(name, 'outline_iou'))}" if measure == "iou" else ""
            )
            alike = [each["consistency"] for each in studied[name]]
            found.append(
                f"{name}: test {measure} {written(outcome.values(name, measure))}{edge}, consistency "
                f"{written(alike)}, {model['totals']['macs'] / 1e6:.1f} M multiply-adds, "
                f"{equal_time.cost(outcome.processor_seconds, name):.2f} s an epoch{sees}"
            )
        return found


def _kinds(config: PoolingConfig) -> list[tuple[str, int]]:
    return [(STRIDE, 1), *((method, factor) for factor in config.factors for method in METHODS)]


def _enough(config: PoolingConfig) -> bool:
    """Whether accuracies say anything."""
    return config.train_images >= 3_000


def _compiled(
    config: PoolingConfig, task: str, method: str, factor: int, shape: Any, classes: int
) -> keras.Model:
    import keras

    if task == MASKS:
        model = downsampling.segmenter(method, factor, shape, classes, config.mask_filters)
    else:
        model = downsampling.classifier(method, factor, shape, classes, config.filters)
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        run_eagerly=config.eager,
    )
    return model


def _consistency(outcome: Outcome, key: tuple[str, int]) -> dict[str, float]:
    """Agreement of the answers to moved test images with those to the images; share of pixels skipped."""
    data, model = outcome.data, outcome.model(key)
    assert isinstance(data, TwoSets)
    images = (data.second if key[0].startswith(MASKS) else data).test.images
    before = _answers(model, images)
    alike = [
        downsampling.agreement(before, _answers(model, downsampling.shifted(images, *move)), *move)
        for move in MOVES
    ]
    return {"consistency": float(np.mean(alike)), "skipped": downsampling.skipped_measured(model)}


def _answers(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    parts = [
        np.asarray(model(images[start : start + 50].astype(np.float32), training=False)).argmax(axis=-1)
        for start in range(0, len(images), 50)
    ]
    return np.concatenate(parts)


def _studied(outcome: Outcome) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {}
    for name, seed in outcome.histories:
        found.setdefault(name, []).append(
            files.read_json(outcome.folder / "consistency" / f"{name}-seed{seed}.json")
        )
    return found


def _table(outcome: Outcome, task: str, metric: str) -> dict[tuple[str, int], list[float]]:
    return {
        (method, factor): outcome.values(f"{task} {method} {factor}", metric)
        for method, factor in _kinds(outcome.config)
    }


def _curves(histories: Any) -> Any:
    """Mean over seeds, so that thirteen conditions can be told apart."""
    mean: dict[tuple[str, int], list[dict[str, float]]] = {}
    for name in dict.fromkeys(name for name, _ in histories):
        seeds = [rows for (condition, _), rows in histories.items() if condition == name]
        mean[name, 0] = [
            {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}
            for rows in zip(*seeds, strict=True)
        ]
    return pooling_figures.curves(mean)


def _gallery(outcome: Outcome) -> Picture:
    """The same test images under each method at the largest factor."""
    data, seed, large = outcome.data, outcome.config.seed, max(outcome.config.factors)
    assert isinstance(data, TwoSets)
    shown = range(min(6, len(data.second.test)))
    rows = [
        ("image", [data.second.test.images[n] for n in shown]),
        ("truth", [masks.coloured(data.second.test.targets[n]) for n in shown]),
    ]
    for method, factor in ((STRIDE, 1), *((method, large) for method in METHODS)):
        found = outcome.predictions[f"{MASKS} {method} {factor}", seed]
        rows.append(
            (f"{method} {factor}", [masks.error(data.second.test.targets[n], found[n]) for n in shown])
        )
    return Picture(
        "outlines",
        "Errors of the masks: orange is missed, blue invented.",
        figures.variants(rows),
    )
