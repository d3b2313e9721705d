"""What people say of strides and pooling, as claims with predictions, and how each is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import downsampling, equal_time
from experiments.common.claims import EXPECTED, Claim, Measurement
from experiments.common.downsampling import BLUR, MAX, STRIDE
from experiments.common.experiment import Outcome
from experiments.common.summary import written

CLASSES, MASKS = "class", "masks"


def claims(
    models: Mapping[str, Any], factors: Sequence[int], *, timed: bool, quality: bool
) -> tuple[Claim, ...]:
    """Pixels skipped and cost, from archcalc's analyses by name; with `quality` also the answers."""
    large, small = max(factors), min(factors)
    skipped = {name: downsampling.skipped_predicted(model) for name, model in models.items()}
    holes = (
        ", ".join(f"{name} {share:.1%}" for name, share in skipped.items() if share > 0) or "nobody skips any"
    )
    macs = {name: model["totals"]["macs"] for name, model in models.items()}
    cheaper = macs[f"{CLASSES} {STRIDE} 1"] / macs[f"{CLASSES} {STRIDE} {small}"]
    dearer = macs[f"{CLASSES} {MAX} {small}"] / macs[f"{CLASSES} {STRIDE} {small}"]
    listed = [
        Claim(
            "skipped",
            "A stride larger than the kernel skips pixels; pooling skips none.",
            f"{holes}; all others none",
            at_most=0.02,
        ),
        Claim(
            "cost stride",
            f"A stride of {small} makes a network {small * small} times cheaper.",
            f"{cheaper:.2f} times fewer multiply-adds: so much less processor time, within a factor of 1.5",
            at_least=cheaper / 1.5,
            at_most=cheaper * 1.5,
        ),
        Claim(
            "cost pooling",
            "Pooling instead of a stride costs little.",
            f"{dearer:.2f} times the multiply-adds at a factor of {small}: so much more processor time, "
            f"within 1.5",
            at_least=dearer / 1.5,
            at_most=dearer * 1.5,
        ),
    ]
    return (
        *(listed if timed else listed[:1]),
        *(_quality(small, large) if quality else ()),
    )


def _quality(small: int, large: int) -> list[Claim]:
    """Accuracy, outlines and consistency: what the architecture says nothing of, and people do."""
    text = "the difference: above 0"
    return [
        Claim(
            "pooling better",
            f"Max pooling is more accurate than a stride (factor {large}, classes).",
            text,
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            "detail masks",
            "Small strides matter for detail.",
            f"IoU at the outline, stride 1 less stride {large}: above .05",
            at_least=0.05,
            by=EXPECTED,
        ),
        Claim(
            "detail classes",
            "For classes they matter less.",
            f"accuracy, stride 1 less stride {large}: below what outlines lose",
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            "blur consistent",
            f"Blurred pooling is more consistent under shifts than max pooling (factor {small}, classes).",
            text,
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            "stride inconsistent",
            f"A stride is less consistent than max pooling (factor {large}, classes).",
            text,
            at_least=0.0,
            by=EXPECTED,
        ),
    ]


def judged(
    outcome: Outcome, studied: Mapping[str, list[dict[str, float]]], *, quality: bool
) -> dict[str, Measurement]:
    """`studied`: consistency and share of skipped pixels of each training, by condition."""
    models, factors = outcome.prediction["models"], outcome.config.factors
    large, small = max(factors), min(factors)
    errors = {
        name: abs(found[0]["skipped"] - downsampling.skipped_predicted(models[name]))
        for name, found in studied.items()
    }
    holes = ", ".join(
        f"{n} {found[0]['skipped']:.1%}" for n, found in studied.items() if found[0]["skipped"] > 0.01
    )
    seconds = {name: equal_time.cost(outcome.processor_seconds, name) for name in outcome.conditions}
    times = [seconds[f"{CLASSES} {STRIDE} {factor}"] for factor in (1, small)]
    pooled = seconds[f"{CLASSES} {MAX} {small}"]
    found = {
        "skipped": Measurement(
            (max(errors.values()),),
            f"by gradient {holes or 'none'}; off by {max(errors.values()):.1%} at most",
            "At the border a window less is there than the share assumes.",
        ),
        "cost stride": Measurement(
            (times[0] / times[1],),
            f"{times[0] / times[1]:.2f} times ({times[0]:.2f} s and {times[1]:.2f} s of the processor "
            f"an epoch)",
            "What is not multiplication (normalisation, rectifiers, copies) shrinks less or is not counted.",
        ),
        "cost pooling": Measurement(
            (pooled / times[1],),
            f"{pooled / times[1]:.2f} times ({pooled:.2f} s and {times[1]:.2f} s)",
            "The first feature maps stay large, and normalising and pooling them is not counted in "
            "multiply-adds.",
        ),
    }
    if not quality:
        return found
    return found | _judged_quality(outcome, studied, small, large)


def _judged_quality(
    outcome: Outcome, studied: Mapping[str, list[dict[str, float]]], small: int, large: int
) -> dict[str, Measurement]:
    def accuracy(name: str, metric: str = "accuracy") -> NDArray[np.float64]:
        return np.array(outcome.values(name, metric))

    def alike(name: str) -> NDArray[np.float64]:
        return np.array([each["consistency"] for each in studied[name]])

    def compared(first: NDArray[np.float64], second: NDArray[np.float64], why: str = "") -> Measurement:
        gained = first - second
        text = f"{written(list(first))} against {written(list(second))}: {written(list(gained))}"
        return Measurement(tuple(gained), text, why)

    outline = accuracy(f"{MASKS} {STRIDE} 1", "outline_iou") - accuracy(
        f"{MASKS} {STRIDE} {large}", "outline_iou"
    )
    classes = accuracy(f"{CLASSES} {STRIDE} 1") - accuracy(f"{CLASSES} {STRIDE} {large}")
    return {
        "pooling better": compared(
            accuracy(f"{CLASSES} {MAX} {large}"), accuracy(f"{CLASSES} {STRIDE} {large}")
        ),
        "detail masks": compared(
            accuracy(f"{MASKS} {STRIDE} 1", "outline_iou"),
            accuracy(f"{MASKS} {STRIDE} {large}", "outline_iou"),
        ),
        "detail classes": Measurement(
            tuple(outline - classes),
            f"outlines lose {written(list(outline))}, classes {written(list(classes))}",
        ),
        "blur consistent": compared(alike(f"{CLASSES} {BLUR} {small}"), alike(f"{CLASSES} {MAX} {small}")),
        "stride inconsistent": compared(
            alike(f"{CLASSES} {MAX} {large}"), alike(f"{CLASSES} {STRIDE} {large}")
        ),
    }
