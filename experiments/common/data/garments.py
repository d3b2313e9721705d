"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, MIT): the shipped slice, Debian's package, Keras's cache."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.common.data import network
from experiments.common.errors import ExperimentError

SHIPPED = Path(__file__).parents[2] / "data" / "fashion_mnist_slice"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
# of the original four files' content, unzipped (Debian's package zips them anew)
SUMS = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# of the train file's garments, the last tenth or so is kept for validation
VALIDATION = {"slice": 600, "all": 5_000}


@dataclass(frozen=True)
class Garments:
    """Grey pictures (N, 28, 28) and class numbers (N,), in three parts that share no garment."""

    train: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    validation: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    source: str


def unzipped(path: Path) -> bytes:
    """Content of a gzip file."""
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as fault:
        raise ExperimentError(f"{path}: not a readable gzip file ({fault}); put the original there") from None


def read_idx(raw: bytes, path: Path) -> NDArray[np.uint8]:
    """An idx file of the MNIST family: magic with the rank, sizes, bytes."""
    rank = raw[3] if len(raw) > 3 else 0
    head = 4 + 4 * rank
    sizes = tuple(int(n) for n in np.frombuffer(raw[4:head], ">u4")) if len(raw) >= head else ()
    if raw[:3] != b"\0\0\x08" or len(raw) != head + int(np.prod(sizes, dtype=np.int64)):
        raise ExperimentError(f"{path}: not an idx file of bytes; put the original there")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(sizes)


def _holds_all(folder: Path) -> bool:
    return all((folder / name).is_file() for name in SUMS)


def require(which: str, source: Path | None) -> None:
    """Refuse a `source` (--data) that cannot be the garments', also where it would not be read.

    Raises ExperimentError: a run must not say that it used what it did not look at.
    """
    if source is None:
        return
    if which == "slice":
        raise ExperimentError(
            f"--data {source}: the slice of Fashion-MNIST ships with the project and takes no --data; "
            "add --set garments=all to use those garments, or leave --data away"
        )
    if not _holds_all(source):
        raise ExperimentError(f"--data {source}: no {', '.join(SUMS)} there; give their folder")


def _folder(which: str, source: Path | None) -> Path:
    require(which, source)
    if which == "slice":
        return SHIPPED
    cached = network.keras_cache() / "fashion-mnist"
    if source is not None:
        return source
    for folder in (DEBIAN, cached):
        if _holds_all(folder):
            return folder
    network.download(
        "fashion_mnist",
        "Fashion-MNIST (70,000 garments)",
        "`apt-get install dataset-fashion-mnist`, or --data FOLDER with its four idx.gz files, "
        "or --set garments=slice for the 7,000 that ship with this project",
    )
    return cached


@lru_cache(maxsize=2)
def load(which: str, source: Path | None = None) -> Garments:
    """The garments, split; `which` is "slice" (7,000, shipped) or "all" (70,000).

    Raises ExperimentError where "all" is neither on this machine nor to be had from the network.
    """
    folder = _folder(which, source)
    parts = {}
    for name, wanted in SUMS.items():
        path = folder / name
        content = unzipped(path)
        found = hashlib.sha256(content).hexdigest()
        if which == "all" and found != wanted:
            raise ExperimentError(
                f"{path}: SHA-256 of the content {found[:12]}… is not the original's {wanted[:12]}…; "
                "remove the file and fetch it anew"
            )
        parts[name.split("-ubyte")[0]] = read_idx(content, path)
    images, labels = parts["train-images-idx3"], parts["train-labels-idx1"]
    cut = len(labels) - VALIDATION[which]
    return Garments(
        train=(images[:cut], labels[:cut]),
        validation=(images[cut:], labels[cut:]),
        test=(parts["t10k-images-idx3"], parts["t10k-labels-idx1"]),
        source={
            SHIPPED: "shipped slice of Fashion-MNIST",
            DEBIAN: "Debian package dataset-fashion-mnist",
        }.get(folder, f"Fashion-MNIST files in {folder}"),
    )
