"""The reader of HDF5 files, against h5py, in every layout that HDF5 has had; and damaged ones."""

from __future__ import annotations

import io
import random
from typing import Any

import h5py
import numpy as np
import pytest

from archcalc.readers import hdf5
from archcalc.readers.hdf5 import File, HDF5Error

LAYOUTS = ["earliest", "v108", "latest"]
LONG = "x" * 200_000  # beyond what an object's header can hold


def written(layout: str) -> bytes:
    raw = io.BytesIO()
    with h5py.File(raw, "w", libver=layout) as file:
        file.attrs["bytes"] = b"2.1.2"
        file.attrs["text"] = "größe"
        file.attrs["long"] = LONG.encode()
        file.attrs["fixed"] = np.bytes_("abc")
        file.attrs["numbers"] = np.arange(3)
        file.attrs["texts"] = ["a", "b"]
        group = file.create_group("layers")
        for i in range(200 if layout == "earliest" else 7):
            group.create_group(f"layer_{i}").create_dataset("0", data=np.zeros((i + 1, 3)))
        file.create_dataset("scalar", data=1.5)
    return raw.getvalue()


def opened(raw: bytes) -> File:
    return File(io.BytesIO(raw), 0, len(raw))


def seen(file: File, node: Any, prefix: str = "") -> dict[str, Any]:
    shapes = {}
    for name, address in node.children():
        child = file.node(address)
        shapes[prefix + name] = child.shape
        if child.shape is None:
            shapes |= seen(file, child, f"{prefix}{name}/")
    return shapes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_h5py_writes_is_read(layout: str) -> None:
    raw = written(layout)
    file = opened(raw)
    assert dict(file.root.attributes()) == {
        "bytes": "2.1.2",
        "text": "größe",
        "long": LONG,
        "fixed": "abc",
        "numbers": None,
        "texts": None,
    }
    shapes: dict[str, Any] = {}
    with h5py.File(io.BytesIO(raw)) as real:
        real.visititems(lambda name, item: shapes.setdefault(name, getattr(item, "shape", None)) and None)
    assert seen(file, file.root) == shapes


def test_a_file_inside_another_is_read_at_its_offset() -> None:
    raw = written("earliest")
    file = File(io.BytesIO(b"before" + raw + b"after"), 6, len(raw))
    assert dict(file.root.attributes())["bytes"] == "2.1.2"


def test_values_are_never_read() -> None:
    """A gigabyte that is said to be there, and is not."""
    raw = io.BytesIO()
    with h5py.File(raw, "w") as file:
        file.create_dataset("a", shape=(2**20, 2**12), chunks=(2**10, 2**10), dtype="float32")
    file_ = opened(raw.getvalue())
    assert seen(file_, file_.root) == {"a": (2**20, 2**12)}


def test_links_are_not_followed() -> None:
    raw = io.BytesIO()
    with h5py.File(raw, "w") as file:
        file["soft"] = h5py.SoftLink("/etc/passwd")
        file["external"] = h5py.ExternalLink("/etc/passwd", "/")
    file_ = opened(raw.getvalue())
    with pytest.raises(HDF5Error):
        list(file_.root.children())


def test_a_group_that_holds_itself_ends() -> None:
    raw = io.BytesIO()
    with h5py.File(raw, "w") as file:
        group = file.create_group("a")
        group["again"] = group
    file_ = opened(raw.getvalue())

    def descend(node: Any) -> None:
        while True:
            ((_, address),) = node.children()
            node = file_.node(address)

    with pytest.raises(HDF5Error, match="more than"):
        descend(file_.root)


def test_what_may_be_read_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written("earliest")
    monkeypatch.setattr(hdf5, "MAX_READ", 100_000)
    with pytest.raises(HDF5Error, match="100,000 bytes"):
        dict(opened(raw).root.attributes())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_an_error_of_its_own(layout: str) -> None:
    """Bytes cut off, overwritten, moved: read, or refused as HDF5Error, and nothing else."""
    raw, draw = written(layout), random.Random(0)
    outcomes = set()
    head = [i for i in range(len(raw)) if raw[i] not in (0, 120)]  # bytes that mean something
    for _ in range(3_000):
        hurt = bytearray(raw)
        for _ in range(draw.randint(1, 4)):
            hurt[draw.choice(head)] = draw.choice((0, 1, 127, 255, draw.randrange(256)))
        if draw.random() < 0.1:
            del hurt[draw.randrange(len(hurt)) :]
        try:
            file = opened(bytes(hurt))
            dict(file.root.attributes())
            seen(file, file.root)
            outcomes.add("read")
        except HDF5Error:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
