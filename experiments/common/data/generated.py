"""Generated sets: made once, kept as a checksummed npz, refused where the bits are not the frozen ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import console, files
from experiments.common.data import colour32, defect48, garments, seg96
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

CHECKSUMS = Path(__file__).parent / "checksums.json"
Make = Callable[[NDArray[np.uint8], NDArray[np.uint8], str, int], Split]


@dataclass(frozen=True)
class Recipe:
    """How a set is made from a part's garments, and what its targets mean."""

    version: int
    classes: tuple[str, ...]
    make: Make


def _colour32(pictures: NDArray[np.uint8], labels: NDArray[np.uint8], part: str, count: int) -> Split:
    return Split(
        colour32.images(pictures, part, count), labels[np.arange(count) % len(labels)].astype(np.int64)
    )


RECIPES = {
    "colour32": Recipe(colour32.VERSION, garments.CLASSES, _colour32),
    "defect48": Recipe(defect48.VERSION, defect48.CLASSES, defect48.split),
    "seg96": Recipe(seg96.VERSION, seg96.CLASSES, seg96.split),
    "seg96-kinds": Recipe(seg96.VERSION, seg96.KINDS, seg96.split_kinds),
}
PARTS = ("train", "validation", "test")


def cache_folder() -> Path:
    """Where generated sets are kept; ARCHCALC_CACHE chooses another place."""
    chosen = os.environ.get("ARCHCALC_CACHE")
    base = (
        Path(chosen)
        if chosen
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archcalc"
    )
    return base / "experiments"


def load(name: str, which: str, counts: tuple[int, int, int], source: Path | None = None) -> Data:
    """A generated set with `counts` images for training, validation and test.

    `which` garments: "slice" or "all". Raises ExperimentError where the bits are not the frozen ones.
    """
    garments.require(which, source)
    recipe = RECIPES[name]
    key = f"{name}-v{recipe.version}-{which}-{'-'.join(map(str, counts))}"
    path = cache_folder() / f"{key}.npz"
    stored = from_cache(path)
    cached = stored is not None
    if stored is None:
        base = garments.load(which, source)
        stored = {}
        for part, count in zip(PARTS, counts, strict=True):
            if count >= 5_000:
                console.say(f"making {count:,} {part} images of {name}")
            pictures, labels = getattr(base, part)
            split = recipe.make(pictures, labels, part, count)
            stored[f"{part}_images"], stored[f"{part}_targets"] = split.images, split.targets
    splits = {part: Split(stored[f"{part}_images"], stored[f"{part}_targets"]) for part in PARTS}
    provenance = {"generator": f"{name} version {recipe.version}", "garments": which}
    data = Data(name, recipe.classes, provenance=provenance, **splits)
    checksum = data.checksum()
    _require_frozen(key, checksum, path)
    if not cached:
        keep(path, stored)
    return data


def _require_frozen(key: str, checksum: str, path: Path) -> None:
    frozen = files.read_json(CHECKSUMS).get(key)
    if frozen is not None and frozen != checksum:
        path.unlink(missing_ok=True)
        raise ExperimentError(
            f"{key}: made with SHA-256 {checksum[:12]}…, frozen as {frozen[:12]}…; "
            "results would not compare.\n"
            "The generator or a library under it has changed; use the released experiments/common/data"
        )


def from_cache(path: Path) -> dict[str, NDArray[Any]] | None:
    """The kept arrays, or None where there are none or their checksum is wrong (then made anew)."""
    note = path.with_suffix(".sha256")
    try:
        wanted = note.read_text(encoding="ascii").strip()
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != wanted:
                console.warn(f"{path}: damaged, made anew")
                return None
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as fault:
        console.warn(f"{path}: unreadable ({fault}), made anew")
        return None


def keep(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """A cache is a convenience: where it cannot be written, say so and go on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, lambda partial: np.savez(partial, allow_pickle=False, **arrays))
        files.write_text(path.with_suffix(".sha256"), files.sha256(path) + "\n")
    except OSError as fault:
        console.warn(f"{path}: not kept ({fault.strerror}); ARCHCALC_CACHE chooses another place")
