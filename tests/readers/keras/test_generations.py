"""What earlier generations of Keras wrote, against tf_keras where it still reads it, else by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tensorflow as tf
import tf_keras
from tf_keras.src.engine.base_layer import TensorFlowOpLayer
from tf_keras.src.layers.rnn import cudnn_gru, cudnn_lstm

from archcalc import analyze, load
from archcalc.arith.unknown import Unknown
from archcalc.errors import SourceError
from archcalc.layers.primitives import Pointwise
from archcalc.report.report import Report

FORMER_CLASSES = {
    "CuDNNLSTM": cudnn_lstm.CuDNNLSTM,
    "CuDNNGRU": cudnn_gru.CuDNNGRU,
    "TensorFlowOpLayer": TensorFlowOpLayer,
}


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


def sequential(version: str, *layers: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """A Sequential whose first layer states the input's shape, as Keras wrote it up to 2.2."""
    first, *others = layers
    first = {**first, "config": {**first["config"], "batch_input_shape": [None, *shape]}}
    config: Any = {"name": "s", "layers": [first, *others]}
    if version < "2.2.3":
        config = config["layers"]
    return {"class_name": "Sequential", "keras_version": version, "backend": "tensorflow", "config": config}


def report(data: dict[str, Any], **options: Any) -> Report:
    return analyze(load(data, **options))


def by_tf_keras(data: dict[str, Any]) -> Any:
    return tf_keras.models.model_from_json(json.dumps(data), custom_objects=FORMER_CLASSES)


def check(data: dict[str, Any]) -> Report:
    """The report, after a comparison of the totals and the output with tf_keras."""
    model, result = by_tf_keras(data), report(data)
    trainable = sum(tf_keras.backend.count_params(w) for w in model.trainable_weights)
    assert result.totals.parameters == model.count_params()
    assert result.totals.trainable_parameters == trainable
    assert result.rows[-1].output_shape == tuple(model.output_shape[1:])
    return result


# -- lists of layers ---------------------------------------------------------------------------------
def test_sequentials_as_lists_inside_each_other() -> None:
    inner = [layer("Dense", units=5, batch_input_shape=[None, 8]), layer("Dense", units=4)]
    inner[1]["config"]["name"] = "second"
    nested = {"class_name": "Sequential", "config": inner}
    data = {
        "class_name": "Sequential",
        "keras_version": "2.1.6",
        "config": [nested, layer("Dense", units=2)],
    }
    result = report(data)
    # tf_keras has dropped the form; the same network in the form that it reads
    today = tf_keras.Sequential([tf_keras.layers.Dense(n) for n in (5, 4, 2)])
    today.build((None, 8))
    assert result.totals.parameters == today.count_params() == 79
    assert [row.name for row in result.rows][1:] == ["sequential_1/dense", "sequential_1/second", "dense"]


def test_the_shape_that_is_missing_is_no_second_fault() -> None:
    data = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"units": 3}}]}
    with pytest.raises(SourceError) as caught:
        load(data)
    assert len(caught.value.faults) == 1
    assert "name" in str(caught.value)


# -- recurrent layers --------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["2.1.2", "2.2.4", "2.2.4-tf", "tfjs-layers 1.2.3"])
def test_a_gru_without_reset_after_has_one_bias(version: str) -> None:
    data = sequential(version, layer("GRU", units=5), shape=(10, 4))
    assert report(data).totals.parameters == 3 * (5 * (5 + 4) + 5) == 150
    assert tf_keras.layers.GRU(5, reset_after=False)(tf_keras.Input((10, 4))).shape == (None, 5)
    ours = tf_keras.Sequential([tf_keras.Input((10, 4)), tf_keras.layers.GRU(5, reset_after=False)])
    assert ours.count_params() == 150


def test_a_gru_that_states_reset_after_keeps_it() -> None:
    data = sequential("2.2.4", layer("GRU", units=5, reset_after=True), shape=(10, 4))
    assert check(data).totals.parameters == 165


