"""Data sets by name; each says what it needs, and none ever stands in for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archcalc.errors import did_you_mean
from experiments.common.config import Config
from experiments.common.data import cifar, folders, garments, generated, pairs
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

NAMES = ("cifar10", "fashion-mnist", "images", "pairs", *generated.RECIPES)


def load(config: Config, source: Path | None, size: int = 32) -> Data:
    """The set that `config.dataset` names, from `source` (--data) where the set takes one.

    `size` is the side to which one's own pictures are brought. Raises ExperimentError, within seconds,
    where something is missing, naming what to do instead.
    """
    counts = (config.train_images, config.validation_images, config.test_images)
    name = config.dataset
    if name in generated.RECIPES:
        return generated.load(name, config.garments, counts, source)
    if name == "fashion-mnist":
        return fashion_mnist(config.garments, counts, source)
    if name == "cifar10":
        return cifar.load(counts, source)
    if name == "images":
        return folders.by_class(source, counts, size)
    if name == "pairs":
        return pairs.load(source, counts, size)
    meant = did_you_mean(name, NAMES, f"known: {', '.join(NAMES)}")
    raise ExperimentError(f"dataset={name!r}: no such data set{meant}")


def fashion_mnist(which: str, counts: tuple[int, int, int], source: Path | None) -> Data:
    """The garments themselves, (28, 28, 1)."""
    base = garments.load(which, source)
    splits = {}
    for part, count in zip(generated.PARTS, counts, strict=True):
        images, labels = getattr(base, part)
        if len(images) < count:
            raise ExperimentError(
                f"fashion-mnist, {base.source}: {len(images):,} {part} images, {count:,} wanted; "
                f"set {part}_images to fewer or garments=all"
            )
        splits[part] = Split(images[:count, ..., None], labels[:count].astype(np.int64))
    return Data("fashion-mnist", garments.CLASSES, provenance={"source": base.source}, **splits)
