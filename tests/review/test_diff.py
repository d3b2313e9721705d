"""`archcalc diff`: alignment by structure, single edits of random networks, totals and formulas, formats."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

import archcalc
from archcalc.cli import main
from archcalc.errors import ArchcalcError, SourceError
from archcalc.review.lint.declare import conv, dense, layer, spec
from tests.review.edits import KINDS, Edit, edited, network


def changes(a: Any, b: Any) -> list[tuple[str, str | None, str | None]]:
    return [(c.kind, c.a, c.b) for c in archcalc.diff(a, b).changes]


# -- random edits -------------------------------------------------------------------------------------------
def random_edits(count: int, seed: int) -> list[tuple[dict[str, Any], Edit]]:
    """Edits, each kind in turn, of networks that are valid before and after."""
    random, found = Random(seed), []
    while len(found) < count:
        before = network(random)
        edit = edited(random, before, KINDS[len(found) % len(KINDS)])
        try:
            if edit is not None:
                archcalc.load(edit.spec)
                found.append((before, edit))
        except SourceError:  # a cycle
            continue
    return found


def misread(count: int, seed: int) -> list[tuple[str, list[Any]]]:
    """The edits that diff reports as anything but themselves."""
    wrong = []
    for before, edit in random_edits(count, seed):
        found = changes(before, edit.spec)
        if found != [(edit.kind, edit.a, edit.b)]:
            wrong.append((f"{edit.kind} {edit.a} {edit.b}", found))
    return wrong


def test_an_edit_of_a_random_network_is_what_diff_reports() -> None:
    assert misread(50, seed=1) == []


@pytest.mark.slow
def test_five_hundred_edits_of_random_networks() -> None:
    assert misread(500, seed=0) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_network_is_equal_to_itself_in_another_order_and_with_other_names(seed: int) -> None:
    random = Random(seed)
    before = network(random)
    assert not archcalc.diff(before, before).changed
    shuffled = {**before, "layers": random.sample(before["layers"], len(before["layers"]))}
    assert not archcalc.diff(before, shuffled).changed
    text = json.dumps(before)
    renamed = json.loads(text.replace('"l', '"other').replace('"otherayers"', '"layers"'))
    found = archcalc.diff(before, renamed)
    assert {c.kind for c in found.changes} == {"renamed"}
    # equal layers on equal inputs may stand for each other
    assert len(found.changes) == len(before["layers"])


# -- what a person would say -----------------------------------------------------------------------------
def test_vgg16_and_vgg19() -> None:
    found = archcalc.diff("keras:VGG16", "keras:VGG19")
    assert [(c.kind, c.b) for c in found.changes] == [("inserted", f"block{k}_conv4") for k in (3, 4, 5)]
    assert found.totals[0].difference == 143_667_240 - 138_357_544  # published


def test_the_two_resnet50() -> None:
    """Between the first and the second version the stride of three blocks is elsewhere."""
    found = archcalc.diff("keras:ResNet50", "keras:ResNet50V2")
    strides = {c.b for c in found.changes if "strides 2 to 1" in c.text}
    assert strides == {f"conv{k}_block1_{i}_conv" for k in (3, 4, 5) for i in (0, 1)}
    later = {c.b for c in found.changes if "strides 1 to 2" in c.text}
    assert later == {"conv2_block3_2_conv", "conv3_block4_2_conv", "conv4_block6_2_conv"}
    assert sum(c.kind == "moved" and c.type == "BatchNormalization" for c in found.changes) == 16


def test_keras_names_that_shift_are_no_new_layers() -> None:
    """A layer before all others makes Keras number all layers of its type anew."""
    layers = [dense(n, "relu", name=f"dense_{i}") for i, n in enumerate((8, 16, 32))]
    more = [dense(n, "relu", name=f"dense_{i}") for i, n in enumerate((4, 8, 16, 32))]
    found = archcalc.diff(spec((8,), *layers), spec((8,), *more)).changes
    assert [(c.kind, c.b) for c in found if c.kind != "renamed"] == [("inserted", "dense_0")]
    assert {(c.a, c.b) for c in found if c.kind == "renamed"} == {
        (f"dense_{i}", f"dense_{i + 1}") for i in range(3)
    }


@pytest.mark.parametrize("name", ["ResNet50", "VGG16"])
def test_a_spec_and_the_keras_network_that_it_describes_differ_in_names_alone(name: str) -> None:
    change = archcalc.diff(f"keras:{name}", f"examples/{name.lower()}.json")
    assert {c.kind for c in change.changes} == {"renamed"}


def test_the_stride_that_moved_between_two_resnet50() -> None:
    found = archcalc.diff("keras:ResNet50", "examples/resnet50_v15.json").changes
    moved = {c.b: {k: (x[0], y[0]) for k, x, y in c.arguments if k == "strides"} for c in found}
    assert {name: each for name, each in moved.items() if each} == {
        f"conv{i}/first/{part}/conv": {"strides": strides}
        for i in (3, 4, 5)
        for part, strides in (("reduce", (2, 1)), ("spatial", (1, 2)))
    }
    assert {c.type for c in found if c.kind in ("inserted", "removed", "rewired")} == {"ZeroPadding2D"}


IMAGES = [
    {"type": "Conv2D", "filters": 8, "kernel_size": 3},
    {"type": "BatchNormalization"},
    {"type": "Activation", "activation": "relu"},
    {"type": "MaxPooling2D", "pool_size": 2},
    {"type": "SeparableConv2D", "filters": 8, "kernel_size": 3, "padding": "same"},
    {"type": "DepthwiseConv2D", "kernel_size": 3},
    {"type": "LeakyReLU"},
    {"type": "Conv2DTranspose", "filters": 4, "kernel_size": 3, "strides": 2},
    {"type": "UpSampling2D"},
    {"type": "GroupNormalization", "groups": 2},
    {"type": "GlobalAveragePooling2D"},
    {"type": "Dense", "units": 4},
]
WORDS = [
    {"type": "Embedding", "input_dim": 20, "output_dim": 8},
    {"type": "GRU", "units": 8, "return_sequences": True},
    {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 4, "return_sequences": True}},
    {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 4}},
    {"type": "GlobalMaxPooling1D"},
]


@pytest.mark.parametrize(("shape", "layers"), [((32, 32, 3), IMAGES), ((10,), WORDS)])
def test_keras_states_every_argument_and_a_spec_few(
    shape: tuple[int, ...], layers: list[dict[str, Any]]
) -> None:
    keras = pytest.importorskip("keras")

    def built(entry: dict[str, Any]) -> Any:
        inner = {key: built(value) if isinstance(value, dict) else value for key, value in entry.items()}
        return getattr(keras.layers, inner.pop("type"))(**inner)

    model = keras.Sequential([keras.Input(shape), *map(built, layers)])
    for source in (model, json.loads(model.to_json())):
        assert {c.kind for c in archcalc.diff(source, spec(shape, *layers)).changes} == {"renamed"}


def test_an_inner_layer_is_named_in_words() -> None:
    a, b = (layer("Bidirectional", layer={"type": "LSTM", "units": units}) for units in (4, 8))
    (change,) = archcalc.diff(spec((10, 4), a), spec((10, 4), b)).changes
    assert change.text == "layer LSTM(units=4) to LSTM(units=8)"


def test_padding_of_a_single_unit_is_no_change_and_other_padding_is() -> None:
    for size, kinds in ((1, set()), (3, {"changed"})):
        a, b = (conv(4, size, padding=padding) for padding in ("same", "valid"))
        assert {c.kind for c in archcalc.diff(spec((8, 8, 3), a), spec((8, 8, 3), b)).changes} == kinds


def test_arguments_that_differ_are_named() -> None:
    a = spec((8, 8, 3), conv(8, name="c"), layer("Flatten"), dense(3))
    b = spec((8, 8, 3), conv(16, 5, name="c"), layer("Flatten"), dense(3))
    (change,) = archcalc.diff(a, b).changes
    assert change.text == "kernel_size 3 to 5, widened: filters 8 to 16"
    assert change.arguments == (("kernel_size", (3, 3), (5, 5)), ("filters", 8, 16))
    assert change.parameters == (5 * 5 * 3 + 1) * 16 - (3 * 3 * 3 + 1) * 8


def test_another_type_in_the_same_place() -> None:
    a = spec((8,), dense(8, name="a"), layer("ReLU", name="act"), dense(3, name="b"))
    b = spec((8,), dense(8, name="a"), layer("LeakyReLU", name="leaky"), dense(3, name="b"))
    assert {(c.kind, c.text.partition(",")[0]) for c in archcalc.diff(a, b).changes} == {
        ("renamed", "act to leaky"),
        ("changed", "ReLU to LeakyReLU"),
    }


def test_other_inputs() -> None:
    layers = [dense(8, name="a"), dense(8, name="b"), dense(8, name="c")]
    a = spec((8,), *layers, layer("Add", name="sum", inputs=["a", "c"]))
    b = spec((8,), *layers, layer("Add", name="sum", inputs=["b", "c"]))
    (change,) = archcalc.diff(a, b).changes
    assert (change.kind, change.text) == ("rewired", "reads b, c in place of a, c")


# -- totals -------------------------------------------------------------------------------------------------
def test_shared_and_separate_weights_differ_by_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2] / "examples"
    a, b = str(root / "conv_pair.json"), str(root / "local_pair.json")
    found = archcalc.diff(a, b)
    parameters = found.totals[0].difference
    for size in (16, 33):
        sides = [archcalc.analyze(s, {"H": size}).totals.parameters for s in (a, b)]
        assert parameters.evaluate(H=size) == sides[1] - sides[0]
    assert main(["diff", a, b]) == 0
    assert "H²" in capsys.readouterr().out
    assert main(["diff", a, b, "--set", "H=32", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data["totals"][0]["difference"], int)


def test_more_than_two_networks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "keras:VGG16", "keras:VGG19", "keras:MobileNet"]) == 0
    out = capsys.readouterr().out
    assert all(figure in out for figure in ("138,357,544", "143,667,240", "4,253,864"))
    assert "Difference" not in out


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    pair = ("keras:VGG16", "keras:VGG19")
    assert main(["diff", *pair]) == 0
    assert main(["diff", *pair, "--fail-on", "changed"]) == 1
    assert main(["diff", *pair, "--fail-on", "parameters,macs"]) == 1
    assert main(["diff", *pair, "--fail-on", "peak_activation_bytes"]) == 0
    assert main(["diff", "keras:VGG16", "keras:VGG16", "--fail-on", "changed"]) == 0
    assert main(["diff", "keras:VGG16"]) == 2
    assert main(["diff", *pair, "--fail-on", "params"]) == 2
    assert main(["diff", *pair, "--fail-on", ""]) == 2
    assert main(["diff", *pair, "--set", "H=3"]) == 2
    assert "none of the networks has this symbol" in capsys.readouterr().err
    with pytest.raises(ArchcalcError, match="two or more"):
        archcalc.diff("keras:VGG16")


def test_what_a_network_is_trained_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = spec((8,), dense(3), compile={"loss": "mse", "optimizer": "adam", "learning_rate": 0.1})
    after = spec((8,), dense(3), compile={"loss": "categorical_crossentropy", "optimizer": "adam"})
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for path, data in zip(files, (before, after), strict=True):
        Path(path).write_text(json.dumps(data))
    change = archcalc.diff(*files)
    assert change.compiled == (
        ("loss", "mean_squared_error", "categorical_crossentropy"),
        ("learning_rate", 0.1, None),
    )
    assert change.changed
    assert not change.changes
    assert main(["diff", *files, "--fail-on", "changed"]) == 1
    shown = " ".join(capsys.readouterr().out.split())  # lines break where the screen ends
    assert "loss mean_squared_error to categorical_crossentropy" in shown
    assert "learning_rate 0.1 to not stated" in shown
    # nothing is said of training where a network states none of it
    assert not archcalc.diff(before, spec((8,), dense(3))).changed


def test_bytes_are_shown_in_their_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "examples/local_pair.json", "examples/conv_pair.json", "--set", "H=8"]) == 0
    assert "0.00 MiB" not in capsys.readouterr().out


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    pair = ("keras:VGG16", "keras:VGG19")
    main(["diff", *pair, "--ascii"])
    text = capsys.readouterr().out
    assert text.isascii()
    assert "- 3 Conv2D inserted: block3_conv4, block4_conv4, block5_conv4" in text
    main(["diff", *pair, "--format", "markdown"])
    page = capsys.readouterr().out
    assert "| Parameters | 138,357,544 | 143,667,240 | +5,309,696 (+3.8 %) |" in page
    assert page.count("| `block") == 3
    main(["diff", *pair, "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["unchanged_layers"] == 23
    assert [c["kind"] for c in data["changes"]] == ["inserted"] * 3
    main(["diff", *pair, "--width", "40"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


@pytest.mark.slow
def test_five_thousand_layers_within_two_seconds() -> None:
    block = {"layers": [dense(8, "relu", name="a"), layer("Dropout", rate=0.1, name="b")]}
    body = {"name": "body", "block": "b", "repeat": 2500}
    a = archcalc.load(spec((8,), body, dense(1, name="out"), blocks={"b": block}))
    b = archcalc.load(spec((8,), body, layer("ReLU"), dense(2, name="out"), blocks={"b": block}))
    start = time.process_time()
    found = archcalc.diff(a, b)
    assert time.process_time() - start < 2
    assert sorted(c.kind for c in found.changes) == ["changed", "inserted"]
