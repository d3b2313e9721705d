"""Trainings with nothing wrong: how often does a detector cry all the same?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archcalc.keras import GradientMonitor
from experiments.common import files, stacks
from experiments.common.stacks import Stack
from experiments.common.training import derived_seed

LEARNT = 0.6  # training accuracy at the end, of ten classes
FELL = 0.6  # of the loss at the start

Examples = tuple[NDArray[np.float32], NDArray[np.int64]]


def train(
    stack: Stack, seed: int, examples: Examples, classes: int, width: int, epochs: int, every: int
) -> dict[str, Any]:
    """One training with the monitor: whether it was healthy, and what the detectors say of it.

    Healthy is what learns, by its accuracy and its loss over all examples; no detector is asked.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(derived_seed(seed))
    images, labels = examples
    model = stacks.compiled(stacks.build(stack, images.shape[1:], classes, width), stack)
    before = model.evaluate(images, labels, batch_size=256, verbose=0)
    monitor = GradientMonitor((images[:64], labels[:64]), every)
    model.fit(images, labels, batch_size=64, epochs=epochs, verbose=0, callbacks=[monitor])
    after = model.evaluate(images, labels, batch_size=256, verbose=0)
    return {
        "training": f"{stack.label} seed {seed}",
        "accuracy": after[1],
        "loss": [value if np.isfinite(value) else None for value in (before[0], after[0])],
        "healthy": bool(after[1] >= LEARNT and after[0] <= FELL * before[0]),
        "alarms": {symptom.name: str(symptom) for symptom in monitor.symptoms()},
    }


def study(
    networks: Sequence[Stack],
    seeds: Sequence[int],
    examples: Examples,
    classes: int,
    width: Mapping[str, int],
    epochs: int,
    every: int,
    folder: Path,
) -> None:
    """Train every network with every seed, where its file is not there yet."""
    folder.mkdir(exist_ok=True)
    for stack in networks:
        for seed in seeds:
            path = folder / f"{stack.label} seed {seed}.json"
            if not path.is_file():
                files.write_json(
                    path, train(stack, seed, examples, classes, width[stack.kind], epochs, every)
                )


def read(folder: Path) -> list[dict[str, Any]]:
    """The healthy ones of what `study` trained."""
    return [found for path in sorted(folder.glob("*.json")) if (found := files.read_json(path))["healthy"]]


def false_alarms(trainings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """How many of the trainings each detector cried at."""
    return {name: sum(name in training["alarms"] for training in trainings) for name in names}
