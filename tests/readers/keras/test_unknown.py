"""`--allow-unknown`: recorded shapes are used, dependent figures are unknown, and none is zero."""

from __future__ import annotations

import json
from typing import Any

import keras
import pytest
from keras import layers as kl

import archcalc
from archcalc.analyze import analyze
from archcalc.arith.unknown import Unknown
from archcalc.errors import SourceError
from archcalc.readers.keras_config import read_keras
from archcalc.report.report import Report
from tests.readers.keras.oracle import graph_rows, live_rows


@keras.saving.register_keras_serializable("tests")
class TwoOutputs(kl.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x[:, :2], x


@keras.saving.register_keras_serializable("tests")
class Kept(kl.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return x


def with_custom_layers() -> Any:
    x = keras.Input((8, 8, 3), name="x")
    y = kl.Lambda(lambda v: v * 2, name="lambda")(x)
    y = kl.Conv2D(4, 3, name="conv")(y)
    a, b = TwoOutputs(name="two")(y)
    return keras.Model(x, kl.Concatenate(name="all")([kl.Flatten(name="a")(a), kl.Flatten(name="b")(b)]))


def report(model: Any) -> Report:
    return analyze(read_keras(json.loads(model.to_json()), "net.json", allow_unknown=True))


def test_shapes_go_on_from_what_the_file_records() -> None:
    model = with_custom_layers()
    graph = read_keras(json.loads(model.to_json()), "net.json", allow_unknown=True)
    assert {r.name: r.outputs for r in graph_rows(graph)} == {r.name: r.outputs for r in live_rows(model)}


def test_figures_of_unknown_layers_and_totals_are_unknown_and_the_others_known() -> None:
    result = report(with_custom_layers())
    for name, parameters in (("lambda", int), ("two", Unknown)):  # a Lambda has no weights of its own
        row = result.layers[name]
        assert isinstance(row.parameters, parameters)
        assert isinstance(row.macs, Unknown)
    assert result.layers["conv"].parameters == 3 * 3 * 3 * 4 + 4
    assert isinstance(result.totals.parameters, Unknown)
    assert isinstance(result.totals.macs, Unknown)


def test_an_axis_that_the_file_leaves_open_is_unknown_after_the_layer() -> None:
    x = keras.Input((None, None, 3), name="x")
    y = kl.Conv2D(4, 3, name="conv")(kl.Lambda(lambda v: v, name="lambda")(x))
    result = report(keras.Model(x, kl.GlobalMaxPooling2D(name="pool")(y)))
    shape = result.layers["conv"].output_shapes[0]
    assert [isinstance(n, Unknown) for n in shape] == [True, True, False]
    assert isinstance(result.layers["conv"].macs, Unknown)
    assert result.layers["conv"].parameters == 3 * 3 * 3 * 4 + 4
    assert result.layers["pool"].output_shapes == ((4,),)


def test_without_a_recorded_shape_the_file_is_refused_all_the_same() -> None:
    model = keras.Sequential([keras.Input((4,)), Kept(name="kept"), kl.Dense(2)])
    data = json.loads(model.to_json())
    del data["config"]["layers"][2]["build_config"]
    with pytest.raises(
        SourceError, match=r"layer 'kept' is of the class 'tests>Kept'.*records no shape.*--shape kept"
    ):
        read_keras(data, "net.json", allow_unknown=True)


def test_the_shape_of_an_output_may_be_unknown() -> None:
    result = report(keras.Sequential([keras.Input((4,)), kl.Dense(2, name="d"), Kept(name="last")]))
    (size,) = result.layers["last"].output_shape
    assert isinstance(size, Unknown)
    assert result.totals.at_least["parameters_at_least"] == 4 * 2 + 2


def test_in_a_sequential_the_next_layer_records_the_shape() -> None:
    model = keras.Sequential(
        [keras.Input((4, 3)), kl.Lambda(lambda v: v[:, 1:], name="cut"), kl.Dense(2, name="d")]
    )
    assert report(model).layers["d"].output_shapes == ((3, 2),)


def test_a_subclassed_model_inside_a_model_is_one_unknown_layer() -> None:
    class Inner(keras.Model):  # type: ignore[misc]
        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            self.dense = kl.Dense(5)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    x = keras.Input((4,), name="x")
    model = keras.Model(x, kl.Dense(2, name="d")(Inner(name="inner")(x)))
    with pytest.raises(SourceError, match=r"layer 'inner' is"):
        read_keras(json.loads(model.to_json()), "net.json")
    assert report(model).layers["d"].parameters == 5 * 2 + 2


# -- activations of other packages -----------------------------------------------------------------------
@keras.saving.register_keras_serializable("tests", name="gelu")
def strange(x: Any) -> Any:
    return x * x


def halved(x: Any) -> Any:
    return x[..., ::2]


def with_activation(function: Any) -> Any:
    x = keras.Input((8, 8, 3), name="x")
    y = kl.Conv2D(4, 3, activation=function, name="conv")(x)
    y = kl.Activation(function, name="act")(y)
    return keras.Model(x, kl.Dense(2, name="out")(y))


def test_an_activation_of_another_package_is_unknown_in_its_slope_alone() -> None:
    model = with_activation(strange)
    data = json.loads(model.to_json())
    assert "tests>gelu" in json.dumps(data)  # which is not Keras's gelu
    with pytest.raises(SourceError, match=r"unknown activation 'tests>gelu'.*--as gelu=relu"):
        read_keras(data, "net.json")
    graph = read_keras(data, "net.json", allow_unknown=True)
    result, plain = analyze(graph, gradients=True), analyze(archcalc.load(data, as_={"gelu": "gelu"}))
    assert result.totals.parameters == model.count_params()
    for figure in ("macs", "elementwise_operations", "training_activation_bytes"):
        assert getattr(result.totals, figure) == getattr(plain.totals, figure)
    # whether it works in place, as Keras's own do, is not known
    assert result.totals.peak_activation_bytes >= plain.totals.peak_activation_bytes
    fields = [r.layers["out"].receptive_fields["x"].size for r in (result, plain)]
    assert fields[0] == fields[1] == (3, 3)
    bounds = result.to_dict()["layers"]
    assert next(row for row in bounds if row["name"] == "x")["gradient"]["unbounded"]
    assert not next(row for row in bounds if row["name"] == "out")["gradient"]["unbounded"]
    assert {f.layer for f in result.findings if f.rule == "assumed-shape"} == {"conv", "act"}


def test_an_activation_that_changes_the_shape_is_refused() -> None:
    """Keras 3 takes every activation to keep the shape, Keras 2 ran it and recorded what it saw."""
    import tf_keras

    tf_keras.saving.register_keras_serializable("tests", name="halved")(halved)
    x = tf_keras.Input((8, 4), name="x")
    y = tf_keras.layers.Dense(3)(tf_keras.layers.Activation(halved, name="act")(x))
    with pytest.raises(SourceError, match="'act': its activation, of another package, changes the shape"):
        read_keras(json.loads(tf_keras.Model(x, y).to_json()), "net.json", allow_unknown=True)


def test_what_such_an_activation_is_cannot_be_written_or_run() -> None:
    from archcalc.writers.keras_code import keras_code

    graph = read_keras(json.loads(with_activation(strange).to_json()), "net.json", allow_unknown=True)
    with pytest.raises(archcalc.ArchcalcError, match="a function that archcalc does not know"):
        keras_code(graph)
    (check,) = archcalc.verify(graph).checks
    assert check.verdict == "cannot run here"
    again = archcalc.load(archcalc.to_spec(graph))
    assert analyze(again).totals.macs == analyze(graph).totals.macs
