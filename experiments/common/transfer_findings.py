"""What `transfer` compares, by name, and what is found of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common import figures
from experiments.common import weights as stored
from experiments.common.experiment import Outcome
from experiments.common.summary import effect

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRANSFER, RANDOM, CLASSIFIER = "transfer", "random features", "classifier"
TUNED = " fine-tuned"


def main_condition(config: Any) -> str:
    return RANDOM if config.weights == stored.NONE else TRANSFER


def manner(outcome: Outcome, name: str) -> str:
    """How a training went: the verdicts by `fitting`'s criteria, and the noise of validation's curve."""
    judged = [found for (condition, _), found in outcome.diagnoses.items() if condition == name]
    verdicts = ", ".join(dict.fromkeys(found["verdict"] for found in judged))
    noises = [found["figures"]["noise"] for found in judged if "noise" in found["figures"]]
    noise = f", validation loss jumps by {np.mean(noises):.1%} an epoch" if noises else ""
    return verdicts + noise


def comparisons(outcome: Outcome) -> list[str]:
    """Each kind against the main one, where the seeds are the same."""
    config = outcome.config
    main = main_condition(config)
    found = []
    places: list[dict[str, int]] = [
        {},
        *({"images": n} for n in config.curve_images),
        *({"classes": n} for n in config.curve_classes),
    ]
    for place in places:
        mine = outcome.values(condition_name(main, **place), "accuracy")
        for kind in kinds_of(config):
            theirs = outcome.values(condition_name(kind, **place), "accuracy")
            if kind != main and mine and len(mine) == len(theirs):
                found.append(
                    f"{condition_name(main, **place)} against {kind}: test accuracy {effect(theirs, mine)}"
                )
    mine, tuned = outcome.values(main, "accuracy"), outcome.values(TRANSFER + TUNED, "accuracy")
    if mine and len(mine) == len(tuned):
        found.append(f"{TRANSFER + TUNED} against {TRANSFER}: test accuracy {effect(mine, tuned)}")
    return found


def means(outcome: Outcome, places: list[dict[str, int]]) -> dict[str, list[float]]:
    """Mean test accuracy of every kind at each place of a curve; NaN where all seeds diverged."""
    series = {}
    for kind in kinds_of(outcome.config):
        values = [outcome.values(condition_name(kind, **place), "accuracy") for place in places]
        series[kind] = [float(np.mean(v)) if v else float("nan") for v in values]
    return series


def over_classes(outcome: Outcome) -> Figure:
    counts = [*outcome.config.curve_classes, len(outcome.data.classes)]
    places: list[dict[str, int]] = [*({"classes": n} for n in outcome.config.curve_classes), {}]
    figure = figures.learning_curve(counts, means(outcome, places), "test accuracy", "classes")
    axis = figure.axes[0]
    axis.plot(counts, [1 / count for count in counts], "k--", lw=1)
    return figure


def kinds_of(config: Any) -> tuple[str, ...]:
    """What is compared over images and classes."""
    return (RANDOM, CLASSIFIER) if config.weights == stored.NONE else (TRANSFER, RANDOM, CLASSIFIER)


def condition_name(kind: str, images: int | None = None, classes: int | None = None) -> str:
    if images:
        return f"{kind}, {images} images"
    return f"{kind}, {classes} classes" if classes else kind
