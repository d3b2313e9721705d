"""Figures of merit of predicted masks, by scikit-learn, over all pixels of the test images at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score


def segmentation(targets: NDArray[np.int64], chosen: NDArray[Any], classes: int) -> dict[str, Any]:
    """Metrics of class maps (N, H, W) against masks of the same shape; class 0 is the background.

    IoU is Jaccard's index and Dice the F1 score of a class's pixels. `iou` and `dice` are means over
    the classes other than the background, `mean_iou` that over all; a class with neither pixels nor
    predictions has no value (None) and takes no part.
    """
    truth, found = targets.ravel(), chosen.ravel().astype(np.int64)
    labels = np.arange(classes)
    options: dict[str, Any] = {"labels": labels, "average": None, "zero_division": np.nan}
    iou: NDArray[np.float64] = jaccard_score(truth, found, **(options | {"zero_division": 0.0}))
    dice: NDArray[np.float64] = f1_score(truth, found, **options)
    iou = np.where(np.isnan(dice), np.nan, iou)
    return {
        "accuracy": float(accuracy_score(truth, found)),
        "iou": float(np.nanmean(iou[1:])),
        "mean_iou": float(np.nanmean(iou)),
        "dice": float(np.nanmean(dice[1:])),
        "class_iou": [_value(v) for v in iou],
        "class_dice": [_value(v) for v in dice],
        "confusion_matrix": confusion_matrix(truth, found, labels=labels).tolist(),
    }


def per_image(targets: NDArray[np.int64], chosen: NDArray[Any]) -> NDArray[np.float64]:
    """The foreground's IoU of every image, all classes but the background taken as one."""
    return np.array(
        [
            jaccard_score(mask.ravel() > 0, found.ravel() > 0, zero_division=1.0)
            for mask, found in zip(targets, chosen, strict=True)
        ]
    )


def _value(number: np.float64) -> float | None:
    return None if np.isnan(number) else float(number)
