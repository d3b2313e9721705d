"""One's own pictures, a folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
T = TypeVar("T")
SEED = 7  # of the one shuffle that decides the splits


def by_class(source: Path | None, counts: tuple[int, int, int], size: int) -> Data:
    """`source/<class>/*`, resized to (size, size, 3); or `source/train|validation|test/<class>/*`.

    Raises ExperimentError for a missing folder, fewer than two classes, too few or unreadable images.
    """
    root = _folder(source, "images", "one folder per class in it")
    parts = [root / name for name in ("train", "validation", "test")]
    if all(part.is_dir() for part in parts):
        classes = _classes(parts[0])
        listed = [shuffled(_labelled(part, classes)) for part in parts]
    else:
        classes = _classes(root)
        files = shuffled(_labelled(root, classes))
        fit, held, _ = counts
        listed = [files[:fit], files[fit : fit + held], files[fit + held :]]
    splits = []
    for name, files, count in zip(("training", "validation", "test"), listed, counts, strict=True):
        if len(files) < count:
            raise ExperimentError(
                f"--data {root}: {len(files)} images left for {name}, {count} wanted; "
                "set train_images, validation_images, test_images to what there is"
            )
        pictures = np.stack([_picture(path, size) for path, _ in files[:count]])
        splits.append(Split(pictures, np.array([label for _, label in files[:count]], np.int64)))
    train, validation, test = splits
    return Data("images", classes, train, validation, test, {"source": str(root)})


def _folder(source: Path | None, name: str, what: str) -> Path:
    if source is None:
        raise ExperimentError(f"dataset={name} needs --data FOLDER with {what}")
    if not source.is_dir():
        raise ExperimentError(f"--data {source}: no such folder; give one with {what}")
    return source


def _classes(root: Path) -> tuple[str, ...]:
    found = tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(found) < 2:
        raise ExperimentError(
            f"--data {root}: {len(found)} class folders in it; a classifier needs two or more"
        )
    return found


def _labelled(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    return [(path, number) for number, name in enumerate(classes) for path in images_in(root / name)]


def images_in(folder: Path) -> list[Path]:
    """The images of a folder by name. Raises ExperimentError where there is no such folder."""
    if not folder.is_dir():
        raise ExperimentError(f"{folder}: no such folder; it was to hold images")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def shuffled(listed: list[T]) -> list[T]:
    """In the one order that decides the splits."""
    return [listed[i] for i in np.random.default_rng(SEED).permutation(len(listed))]


def _picture(path: Path, size: int) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            fitted = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (size, size))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as fault:
        raise ExperimentError(f"{path}: not a readable image ({fault}); remove or replace it") from None
    return np.asarray(fitted, np.uint8)
