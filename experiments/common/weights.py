"""Weights of a backbone: Keras's download, a local HDF5 file read by layer name, or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.common import files
from experiments.common.data import network
from experiments.common.errors import ExperimentError

if TYPE_CHECKING:
    import h5py
    import keras

NONE, IMAGENET = "none", "imagenet"
OTHERWISE = "Give --weights FILE (HDF5), or --weights none for a random backbone"
UNVERIFIED = "their provenance and licence are not verified"


def settled(weights: str) -> tuple[str, str]:
    """The setting made absolute, and the SHA-256 of the file ("" where it names none).

    Raises ExperimentError where there is no such file.
    """
    if weights in {NONE, IMAGENET}:
        return weights, ""
    path = Path(weights).expanduser().resolve()
    if not path.is_file():
        raise ExperimentError(f"--weights {weights}: no such file; give an HDF5 file, imagenet or none")
    return str(path), files.sha256(path)


def require_same(weights: str, sha256: str) -> None:
    """Raise ExperimentError where the file is no longer the one that the run began with."""
    if sha256 and settled(weights)[1] != sha256:
        raise ExperimentError(f"{weights}: has changed since the run began; put it back or run anew")


def told(weights: str, sha256: str) -> str:
    """One sentence for the report."""
    if weights == NONE:
        return "weights: none; every backbone is random"
    if weights == IMAGENET:
        return "weights: Keras's own, trained on ImageNet"
    return f"weights: {Path(weights).name}, SHA-256 {sha256}; {UNVERIFIED}"


def give(model: keras.Model, weights: str) -> None:
    """Fill `model`, an application without its top, from `weights`, a path.

    Reads the file as data: names and numbers, no pickle and no code. Raises ExperimentError where it
    does not hold every weight of the model, in its shape.
    """
    import h5py

    path = Path(weights)
    if not h5py.is_hdf5(path):
        raise ExperimentError(f"{path}: not an HDF5 file.\n{OTHERWISE}")
    with h5py.File(path) as stored:
        if "layers" in stored:  # Keras 3's .weights.h5, numbered and not named
            kept = None
        else:
            kept = _by_layer(stored)
            _assign(model, kept, path)
    if kept is None:
        try:
            model.load_weights(path)
        except ValueError as fault:
            reason = str(fault).splitlines()[0]
            raise ExperimentError(f"{path}: not the weights of {model.name} ({reason})") from None


def _by_layer(stored: h5py.File) -> dict[tuple[str, str], Any]:
    """Arrays by (layer, weight): the last two parts of their paths, old spellings made new."""
    import h5py

    found: dict[tuple[str, str], Any] = {}

    def visit(name: str, item: Any) -> None:
        parts = name.split("/")
        if isinstance(item, h5py.Dataset) and len(parts) > 1 and parts[0] != "optimizer_weights":
            weight = parts[-1].split(":")[0].removeprefix("depthwise_")
            found[parts[-2], weight] = item[()]

    stored.visititems(visit)
    return found


def _assign(model: keras.Model, kept: dict[tuple[str, str], Any], path: Path) -> None:
    wrong = []
    for layer in model.layers:
        for weight in layer.weights:
            value = kept.get((layer.name, weight.name))
            if value is None:
                wrong.append(f"{layer.name}/{weight.name} is missing")
            elif tuple(value.shape) != tuple(weight.shape):
                wrong.append(f"{layer.name}/{weight.name} is {tuple(value.shape)}, not {tuple(weight.shape)}")
            else:
                weight.assign(value)
    if wrong:
        more = f" and {len(wrong) - 2} more" if len(wrong) > 2 else ""
        raise ExperimentError(
            f"{path}: not the weights of {model.name}: {', '.join(wrong[:2])}{more}.\n{OTHERWISE}"
        )


def imagenet(build: Any, cached: str) -> keras.Model:
    """`build()`, which has Keras fetch weights; `cached` is their file's pattern in Keras's cache.

    Raises ExperimentError, within seconds, where they are not there and the network does not answer.
    """
    there = any((network.keras_cache().parent / "models").glob(cached))
    made: keras.Model = network.guarded("applications", build, "weights=imagenet", OTHERWISE, cached=there)
    return made
