"""Which pixels are the garment's? A U-Net on MobileNetV2, and what pretraining its encoder is worth.

Question     How much does a pretrained encoder buy, against one that starts at random and may train too?
Hypothesis   On 200 images of seg96 the best passes .85 test IoU; pretrained encoders beat the random ones at
             equal epochs and at equal time; a frozen random encoder is the worst.
Command      python -m experiments run segmentation --profile full --weights FILE
             python -m experiments run segmentation --data FOLDER-or-ZIP --set dataset=pairs
Time         smoke 15 s; quick 75 s, full 2 min 15 s a seed (three encoders, one thread)
Found        3 seeds: pretrained frozen .880 test IoU, fine-tuned .876, random trainable .754, and further
             behind at equal time; random frozen .289 (docs/experiments.md)

Encoder: MobileNetV2 without its top, cut where the deepest skip begins; skips are the activations before each
downsampling, one upsampling block each. Its weights: Keras's (`imagenet`), a local file, or none, and then
nothing is called pretrained. BatchNormalization of a pretrained encoder stays in inference mode.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import backbones, equal_time, figures, masks, unet
from experiments.common import data as sets
from experiments.common import weights as stored
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture
from experiments.common.feed import Arrays, Feed
from experiments.common.foresight import foreseen
from experiments.common.summary import effect, written

if TYPE_CHECKING:
    import keras

FROZEN, TUNED = "pretrained frozen", "pretrained fine-tuned"
TRAINABLE, FIXED = "random trainable", "random frozen"
ENCODERS = (FROZEN, TUNED, TRAINABLE, FIXED)
SHOWN = 4  # validation images whose masks are saved after every epoch


@dataclasses.dataclass(frozen=True)
class SegmentationConfig(Config):
    """Size of the images, the decoder's width, and where the encoder's weights come from."""

    dataset: str = "seg96"
    size: int = 96
    # of the decoder's blocks, the one at the input's size first; fewer blocks cut the encoder earlier
    decoder_filters: tuple[int, ...] = (8, 12, 16, 24, 32)
    weights: str = stored.IMAGENET
    weights_sha256: str = ""  # filled in when the run begins
    encoders: tuple[str, ...] = ENCODERS  # which are compared
    fine_tune_rate: float = 0.0005
    # of the encoder where it starts at random; Keras's .999 is too slow for few steps
    batchnorm_momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        unet.require(self.size, self.decoder_filters)
        unknown = [name for name in self.encoders if name not in ENCODERS]
        if unknown or not self.encoders:
            raise ExperimentError(f"encoders={','.join(self.encoders)}: choose among {', '.join(ENCODERS)}")


PROFILES = {
    "smoke": SegmentationConfig(
        "smoke",
        train_images=16,
        validation_images=8,
        test_images=8,
        epochs=2,
        batch_size=8,
        eager=True,
        decoder_filters=(4,),
        weights=stored.NONE,
    ),
    "quick": SegmentationConfig(
        "quick", train_images=80, validation_images=24, test_images=40, epochs=2, batch_size=8
    ),
    "full": SegmentationConfig(
        "full",
        train_images=200,
        validation_images=40,
        test_images=100,
        epochs=4,
        batch_size=8,
        seeds=3,
        encoders=(FROZEN, TUNED, TRAINABLE),
    ),
}


def build(config: SegmentationConfig, classes: int, name: str) -> keras.Model:
    """The compiled U-Net of one condition."""
    import keras

    pretrained = name in {FROZEN, TUNED}
    model = unet.build(
        config.size,
        classes,
        config.decoder_filters,
        weights=config.weights if pretrained else stored.NONE,
        trainable=name in {TUNED, TRAINABLE},
        momentum=config.batchnorm_momentum if name == TRAINABLE else None,
    )
    rate = config.fine_tune_rate if name == TUNED else config.learning_rate
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.MeanIoU(classes, sparse_y_pred=False, name="mean_iou")],
        run_eagerly=config.eager,
    )
    return model


class Segmentation(Experiment):
    name = "segmentation"
    claim = "A pretrained encoder makes a U-Net better at equal epochs and at equal time."
    found = ".880 test IoU where at least .85 was expected, 12.5 points over a random encoder: hit"
    question = "What is a pretrained encoder worth in a U-Net, against a random one that may train too?"
    hypothesis = (
        "The best passes .85 test IoU on seg96; pretrained encoders beat the trainable random one at equal "
        "epochs and at equal time; a frozen random encoder is the worst."
    )
    profiles = PROFILES
    expected_time = {"smoke": "15 s", "quick": "75 s", "full": "2 min 15 s per seed"}
    headline = "iou"

    def settled(self, config: SegmentationConfig) -> SegmentationConfig:
        weights, sha256 = stored.settled(config.weights)
        return dataclasses.replace(config, weights=weights, weights_sha256=sha256)

    def load(self, config: SegmentationConfig, source: Path | None) -> Data:
        stored.require_same(config.weights, config.weights_sha256)
        data = sets.load(config, source, config.size)
        if data.train.targets.ndim != 3:
            raise ExperimentError(f"dataset={data.name} has classes, not masks; {self.name} needs masks")
        if data.train.images.shape[1] != config.size:
            raise ExperimentError(
                f"dataset={data.name} is {data.train.images.shape[1]} pixels wide, size={config.size}"
            )
        return data

    def arrays(self, config: SegmentationConfig, split: Split, classes: int) -> Arrays:
        return split.images, split.targets

    def examples(
        self, config: SegmentationConfig, condition: Condition, data: Data, split: str, seed: int
    ) -> Feed:
        """Bytes and masks; the pipeline normalises as the encoder wants."""
        chosen = self.part(condition, data).splits[split]
        prepare = backbones.preparation(unet.ENCODER, config.size)
        return Feed(chosen.images, chosen.targets.astype(np.uint8), prepare)

    def conditions(self, config: SegmentationConfig, data: Data) -> tuple[Condition, ...]:
        without = (FROZEN, TUNED) if config.weights == stored.NONE else ()

        def condition(name: str) -> Condition:
            return Condition(
                name,
                lambda: build(config, len(data.classes), name),
                config.epochs,
                config.batch_size,
                monitor="val_mean_iou",
                batchnorm_momentum=config.batchnorm_momentum,
            )

        return tuple(condition(name) for name in config.encoders if name not in without)

    def expectations(self, config: SegmentationConfig) -> tuple[Expectation, ...]:
        if config.dataset == "seg96" and config.train_images >= 200 and config.weights != stored.NONE:
            return (Expectation(FROZEN, "iou", at_least=0.85),)
        return ()

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        chosen: NDArray[np.uint8] = outputs.argmax(axis=-1).astype(np.uint8)
        return chosen

    def measure(self, split: Split, predicted: NDArray[Any], classes: int) -> Metrics:
        from experiments.common.segmentation_metrics import segmentation

        return segmentation(split.targets, predicted, classes)

    def baselines(self, config: SegmentationConfig, data: Data) -> Mapping[str, Metrics]:
        from experiments.common.baselines import baselines

        return baselines(data)

    def watch(
        self, config: SegmentationConfig, data: Data, model: keras.Model, epoch: int, folder: Path
    ) -> None:
        """Save what the model makes of the first validation images."""
        images = data.validation.images[:SHOWN]
        prepared = backbones.preparation(unet.ENCODER, config.size)(images)
        found = self.compact(np.asarray(model(prepared, training=False)))
        masks.save_strip(images, found, folder / f"epoch-{epoch:04d}.png")

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        data, seed = outcome.data, outcome.config.seed
        yield Picture(
            "samples",
            "Training images and their masks, as the network gets them.",
            figures.gallery(
                [(image, "") for image in data.train.images[:6]]
                + [(masks.coloured(mask), "") for mask in data.train.targets[:6]],
                columns=6,
            ),
        )
        yield Picture(
            "curves",
            "Loss and mean IoU, epoch by epoch.",
            figures.curves(outcome.histories, ("loss", "mean_iou")),
        )
        yield Picture(
            "over_time",
            "Validation's mean IoU over the seconds trained: equal time is a vertical line.",
            figures.over_time(outcome.histories, outcome.seconds, "val_mean_iou"),
        )
        measured = {name: outcome.values(name, "iou") for name in outcome.conditions}
        measured |= {f"{name} (no network)": [float(m["iou"])] for name, m in outcome.baselines.items()}
        yield Picture(
            "iou",
            "Test IoU after the last epoch, a dot a seed, beside what needs no network.",
            figures.spread_over_seeds({k: v for k, v in measured.items() if v}, "test IoU"),
        )
        best = _best(outcome)
        if best is None:
            return
        found = outcome.predictions[best, seed]
        yield from _galleries(best, data.test, found)
        progress = sorted((outcome.folder / "samples" / f"{best}-seed{seed}").glob("*.png"))
        yield Picture(
            "progress",
            f"{best}, seed {seed}: validation images as seen after the first, middle and last epoch.",
            masks.progress(sorted({progress[0], progress[len(progress) // 2], progress[-1]})),
        )

    def findings(self, outcome: Outcome) -> list[str]:
        config = outcome.config
        found = [stored.told(config.weights, config.weights_sha256)]
        found += [
            f"{name} (no network): test IoU {metrics['iou']:.3f}"
            for name, metrics in outcome.baselines.items()
        ]
        for name in outcome.conditions:
            if outcome.values(name, "iou"):
                iou, dice = outcome.values(name, "iou"), outcome.values(name, "dice")
                found.append(f"{name}: test IoU {written(iou)}, Dice {written(dice)}")
        found += _by_class(outcome)
        for name in (FROZEN, TUNED):
            if name in outcome.conditions and TRAINABLE in outcome.conditions:
                found += _against_random(outcome, name)
        return found + foreseen(outcome)


def _best(outcome: Outcome) -> str | None:
    """The condition best on the *validation* data, mean over seeds."""
    means = {}
    for name in outcome.conditions:
        if len(outcome.values(name, "iou")) == len(outcome.config.all_seeds):
            rows = [rows[-1] for (condition, _), rows in outcome.histories.items() if condition == name]
            means[name] = np.mean([row["val_mean_iou"] for row in rows])
    return max(means, key=lambda name: means[name]) if means else None


def _galleries(name: str, test: Split, found: NDArray[Any]) -> Iterator[Picture]:
    from experiments.common.segmentation_metrics import per_image

    scores = per_image(test.targets, found)
    order = np.argsort(scores, kind="stable")
    rows = min(5, len(order))
    middle = order[len(order) // 2 - rows // 2 :][:rows]
    for title, chosen, caption in (
        ("typical", middle, "around the median IoU"),
        ("worst", order[:rows], "with the lowest IoU"),
    ):
        yield Picture(
            title,
            f"{name}: test images {caption}; in the error, orange is missed, blue invented, yellow "
            "another class.",
            masks.gallery(
                test.images[chosen],
                test.targets[chosen],
                found[chosen],
                [f"IoU {scores[index]:.2f}" for index in chosen],
            ),
        )


def _by_class(outcome: Outcome) -> list[str]:
    classes = outcome.data.classes
    best = _best(outcome)
    if len(classes) < 3 or best is None:
        return []
    metrics = outcome.metrics[best, outcome.config.seed]
    shares = [
        f"{name} –" if iou is None else f"{name} {iou:.3f} / {dice:.3f}"
        for name, iou, dice in zip(classes, metrics["class_iou"], metrics["class_dice"], strict=True)
    ]
    return [f"{best}, IoU / Dice by class: {', '.join(shares)}"]


def _against_random(outcome: Outcome, name: str) -> list[str]:
    mine, random = outcome.values(name, "iou"), outcome.values(TRAINABLE, "iou")
    found = []
    if mine and len(mine) == len(random):
        found.append(f"{name} against {TRAINABLE}, equal epochs: test IoU {effect(random, mine)}")
    timed = equal_time.compare(outcome.histories, outcome.seconds, (name, TRAINABLE), "val_mean_iou")
    first, second = timed.values
    found.append(
        f"{name} against {TRAINABLE}, equal time ({timed.seconds:.0f} s: {timed.epochs[0]} and "
        f"{timed.epochs[1]} epochs): validation mean IoU {written(first)} and {written(second)}, "
        f"{effect(second, first)}"
    )
    return found
