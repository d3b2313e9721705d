"""CIFAR-10 (Krizhevsky 2009): Keras's cache or download, or a local copy by --data."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common.data import network
from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# of cifar-10-python.tar.gz, as Keras checks it: its pickles are opened for nothing else
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
RECORD = 1 + 32 * 32 * 3  # of the binary version: label, red, green, blue
OFFLINE = (
    "Give --data cifar-10-python.tar.gz or cifar-10-binary.tar.gz (or the folder it unpacks to), "
    "or choose a set that needs no network: --set dataset=colour32, --set dataset=fashion-mnist"
)
Pair = tuple[NDArray[np.uint8], NDArray[np.int64]]


def load(counts: tuple[int, int, int], source: Path | None) -> Data:
    """CIFAR-10; validation images are the last of the training files.

    Raises ExperimentError where it is neither at `source` nor in Keras's cache nor on the network.
    """
    if source is not None:
        (train, test), origin = _local(source), str(source)
    else:
        kept = network.keras_cache() / "cifar-10-batches-py-target"
        if not kept.exists():
            network.download("cifar10", "CIFAR-10", OFFLINE)
        import keras

        train, test = keras.datasets.cifar10.load_data()
        origin = "keras.datasets.cifar10"
    return _cut(_pair(*train), _pair(*test), counts, origin)


def _pair(images: Any, labels: Any) -> Pair:
    return np.asarray(images, np.uint8), np.asarray(labels, np.int64).ravel()


def _cut(train: Pair, test: Pair, counts: tuple[int, int, int], origin: str) -> Data:
    fit, held, tested = counts
    if fit + held > len(train[0]) or tested > len(test[0]):
        raise ExperimentError(
            f"CIFAR-10 has {len(train[0]):,} training and {len(test[0]):,} test images; train_images + "
            f"validation_images = {fit + held:,} and test_images = {tested:,} ask for more"
        )
    return Data(
        "cifar10",
        CLASSES,
        Split(train[0][:fit], train[1][:fit]),
        Split(train[0][-held:], train[1][-held:]),
        Split(test[0][:tested], test[1][:tested]),
        {"source": origin},
    )


def _local(source: Path) -> tuple[Pair, Pair]:
    """From the binary version (archive or folder), or the python archive, whose checksum must be right."""
    if source.is_dir():
        return _binary({path.name: path.read_bytes() for path in source.rglob("*_batch*.bin")}, source)
    if not source.is_file():
        raise ExperimentError(f"--data {source}: no such file or folder.\n{OFFLINE}")
    try:
        with tarfile.open(source) as archive:
            members = {Path(m.name).name: m for m in archive.getmembers() if m.isfile()}
            if any(name.endswith(".bin") for name in members):
                return _binary({n: _member(archive, members[n]) for n in members if "_batch" in n}, source)
            return _python(archive, members, source)
    except tarfile.ReadError:  # its text tells of every compression tried
        raise ExperimentError(f"--data {source}: not a readable tar archive.\n{OFFLINE}") from None
    except (tarfile.TarError, EOFError, OSError) as fault:
        raise ExperimentError(f"--data {source}: not a readable tar archive ({fault}).\n{OFFLINE}") from None


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > 64 * 2**20:
        raise tarfile.TarError(f"{member.name} is larger than any file of CIFAR-10")
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def _binary(contents: dict[str, bytes], source: Path) -> tuple[Pair, Pair]:
    def records(names: list[str]) -> Pair:
        raw = b"".join(contents[name] for name in names)
        if not raw or len(raw) % RECORD:
            raise ExperimentError(
                f"--data {source}: {', '.join(names) or 'its files'} hold no CIFAR-10 records"
            )
        table = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
        if table[:, 0].max() > 9:
            raise ExperimentError(f"--data {source}: class {table[:, 0].max()} in it; CIFAR-10 has 0 to 9")
        return table[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[:, 0].astype(np.int64)

    names = sorted(name for name in contents if name.startswith("data_batch"))
    if not names or "test_batch.bin" not in contents:
        raise ExperimentError(f"--data {source}: no data_batch_1.bin ... test_batch.bin in it.\n{OFFLINE}")
    return records(names), records(["test_batch.bin"])


def _python(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], source: Path) -> tuple[Pair, Pair]:
    with source.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != ARCHIVE_SHA256:
        raise ExperimentError(
            f"--data {source}: SHA-256 {found[:12]}… is not that of cifar-10-python.tar.gz; its pickles stay "
            "closed. The binary version, cifar-10-binary.tar.gz, needs no such trust"
        )
    import pickle

    def batch(name: str) -> Pair:
        table = pickle.load(io.BytesIO(_member(archive, members[name])), encoding="bytes")
        return _pair(table[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[b"labels"])

    parts = [batch(f"data_batch_{number}") for number in range(1, 6)]
    train = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    return train, batch("test_batch")
