"""Weights of archives and of live models: the same arrays, and nothing from outside the file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import archcalc
from archcalc.errors import ArchcalcError, SourceError
from archcalc.keras.live_weights import model_weights
from archcalc.readers.keras_weights import read_weights
from tests.readers.keras.test_models import MODELS


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_an_archive_holds_the_weights_of_the_live_model(build: Callable[[], Any], tmp_path: Path) -> None:
    model = build()
    path = str(tmp_path / "model.keras")
    model.save(path)
    live = model_weights(model, archcalc.from_keras(model))
    stored = read_weights(path, archcalc.load(path))
    assert stored.keys() == live.keys()
    for name, arrays in live.items():
        assert stored[name].keys() == {n for n in arrays if not n.startswith("lora_")}
        for weight, value in stored[name].items():
            if not any(n.startswith("lora_") for n in arrays):
                np.testing.assert_array_equal(value, arrays[weight])


def small() -> Any:
    x = keras.Input((4,), name="x")
    y = keras.layers.Dense(3, name="first")(x)
    return keras.Model(x, keras.layers.Dense(2, name="second")(y))


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = str(tmp_path / "net.keras")
    small().save(path)
    return path


def tampered(path: str, change: Callable[[h5py.Group], None]) -> None:
    """The archive with its weights changed: `change` gets the variables of the first layer."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file["layers/dense/vars"])
    members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def soft_link(group: h5py.Group) -> None:
    del group["0"]
    group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def external_link(group: h5py.Group) -> None:
    del group["0"]
    group["0"] = h5py.ExternalLink("/etc/hostname", "/")


def external_storage(group: h5py.Group) -> None:
    del group["0"]
    group.create_dataset("0", (4, 3), "f4", external=[("/etc/hostname", 0, 48)])


def virtual(group: h5py.Group) -> None:
    del group["0"]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "data", (4, 3))
    group.create_virtual_dataset("0", layout)


def other_shape(group: h5py.Group) -> None:
    del group["0"]
    group["0"] = np.zeros((4, 4), "f4")


def huge(group: h5py.Group) -> None:
    del group["0"]
    group.create_dataset("0", (2**20, 2**20), "f4")  # stores nothing, and states 4 TiB


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (soft_link, "holds a link"),
        (external_link, "holds a link"),
        (external_storage, "lies outside the file"),
        (virtual, "lies outside the file"),
        (other_shape, r"first/kernel is stored with shape \(4, 4\)"),
        (huge, "holds more than"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_what_lies_outside_or_does_not_fit_is_refused(
    saved: str, change: Callable[[h5py.Group], None], words: str
) -> None:
    graph = archcalc.load(saved)
    tampered(saved, change)
    with pytest.raises(SourceError, match=words) as caught:
        read_weights(saved, graph)
    assert str(caught.value).startswith(saved)


def test_an_archive_without_weights_is_refused(saved: str) -> None:
    graph = archcalc.load(saved)
    with zipfile.ZipFile(saved) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(SourceError, match="so no weights"):
        read_weights(saved, graph)


def test_weights_of_another_model_are_refused() -> None:
    graph = archcalc.from_keras(small())
    x = keras.Input((4,), name="x")
    other = keras.Model(x, keras.layers.Dense(3, use_bias=False, name="first")(x))
    with pytest.raises(ArchcalcError, match="'first' has other weights"):
        model_weights(other, graph)
    lacking = keras.Model(x, keras.layers.Dense(3, name="third")(x))
    with pytest.raises(ArchcalcError, match="no layer 'first'"):
        model_weights(lacking, graph)


def test_actual_weights_bound_a_linear_network_by_its_spectral_norms(saved: str) -> None:
    model = keras.saving.load_model(saved)
    report = archcalc.analyze(archcalc.load(saved), gradients=True, weights="actual")
    first, second = (np.linalg.norm(model.get_layer(n).kernel, 2) for n in ("first", "second"))
    bounds = [row.gradient.upper_log10 for row in report.rows if row.gradient]
    assert bounds == pytest.approx([np.log10(first * second), np.log10(second), 0.0], abs=1e-6)