def test_layers_in_the_layout_of_cudnn() -> None:
    first = layer("CuDNNLSTM", units=7, return_sequences=True, stateful=False, unit_forget_bias=True)
    data = sequential("2.2.4", first, layer("CuDNNGRU", units=5), shape=(20, 6))
    result = check(data)
    assert result.totals.parameters == 630
    assert result.totals.macs == 20 * (4 * 7 * (6 + 7) + 3 * 5 * (7 + 5))


@pytest.mark.parametrize(("name", "now"), [("UnifiedLSTM", "LSTM"), ("UnifiedGRU", "GRU")])
def test_the_first_names_of_the_second_versions(name: str, now: str) -> None:
    more = {"reset_after": True} if now == "GRU" else {}
    data = sequential("2.2.4-tf", layer(name, units=5, **more), shape=(10, 4))
    model = tf_keras.Sequential([tf_keras.Input((10, 4)), getattr(tf_keras.layers, now)(5)])
    assert report(data).totals.parameters == model.count_params()


# -- activations -------------------------------------------------------------------------------------
def test_a_thresholded_relu() -> None:
    data = sequential("2.3.1", layer("Dense", units=5), layer("ThresholdedReLU", theta=1.5), shape=(8,))
    result = check(data)
    assert result.rows[-1].type == "ReLU"
    (function,) = load(data).nodes[-1].layer.primitives((5,))
    assert isinstance(function, Pointwise)
    assert ("threshold", 1.5) in function.parameters


def test_softmax_by_the_name_that_tensorflow_gave_it() -> None:
    data = sequential("2.4.0", layer("Dense", units=3, activation="softmax_v2"), shape=(8,))
    assert report(data).totals.parameters == 27
    assert load(data).nodes[-1].layer.keras_arguments()["activation"] == "softmax"


SLOPE = 0.30000001192092896
LEAKY = {
    "class_name": "LeakyReLU",
    "config": {"name": "l", "trainable": True, "dtype": "float32", "alpha": SLOPE},
}


@pytest.mark.parametrize(
    ("class_name", "more", "parameters"),
    [("Dense", {"units": 3}, 27), ("SimpleRNN", {"units": 3}, 3 * (8 + 3 + 1)), ("Activation", {}, 0)],
)
def test_a_layer_as_the_activation_of_another(class_name: str, more: Any, parameters: int) -> None:
    shape = (4, 8) if class_name == "SimpleRNN" else (8,)
    data = sequential("2.4.0", layer(class_name, activation=LEAKY, **more), shape=shape)
    assert check(data).totals.parameters == parameters
    last = load(data).nodes[-1].layer
    slopes = [
        dict(p.parameters)["negative_slope"]
        for q in last.primitives(shape)
        for p in (*getattr(q, "activation", ()), q)
        if isinstance(p, Pointwise)
    ]
    assert slopes == [SLOPE]


def test_an_activation_with_arguments_is_written_and_built() -> None:
    from archcalc.keras import to_keras
    from archcalc.writers.keras_code import keras_code
    from archcalc.writers.spec import to_spec

    graph = load(sequential("2.4.0", layer("Dense", units=3, activation=LEAKY), shape=(8,)))
    again = load(to_spec(graph))
    argument = again.nodes[-1].layer.keras_arguments()["activation"]
    assert argument == {"class_name": "leaky_relu", "config": {"negative_slope": SLOPE}}
    assert to_keras(graph).layers[-1].activation.negative_slope == SLOPE
    assert f"activation=layers.LeakyReLU(negative_slope={SLOPE})" in keras_code(graph)


@pytest.mark.parametrize("config", [{"alpha": 2}, {"negative_slope": "x"}, [1]])
def test_arguments_that_an_activation_does_not_have(config: Any) -> None:
    dense = {
        "name": "d",
        "type": "Dense",
        "units": 3,
        "activation": {"class_name": "leaky_relu", "config": config},
    }
    with pytest.raises(SourceError, match=r"\$\.layers\[0\]\.activation"):
        load({"archcalc": 1, "inputs": {"x": [8]}, "layers": [dense]})


