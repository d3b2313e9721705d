"""From scores to decisions: thresholds chosen on validation by recall or cost, and what they do on test."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Targets = NDArray[np.int64]  # 1 is what must not be missed
CONFIDENCE = 0.95


def for_recall(targets: Targets, scores: Floats, recall: float) -> float:
    """The threshold with the best precision of those that find at least so many positives.

    An image counts as positive from the threshold on.
    """
    from sklearn.metrics import precision_recall_curve

    precision, found, thresholds = precision_recall_curve(targets, scores)
    enough = found[:-1] >= recall
    best = np.where(enough, precision[:-1], -1.0)
    return float(thresholds[np.flatnonzero(best == best.max())[-1]])


def for_cost(targets: Targets, scores: Floats, miss: float, false_alarm: float) -> float:
    """The threshold whose misses and false alarms cost least."""
    candidates = np.append(np.unique(scores), np.nextafter(scores.max(), np.inf))
    costs = [cost(targets, scores, at, miss, false_alarm) for at in candidates]
    return float(candidates[int(np.argmin(costs))])


def cost(targets: Targets, scores: Floats, threshold: float, miss: float, false_alarm: float) -> float:
    """Of misses and false alarms, an image."""
    alarm = scores >= threshold
    missed, false = (~alarm & (targets == 1)).sum(), (alarm & (targets == 0)).sum()
    return float((miss * missed + false_alarm * false) / len(targets))


def bayes(miss: float, false_alarm: float) -> float:
    """The threshold that costs least where scores are the probabilities that they claim to be."""
    return false_alarm / (false_alarm + miss)


def at(targets: Targets, scores: Floats, threshold: float, resamples: int) -> dict[str, Any]:
    """Recall and precision at a threshold with their intervals, and the confusion matrix."""
    from sklearn.metrics import confusion_matrix, precision_score, recall_score

    alarm = (scores >= threshold).astype(np.int64)
    return {
        "threshold": threshold,
        "recall": float(recall_score(targets, alarm, zero_division=0.0)),
        "recall_interval": share_interval(alarm[targets == 1], resamples),
        "precision": float(precision_score(targets, alarm, zero_division=0.0)),
        "precision_interval": share_interval(targets[alarm == 1], resamples),
        "confusion_matrix": confusion_matrix(targets, alarm, labels=[0, 1]).tolist(),
    }


def share_interval(hits: NDArray[Any], resamples: int) -> list[float]:
    """Bootstrap interval of a share of ones, 95 %; of nothing it is 0 to 1."""
    if not len(hits):
        return [0.0, 1.0]
    return _bootstrap((hits.astype(np.float64),), np.mean, resamples, vectorized=True)


def interval(
    metric: Callable[[Targets, Floats], float], targets: Targets, scores: Floats, resamples: int
) -> list[float]:
    """Bootstrap interval of a metric of targets and scores, 95 %, over the images."""

    def of(*sample: Any) -> float:
        return float(metric(*sample)) if np.ptp(sample[0]) else float("nan")

    return _bootstrap((targets, scores), of, resamples, vectorized=False)


def _bootstrap(data: Any, statistic: Any, resamples: int, *, vectorized: bool) -> list[float]:
    from scipy.stats import bootstrap

    with warnings.catch_warnings():  # of a sample without spread, whose interval is a point
        warnings.simplefilter("ignore")
        found = bootstrap(
            data,
            statistic,
            n_resamples=resamples,
            confidence_level=CONFIDENCE,
            method="percentile",
            paired=len(data) > 1,
            vectorized=vectorized,
            rng=np.random.default_rng(0),
        ).confidence_interval
    return [float(found.low), float(found.high)]


def calibration_error(targets: Targets, scores: Floats, bins: int = 10) -> float:
    """Mean distance of scores from the share of positives among images of like score, by quantiles."""
    from sklearn.calibration import calibration_curve

    share, mean = calibration_curve(targets, scores, n_bins=bins, strategy="quantile")
    return float(np.abs(share - mean).mean())


def binary(targets: Targets, scores: Floats) -> dict[str, Any]:
    """Metrics of scores, and of the decisions at .5."""
    from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, roc_auc_score

    matrix = confusion_matrix(targets, scores >= 0.5, labels=[0, 1])
    both = np.ptp(targets) > 0
    return {
        "auc": float(roc_auc_score(targets, scores)) if both else float("nan"),
        "average_precision": float(average_precision_score(targets, scores)),
        "accuracy": float(np.trace(matrix) / matrix.sum()),
        "recall": float(matrix[1, 1] / max(matrix[1].sum(), 1)),
        "precision": float(matrix[1, 1] / max(matrix[:, 1].sum(), 1)),
        "brier": float(brier_score_loss(targets, scores)),
        "calibration_error": calibration_error(targets, scores) if both else float("nan"),
        "confusion_matrix": matrix.tolist(),
    }
