"""What `cnn_limits` does to trained networks: moves, turns, covers, scales, scrambles what they look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from experiments.common import files
from experiments.common import limit_nets as nets
from experiments.common.downsampling import shifted
from experiments.common.experiment import Outcome
from experiments.common.limit_nets import CANVAS, GARMENTS, MEAN, SPOTS, LimitConfig

SHIFTS = tuple(range(9))
ANGLES = (0, 2, 5, 10, 15, 20, 30)
COVERS = (0, 4, 8, 12, 16, 20, 24)  # side of the square, in pixels
SCALES = (16, 20, 24, 28, 34, 40, 48, 56)  # side of the picture
FALSE_ALARMS = 0.05
CONTRASTS, NOISES, MIDDLE = (1.0, 0.6, 0.35, 0.2), (0.02, 0.06, 0.12, 0.2), (1, 2, 3, 6)
PERIOD = 0.05  # of the largest distance, below which features count as the same

Images = NDArray[Any]


def study(outcome: Outcome) -> None:
    """Write `limits/seedN.json` where it is not there."""
    (outcome.folder / "limits").mkdir(exist_ok=True)
    for seed in outcome.config.all_seeds:
        path = outcome.folder / "limits" / f"seed{seed}.json"
        if not path.is_file():
            files.write_json(path, _seed(outcome, seed))


def read(outcome: Outcome) -> list[dict[str, Any]]:
    """A seed each."""
    return [
        files.read_json(outcome.folder / "limits" / f"seed{seed}.json") for seed in outcome.config.all_seeds
    ]


def _seed(outcome: Outcome, seed: int) -> dict[str, Any]:
    config: LimitConfig = outcome.config
    test = outcome.data.sets[GARMENTS].test.first(config.looked_at)  # type: ignore[attr-defined]

    def model(name: str) -> keras.Model:
        return outcome.model((name, seed))

    whole, pooled = model(config.whole), model(f"{GARMENTS} pooled")
    canvas = [name for name in outcome.conditions if name.startswith(CANVAS)]
    finders = [name for name in outcome.conditions if name.startswith(SPOTS)]
    return {
        "shifts": {name: _shifts(config, name, model(name), test.images) for name in canvas},
        "turns": {name: _turns(model(name), test) for name in canvas},
        "spots": {name: _spots(config, model(name), seed) for name in finders},
        "covers": _covers(whole, test, seed),
        "scales": _scales(config, pooled, test),
        "scrambled": {
            "flatten": _scrambled(whole, test),
            "pooled": _scrambled(pooled, test),
        },
    }


def answers(model: Callable[..., Any], images: Images) -> NDArray[np.float32]:
    parts = [
        np.asarray(model(images[start : start + 100].astype(np.float32)))
        for start in range(0, len(images), 100)
    ]
    return np.concatenate(parts)


def features(model: keras.Model, layer: str = MEAN) -> keras.Model:
    return keras.Model(model.input, model.get_layer(layer).output)


def distance(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Mean over the images of how far features went, over their length."""
    gone = np.linalg.norm(after - before, axis=-1) / (np.linalg.norm(before, axis=-1) + 1e-9)
    return float(gone.mean())


# -- moving and turning -----------------------------------------------------------------------------------
def strided_of(name: str) -> tuple[int, bool]:
    """Factor and whether blurred, of a condition `canvas stride 4 blurred`."""
    words = name.split()
    return int(words[2]), len(words) > 3


