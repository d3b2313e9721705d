"""What a segmentation must beat: guesses that look at no neighbour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.splits import Data
from experiments.common.segmentation_metrics import segmentation

PIXELS = 200_000  # of the training images, for the logistic regression


def baselines(data: Data) -> dict[str, dict[str, Any]]:
    """Test metrics of: all foreground, the commonest class of each place, logistic regression per pixel."""
    classes = len(data.classes)
    shape = data.test.targets.shape
    frequent = _frequent(data, classes)
    largest = 1 + int(np.bincount(data.train.targets.ravel(), minlength=classes)[1:].argmax())
    guesses = {
        "all foreground": np.full(shape, largest),
        "commonest class of each place": np.broadcast_to(frequent, shape),
        "logistic regression per pixel": _logistic(data),
    }
    return {name: segmentation(data.test.targets, guess, classes) for name, guess in guesses.items()}


def _frequent(data: Data, classes: int) -> NDArray[np.int64]:
    counts = np.stack([(data.train.targets == number).sum(axis=0) for number in range(classes)])
    found: NDArray[np.int64] = counts.argmax(axis=0)
    return found


def _features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour, place and their squares, a row a pixel."""
    count, height, width, _ = images.shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    places = np.broadcast_to(np.stack([rows, columns], axis=-1), (count, height, width, 2))
    linear = np.concatenate([images / 127.5 - 1.0, places], axis=-1).reshape(-1, 5)
    return np.concatenate([linear, linear**2], axis=-1).astype(np.float32)


def _logistic(data: Data) -> NDArray[np.int64]:
    from sklearn.linear_model import LogisticRegression

    chosen = np.random.default_rng(0).permutation(len(data.train))
    needed = -(-PIXELS // data.train.targets[0].size)
    few = chosen[: min(needed * 20, len(chosen))]
    features, targets = _features(data.train.images[few]), data.train.targets[few].ravel()
    some = np.random.default_rng(1).permutation(len(targets))[:PIXELS]
    model = LogisticRegression(max_iter=200).fit(features[some], targets[some])
    parts = [model.predict(_features(image[None])) for image in data.test.images]
    found: NDArray[np.int64] = np.stack(parts).reshape(data.test.targets.shape)
    return found
