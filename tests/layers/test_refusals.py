"""Every class in `keras.layers` is supported, or refused by name in every kind of file."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import keras
import pytest

import archcalc
from archcalc.cli import main
from archcalc.errors import ArchcalcError
from archcalc.layers.refusals import REFUSALS
from archcalc.layers.registry import registered
from archcalc.readers.keras.legacy import CLASS_NAMES
from archcalc.readers.spec import read_spec

# a config may have another class name than the module that exports it
CLASSES = {
    CLASS_NAMES.get(cls.__name__, cls.__name__)
    for _, cls in inspect.getmembers(keras.layers, inspect.isclass)
}


def test_every_class_of_keras_is_supported_or_refused() -> None:
    assert len(CLASSES) > 100
    assert not CLASSES - set(registered()) - set(REFUSALS)
    assert not set(registered()) & set(REFUSALS)
    assert set(REFUSALS) <= CLASSES, "a refusal of what Keras does not have"


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_spec_says_why_and_what_to_do(name: str) -> None:
    spec = {"archcalc": 1, "inputs": {"x": [4, 4, 3]}, "layers": [{"name": "a", "type": name}]}
    inside = {"name": "a", "type": "TimeDistributed", "layer": {"type": name}}
    for data in (spec, {**spec, "layers": [inside]}):
        with pytest.raises(ArchcalcError) as caught:
            read_spec(data, "net.json")
        assert REFUSALS[name].reason in str(caught.value)
        assert REFUSALS[name].remedy in str(caught.value)


def config(entry: dict[str, Any]) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Identity(name="a")])
    data: dict[str, Any] = json.loads(model.to_json())
    data["config"]["layers"][1] = entry
    return data


def entry(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": name,
        "config": {"name": "a", **arguments},
        "registered_name": None,
    }


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_configuration_says_why(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    for layer in (entry(name), entry("TimeDistributed", layer=entry(name))):
        path.write_text(json.dumps(config(layer)), encoding="utf-8")
        with pytest.raises(ArchcalcError) as caught:
            archcalc.load(path)
        assert REFUSALS[name].reason in str(caught.value)


def test_the_command_lists_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        assert main(["layers", *arguments]) == 0
        return capsys.readouterr().out

    text = " ".join(printed("--width", "120").split())
    data = json.loads(printed("--format", "json"))
    table = printed("--format", "markdown")
    assert {r["name"] for r in data["refused"]} == set(REFUSALS)
    for name, refusal in REFUSALS.items():
        assert f"{refusal.described(name)}; {refusal.remedy}" in text
        assert f"| {name} | {refusal.described(name)} | {refusal.remedy} |" in table


def test_the_command_explains_one_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "lambda", "Dense", "--width", "120"]) == 0
    text = capsys.readouterr().out
    assert "a Lambda, whose Python code is never run; use operations" in text
    assert "C*units + units" in text
