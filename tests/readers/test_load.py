"""`load`: a source is recognised by its content, then by its suffix."""

from __future__ import annotations

import gc
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from archcalc.errors import ArchcalcError, SourceError
from archcalc.readers import load
from tests.readers.specs import RELU, faults, spec

SPEC = spec({"name": "a", **RELU})
KERAS = {
    "class_name": "Sequential",
    "config": {
        "name": "tiny",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "name": "x"}},
            {"class_name": "Flatten", "config": {"name": "f"}},
        ],
    },
}


def written(path: Path, content: Any) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_sources_that_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "net.json", SPEC)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    graphs = [load(path), load(str(path)), load(SPEC), load("-")]
    assert len({tuple(n.name for n in g.nodes) for g in graphs}) == 1


@pytest.mark.parametrize("suffix", [".json", ".h5", ".onnx", ".txt", ""])
def test_content_goes_before_the_suffix(tmp_path: Path, suffix: str) -> None:
    assert load(written(tmp_path / f"net{suffix}", SPEC)).format == "archcalc-1"
    assert load(written(tmp_path / f"net{suffix}", KERAS)).format.startswith("keras")


def test_json_inside_a_json_text_is_unpacked() -> None:
    """`json.dump(model.to_json(), file)` is what many people write."""
    assert load(KERAS).nodes[1].name == "f"


def test_a_doubly_encoded_file(tmp_path: Path) -> None:
    path = written(tmp_path / "net.json", json.dumps(json.dumps(KERAS)).encode())
    assert load(path).nodes[1].name == "f"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged HDF5 file"),
        ("m.json", b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged HDF5 file"),
        ("m.hdf5", b"anything", "is no HDF5 file, though its name says so"),
        ("m.onnx", b"\x08\x07", "ONNX files are not read yet; describe the network in a spec"),
        ("m.pt2", b"PK\x03\x04", "PyTorch files are not read yet"),
        ("m.json", [1, 2], "neither a spec"),
        ("m.json", "text", "neither a spec"),
        ("m.json", {"a": 1}, "neither a spec"),
        ("m.json", {"name": "m", "layers": []}, 'neither a spec (it needs "archcalc": 1'),
        ("m.json", {"name": "m", "layers": [], "inputs": {"x": [1]}}, '"archcalc" is missing'),
        ("m.json", b"PK\x03\x04", "damaged or incomplete archive"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: Any, problem: str) -> None:
    path = written(tmp_path / name, content)
    listed = faults(path)
    assert any(problem in text for text in listed), listed
    with pytest.raises(SourceError) as raised:
        load(path)
    assert str(raised.value).startswith(str(path))


def test_a_mapping_is_held_to_what_a_file_may_hold() -> None:
    assert faults({**SPEC, "name": float("nan")})[0].startswith("$.name: NaN is not JSON")
    assert "is not JSON" in faults({**SPEC, "name": object()})[0]
    endless: dict[str, Any] = {}
    endless["a"] = endless
    assert "is not JSON" in faults(endless)[0]


def test_tuples_in_a_mapping_are_lists() -> None:
    assert load({**SPEC, "inputs": {"x": (8, 8, 3)}}).nodes[0].layer.shape == (8, 8, 3)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        load(SPEC)
        assert faults({"archcalc": 2})
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_limit_of_layers_can_be_raised_and_lowered_for_every_reader(tmp_path: Path) -> None:
    """Inputs are not counted."""
    layers = [
        {"class_name": "ReLU", "module": "keras.layers", "config": {"name": f"r{i}"}, "name": f"r{i}"}
        for i in range(3)
    ]
    first = {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}, "name": "x"}
    keras = {"class_name": "Sequential", "config": {"name": "s", "layers": [first, *layers]}}
    ours = spec(*({"name": f"r{i}", **RELU} for i in range(3)))
    archive = tmp_path / "net.keras"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("config.json", json.dumps(keras))
    for source in (ours, keras, str(archive)):
        assert len(load(source, max_layers=3).nodes) == 4
        with pytest.raises(SourceError, match=r"\(limit 2; --max|more than 2 layers .*--max-layers raises"):
            load(source, max_layers=2)
    with pytest.raises(SourceError, match="more than 20 layers"):
        load("keras:VGG16", max_layers=20)
    for wrong in (0, -3, True, 2.0, "7"):
        with pytest.raises(ArchcalcError, match="max_layers: expected a positive integer"):
            load(ours, max_layers=wrong)  # type: ignore[arg-type]


def test_a_file_that_is_both_a_spec_and_a_keras_config() -> None:
    for both in ({**KERAS, "archcalc": 1}, {**SPEC, "class_name": "Functional", "config": {}}):
        with pytest.raises(SourceError, match=r'both a spec \("archcalc"\) and a Keras config'):
            load(both)
