"""What experiments with class labels share: one-hot targets, metrics, and the usual four figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import data as sets
from experiments.common import figures
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Experiment, Metrics, Outcome, Picture
from experiments.common.history import Key


class Classification(Experiment):
    """Images to classes; the rest is for the experiment itself."""

    def load(self, config: Any, source: Path | None) -> Data:
        data = sets.load(config, source)
        if data.train.targets.ndim != 1:
            raise ExperimentError(f"dataset={data.name} has masks, not classes; {self.name} needs classes")
        return data

    def arrays(self, config: Any, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Bytes as they are (the model rescales), and one-hot targets for CategoricalCrossentropy."""
        return split.images, np.eye(classes, dtype=np.float32)[split.targets]

    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        from experiments.common import metrics  # scikit-learn takes a second to import

        return metrics.classification(split.targets, predicted, classes)

    def usual_pictures(self, outcome: Outcome, key: Key) -> Iterator[Picture]:
        """Samples, curves, the confusion matrix and the worst errors of one model."""
        yield self.samples(outcome)
        yield Picture("curves", "Loss and accuracy, epoch by epoch.", figures.curves(outcome.histories))
        yield from self.mistakes(outcome, key)

    def samples(self, outcome: Outcome) -> Picture:
        data = outcome.data
        return Picture(
            "samples",
            "One training image of each class, as the network gets it.",
            figures.one_per_class(data.train.images, data.train.targets, data.classes),
        )

    def mistakes(self, outcome: Outcome, key: Key) -> Iterator[Picture]:
        """Confusion matrix and worst errors of one model; nothing where it diverged."""
        if key not in outcome.metrics:
            return
        name, data = key[0], outcome.data
        yield Picture(
            "confusion",
            f"Where {name} (seed {key[1]}) sends the test images of each class.",
            figures.confusion(outcome.metrics[key]["confusion_matrix"], data.classes),
        )
        worst = figures.worst_errors(
            data.test.images, data.test.targets, outcome.predictions[key], data.classes
        )
        if worst:
            yield Picture(
                "errors", f"The test images that {name} gets wrong with the most confidence.", worst
            )


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return found
