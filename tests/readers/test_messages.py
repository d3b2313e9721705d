"""What a new user types wrong, and the message that says what to do: each as text."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from archcalc import analyze
from archcalc.cli import main
from archcalc.errors import SourceError
from archcalc.readers import load

CONV = {"name": "a", "type": "Conv2D", "filters": 4, "kernel_size": 3}
JSON = 'open("net.json", "w").write(model.to_json())'
READ = "archcalc reads a spec or a Keras config (model.to_json()) as JSON, and .keras archives"
WRITE = f"where you have the model, write {JSON}"
SAVED = f"is a SavedModel, which holds functions of TensorFlow and not the layers; {WRITE}"
WEIGHTS = f"holds weights only; give the architecture: a .keras file, or {JSON}"
PICKLE = f"is a pickle, which can run any code when it is opened, so archcalc opens none; {WRITE}"
LITE = f"is a TensorFlow Lite file, whose layers are converted already; {WRITE}"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
FORMAT = (
    '$: "archcalc" is missing; a spec begins with {"archcalc": 1, ...}, which is the version of its format'
)
INPUTS = (
    '$: "inputs" is missing; name each input with its shape, without the batch: '
    '"inputs": {"image": [32, 32, 3]}'
)
LISTED = '; `archcalc layers` lists all, "Opaque" describes others'


def spec(*layers: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"archcalc": 1, "inputs": {"x": [8, 8, 3]}, "layers": layers} | more).encode()


def layer(**arguments: Any) -> bytes:
    return spec({"name": "a"} | arguments)


def config(*layers: dict[str, Any], version: str = "3.0") -> bytes:
    first = {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4]}}
    data = {"class_name": "Sequential", "keras_version": version, "config": {"name": "s"}}
    data["config"]["layers"] = [first, *layers]  # type: ignore[index]
    return json.dumps(data).encode()


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def hdf5(attribute: str) -> bytes:
    h5py = pytest.importorskip("h5py")
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs[attribute] = "{}"
        file.create_group("dense")["kernel"] = [1.0]
    return out.getvalue()


CUSTOM = {"class_name": "MyDense", "registered_name": "Pkg>MyDense", "module": "x", "config": {"name": "d"}}
FOREIGN = "layer 'd' is of the class 'Pkg>MyDense', which is not Keras's own"

WRONG: list[tuple[str, bytes | str, str]] = [
    ("model.py", "import keras\n", "is Python code, which archcalc does not run; there, "
     f"print(archcalc.analyze(model)), or write {JSON}"),
    ("saved_model.pb", b"\x08\x01\x12" + bytes(99), SAVED),
    ("net.tflite", b"\x1c\0\0\0TFL3" + bytes(99), LITE),
    ("net", b"\x1c\0\0\0TFL3" + bytes(99), LITE),
    ("net.pkl", pickle.dumps({"a": 1}), PICKLE),
    ("model.ckpt", pickle.dumps({"a": 1}), PICKLE),
    ("net.keras", LFS, "is a Git LFS pointer and not the file itself; fetch it with git lfs pull"),
    ("net.h5", LFS, "is a Git LFS pointer and not the file itself; fetch it with git lfs pull"),
    ("net.safetensors", b"\x10" + bytes(99), WEIGHTS),
    ("net.index", b"\0\0\1", f"is a checkpoint, which {WEIGHTS}"),
    ("tokenizer.json", '{"class_name": "Tokenizer", "config": {"num_words": 10}}',
     "is a Tokenizer, which holds a vocabulary and no network; give the file of the model that reads its "
         "words"),
    ("net.h5", "anything", "is no HDF5 file, though its name says so; copy or save it again"),
    ("net.prototxt", 'name: "x"\nlayer {}\n', "is text, but not JSON: it begins with 'name: \"x\"'; " + READ),
    ("net.png", b"\x89PNG\r\n\x1a\n" + bytes(20), "is a binary file of a format that is not read; " + READ),
    ("empty.keras", archive(), "is a zip archive without any file; save the model again"),
    ("net.json", '{"archcalc": 1,\n "layers": [1,],}',
     "not valid JSON: a comma after the last entry, at line 2, column 15, before '],}'; remove it"),
    ("net.json", '{"archcalc": 1, }',
     "not valid JSON: a comma after the last entry, at line 1, column 17, before '}'; remove it"),
    ("net.json", "{'archcalc': 1}", "not valid JSON: single quotes at line 1, column 2, before "
     "\"'archcalc': 1}\"; texts and keys are written in double quotes"),
    ("net.json", '{"archcalc": 1, // mine\n}', "not valid JSON: a comment at line 1, column 17, "
     "before '// mine'; JSON has none; in a spec, a key \"_\" holds one"),
    ("net.json", '{"use_bias": False}', "not valid JSON: a word of Python at line 1, column 14, "
     "before 'False}'; write true, false or null"),
    ("net.json", "[1, 2]", 'is a list, but neither a spec ({"archcalc": 1, "inputs": {...}, '
     '"layers": [...]}) nor a Keras config (model.to_json())'),
    ("net.json", json.dumps({"inputs": {"x": [8, 8, 3]}, "layers": [CONV]}), FORMAT),
    ("net.json", json.dumps({"layers": [CONV]}), f"{FORMAT}\n{INPUTS}"),
    ("net.json", json.dumps({"archcalc": 1, "layers": [CONV]}), INPUTS),
    ("net.json", spec(CONV, inputs={"x": [None, 8, 3]}), '$.inputs.x: an open axis is a symbol: declare '
     '"symbols": {"H": null} and write "H"; no batch axis'),
    ("net.json", layer(type="Conv2D", out_channels=4, kernel_size=3),
     "$.layers[0].out_channels: Conv2D has no argument 'out_channels'; did you mean 'filters'?"),
    ("net.json", layer(type="Conv2D", in_channels=3, filters=4, kernel=3),
     "$.layers[0].in_channels: Conv2D has no argument 'in_channels'; Keras takes it from the input, so "
         "leave it "
     "out\n$.layers[0].kernel: Conv2D has no argument 'kernel'; did you mean 'kernel_size'?"),
    ("net.json", layer(type="Dense", filters=4),
     "$.layers[0].filters: Dense has no argument 'filters'; did you mean 'units'?"),
    ("net.json", layer(type="MaxPooling2D", kernel_size=2, stride=2),
     "$.layers[0].kernel_size: MaxPooling2D has no argument 'kernel_size'; did you mean 'pool_size'?\n"
     "$.layers[0].stride: MaxPooling2D has no argument 'stride'; did you mean 'strides'?"),
    ("net.json", layer(type="Conv2D", filters=4, kernel_size="3x5"),
     "$.layers[0].kernel_size: '3x5': sizes along several axes are a list, [3, 5]"),
    ("net.json", config(CUSTOM, {"class_name": "Flatten", "config": {"name": "f"}}),
     f"$.config.layers[1]: {FOREIGN}, and the file records no shape of its output; "
     "--shape d=32,32,8 (shapes=) gives it; --as or --classes says what the layer is"),
    ("net.json", config(CUSTOM | {"build_config": {"input_shape": [None, 4]}},
                        {"class_name": "Dense", "module": "keras.layers", "config": {"name": "e", "units": 2},
                         "build_config": {"input_shape": [None, 3]}}),
     f"$.config.layers[1]: {FOREIGN}; --allow-unknown (allow_unknown=True) continues with the shapes in "
         f"the file "
     "and reports this layer's figures as unknown; "
     "--as CLASS=TYPE or --classes FILE says what it is"),
]  # fmt: skip
TYPES = {
    "Linear": "'Dense'",
    "Convolution": "'Conv2D'",
    "Convolution1D": "'Conv1D'",
    "Relu": "'ReLU'",
    "Conv2d": "'Conv2D'",
    "ConvTranspose3d": "'Conv3DTranspose'",
    "MaxPool1d": "'MaxPooling1D'",
    "BatchNorm2d": "'BatchNormalization'",
    "LayerNorm": "'LayerNormalization'",
    "Concat": "'Concatenate'",
    "Sigmoid": "'Activation' with \"activation\": 'sigmoid'",
    "Dropout2d": "'SpatialDropout2D'",
}


def refusal(path: Path) -> str:
    """The faults of a file, a line each, without its name."""
    with pytest.raises(SourceError) as raised:
        load(path)
    return "\n".join(map(str, raised.value.faults))


@pytest.mark.parametrize(
    ("name", "content", "message"), WRONG, ids=lambda x: x[:40] if isinstance(x, str) else ""
)
def test_what_a_new_user_gives(name: str, content: bytes | str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(path) == message


def test_hdf5_with_and_without_an_architecture(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(hdf5("layer_names"))
    assert refusal(path).startswith("holds weights without a model_config, so no network")
    path.write_bytes(hdf5("model_config"))
    assert refusal(path) == "its model_config is not a Keras configuration"


def test_a_folder_that_tensorflow_saved(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert refusal(tmp_path) == SAVED


@pytest.mark.parametrize(("written", "meant"), TYPES.items())
def test_types_as_other_libraries_call_them(written: str, meant: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(layer(type=written))
    assert refusal(path) == (
        f"$.layers[0].type: unknown layer type {written!r}; did you mean {meant}?{LISTED}"
    )


@pytest.mark.parametrize(
    "word",
    ["ResNet50", "resnet-50", "Keras:ResNet50", "keras.applications.ResNet50", "resnet_50"],
)
def test_a_network_of_keras_without_its_prefix(word: str) -> None:
    assert refusal(Path(word)) == "no such file; did you mean keras:ResNet50?"


def test_a_network_of_keras_at_another_size() -> None:
    assert load("keras:ResNet50", input_shape=(64, 64, 3)).nodes[0].layer.shape == (64, 64, 3)


def test_weights_of_a_file_without_any(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(spec(CONV))
    with pytest.raises(SourceError) as raised:
        analyze(path, gradients=True, weights="actual")
    assert str(raised.value) == (
        f"{path}: holds an architecture and no weights; those are in a .keras file, or from Python in a "
        f"live model"
    )


# -- the command line ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "vgg16"], "archcalc: vgg16: no such file; did you mean keras:VGG16? An example has "
         "this name: "
         "archcalc examples copy vgg16"),
        (["net.json"], "archcalc: no command is named 'net.json'; did you mean archcalc analyze net.json? "
         "(archcalc --help)"),
        (["analyze", "{}", "-o", "x.html"], "archcalc analyze: x.html: no HTML is written here; archcalc "
         "report SOURCE -o FILE.html writes a page, -o FILE.md Markdown (archcalc analyze --help)"),
        (["analyze", "{}", "-o", "x.xlsx"], "archcalc analyze: x.xlsx: no spreadsheet is written here; "
         "use -o "
         "FILE.csv, which spreadsheets open (archcalc analyze --help)"),
        (["analyze", "{}", "-o", "x.pdf"], "archcalc analyze: x.pdf: no PDF is written here; use -o "
         "FILE.tex and "
         "LaTeX, or -o FILE.md (archcalc analyze --help)"),
        (["analyze", "{}", "-o", "x.png"], "archcalc analyze: x.png: no picture is written here; --plot FILE "
         "draws gradients, --plot field=FILE and memory=FILE these (archcalc analyze --help)"),
        (["analyze", "{}", "-o", "x.py"], "archcalc analyze: x.py: archcalc convert SOURCE -o FILE writes a "
         "network; this command writes its figures (archcalc analyze --help)"),
        (["verify", "{}", "-o", "x.md"], "archcalc verify: x.md: markdown is not written here, only "
         "table, json, "
         "csv (archcalc verify --help)"),
        (["layers", "Linear"], "archcalc layers: no layer type is named 'Linear'; did you mean 'Dense'? "
         "(archcalc layers --help)"),
    ],
)  # fmt: skip
def test_commands(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.json").write_bytes(spec(CONV))
    assert main([a.replace("{}", "good.json") for a in arguments]) == 2
    assert capsys.readouterr().err == f"{message}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["good.json"]