# -- merging -----------------------------------------------------------------------------------------
def merged(mode: str, **more: Any) -> dict[str, Any]:
    inputs = [
        {
            "class_name": "InputLayer",
            "name": n,
            "config": {"name": n, "batch_input_shape": [None, 8]},
            "inbound_nodes": [],
        }
        for n in ("x", "y")
    ]
    entry = {**layer("Merge", mode=mode, mode_type="raw", **more), "name": "z"}
    entry["inbound_nodes"] = [[["x", 0, 0, {}], ["y", 0, 0, {}]]]
    config = {
        "name": "m",
        "layers": [*inputs, entry],
        "input_layers": [["x", 0, 0], ["y", 0, 0]],
        "output_layers": [["z", 0, 0]],
    }
    return {"class_name": "Model", "keras_version": "2.0.6", "config": config}


@pytest.mark.parametrize(
    ("mode", "type_name", "shape"),
    [
        ("sum", "Add", (8,)),
        ("mul", "Multiply", (8,)),
        ("ave", "Average", (8,)),
        ("max", "Maximum", (8,)),
        ("concat", "Concatenate", (16,)),
        ("dot", "Dot", (1,)),
    ],
)
def test_merge_is_the_layer_of_its_mode(mode: str, type_name: str, shape: tuple[int, ...]) -> None:
    row = report(merged(mode, concat_axis=-1, dot_axes=-1)).rows[-1]
    assert (row.type, row.output_shape) == (type_name, shape)


def test_a_merge_without_a_rule_says_so() -> None:
    with pytest.raises(SourceError, match="Merge with mode='cos'"):
        load(merged("cos"))


# -- operators ---------------------------------------------------------------------------------------
def operator(op: str, tensors: int = 1, *, constants: dict[str, Any] | None = None, **attributes: Any) -> Any:
    kind = {"T": {"type": "DT_FLOAT"}}
    count = tensors + len(constants or {})
    node = {"name": op, "op": op, "input": [f"x{i}" for i in range(count)], "attr": kind | attributes}
    names = ["x", "y"][:tensors]
    inputs = [
        {
            "class_name": "InputLayer",
            "name": n,
            "config": {"name": n, "batch_input_shape": [None, 6, 8]},
            "inbound_nodes": [],
        }
        for n in names
    ]
    config = {
        "name": op,
        "trainable": True,
        "dtype": "float32",
        "node_def": node,
        "constants": constants or {},
    }
    entry = {
        "class_name": "TensorFlowOpLayer",
        "config": config,
        "name": f"tf_op_layer_{op}",
        "inbound_nodes": [[[n, 0, 0, {}] for n in names]],
    }
    ends = {"input_layers": [[n, 0, 0] for n in names], "output_layers": [[entry["name"], 0, 0]]}
    body = {"name": "m", "layers": [*inputs, entry], **ends}
    return {"class_name": "Model", "keras_version": "2.2.4-tf", "config": body}


INDEX = {"type": "DT_INT32"}


@pytest.mark.parametrize(
    "data",
    [
        operator("Mul", constants={"1": 0.2}),
        operator("Sub", constants={"0": 1.0}),
        operator("AddV2", 2),
        operator("Relu6"),
        operator("Sqrt"),
        operator("Mean", constants={"1": [1]}, keep_dims={"b": True}, Tidx=INDEX),
        operator("Max", constants={"1": 2}, keep_dims={"b": False}, Tidx=INDEX),
        operator("Reshape", constants={"1": [-1, 48]}, Tshape=INDEX),
        operator("Transpose", constants={"1": [0, 2, 1]}, Tperm=INDEX),
        operator("ExpandDims", constants={"1": 1}, Tdim=INDEX),
        operator("ConcatV2", 2, constants={"2": -1}, N={"i": "2"}, Tidx=INDEX),
        operator("Pack", 2, N={"i": "2"}, axis={"i": "1"}),
        operator("Tile", constants={"1": [1, 2, 3]}, Tmultiples=INDEX),
        operator("Pad", constants={"1": [[0, 0], [1, 2], [0, 0]]}, Tpaddings=INDEX),
        operator("Softmax"),
        operator(
            "StridedSlice",
            constants={"1": [0, 1, 0], "2": [0, 5, 0], "3": [1, 2, 1]},
            begin_mask={"i": "5"},
            end_mask={"i": "5"},
            ellipsis_mask={"i": "0"},
            new_axis_mask={"i": "0"},
            shrink_axis_mask={"i": "0"},
            Index=INDEX,
        ),
        operator(
            "StridedSlice",
            constants={"1": [0, 0], "2": [0, 1], "3": [1, 1]},
            begin_mask={"i": "1"},
            end_mask={"i": "1"},
            shrink_axis_mask={"i": "2"},
            Index=INDEX,
        ),
    ],
    ids=lambda data: data["config"]["layers"][-1]["config"]["name"],
)
def test_operators_of_tensorflow(data: dict[str, Any]) -> None:
    row = check(data).rows[-1]
    assert row.type.startswith("ops.")


