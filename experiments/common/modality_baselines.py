"""What needs no network: bags of words, statistics of a spectrogram, trees and forests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from experiments.common.data.splits import Data
from experiments.common.modality_nets import TEXTS, VOICES

Features = Callable[[NDArray[Any]], NDArray[Any]]


def bag(tokens: NDArray[np.int32], words: int) -> NDArray[np.float32]:
    """How often each word is there, (N, words); padding counts for nothing."""
    counts = np.zeros((len(tokens), words), np.float32)
    np.add.at(counts, (np.arange(len(tokens))[:, None], tokens), 1)
    counts[:, 0] = 0
    return counts


def statistics(clips: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and deviation of each band over time."""
    scaled = clips / 127.5 - 1.0
    return np.concatenate([scaled.mean(axis=1), scaled.std(axis=1)], axis=1)


def methods(name: str, data: Data) -> Mapping[str, tuple[Callable[[int], Any], Features]]:
    """Of a data set: estimators that a seed makes, and the features that they get."""

    def linear(_: int) -> Any:
        return LogisticRegression(max_iter=1_000)

    if name in TEXTS:
        return {"bag of words": (linear, lambda tokens: bag(tokens, data.provenance["words"] + 2))}
    if name in VOICES:
        return {"statistics": (linear, statistics)}
    return {
        "logistic regression": (linear, lambda table: table),
        "decision tree": (lambda s: DecisionTreeClassifier(max_depth=6, random_state=s), lambda table: table),
        "random forest": (lambda s: RandomForestClassifier(200, random_state=s), lambda table: table),
        "gradient boosting": (
            lambda s: HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, random_state=s),
            lambda table: table,
        ),
    }


def baselines(sets: Mapping[str, Data], seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Test accuracy of each method on each set, by seed and its mean."""
    found = {}
    for name, data in sets.items():
        for method, (make, features) in methods(name, data).items():
            known, tested = features(data.train.images), features(data.test.images)
            values = [
                float(make(seed).fit(known, data.train.targets).score(tested, data.test.targets))
                for seed in seeds
            ]
            found[f"{name} {method}"] = {"accuracy": float(np.mean(values)), "values": values}
    return found
