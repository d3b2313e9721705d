"""What a person says of layers without a rule: `--as`, `--shape` and `--classes` act, or are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers as kl

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.cli import main
from archcalc.errors import ArchcalcError, SourceError
from archcalc.report.report import Report


@keras.saving.register_keras_serializable("tests")
class FixedDropout(kl.Dropout):  # type: ignore[misc]
    pass


@keras.saving.register_keras_serializable("tests")
class Gelu(kl.Layer):  # type: ignore[misc]
    def __init__(self, strength: float = 1.0, **more: Any) -> None:
        super().__init__(**more)
        self.strength = strength

    def call(self, x: Any) -> Any:
        return keras.activations.gelu(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


@keras.saving.register_keras_serializable("tests")
class ConvScale(kl.Layer):  # type: ignore[misc]
    """A convolution to twice as many channels, and a weight for each."""

    def __init__(self, times: int = 2, kernel_size: Any = (3, 3), padding: str = "same", **more: Any) -> None:
        super().__init__(**more)
        self.times, self.kernel_size, self.padding = times, kernel_size, padding

    def build(self, shape: Any) -> None:
        self.conv = kl.Conv2D(self.times * shape[-1], self.kernel_size, padding=self.padding)
        self.conv.build(shape)
        self.gain = self.add_weight(shape=(self.times * shape[-1],))
        super().build(shape)

    def call(self, x: Any) -> Any:
        return self.conv(x) * self.gain

    def get_config(self) -> dict[str, Any]:
        own = {"times": self.times, "kernel_size": self.kernel_size, "padding": self.padding}
        return {**super().get_config(), **own}


RULES: dict[str, Any] = {
    "ConvScale": {
        "layers": [
            {
                "name": "conv",
                "type": "Conv2D",
                "filters": "times * input_channels",
                "kernel_size": {"argument": "kernel_size"},
                "padding": {"argument": "padding"},
            },
            {
                "name": "gain",
                "type": "Opaque",
                "output_shape": "same",
                "weights": [{"name": "gain", "shape": ["times * input_channels"]}],
                "macs": 0,
                "elementwise_ops": "times * input_axis_1 * input_axis_2 * input_channels",
                "window": 1,
            },
        ]
    }
}
AS = {"FixedDropout": "Dropout", "Gelu": "gelu"}


def model(size: int | None = 8) -> Any:
    x = keras.Input((size, size, 3), name="x")
    scale = ConvScale(name="scale")
    y = scale(FixedDropout(0.3, name="drop")(x))
    inner = keras.Sequential([keras.Input((size, size, 6)), Gelu(name="gelu")], name="inner")
    y = kl.Dense(3, name="back")(inner(y))
    return keras.Model(x, kl.Dense(2, name="out")(scale(y)))


def data(size: int | None = 8) -> Any:
    return json.loads(model(size).to_json())


def report(source: Any, **options: Any) -> Report:
    return archcalc.analyze(archcalc.load(source, **options))


# -- they act ------------------------------------------------------------------------------------------
def test_a_network_of_foreign_classes_is_exact() -> None:
    real = model()
    result = report(data(), as_=AS, classes=RULES)
    assert result.totals.parameters == result.totals.trainable_parameters == real.count_params()
    assert {n for n in result.layers if n.startswith("scale")} == {
        "scale/conv", "scale/gain", "scale[2]/conv", "scale[2]/gain",
    }  # fmt: skip
    assert result.layers["scale[2]/conv"].parameters == 0  # the weights are those of the first call
    assert result.layers["inner/gelu"].type == "Activation"
    conv = 8 * 8 * 9 * 3 * 6
    assert result.totals.macs == 2 * conv + 8 * 8 * (6 * 3 + 6 * 2)


def test_open_axes_stay_symbols_and_get_values() -> None:
    graph = archcalc.load(data(None), as_=AS, classes=RULES)
    with_value = archcalc.analyze(graph, symbols={"H": 8, "W": 8})
    assert with_value.totals.macs == report(data(), as_=AS, classes=RULES).totals.macs
    open_ = archcalc.analyze(graph)
    assert open_.totals.macs.evaluate(H=8, W=8) == with_value.totals.macs


def test_another_input_shape_is_derived_anew() -> None:
    other = report(data(), as_=AS, classes=RULES, input_shape=(16, 16, 3))
    assert other.totals.macs == 4 * report(data(), as_=AS, classes=RULES).totals.macs


def test_the_same_from_a_file_on_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, rules = tmp_path / "net.json", tmp_path / "rules.json"
    source.write_text(json.dumps(data()))
    rules.write_text(json.dumps(RULES))
    words = ["--as", "FixedDropout=Dropout", "--as", "Gelu=identity", "--classes", str(rules)]
    assert main(["analyze", str(source), *words, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["parameters"] == model().count_params()
    spec = tmp_path / "spec.json"
    assert main(["convert", str(source), *words, "-o", str(spec)]) == 0
    assert report(str(spec)).totals.parameters == model().count_params()
    assert main(["verify", str(source), *words]) == 0  # a reason is told for what Keras lacks
    assert "Opaque" in capsys.readouterr().out


def test_a_shape_goes_on_past_a_layer_and_leaves_its_figures_unknown() -> None:
    x = keras.Input((8, 8, 3), name="x")
    real = keras.Model(x, kl.Dense(2, name="out")(kl.Lambda(lambda v: v[:, ::2], name="cut")(x)))
    config = json.loads(real.to_json())
    for entry in config["config"]["layers"]:  # as Keras 2 wrote it, without shapes
        entry.pop("build_config", None)
        for node in entry["inbound_nodes"]:
            node["args"][0]["config"].pop("shape")
    result = report(config, shapes={"cut": (4, 8, 3)})
    assert result.layers["out"].output_shape == (4, 8, 2)
    assert result.totals.parameters == 3 * 2 + 2
    assert isinstance(result.totals.macs, Unknown)
    assert result.totals.at_least["macs_at_least"] == 4 * 8 * 3 * 2


def test_a_shape_may_be_an_expression_in_the_symbols_of_the_input() -> None:
    result = report(data(None), as_=AS, shapes={"scale": ("H // 2", "W", 6)})
    assert [str(n) for n in result.layers["inner/gelu"].output_shape] == ["H//2", "W", "6"]


def test_rules_for_a_class_with_several_forms() -> None:
    one = {"if": {"padding": "valid"}, "type": "Activation", "activation": "relu"}
    rules = {"tests>ConvScale": [one, {"if": {"padding": ["same"]}, **RULES["ConvScale"]}]}
    assert report(data(), as_=AS, classes=rules).totals.parameters == model().count_params()


# -- or they are refused ---------------------------------------------------------------------------------
UNKNOWN = {"allow_unknown": True}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a class that nothing uses": (
        {"as_": {"FixedDropot": "Dropout"}, **UNKNOWN},
        "did you mean 'FixedDropout'",
    ),
    "a class of Keras's own": (
        {"as_": {"Dense": "Conv2D"}, **UNKNOWN},
        "nothing without a rule is of the class",
    ),
    "a type that does not exist": (
        {"as_": {"Gelu": "Dropot"}},
        "neither a layer type nor an activation.*'Dropout'",
    ),
    "an input as a type": ({"as_": {"Gelu": "InputLayer"}}, "neither a layer type"),
    "arguments that the type lacks": ({"as_": {"Gelu": "Dropout"}}, "Dropout has no argument 'strength'"),
    "a row that does not exist": ({"shapes": {"scal": (8, 8, 6)}, **UNKNOWN}, "did you mean 'scale'"),
    "a row without its model": ({"shapes": {"gelu": (8, 8, 6)}, **UNKNOWN}, "did you mean 'inner/gelu'"),
    "a row with a rule": ({"shapes": {"back": (8, 8, 6)}, **UNKNOWN}, "'back': this layer has a rule"),
    "a size of nothing": ({"as_": AS, "shapes": {"scale": (8, 0, 6)}}, "expected a positive size, got 0"),
    "a symbol that does not exist": ({"as_": AS, "shapes": {"scale": (8, "n", 6)}}, "unknown symbol 'n'"),
    "no classes at all": ({"classes": {}}, "1 to 10,000 classes"),
    "classes that nothing uses": (
        {"classes": {"ConvScal": RULES["ConvScale"]}, **UNKNOWN},
        "did you mean 'ConvScale",
    ),
    "a class in both": ({"as_": {"ConvScale": "identity"}, "classes": RULES}, "leave one of them out"),
    "neither type nor layers": (
        {"classes": {"ConvScale": {}}},
        r"\$\.ConvScale: expected either \"type\" or",
    ),
    "another key": (
        {"classes": {"ConvScale": {"layers": [], "input": []}}},
        "unknown key 'input'; did you mean 'inputs'",
    ),
    "a faulty layer": (
        {"as_": AS, "classes": {"ConvScale": {"layers": [{"name": "c", "type": "Conv2"}]}}},
        r"\$\.ConvScale\.layers\[0\]\.type: unknown layer type 'Conv2'",
    ),
    "a formula of nothing": (
        {"as_": AS, "classes": {"ConvScale": {"type": "Conv2D", "filters": "tims", "kernel_size": 1}}},
        r"\$\.ConvScale\.filters: unknown symbol 'tims'; did you mean 'times'",
    ),
    "an argument of nothing": (
        {"as_": AS, "classes": {"ConvScale": {"type": "Dense", "units": {"argument": "f"}}}},
        "the layer has no argument 'f'",
    ),
    "another shape than the file's": (
        {"as_": AS, "classes": {"ConvScale": {"type": "Conv2D", "filters": 5, "kernel_size": 1}}},
        r"the file records an output of \(8, 8, 6\), and the rule .* gives \(8, 8, 5\)",
    ),
    "alternatives that do not hold": (
        {"as_": AS, "classes": {"ConvScale": {"if": {"times": 3}, "type": "Dropout", "rate": 0.1}}},
        "holds for 'times' = 3 only, and here it is 2",
    ),
    "an argument that the rule does not know": (
        {"as_": AS, "classes": {"ConvScale": {"parameters": {"times": 2}, "type": "Dropout", "rate": 0.1}}},
        "does not know the argument 'kernel_size'",
    ),
    "no mapping": ({"as_": ["Gelu"]}, "expected a mapping, got list"),
    "no name": ({"as_": {"": "Dropout"}}, "expected a name"),
    "no type": ({"as_": {"Gelu": 3}}, "expected a layer type for 'Gelu', got 3"),
    "no shape": ({"shapes": {"scale": 3}}, "expected positive integers or expressions"),
    "an empty shape": ({"shapes": {"scale": ()}}, "expected positive integers or expressions"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused(name: str) -> None:
    options, says = REFUSED[name]
    with pytest.raises(ArchcalcError, match=says):
        archcalc.load(data(), **options)


def test_other_sources_refuse_them() -> None:
    spec = {"archcalc": 1, "inputs": {"x": [3]}, "layers": [{"name": "d", "type": "Dense", "units": 2}]}
    for source in (spec, "keras:VGG16", model()):
        with pytest.raises(SourceError, match=r"--as \(as_=\) does not apply"):
            archcalc.load(source, as_=AS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--as", "Gelu"], "expected CLASS=TYPE"),
        (["--shape", "scale=8,,6"], "expected LAYER=SHAPE"),
        (["--classes", "none.json"], "none.json: no such file"),
    ],
)
def test_misused_on_the_command_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.json"
    source.write_text(json.dumps(data()))
    assert main(["analyze", str(source), *words]) == 2
    assert says in capsys.readouterr().err


# -- the weights that a file stores ----------------------------------------------------------------------
@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    keras.backend.clear_session()
    path = tmp_path_factory.mktemp("words") / "net.keras"
    model().save(path)
    return str(path)


def test_words_that_the_stored_weights_contradict_are_refused(stored: str) -> None:
    plain = {"ConvScale": {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}}
    with pytest.raises(SourceError, match=r"the file stores 174 parameters for it; the rule .* gives 168"):
        archcalc.load(stored, as_=AS, classes=plain)
    with pytest.raises(SourceError, match="stores 174 parameters for 'scale', and as Activation it has 0"):
        archcalc.load(stored, as_={**AS, "ConvScale": "relu"})
    assert report(stored, as_=AS, classes=RULES).totals.parameters == model().count_params()


# -- models that keep their layers to themselves -----------------------------------------------------------
class Whole(keras.Model):  # type: ignore[misc]
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.dense, self.norm = kl.Dense(3), kl.BatchNormalization()
        self.parts = [kl.Dense(2), kl.Dropout(0.1)]

    def build(self, shape: Any) -> None:
        self.own = self.add_weight(shape=(7,))
        super().build(shape)

    def call(self, x: Any) -> Any:
        return self.parts[1](self.parts[0](self.norm(self.dense(x))))

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # type: ignore[no-any-return]


def test_a_subclassed_model_is_one_layer_with_the_stored_weights(tmp_path: Path) -> None:
    real = Whole(name="whole")
    real.compile("adam", "mse")
    real(keras.ops.zeros((1, 5)))
    real.save(tmp_path / "net.keras")
    with pytest.raises(SourceError, match=r"'Whole' is a subclassed model.*--allow-unknown"):
        archcalc.load(tmp_path / "net.keras")
    result = report(tmp_path / "net.keras", allow_unknown=True)
    assert result.totals.parameters == real.count_params()
    assert isinstance(result.totals.trainable_parameters, Unknown)
    assert result.layers["input"].output_shape == (5,)