def test_an_operator_without_a_rule_is_named() -> None:
    with pytest.raises(SourceError, match="the TensorFlow operator FFT2D, which archcalc has no rule for"):
        load(operator("FFT2D"))
    binary = operator("Mul", constants={"1": 2.0})
    binary["config"]["layers"][-1]["config"]["node_def"] = "\n\u0003Mul"
    with pytest.raises(SourceError, match="binary form"):
        load(binary)


# -- wrappers ----------------------------------------------------------------------------------------
def test_a_model_inside_time_distributed() -> None:
    kl = tf_keras.layers
    i = tf_keras.Input((8, 8, 3))
    a = kl.Conv2D(4, 3, padding="same", name="a")(i)
    frozen = kl.Conv2D(4, 1, name="b", trainable=False)(a)
    joined = kl.Concatenate(axis=-1)([kl.Add()([a, frozen]), kl.ReLU()(a), i])
    inner = tf_keras.Model(i, kl.GlobalAveragePooling2D()(kl.BatchNormalization()(joined)), name="inner")
    x = tf_keras.Input((5, 8, 8, 3), name="x")
    y = kl.TimeDistributed(inner, name="td")(x)
    model = tf_keras.Model(x, kl.LSTM(6, name="lstm")(y))
    result = check(json.loads(model.to_json()))
    assert result.layers["td/inner/a"].output_shape == (5, 8, 8, 4)
    assert result.layers["td/inner/a"].macs == 5 * 8 * 8 * 9 * 3 * 4
    field = result.layers["td/inner/b"].receptive_fields["x"]
    assert field is not None
    assert field.size == (1, 3, 3)


def test_a_model_inside_two_of_them() -> None:
    inner = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3)])
    twice = tf_keras.layers.TimeDistributed(tf_keras.layers.TimeDistributed(inner))
    model = tf_keras.Sequential([tf_keras.Input((2, 5, 4)), twice])
    assert check(json.loads(model.to_json())).rows[-1].output_shape == (2, 5, 3)


def test_what_has_no_rule_inside_time_distributed_is_named() -> None:
    i = tf_keras.Input((6, 4))
    inner = tf_keras.Model(i, tf_keras.layers.Dot(1)([i, i]))
    model = tf_keras.Sequential([tf_keras.Input((2, 6, 4)), tf_keras.layers.TimeDistributed(inner)])
    with pytest.raises(SourceError, match=r"Dot .* inside a model inside TimeDistributed has no rule"):
        load(json.loads(model.to_json()))


@pytest.mark.parametrize(
    ("class_name", "config", "shape", "parameters", "trainable"),
    [
        ("Dense", {"units": 3}, (8,), 53, 27),
        ("Conv2D", {"filters": 4, "kernel_size": 3}, (8, 8, 3), 222, 112),
        ("DepthwiseConv2D", {"kernel_size": 3}, (8, 8, 3), 31, 30),
        ("SeparableConv2D", {"filters": 4, "kernel_size": 3}, (8, 8, 3), 57, 43),
        ("LSTM", {"units": 3}, (5, 4), 183, 96),
        ("BatchNormalization", {}, (8,), 33, 16),
        ("Embedding", {"input_dim": 7, "output_dim": 3}, (4,), 44, 21),
    ],
)
def test_a_layer_that_is_pruned_has_masks(
    class_name: str, config: dict[str, Any], shape: tuple[int, ...], parameters: int, trainable: int
) -> None:
    """The counts are those of tensorflow_model_optimization 0.8.1 with tf_keras 2.21."""
    wrapped = layer("PruneLowMagnitude", layer=layer(class_name, **config), pruning_schedule={})
    totals = report(sequential("2.4.0", wrapped, shape=shape)).totals
    assert (totals.parameters, totals.trainable_parameters) == (parameters, trainable)


