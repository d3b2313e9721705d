"""Six things that CNNs are said to be bad at, each predicted from the architecture where it can be.

Question     Overfitting, shifts and rotations, small objects, occlusion, images of another size, parts that
             belong together: which limit is real, and does archcalc tell it beforehand?
Hypothesis   Features are the same again after the effective stride; spots are found once they are as large
             as the gap between windows; a square reaches the units whose field meets it; Flatten forbids
             other sizes; a mean over positions keeps its answer when quarters change places.
Command      python -m experiments run cnn_limits --profile full
Time         smoke 25 s, quick 1 min, full 5 min of the processor; three seeds
Found        full: the period of shifts, the side from which spots are found, the units that a square
             reaches and the layer that forbids other sizes are as predicted; wider networks overfit more, by
             less than expected; with quarters exchanged a mean over positions keeps half of its answers

Garments of Fashion-MNIST (28 x 28), the same on a canvas, and square spots in noise; small networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import data as datasets
from experiments.common import limit_claims, limit_figures
from experiments.common import limit_nets as nets
from experiments.common.claims import Claim, Measurement
from experiments.common.data.splits import Data, ManySets, Split
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture
from experiments.common.feed import Arrays
from experiments.common.limit_nets import CANVAS, GARMENTS, SPOTS, LimitConfig
from experiments.common.summary import written

if TYPE_CHECKING:
    import keras

PROFILES = {
    "smoke": LimitConfig(
        "smoke",
        train_images=64,
        validation_images=16,
        test_images=32,
        epochs=1,
        batch_size=32,
        eager=True,
        widths=(2,),
        amounts=(32,),
        amount_epochs=(1,),
        filters=2,
        canvas_images=32,
        looked_at=8,
        spots=4,
    ),
    "quick": LimitConfig(
        "quick",
        train_images=1_500,
        validation_images=200,
        test_images=500,
        epochs=4,
        batch_size=32,
        learning_rate=0.003,
        widths=(2, 12),
        amounts=(200, 1_500),
        amount_epochs=(10, 4),
        canvas_images=1_500,
        looked_at=100,
        spots=100,
    ),
    "full": LimitConfig(
        "full",
        train_images=3_000,
        validation_images=200,
        test_images=1_000,
        epochs=5,
        batch_size=32,
        learning_rate=0.003,
        seeds=3,
    ),
}
STRIDES = ((4, False), (8, False), (4, True))
FINDERS = (1, 4, 8)


class CnnLimits(Experiment):
    name = "cnn_limits"
    claim = "CNNs overfit, break under shifts, miss what is small or covered, want one size, lose the whole."
    found = (
        "full: shift period, knee of small objects, reach of a square and what forbids other sizes as "
        "predicted: hit; a wider network overfits more: by less than expected; parts exchanged: half of the "
        "answers stay"
    )
    question = "Which limits of CNNs are real, and which of them can be told from the architecture?"
    hypothesis = (
        "Features are the same again after the effective stride; spots are found once they are as large as "
        "the gap between windows; a square reaches the units whose field meets it; Flatten forbids other "
        "sizes; a mean over positions keeps its answer when quarters change places."
    )
    profiles = PROFILES
    expected_time = {"smoke": "25 s", "quick": "1 min", "full": "5 min"}

    def load(self, config: LimitConfig, source: Path | None) -> Data:
        garments = datasets.load(config, source)
        return ManySets.of(nets.sets(garments), provenance=garments.provenance)

    def part(self, condition: Condition, data: Data) -> Data:
        assert isinstance(data, ManySets)
        chosen = data.sets[condition.name.split()[0]]
        count = condition.train_images or len(chosen.train)
        return dataclasses.replace(chosen, train=chosen.train.first(count))

    def arrays(self, config: LimitConfig, split: Split, classes: int) -> Arrays:
        targets = split.targets
        return split.images, targets[:, None].astype(np.float32) if classes == 2 else targets

    def conditions(self, config: LimitConfig, data: Data) -> tuple[Condition, ...]:
        def one(name: str, build: Any, epochs: int, images: int, batch: int = 0) -> Condition:
            return Condition(name, build, epochs, batch or config.batch_size, train_images=images)

        def canvas(factor: int, blurred: bool) -> Condition:
            name = f"{CANVAS} stride {factor}{' blurred' if blurred else ''}"
            build = partial(nets.strided, config, factor, blurred=blurred)
            return one(name, build, config.epochs, config.canvas_images)

        def whole(width: int, images: int, epochs: int, pooled: bool = False) -> Condition:
            name = f"{GARMENTS} pooled" if pooled else nets.capacity_name(width, images)
            build = partial(nets.classifier, config, width, pooled=pooled)
            return one(name, build, epochs, images, config.amount_batch)

        amounts = tuple(zip(config.amounts, config.amount_epochs, strict=True))
        most, images = max(amounts), config.canvas_images
        return (
            *(whole(width, *amount) for width in config.widths for amount in amounts),
            # the mean over positions learns more slowly
            whole(max(config.widths), most[0], 2 * most[1], pooled=True),
            *(canvas(*kind) for kind in STRIDES),
            *(
                one(f"{SPOTS} stride {n}", partial(nets.finder, config, n), config.epochs, images)
                for n in FINDERS
            ),
        )

    def expectations(self, config: LimitConfig) -> tuple[Expectation, ...]:
        return ()  # the claims say more

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs

    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        from experiments.common import metrics

        return metrics.classification(split.targets, predicted, classes)

    def foresee(self, config: LimitConfig, data: Data) -> dict[str, Any]:
        return {
            "opened": {
                name: limit_claims.opened(config, pooled=name == "pooled") for name in ("flatten", "pooled")
            }
        }

    def claims(self, config: LimitConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        return limit_claims.claims(config, prediction, enough=_enough(config))

    def study(self, outcome: Outcome) -> None:
        from experiments.common import limit_study

        limit_study.study(outcome)

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        return limit_claims.judged(outcome, enough=_enough(outcome.config))

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        from experiments.common import limit_study

        seeds, models = limit_study.read(outcome), outcome.prediction["models"]
        yield Picture(
            "overfitting",
            "1. Overfitting: training (hollow) and test accuracy by width and number of images; the gap "
            "over parameters an image.",
            limit_figures.overfitting(outcome),
        )
        yield Picture(
            "shifts",
            "2. Shifts: how far the mean features go, by the pixels that the garment moves; dotted: "
            "multiples of the effective stride. Grey: on the narrow canvas, whose border some units see.",
            limit_figures.shifts(
                seeds, {name: limit_claims.stride(models, name) for name in seeds[0]["shifts"]}
            ),
        )
        yield Picture(
            "turns", "2. Rotations: accuracy and distance of features by angle.", limit_figures.turns(seeds)
        )
        predicted = {name: limit_claims.hit(models, name) for name in seeds[0]["spots"]}
        yield Picture(
            "spots",
            "3. Small objects: plain spots found at 5 % false alarms; dashed: the share of positions at "
            "which a spot meets a unit, from archcalc's field and stride.",
            limit_figures.spots(seeds, predicted),
        )
        yield Picture(
            "noise",
            "3. Size, noise and blending into the background: share of spots found, first seed.",
            limit_figures.noise(seeds[0]["spots"]),
        )
        yield Picture(
            "covers",
            "4. Occlusion: accuracy by covered share; units of the last map that change, against archcalc's "
            "prediction (line).",
            limit_figures.covers(seeds, limit_claims.changed(models, outcome.config)),
        )
        yield _sensitivity(outcome)
        yield Picture(
            "scales",
            "5. Other sizes: accuracy of the network with global pooling by the side of the image; dotted: "
            "the side of training.",
            limit_figures.scales(seeds),
        )
        yield _scrambled(outcome, seeds)

    def findings(self, outcome: Outcome) -> list[str]:
        found = []
        for name in outcome.conditions:
            model = outcome.prediction["models"][name]["totals"]
            found.append(
                f"{name}: test accuracy {written(outcome.values(name, 'accuracy'))}, "
                f"{model['parameters']:,} parameters"
            )
        opened = outcome.prediction["further"]["opened"]
        forbid = ", ".join(limit_claims.forbidding(opened["flatten"]))
        return [*found, f"with the side H open, archcalc says whose weights depend on it: {forbid}"]


def _enough(config: LimitConfig) -> bool:
    """Whether trainings say anything."""
    return config.train_images >= 3_000


def _sensitivity(outcome: Outcome) -> Picture:
    from experiments.common import limit_study

    config, data = outcome.config, outcome.data
    assert isinstance(data, ManySets)
    test, key = data.sets[GARMENTS].test, (config.whole, config.seed)
    right = np.flatnonzero(outcome.predictions[key].argmax(axis=1) == test.targets)[:5]
    model: keras.Model = outcome.model(key)
    shown = [
        (test.images[n], limit_study.sensitivity(model, test.images[n], int(test.targets[n]))) for n in right
    ]
    return Picture(
        "sensitivity",
        "4. Where a covered patch of 6 x 6 pixels costs the right class's probability (red), first seed.",
        limit_figures.sensitivity(shown),
    )


def _scrambled(outcome: Outcome, seeds: list[dict[str, Any]]) -> Picture:
    from experiments.common import limit_study

    assert isinstance(outcome.data, ManySets)
    images = outcome.data.sets[GARMENTS].test.images[:4]
    return Picture(
        "scrambled",
        "6. Parts: garments with quarters exchanged, and what networks with a mean over positions and with "
        "Flatten make of them.",
        limit_figures.scrambled(images, limit_study.scrambled(images), seeds),
    )
