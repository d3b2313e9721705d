"""keras.applications: the shipped architectures, and any variant from its configuration alone."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from archcalc.errors import MissingExtraError, SourceError
from archcalc.readers.applications import names, read_application
from archcalc.readers.keras_config import read_keras
from scripts.applications_table import line, page
from scripts.generate_applications import configuration, constructors
from tests.readers.keras.oracle import assert_same, read, totals

SMALL = ("MobileNet", "EfficientNetB0", "MobileNetV3Small", "DenseNet121")
EVERY = sorted(constructors())


def build(name: str, **arguments: Any) -> Any:
    keras.backend.clear_session()
    return constructors()[name](weights=None, **arguments)


def check_default(name: str) -> None:
    model = build(name)
    assert_same(model, read(model))
    assert_same(model, read_application(f"keras:{name}"))


@pytest.mark.parametrize("name", SMALL)
def test_every_row_is_that_of_keras(name: str) -> None:
    check_default(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in EVERY if n not in SMALL])
def test_every_row_of_all_others_is_that_of_keras(name: str) -> None:
    check_default(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_an_odd_size_without_the_classifier(name: str) -> None:
    model = build(name, input_shape=(197, 131, 3), include_top=False)
    assert_same(model, read(model))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_seven_classes(name: str) -> None:
    model = build(name, classes=7)
    assert_same(model, read(model))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_the_shipped_data_is_what_the_script_writes_and_keras_reads_it(name: str) -> None:
    from archcalc.readers.applications import _Shipped

    shipped = _Shipped()
    assert shipped.version == keras.__version__, "run scripts/generate_applications.py"
    text = configuration(name)
    assert shipped.configuration(name) == json.loads(text)
    again = keras.models.model_from_json(text)
    assert again.count_params() == totals(read_application(f"keras:{name}"))[0]


def test_every_constructor_ships() -> None:
    assert names() == EVERY
    assert len(EVERY) == 40


def test_names_are_forgiving_and_never_guessed() -> None:
    with pytest.raises(SourceError, match="did you mean 'ResNet50'"):
        read_application("keras:resnet50")
    with pytest.raises(SourceError, match=r"has no ''.*keras:ResNet50"):
        read_application("keras:")


def test_reading_a_shipped_architecture_imports_no_keras() -> None:
    import subprocess

    code = (
        "import sys, archcalc.readers.applications as a; a.read_application('keras:ResNet50');"
        "heavy = ('keras', 'tensorflow', 'numpy', 'sympy', 'networkx', 'pydantic');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_arguments_have_keras_build_the_network() -> None:
    graph = read_application("keras:MobileNet?input_shape=64,64,3&classes=10&alpha=0.25&dropout=0.5")
    model = keras.applications.MobileNet(
        input_shape=(64, 64, 3), classes=10, alpha=0.25, dropout=0.5, weights=None
    )
    trainable = sum(math.prod(w.shape) for w in model.trainable_weights)
    assert totals(graph) == (model.count_params(), trainable)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("clases=10", "did you mean 'classes'"),
        ("classes", "argument=value"),
        ("classes=3&classes=4", "appears twice"),
        ("input_shape=7,7,3", "Keras refuses it"),
        ("weights=imagenet", "no argument 'weights'"),
    ],
)
def test_arguments_that_make_no_sense(query: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_application(f"keras:VGG16?{query}")


def test_without_keras_arguments_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingExtraError, match=r"archcalc\[keras\]"):
        read_application("keras:VGG16?classes=10")
    assert read_application("keras:VGG16").nodes


def test_an_open_input_takes_values_for_its_symbols() -> None:
    graph = read_application("keras:MobileNetV3Small", symbols={"H": 224, "W": 192})
    assert graph.nodes[0].layer.shape == (224, 192, 3)  # type: ignore[attr-defined]
    again = read_application("keras:MobileNetV3Small", input_shape=(64, 64, 3))
    assert again.nodes[0].layer.shape == (64, 64, 3)  # type: ignore[attr-defined]


def test_a_config_of_a_frozen_backbone_with_a_head_of_its_own() -> None:
    """The usual transfer learning: a nested application that is not trained."""
    keras.backend.clear_session()
    backbone = keras.applications.MobileNet(input_shape=(64, 64, 3), include_top=False, weights=None)
    backbone.trainable = False
    x = keras.Input((64, 64, 3))
    y = keras.layers.GlobalAveragePooling2D()(backbone(x, training=False))
    model = keras.Model(x, keras.layers.Dense(5)(y))
    graph = read(model)
    assert_same(model, graph)
    assert totals(graph)[1] == 1024 * 5 + 5
    assert read_keras(json.loads(model.to_json()), "x").nodes[1].name.startswith("mobilenet_")


# -- the page -------------------------------------------------------------------------------------
DOCUMENTED = Path(__file__).parents[3] / "docs" / "keras-applications.md"


@pytest.mark.parametrize("name", SMALL)
def test_the_documented_figures_are_those_of_today(name: str) -> None:
    assert line(name) in DOCUMENTED.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_the_whole_page_is_what_the_script_writes() -> None:
    assert page(names()) == DOCUMENTED.read_text(encoding="utf-8")