# -- Keras 1 -----------------------------------------------------------------------------------------
def keras1(*layers: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    return sequential("1.2.2", *layers, shape=shape)


BIAS = {
    "bias": True,
    "W_regularizer": None,
    "b_constraint": None,
    "input_dtype": "float32",
    "init": "he_normal",
}
TENSORFLOW, THEANO = {"dim_ordering": "tf"}, {"dim_ordering": "th"}


def test_vgg_16_as_keras_1_wrote_it() -> None:
    """138,357,544 weights: Simonyan & Zisserman 2015, table 2 (configuration D, 138 million)."""
    layers = []
    for i, (filters, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
        for k in range(count):
            pad = layer("ZeroPadding2D", padding=[1, 1], **THEANO)
            shape = {
                "nb_filter": filters,
                "nb_row": 3,
                "nb_col": 3,
                "subsample": [1, 1],
                "border_mode": "valid",
            }
            conv = layer("Convolution2D", activation="relu", **shape, **BIAS, **THEANO)
            for entry in (pad, conv):
                entry["config"]["name"] += f"_{i}_{k}"
            layers += [pad, conv]
        pool = {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid"}
        layers.append(layer("MaxPooling2D", **pool, **THEANO))
        layers[-1]["config"]["name"] += f"_{i}"
    layers.append(layer("Flatten"))
    for i, units in enumerate((4096, 4096, 1000)):
        layers.append(layer("Dense", output_dim=units, input_dim=None, **BIAS))
        layers.append(layer("Dropout", p=0.5))
        for entry in layers[-2:]:
            entry["config"]["name"] += f"_{i}"
    result = report(keras1(*layers, shape=(3, 224, 224)))
    assert result.totals.parameters == 138_357_544
    assert result.totals.macs == 15_470_264_320


@pytest.mark.parametrize(
    ("entries", "shape", "out", "parameters"),
    [
        (
            [
                layer(
                    "Convolution1D",
                    nb_filter=6,
                    filter_length=3,
                    subsample_length=2,
                    border_mode="same",
                    **BIAS,
                )
            ],
            (9, 4),
            (5, 6),
            3 * 4 * 6 + 6,
        ),
        (
            [
                layer(
                    "AtrousConvolution2D",
                    nb_filter=6,
                    nb_row=3,
                    nb_col=2,
                    atrous_rate=[2, 2],
                    subsample=[1, 1],
                    border_mode="valid",
                    **BIAS,
                    **TENSORFLOW,
                )
            ],
            (9, 8, 4),
            (5, 6, 6),
            3 * 2 * 4 * 6 + 6,
        ),
        (
            [
                layer(
                    "Convolution3D",
                    nb_filter=2,
                    kernel_dim1=1,
                    kernel_dim2=2,
                    kernel_dim3=3,
                    subsample=[1, 1, 1],
                    border_mode="valid",
                    **BIAS,
                    **TENSORFLOW,
                )
            ],
            (4, 4, 4, 3),
            (4, 3, 2, 2),
            6 * 3 * 2 + 2,
        ),
        (
            [
                layer(
                    "SeparableConvolution2D",
                    nb_filter=5,
                    nb_row=3,
                    nb_col=3,
                    depth_multiplier=2,
                    subsample=[1, 1],
                    border_mode="valid",
                    **BIAS,
                    **TENSORFLOW,
                )
            ],
            (8, 8, 3),
            (6, 6, 5),
            9 * 3 * 2 + 6 * 5 + 5,
        ),
        (
            [
                layer(
                    "LocallyConnected1D",
                    nb_filter=2,
                    filter_length=3,
                    subsample_length=1,
                    border_mode="valid",
                    **BIAS,
                )
            ],
            (9, 4),
            (7, 2),
            7 * 3 * 4 * 2 + 7 * 2,
        ),
        (
            [
                layer(
                    "LSTM",
                    output_dim=5,
                    inner_init="orthogonal",
                    forget_bias_init="one",
                    inner_activation="hard_sigmoid",
                    consume_less="cpu",
                    dropout_W=0.1,
                    dropout_U=0.1,
                    U_regularizer=None,
                    return_sequences=True,
                )
            ],
            (10, 4),
            (10, 5),
            4 * 5 * (4 + 5 + 1),
        ),
        (
            [layer("GRU", output_dim=5, inner_activation="hard_sigmoid", consume_less="gpu")],
            (10, 4),
            (5,),
            3 * 5 * (4 + 5 + 1),
        ),
        (
            [layer("BatchNormalization", mode=0, axis=1, epsilon=1e-5, beta_init="zero", gamma_init="one")],
            (3, 8, 8),
            (3, 8, 8),
            4 * 3,
        ),
        ([layer("TimeDistributedDense", output_dim=6, input_length=None, **BIAS)], (9, 4), (9, 6), 4 * 6 + 6),
        ([layer("TimeDistributed", layer=layer("Dense", output_dim=6, **BIAS))], (9, 4), (9, 6), 4 * 6 + 6),
        ([layer("MaxPooling1D", pool_length=2, stride=2, border_mode="valid")], (9, 4), (4, 4), 0),
        ([layer("UpSampling1D", length=3)], (9, 4), (27, 4), 0),
        (
            [layer("ZeroPadding2D", padding={"top_pad": 1, "bottom_pad": 2, "left_pad": 3}, **TENSORFLOW)],
            (4, 4, 1),
            (7, 7, 1),
            0,
        ),
        ([layer("ZeroPadding1D", padding={"left_pad": 1, "right_pad": 4})], (4, 3), (9, 3), 0),
        ([layer("PReLU", init="zero", weights=None)], (4, 3), (4, 3), 12),
        ([layer("GaussianNoise", sigma=0.1)], (4, 3), (4, 3), 0),
        (
            [layer("Embedding", input_dim=7, output_dim=3, init="uniform", input_length=4, dropout=0.0)],
            (4,),
            (4, 3),
            21,
        ),
    ],
    ids=lambda value: value[0]["class_name"] if isinstance(value, list) else "",
)
def test_layers_of_keras_1(entries: Any, shape: Any, out: Any, parameters: int) -> None:
    result = report(keras1(*entries, shape=shape))
    assert (result.rows[-1].output_shape, result.totals.parameters) == (out, parameters)


@pytest.mark.parametrize("class_name", ["Highway", "MaxoutDense", "Deconvolution2D", "Custom"])
def test_layers_of_keras_1_without_a_rule_are_named_alone(class_name: str) -> None:
    entry = layer(class_name, output_dim=3, nb_filter=2, init="x")
    with pytest.raises(SourceError) as caught:
        load(keras1(layer("Dense", output_dim=3), entry, shape=(8,)))
    (fault,) = caught.value.faults
    assert class_name in fault.message
    assert fault.path.endswith("[1]")


def test_a_batch_normalization_of_each_sample_is_refused() -> None:
    with pytest.raises(SourceError, match="mode=1, which normalises each sample"):
        load(keras1(layer("BatchNormalization", mode=1), shape=(8,)))


def test_without_a_version_the_names_tell() -> None:
    data = keras1(layer("Dense", output_dim=3, **BIAS), layer("Dropout", p=0.5), shape=(8,))
    del data["keras_version"]
    assert report(data).totals.parameters == 27


# -- lambdas -----------------------------------------------------------------------------------------
def with_lambda(**config: Any) -> dict[str, Any]:
    conv = layer("Conv2D", filters=4, kernel_size=[3, 3])
    code = {"function": ["4wE=", None, None], "function_type": "lambda"}
    return sequential("2.2.4", layer("Lambda", **code, **config), conv, shape=(64, 64, 3))


def test_a_lambda_has_the_shape_that_it_states_and_no_weights() -> None:
    with pytest.raises(SourceError, match="Lambda, whose Python code is never run"):
        load(with_lambda(output_shape=[32, 32, 3]))
    result = report(with_lambda(output_shape=[32, 32, 3], output_shape_type="raw"), allow_unknown=True)
    assert result.rows[1].output_shape == (32, 32, 3)
    assert result.totals.parameters == 112
    assert isinstance(result.totals.macs, Unknown)
    assert [f.rule for f in result.findings] == ["unknown-layer"]


def test_a_lambda_that_states_no_shape_is_taken_to_keep_it_and_that_is_said() -> None:
    result = report(with_lambda(output_shape=None), allow_unknown=True)
    assert result.totals.parameters == 112
    assert [(f.rule, f.layer) for f in result.findings] == [
        ("unknown-layer", "lambda"),
        ("assumed-shape", "lambda"),
    ]


# -- TensorFlow.js -----------------------------------------------------------------------------------
DENSE = sequential("2.8.0", layer("Dense", units=5), shape=(8,))


@pytest.mark.parametrize("topology", [DENSE, {"keras_version": "2.8.0", "model_config": DENSE}])
def test_a_model_of_tensorflow_js(topology: dict[str, Any]) -> None:
    data = {"format": "layers-model", "modelTopology": topology, "weightsManifest": []}
    assert report(data).totals.parameters == 45


def test_faults_of_a_model_of_tensorflow_js_have_their_path() -> None:
    bad = sequential("2.8.0", layer("Dense", units="x"), shape=(8,))
    data = {"format": "layers-model", "modelTopology": {"model_config": bad}}
    with pytest.raises(
        SourceError, match=r"\$\.modelTopology\.model_config\.config\.layers\[0\]\.config\.units"
    ):
        load(data)


@pytest.mark.parametrize(
    ("topology", "says"),
    [
        ({"node": []}, "graph of TensorFlow operations"),
        ({}, "no Keras configuration"),
        ([], "no Keras configuration"),
    ],
)
def test_other_models_of_tensorflow_js_are_refused(topology: Any, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        load({"modelTopology": topology})


# -- no models ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("class_name", "says"),
    [("Tokenizer", "no network"), ("Dense", "is a layer and no model"), ("Mine", "is a subclassed model")],
)
def test_what_is_no_model_is_said(class_name: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        load({"class_name": class_name, "config": {}})


# -- functions of TensorFlow -------------------------------------------------------------------------
def test_the_batch_that_a_shape_is_read_for() -> None:
    x = tf_keras.Input((6, 4), name="x")
    batch = tf.shape(x)[0]
    a = tf.reshape(x, [batch, -1, 2])
    b = tf.reshape(x, tf.stack([batch, 24]))
    model = tf_keras.Model(x, [a, b, tf_keras.layers.Dense(3)(b)])
    result = report(json.loads(model.to_json()))
    assert sorted(row.output_shape for row in result.rows) == [(3,), (6, 4), (12, 2), (24,)]
    assert result.totals.parameters == model.count_params()


def test_other_sizes_that_are_read_have_no_rule() -> None:
    x = tf_keras.Input((6, 4), name="x")
    by_width = tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1] * 4))
    for model in (tf_keras.Model(x, by_width), tf_keras.Model(x, tf.shape(x))):
        with pytest.raises(SourceError, match=r"function compat\.v1\.shape, which archcalc has no rule for"):
            load(json.loads(model.to_json()))


def test_reductions_of_a_list_of_tensors_are_merges() -> None:
    x = tf_keras.Input((6, 4), name="x")
    y = tf.square(x)
    merged = [
        *(f([x, y], axis=0) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_prod)),
        tf.add_n([x, y, x]),
    ]
    model = tf_keras.Model(x, merged)
    rows = report(json.loads(model.to_json())).rows[2:]
    assert sorted(row.type for row in rows) == ["Add", "Add", "Average", "Maximum", "Multiply"]
    assert {row.output_shape for row in rows} == {(6, 4)}


def test_splits_with_an_open_size() -> None:
    x = tf_keras.Input((6, 9), name="x")
    model = tf_keras.Model(x, tf.split(x, [2, 3, -1], axis=-1))
    assert report(json.loads(model.to_json())).rows[-1].output_shapes == ((6, 2), (6, 3), (6, 4))
    with pytest.raises(SourceError, match="of which the last is not the open one"):
        load(json.loads(tf_keras.Model(x, tf.split(x, [-1, 1, 2], axis=-1)).to_json()))