def _shifts(config: LimitConfig, name: str, model: keras.Model, garments: Images) -> dict[str, list[float]]:
    """How far features go by each shift, on two canvases.

    On the wide one no unit sees both border and garment; the narrow one is that of training.
    """
    factor, blurred = strided_of(name)
    wide = nets.strided(config, factor, blurred=blurred, side=nets.WIDE)
    wide.set_weights(model.get_weights())
    found = {}
    for label, network, side in (("wide", wide, nets.WIDE), ("narrow", model, nets.SIDE)):
        body = features(network)
        images = nets.on_canvas(garments[:100], side)
        # half of the shifts to the left first, so that the garment stays inside
        start = shifted(images, 0, -SHIFTS[-1] // 2)
        before = answers(body, start)
        found[label] = [distance(before, answers(body, shifted(start, 0, by))) for by in SHIFTS]
    return found


def _turns(model: keras.Model, test: Any) -> dict[str, list[float]]:
    """Accuracy, share of the same answers and distance of features at each angle."""
    from scipy.ndimage import rotate

    body, images = features(model), nets.on_canvas(test.images)
    before, first = answers(body, images), answers(model, images).argmax(axis=1)
    found: dict[str, list[float]] = {"accuracy": [], "same": [], "distance": []}
    for angle in ANGLES:
        turned = rotate(images.astype(np.float32), angle, (2, 1), reshape=False, order=1)
        chosen = answers(model, turned).argmax(axis=1)
        found["accuracy"].append(float((chosen == test.targets).mean()))
        found["same"].append(float((chosen == first).mean()))
        found["distance"].append(distance(before, answers(body, turned)))
    return found


def period(distances: list[float]) -> float:
    """The smallest shift after which features are as they were; infinite where none is."""
    most = max(distances)
    return next(
        (float(by) for by, value in zip(SHIFTS, distances, strict=True) if by and value <= PERIOD * most),
        float("inf"),
    )


# -- spots ----------------------------------------------------------------------------------------------
def _spots(config: LimitConfig, model: keras.Model, seed: int) -> dict[str, Any]:
    """Share of spots found at 5 % false alarms: plain ones by size; and by size, contrast and noise."""
    draw = np.random.default_rng([190_001, seed])

    def scores(size: int, contrast: float, noise: float) -> NDArray[np.float32]:
        images = np.stack([nets.spot(draw, size, contrast, noise) for _ in range(config.spots)])
        return answers(model, images)[:, 0]

    limits = {noise: float(np.quantile(scores(1, 0.0, noise), 1 - FALSE_ALARMS)) for noise in NOISES}
    plain = [float((scores(d, 1.0, NOISES[0]) > limits[NOISES[0]]).mean()) for d in nets.SIZES]
    grid = [
        [[float((scores(d, c, n) > limits[n]).mean()) for c in CONTRASTS] for n in NOISES] for d in MIDDLE
    ]
    return {"plain": plain, "grid": grid}


# -- covering -------------------------------------------------------------------------------------------
def covered(images: Images, side: int, draw: np.random.Generator) -> tuple[Images, NDArray[np.int64]]:
    """Images with a grey square anywhere inside, and its corners (N, 2)."""
    corners = draw.integers(0, images.shape[1] - side + 1, (len(images), 2))
    made = images.copy()
    for image, (row, column) in zip(made, corners, strict=True):
        image[row : row + side, column : column + side] = 128
    return made, corners


def _covers(model: keras.Model, test: Any, seed: int) -> dict[str, list[float]]:
    """By side of the square: accuracy, and the share of units of the last map that changed."""
    draw = np.random.default_rng([200_001, seed])
    body = features(model, nets.LAST)
    before = answers(body, test.images)
    found: dict[str, list[float]] = {"accuracy": [], "changed": []}
    for side in COVERS:
        images, _ = covered(test.images, side, draw)
        chosen = answers(model, images).argmax(axis=1)
        moved = (np.abs(answers(body, images) - before) > 1e-6).any(axis=-1)
        found["accuracy"].append(float((chosen == test.targets).mean()))
        found["changed"].append(float(moved.mean()))
    return found


def changed_predicted(field: dict[str, Any], units: int, image: int) -> list[float]:
    """Share of units whose field meets a square anywhere, by its side, along both axes alike."""
    size, stride, offset = field["size"][0], field["stride"][0], field["offset"][0]
    begins = np.arange(units) * stride + offset
    shares = []
    for side in COVERS:
        corners = np.arange(image - side + 1)
        meets = (begins[:, None] < corners + side) & (begins[:, None] + size > corners)
        share = meets.mean(axis=0)  # of the units along one axis, for each corner
        shares.append(float(share.mean() ** 2) if side else 0.0)
    return shares


def sensitivity(model: keras.Model, image: Images, label: int, side: int = 6) -> NDArray[np.float32]:
    """How much of the right class's probability a grey square takes away, by its middle (28, 28)."""
    places = range(0, image.shape[0] - side + 1, 2)
    tried = []
    for row in places:
        for column in places:
            made = image.copy()
            made[row : row + side, column : column + side] = 128
            tried.append(made)
    lost = answers(model, image[None])[0, label] - answers(model, np.stack(tried))[:, label]
    shares: NDArray[np.float32] = lost.reshape(len(places), len(places))
    return shares


# -- scaling and scrambling -------------------------------------------------------------------------------
def scaled(images: Images, side: int) -> Images:
    from PIL import Image

    return np.stack(
        [
            np.asarray(Image.fromarray(image[..., 0]).resize((side, side)), np.uint8)[..., None]
            for image in images
        ]
    )


def _scales(config: LimitConfig, pooled: keras.Model, test: Any) -> dict[str, Any]:
    """Whether networks with open sides can be built, and the accuracy of the pooled one by side."""
    width = max(config.widths)
    wide = nets.classifier(config, width, pooled=True, side=None)
    wide.set_weights(pooled.get_weights())
    accuracy = [
        float((answers(wide, scaled(test.images, side)).argmax(axis=1) == test.targets).mean())
        for side in SCALES
    ]
    try:
        nets.classifier(config, width, pooled=False, side=None)
        refused = ""
    except ValueError as fault:
        refused = str(fault).splitlines()[0]
    return {"accuracy": accuracy, "refused": refused}


def scrambled(images: Images) -> Images:
    """Quarters exchanged across the middle: nothing is left where it was."""
    half = images.shape[1] // 2
    return np.roll(images, (half, half), axis=(1, 2))


def _scrambled(model: keras.Model, test: Any) -> dict[str, float]:
    """Accuracy whole and scrambled, and the share of answers that stay."""
    before = answers(model, test.images).argmax(axis=1)
    after = answers(model, scrambled(test.images)).argmax(axis=1)
    return {
        "whole": float((before == test.targets).mean()),
        "scrambled": float((after == test.targets).mean()),
        "same": float((before == after).mean()),
    }
