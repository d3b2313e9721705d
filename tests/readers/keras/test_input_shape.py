"""`input_shape` takes the place of the shape in a file, and all shapes are derived anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.errors import SourceError
from archcalc.readers import load

keras = pytest.importorskip("keras")


def config(model: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(model.to_json())
    return data


def small(size: int, classes: int = 5) -> Any:
    """A network whose Dense kernel depends on the size of the input."""
    image = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(image)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, keras.layers.Dense(classes)(x))


def rows(graph: Any) -> list[Any]:
    return [(row.type, row.output_shape, row.parameters) for row in analyze(graph).rows]


def test_resnet50_at_256() -> None:
    report = analyze(load("keras:ResNet50", input_shape=(256, 256, 3)))
    assert report.totals.macs == 5_038_358_528
    assert report.totals.parameters == 25_636_712


def test_as_keras_builds_it_at_that_size() -> None:
    data = config(small(16))
    at_33 = load(config(small(33)))
    assert rows(load(data, input_shape=(33, 33, 3))) == rows(at_33)
    opened = load(data, input_shape=("H", "H", 3))
    assert analyze(opened).symbols == {"H": None}
    assert rows(load(data, input_shape=("H", "H", 3), symbols={"H": 33})) == rows(at_33)
    assert analyze(opened, symbols={"H": 33}).totals.parameters == analyze(at_33).totals.parameters


def test_an_archive_and_a_nested_model(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    outer = keras.Model(image, small(16)(image))
    outer.save(tmp_path / "net.keras")
    read = load(tmp_path / "net.keras", input_shape=(33, 33, 3))
    assert analyze(read).totals.parameters == small(33).count_params()


def test_the_layer_that_forbids_a_size_is_named() -> None:
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.Reshape((49, 16), name="tokens")(x)
    data = config(keras.Model(image, x))
    with pytest.raises(SourceError, match=r"input shape 17,17,3: layer 'tokens': "):
        load(data, input_shape=(17, 17, 3))
    with pytest.raises(SourceError, match=r"input shape 2,2,3: layer 'conv': "):
        load(data, input_shape=(2, 2, 3))
    with pytest.raises(SourceError, match=r"input shape 16,3 has another number of axes than \(16, 16, 3\)"):
        load(data, input_shape=(16, 3))


def test_one_shape_for_inputs_of_several() -> None:
    def two(first: int, second: int) -> dict[str, Any]:
        images = [keras.Input((n, n, 3)) for n in (first, second)]
        shrunk = [keras.layers.GlobalAveragePooling2D()(image) for image in images]
        return config(keras.Model(images, keras.layers.Add()(shrunk)))

    assert rows(load(two(8, 8), input_shape=(9, 9, 3)))[:2] == [("InputLayer", (9, 9, 3), 0)] * 2
    words = r"is one shape, and the inputs have several \(\(8, 8, 3\), \(6, 6, 3\)"
    with pytest.raises(SourceError, match=words):
        load(two(8, 6), input_shape=(9, 9, 3))


def test_recorded_shapes_of_an_unknown_layer_are_those_of_its_own_input() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda x: x * 2, output_shape=(8, 8, 3), name="mine")(image)
    data = config(keras.Model(image, keras.layers.Flatten()(x)))
    load(data, allow_unknown=True)
    with pytest.raises(SourceError, match=r"'mine' is .*, and the file records only for its own input shape"):
        load(data, allow_unknown=True, input_shape=(9, 9, 3))


def test_symbols_that_do_not_exist() -> None:
    words = "no symbol is named 'H'; its inputs have fixed sizes .--input-shape 32,32,3 gives others"
    with pytest.raises(SourceError, match=words):
        load("keras:ResNet50", symbols={"H": 256})
    opened = config(keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)]))
    with pytest.raises(SourceError, match="no symbol is named 'K'; its symbols are H, W"):
        load(opened, symbols={"K": 5})
    with pytest.raises(SourceError, match="H: expected a positive integer, got -5"):
        load(opened, symbols={"H": -5})
    read = load(opened, symbols={"H": 9, "W": None})
    assert analyze(read, symbols={"H": 12}).symbols == {"H": 12, "W": None}


def test_what_does_not_apply_to_a_source_is_refused() -> None:
    spec = {"archcalc": 1, "inputs": {"x": [3]}, "layers": [{"name": "d", "type": "Dense", "units": 2}]}
    with pytest.raises(SourceError, match=r"--input-shape .* does not apply to a spec"):
        load(spec, input_shape=(4,))
    with pytest.raises(SourceError, match=r"--allow-unknown .* does not apply to a spec"):
        load(spec, allow_unknown=True)
    with pytest.raises(SourceError, match=r"--allow-unknown .* does not apply"):
        load("keras:VGG16", allow_unknown=True)
