"""`archcalc convert`: spec, Keras code and archives of one network, there and back."""

from __future__ import annotations

import json
import os
from operator import itemgetter
from pathlib import Path
from typing import Any

import keras
import pytest

import archcalc
from archcalc import cli
from archcalc.analyze import analyze
from archcalc.graph import Graph

EXAMPLES = Path(__file__).parents[2] / "examples"


def figures(graph: Graph) -> list[Any]:
    keys = ("name", "type", "output_shape", "parameters", "weights", "macs", "receptive_field")
    return [{key: row[key] for key in keys} for row in analyze(graph).to_dict()["layers"]]


@pytest.mark.parametrize("name", ["inception_resnet_a", "cifar_cnn"])
def test_spec_to_archive_to_spec_keeps_names_and_figures(name: str, tmp_path: Path, capsys: Any) -> None:
    source = EXAMPLES / f"{name}.json"
    archive, spec = tmp_path / "net.keras", tmp_path / "net.json"
    assert cli.main(["convert", str(source), "-o", str(archive)]) == 0
    assert cli.main(["convert", str(archive), "-o", str(spec), "--keep-names"]) == 0
    assert capsys.readouterr() == ("", "")
    before, after = archcalc.load(source), archcalc.load(spec)
    by_name = itemgetter("name")
    assert sorted(figures(after), key=by_name) == sorted(figures(before), key=by_name)
    assert keras.models.load_model(archive).count_params() == analyze(before).totals.parameters
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".partial-")]


def test_an_application_to_a_spec_and_to_code(tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["convert", "keras:VGG16"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"name": "block", "block": "block_2", "filters": 512, "repeat": 2} in data["layers"]
    names = tmp_path / "names.json"
    assert cli.main(["convert", "keras:VGG16", "-o", str(tmp_path / "net.py"), "--names", str(names)]) == 0
    code = (tmp_path / "net.py").read_text()
    assert "def block_2(x, name, filters):" in code
    assert json.loads(names.read_text())["block5_conv3"] == "block[2]/conv3"
    assert cli.main(["convert", "keras:VGG16", "--to", "python", "--keep-names"]) == 0
    assert 'name="block5_conv3"' in capsys.readouterr().out


def test_open_axes_stay_open_in_an_archive_and_other_symbols_need_values(tmp_path: Path, capsys: Any) -> None:
    archive = tmp_path / "pair.keras"
    assert cli.main(["convert", str(EXAMPLES / "conv_pair.json"), "-o", str(archive)]) == 0
    assert keras.models.load_model(archive).input_shape == (None, None, None, 3)
    deep = str(EXAMPLES / "plain_sigmoid_n.json")
    assert cli.main(["convert", deep, "-o", str(tmp_path / "deep.keras")]) == 2
    assert "n needs a value" in capsys.readouterr().err
    assert not (tmp_path / "deep.keras").exists()
    assert cli.main(["convert", deep, "--set", "n=2", "-o", str(tmp_path / "deep.keras")]) == 0


def test_what_to_write_must_be_clear(tmp_path: Path, capsys: Any) -> None:
    source = str(EXAMPLES / "conv_pair.json")
    assert cli.main(["convert", source, "-o", str(tmp_path / "net.txt")]) == 2
    assert "spec for .json, python for .py, keras for .keras" in capsys.readouterr().err
    assert cli.main(["convert", source, "--to", "keras"]) == 2
    assert "-o model.keras" in capsys.readouterr().err


def test_python_names_of_the_package() -> None:
    graph = archcalc.load(EXAMPLES / "conv_pair.json")
    assert archcalc.to_spec(graph)["layers"][0]["name"] == "first"
    assert archcalc.keras_code(graph).startswith('"""conv_pair')
    assert archcalc.to_keras(graph, {"H": 8}).output_shape == (None, 4, 4, 32)
    assert archcalc.from_keras(archcalc.to_keras(graph, {"H": 8})).name == "conv_pair"
