"""How the shipped data came to be: a slice of Fashion-MNIST, and eight small photographs.

    python experiments/data/make_shipped.py /usr/share/datasets/fashion-mnist

Run once, by hand; what it wrote is in the repository, and `SHA256SUMS` beside this file guards it. The
photographs are scikit-image's (its installed copies), reduced; licences stand beside the files.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PER_CLASS = {"train": 560, "t10k": 140}
PHOTOS = ("astronaut", "brick", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field", "rocket")
PHOTO_SIZE = (200, 300)


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first `count` of every class, dealt in turn, so that every stretch is balanced."""
    return np.stack([np.flatnonzero(labels == c)[:count] for c in range(10)], axis=1).ravel()


def idx_bytes(array: np.ndarray) -> bytes:
    """The idx format of the MNIST family: magic with the rank, sizes, bytes."""
    head = struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes(), 9, mtime=0)


def make_slice(source: Path) -> None:
    for part, count in PER_CLASS.items():
        images_raw = gzip.decompress((source / f"{part}-images-idx3-ubyte.gz").read_bytes())
        labels_raw = gzip.decompress((source / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        images = np.frombuffer(images_raw, np.uint8, offset=16).reshape(-1, 28, 28)
        labels = np.frombuffer(labels_raw, np.uint8, offset=8)
        chosen = first_of_each_class(labels, count)
        folder = HERE / "fashion_mnist_slice"
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx_bytes(images[chosen]))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx_bytes(labels[chosen]))


def make_backgrounds() -> None:
    import skimage.data
    from PIL import Image, ImageOps

    height, width = PHOTO_SIZE
    for name in PHOTOS:
        photo = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        photo = ImageOps.fit(photo, (width, height), Image.Resampling.LANCZOS)
        if name in {"brick", "grass", "gravel"}:  # grey textures
            photo = photo.convert("L")
        photo.save(HERE / "backgrounds" / f"{name}.png", optimize=True)


def write_sums() -> None:
    files = sorted(path for end in ("gz", "png", "npz", "txt") for path in HERE.glob(f"*/*.{end}"))
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(HERE).as_posix()}" for f in files]
    (HERE / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make_slice(Path(sys.argv[1]))
    make_backgrounds()
    write_sums()
