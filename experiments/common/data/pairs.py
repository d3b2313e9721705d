"""One's own images and masks: a table of their paths, every fault named, and a tf.data pipeline over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import console
from experiments.common.data import archives, decoding
from experiments.common.data.decoding import FaultyFileError
from experiments.common.data.folders import images_in, shuffled
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

WANTED = "dataset=pairs needs --data with folders images and masks, or a zip of them"
RATIO = 0.02  # by which the proportions of an image and its mask may differ


@dataclass(frozen=True)
class Pair:
    """One row of the table."""

    image: Path
    mask: Path


@dataclass(frozen=True)
class Table:
    """The usable pairs, by name, and what was found wrong: with files left out, with others mended."""

    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    mended: tuple[str, ...]
    classes: int


def load(source: Path | None, counts: tuple[int, int, int], size: int) -> Data:
    """Pairs of `source` (a folder or a zip), split once by a fixed shuffle, at (size, size).

    Masks hold class numbers (0 to 63), or 0 and 255. A pair that cannot be used is left out with a
    warning that names the file; so is each file that had to be converted.

    Raises ExperimentError where there is no such folder or too few pairs are left.
    """
    if source is None:
        raise ExperimentError(WANTED)
    root = archives.root(source, ("images", "masks"), WANTED)
    table = tabulate(root)
    for text in (*table.left_out, *table.mended):
        console.warn(text)
    listed = shuffled(list(table.pairs))
    if len(listed) < sum(counts):
        raise ExperimentError(
            f"--data {source}: {len(listed)} usable pairs ({len(table.left_out)} left out), {sum(counts)} "
            f"wanted;\n{_settings(len(listed))}"
        )
    splits, start = [], 0
    for count in counts:
        splits.append(read(listed[start : start + count], size))
        start += count
    names = ("background", *(f"class {number}" for number in range(1, table.classes)))
    about = {
        "source": str(source),
        "pairs": len(table.pairs),
        "left out": "; ".join(table.left_out) or "none",
        "converted": "; ".join(table.mended) or "none",
    }
    train, validation, test = splits
    return Data("pairs", names, train, validation, test, about)


def _settings(found: int) -> str:
    if found < 3:
        return "three are the least: one for training, validation and test"
    held = max(1, found // 5)
    return (
        f"--set train_images={found - 2 * held} --set validation_images={held} --set test_images={held} "
        "would use them all"
    )


def tabulate(root: Path) -> Table:
    """Pair `images/NAME.*` with `masks/NAME.*` and decode every file once, so that faults show here."""
    images, masks = _by_stem(root / "images"), _by_stem(root / "masks")
    left_out = [f"{images[s]}: left out, no mask {s}.* in masks/" for s in sorted(set(images) - set(masks))]
    left_out += [f"{masks[s]}: left out, no image {s}.* in images/" for s in sorted(set(masks) - set(images))]
    pairs, mended, largest = [], [], 1
    for stem in sorted(set(images) & set(masks)):
        pair = Pair(images[stem], masks[stem])
        try:
            notes, highest = _inspect(pair)
        except FaultyFileError as fault:
            left_out.append(f"{fault.path}: left out, {fault.reason}")
            continue
        pairs.append(pair)
        mended += notes
        largest = max(largest, highest)
    return Table(tuple(pairs), tuple(left_out), tuple(mended), largest + 1)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Files by name without suffix. Raises ExperimentError where two share one."""
    found: dict[str, Path] = {}
    for path in images_in(folder):
        if path.stem in found:
            raise ExperimentError(f"{path}: the same name as {found[path.stem].name}; rename or remove one")
        found[path.stem] = path
    return found


def _inspect(pair: Pair) -> tuple[list[str], int]:
    """What had to be converted, and the highest class number."""
    image, notes = decoding.image(pair.image)
    mask, more = decoding.mask(pair.mask)
    (height, width), (tall, wide) = image.shape[:2], mask.shape
    if abs(np.log((height * wide) / (width * tall))) > RATIO:
        raise FaultyFileError(
            pair.mask, f"{wide}x{tall} pixels do not fit the image's {width}x{height} ({pair.image.name})"
        )
    if (height, width) != (tall, wide):
        more = [*more, f"{wide}x{tall} pixels, enlarged or reduced to the image's {width}x{height}"]
    named = [f"{pair.image}: {note}" for note in notes] + [f"{pair.mask}: {note}" for note in more]
    return named, int(mask.max())


def pipeline(pairs: list[Pair], size: int) -> Any:
    """A `tf.data.Dataset` of (image, mask), (size, size, 3) uint8 and (size, size) int64, in order.

    Images are resized with antialiasing, masks to the nearest pixel.
    """
    import tensorflow as tf

    def decode(image: bytes, mask: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        return decoding.image(Path(image.decode()))[0], decoding.mask(Path(mask.decode()))[0]

    def resized(image_path: Any, mask_path: Any) -> tuple[Any, Any]:
        image, mask = tf.numpy_function(decode, (image_path, mask_path), (tf.uint8, tf.int64))
        image, mask = tf.ensure_shape(image, (None, None, 3)), tf.ensure_shape(mask, (None, None))
        image = tf.image.resize(image, (size, size), antialias=True)
        mask = tf.image.resize(mask[..., None], (size, size), method="nearest")[..., 0]
        return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8), mask

    paths = ([str(pair.image) for pair in pairs], [str(pair.mask) for pair in pairs])
    return tf.data.Dataset.from_tensor_slices(paths).map(resized, num_parallel_calls=2).batch(32).prefetch(2)


def read(pairs: list[Pair], size: int) -> Split:
    """All of `pairs` through the pipeline."""
    batches: Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]] = pipeline(pairs, size).as_numpy_iterator()
    images, masks = zip(*batches, strict=True)
    return Split(np.concatenate(images), np.concatenate(masks))
