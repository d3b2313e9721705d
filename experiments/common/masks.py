"""Figures of masks: truth, prediction, error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import figures, files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito, as figures.COLOURS, behind black for the background
PALETTE = np.array(
    [(0, 0, 0), *(tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in figures.COLOURS)], np.uint8
)
MISSED, INVENTED, CONFUSED = (213, 94, 0), (86, 180, 233), (240, 228, 66)


def coloured(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """A class map (H, W) in the palette's colours; colours repeat after the eighth class."""
    numbers = mask.astype(np.int64)
    shown: NDArray[np.uint8] = PALETTE[np.where(numbers > 0, (numbers - 1) % (len(PALETTE) - 1) + 1, 0)]
    return shown


def error(truth: NDArray[Any], found: NDArray[Any]) -> NDArray[np.uint8]:
    """Right pixels dark (background) or grey; missed, invented and confused ones in colours."""
    picture = np.where((truth > 0)[..., None], np.uint8(110), np.uint8(30)).repeat(3, axis=-1)
    picture[(truth > 0) & (found == 0)] = MISSED
    picture[(truth == 0) & (found > 0)] = INVENTED
    picture[(truth > 0) & (found > 0) & (truth != found)] = CONFUSED
    return picture


def overlaid(image: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """The image with its background darkened and the predicted classes tinted."""
    tinted = np.where((mask > 0)[..., None], 0.6 * image + 0.4 * coloured(mask), 0.35 * image)
    return tinted.astype(np.uint8)


def gallery(
    images: NDArray[np.uint8],
    truths: NDArray[Any],
    predictions: NDArray[Any],
    labels: Sequence[str],
) -> Figure:
    """A row an image: the image, the truth, the prediction, the error; `labels` to the left."""
    rows = [
        (label, [image, coloured(truth), coloured(found), error(truth, found)])
        for label, image, truth, found in zip(labels, images, truths, predictions, strict=True)
    ]
    figure = figures.variants(rows)
    count = len(rows[0][1])
    for axis, title in zip(figure.axes[:count], ("image", "truth", "prediction", "error"), strict=True):
        axis.set_title(title, fontsize=9)
    return figure


def strip(images: NDArray[np.uint8], masks: NDArray[Any]) -> NDArray[np.uint8]:
    """Overlaid images side by side, one picture."""
    pictures = [overlaid(image, mask) for image, mask in zip(images, masks, strict=True)]
    return np.concatenate(pictures, axis=1)


def save_strip(images: NDArray[np.uint8], masks: NDArray[Any], path: Path) -> None:
    """`strip` as a PNG, whole or not at all."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, Image.fromarray(strip(images, masks)).save)


def progress(paths: Sequence[Path]) -> Figure:
    """Saved strips below each other, named by their files."""
    from PIL import Image

    figure, axes = figures.new(6.5, 1.8 * len(paths), len(paths), 1)
    for axis, path in zip(axes[:, 0], paths, strict=True):
        with Image.open(path) as strip_there:
            figures.show(axis, np.asarray(strip_there.convert("RGB")), path.stem)
    return figure
