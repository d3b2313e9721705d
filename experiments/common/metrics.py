"""Figures of merit of a classifier on the test data, by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)


def classification(
    targets: NDArray[np.int64], predicted: NDArray[np.float32], classes: int
) -> dict[str, Any]:
    """Metrics of class probabilities (N, classes) against class numbers (N,).

    `accuracy_standard_error` is that of a binomial share: how far the test accuracy may be off because the
    test set is finite.
    """
    labels = np.arange(classes)
    probabilities = predicted.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    chosen = probabilities.argmax(axis=1)
    accuracy = float(accuracy_score(targets, chosen))
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, chosen, labels=labels, zero_division=0.0
    )
    found = {
        "accuracy": accuracy,
        "accuracy_standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(targets))),
        "loss": float(log_loss(targets, probabilities, labels=labels)),
        "macro_f1": float(f1.mean()),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "confusion_matrix": confusion_matrix(targets, chosen, labels=labels).tolist(),
    }
    if classes > 3:
        found["top_3_accuracy"] = float(top_k_accuracy_score(targets, probabilities, k=3, labels=labels))
    return found
