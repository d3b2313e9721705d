"""YAML as Keras wrote it, against PyYAML's own dump of the same configuration."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import tf_keras
import yaml

import archcalc
from archcalc.errors import MissingExtraError
from archcalc.readers.yaml_text import decode, is_yaml


def as_tuples(value: Any) -> Any:
    """The configuration before JSON turned its tuples into lists."""
    if isinstance(value, dict):
        return {k: as_tuples(v) for k, v in value.items()}
    if isinstance(value, list):
        items = [as_tuples(v) for v in value]
        return tuple(items) if items and all(n is None or isinstance(n, int) for n in items) else items
    return value


def model() -> Any:
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 3)),
            layers.Conv2D(4, (3, 2), padding="same", name="yes"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Dropout(0.25),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


def test_a_model_as_yaml(tmp_path: Path) -> None:
    real = model()
    data = as_tuples(json.loads(real.to_json()))
    text = yaml.dump(data)
    assert "!!python/tuple" in text
    path = tmp_path / "net.yaml"
    path.write_text(text)
    assert archcalc.analyze(archcalc.load(path)).totals.parameters == real.count_params()
    assert decode(text.encode(), "net.yaml") == json.loads(real.to_json())


@pytest.mark.parametrize(
    "value",
    [
        1,
        -7,
        0.5,
        1e-5,
        1e20,
        True,
        False,
        None,
        "yes",
        "1",
        "0.5",
        "~",
        "",
        "a: b",
        "é\n",
        [[], {}],
        {"a": [1]},
    ],
)
def test_values_are_those_that_were_written(value: Any) -> None:
    assert decode(yaml.dump({"config": value}).encode(), "net.yaml") == {"config": value}


def test_anchors_and_aliases() -> None:
    inner = {"a": [1, 2]}
    text = yaml.dump({"config": [inner, inner, inner]})
    assert "*id001" in text
    assert decode(text.encode(), "x") == {"config": [inner] * 3}


def test_yaml_is_recognised_by_its_first_key_or_its_name() -> None:
    assert is_yaml(b"backend: tensorflow\n", "net")
    assert is_yaml(b"# a comment\n---\nclass_name: Sequential\n", "-")
    assert is_yaml(b"other: 1\n", "net.yml")
    assert not is_yaml(b'{"class_name": "Sequential"}', "net.yaml")
    assert not is_yaml(b"anything: else\n", "net.json")


def test_without_pyyaml_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"archcalc\[yaml\]"):
        decode(b"class_name: Sequential\n", "net.yaml")
