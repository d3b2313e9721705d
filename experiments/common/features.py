"""What a frozen backbone makes of images, computed once and kept: the head then trains in seconds."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from experiments.common import backbones, console, training
from experiments.common import weights as stored
from experiments.common.data import generated
from experiments.common.data.splits import Data

BATCH = 50
VERSION = 2  # of how features are computed


@dataclass(frozen=True)
class Extractor:
    """A backbone as it is; `seed` decides its weights where `weights` is none, and it is then calibrated."""

    backbone: str
    size: int
    weights: str
    weights_sha256: str
    seed: int

    def model(self) -> keras.Model:
        """The backbone alone, not calibrated."""
        keras.backend.clear_session()
        keras.utils.set_random_seed(training.derived_seed(self.seed))
        inputs = keras.Input((self.size, self.size, 3), name="image")
        return backbones.build(self.backbone, inputs, self.weights)

    def key(self, data: Data) -> str:
        """What the features depend on, as a file's name."""
        seed = self.seed if self.weights == stored.NONE else 0
        parts = (
            VERSION,
            self.backbone,
            self.size,
            self.weights_sha256 or self.weights,
            seed,
            keras.__version__,
        )
        text = "-".join(map(str, (*parts, data.checksum())))
        return f"features-{self.backbone}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


@dataclass(frozen=True)
class Features:
    """Features (N, h, w, C) of the images of a data set, and the seconds they took."""

    rows: dict[bytes, int]
    values: NDArray[np.float32]
    seconds: float

    def of(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Those of images that the data set holds, in their order."""
        return self.values[[self.rows[_digest(image)] for image in images]]


def _digest(image: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()


def calibrate(model: keras.Model, prepared: Any) -> None:
    """Set every BatchNormalization to the statistics of these images.

    At its initial ones (mean 0, variance 1) it passes a random network's vanishing signal on as it is:
    MobileNetV2's features are then of the order of 1e-12.
    """
    norms = backbones.normalisations(model)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(prepared, training=True)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def extracted(extractor: Extractor, data: Data) -> Features:
    """The features of all three splits, from the cache where they are there undamaged."""
    images = np.concatenate([split.images for split in data.splits.values()])
    rows = {_digest(image): number for number, image in enumerate(images)}
    path = generated.cache_folder() / f"{extractor.key(data)}.npz"
    kept = generated.from_cache(path)
    if kept is None:
        console.say(f"features of {len(images):,} images, {extractor.backbone}, weights {_told(extractor)}")
        began = time.perf_counter()
        values = _computed(extractor, images)
        kept = {"values": values, "seconds": np.array(time.perf_counter() - began)}
        generated.keep(path, kept)
    return Features(rows, kept["values"], float(kept["seconds"]))


def _told(extractor: Extractor) -> str:
    if extractor.weights == stored.NONE:
        return f"random (seed {extractor.seed})"
    return Path(extractor.weights).name


def _computed(extractor: Extractor, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    model = extractor.model()
    prepare = backbones.preparation(extractor.backbone, extractor.size)
    if extractor.weights == stored.NONE:
        calibrate(model, prepare(images[: 4 * BATCH]))  # the first are training images
    parts = [
        keras.ops.convert_to_numpy(model(prepare(images[start : start + BATCH]), training=False))
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)
