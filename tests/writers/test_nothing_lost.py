"""Conversions keep what a model says: each kind of thing that one of them once lost, in Keras again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archcalc
from archcalc import cli
from archcalc.writers.convert import convert
from tests.properties.originals import FORMS, counts, differences

kl, ops = keras.layers, keras.ops


def frozen_batch_normalization() -> Any:
    x = keras.Input((8, 8, 2))
    norm = kl.BatchNormalization(name="bn")
    model = keras.Model(x, norm(x))
    norm.trainable = False
    return model


def reversible_embedding() -> Any:
    x = keras.Input((9,), dtype="int32")
    table = kl.ReversibleEmbedding(50, 8, name="emb")
    return keras.Model(x, table(kl.Dense(8)(table(x)), reverse=True))


def attention_causal_in_one_call() -> Any:
    x = keras.Input((6, 8))
    heads = kl.MultiHeadAttention(2, 4, name="mh")
    return keras.Model(x, heads(*[heads(x, x, use_causal_mask=True)] * 2))


def attention_called_again_inside_another_model() -> Any:
    inner_in = keras.Input((6, 8))
    heads = kl.MultiHeadAttention(2, 4, name="mh")
    inner = keras.Model(inner_in, heads(inner_in, inner_in, use_causal_mask=True), name="inner")
    x = keras.Input((6, 8))
    return keras.Model(x, inner(inner(x)))


def masks_of_every_kind() -> Any:
    words, keep = keras.Input((7,), name="words"), keras.Input((7,), dtype="bool", name="keep")
    x = kl.Embedding(9, 6, mask_zero=True, name="e")(words)
    lstm = kl.LSTM(5, return_sequences=True, name="lstm")(x)
    other = kl.Dense(5)(kl.Masking()(x))
    scores = kl.Attention(name="scores")([other, lstm], mask=[keep, None])
    heads = kl.MultiHeadAttention(2, 3, name="heads")(
        scores, lstm, attention_mask=ops.expand_dims(keep, 1), query_mask=keep
    )
    return keras.Model([words, keep], kl.GlobalAveragePooling1D()(heads, mask=keep))


def a_base_at_inference() -> Any:
    inner_in = keras.Input((8, 8, 3))
    y = kl.Dropout(0.2)(kl.BatchNormalization(name="norm")(kl.Conv2D(4, 3)(inner_in)))
    base = keras.Model(inner_in, y, name="base")
    base.trainable = False
    x = keras.Input((8, 8, 3))
    y = kl.Dropout(0.5)(base(x, training=False), training=True)
    return keras.Model(x, [kl.Dense(2)(kl.BatchNormalization()(y, training=True)), y])


def states_and_scores_that_nobody_reads() -> Any:
    x = keras.Input((6, 8))
    y, *_ = kl.LSTM(8, return_sequences=True, return_state=True)(x)
    y, _ = kl.MultiHeadAttention(2, 4)(y, y, return_attention_scores=True)
    inner_in = keras.Input((6, 8))
    _, h, c = kl.LSTM(4, return_state=True, name="coder")(inner_in)
    inner = keras.Model(inner_in, [h, c], name="inner")
    return keras.Model(x, kl.Add()(inner(y)))


def sizes_of_operations() -> Any:
    x = keras.Input((8, 8, 3))
    y = ops.image.resize(x, (16, 16))
    y = ops.max_pool(ops.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0))), (2, 2), strides=(2, 2))
    rolled = ops.roll(y, 1, axis=1)
    return keras.Model(x, [ops.reshape(y, (-1, 9 * 9 * 3)), ops.tile(y, (1, 2, 2, 1)), rolled])


def initialisers_dtypes_and_penalties() -> Any:
    x = keras.Input((8,), dtype="float64")
    y = kl.Dense(
        4,
        kernel_initializer=keras.initializers.VarianceScaling(0.5, "fan_out", seed=3),
        bias_initializer=keras.initializers.Constant(0.25),
        kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
        kernel_constraint=keras.constraints.MaxNorm(2),
        dtype="float64",
    )(x)
    return keras.Model(x, kl.Dense(3, dtype="mixed_bfloat16")(y))


MODELS = [
    frozen_batch_normalization,
    reversible_embedding,
    attention_causal_in_one_call,
    attention_called_again_inside_another_model,
    masks_of_every_kind,
    a_base_at_inference,
    states_and_scores_that_nobody_reads,
    sizes_of_operations,
    initialisers_dtypes_and_penalties,
]


@pytest.mark.parametrize("make", MODELS)
def test_each_form_is_the_same_model(make: Any, tmp_path: Path) -> None:
    keras.backend.clear_session(free_memory=False)
    model = make()
    graph = archcalc.load(json.loads(model.to_json()))
    for form in FORMS:
        assert differences(model, graph, form, tmp_path) == []
    live = archcalc.analyze(archcalc.from_keras(model)).totals
    assert (live.parameters, live.trainable_parameters) == counts(model)


def test_functions_of_tensorflow_compute_the_same_as_those_of_keras() -> None:
    """Keras 2 wrote calls of `tf.` functions as layers; written code has them from `keras.ops`."""
    import tensorflow as tf
    import tf_keras

    x = tf_keras.Input((8, 8, 3))
    y = tf.expand_dims(tf.image.resize(x, (16, 16))[:, 2:-2, :, :1], 1)
    former = tf_keras.Model(x, tf.reshape(tf.transpose(tf.squeeze(y, 1), (0, 2, 1, 3)), (-1, 192)))
    space: dict[str, Any] = {}
    exec(archcalc.keras_code(archcalc.load(json.loads(former.to_json()))), space)
    image = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(space["model"](image), former(image), rtol=1e-5, atol=1e-6)


def test_arguments_of_calls_and_masks_are_written_with_their_calls() -> None:
    keras.backend.clear_session(free_memory=False)  # names are numbered from the first
    spec = archcalc.to_spec(json.loads(attention_causal_in_one_call().to_json()))
    assert [entry.get("use_causal_mask") for entry in spec["layers"]] == [True, False]
    spec = archcalc.to_spec(json.loads(masks_of_every_kind().to_json()))
    masks = {entry["name"]: entry["masks"] for entry in spec["layers"] if "masks" in entry}
    assert masks["lstm"] == {"mask": "not_equal"}
    assert masks["scores"] == {"mask": ["keep", None]}
    assert masks["heads"] == {"attention_mask": "expand_dims", "query_mask": "keep"}


def test_figures_of_a_call_are_those_of_its_own_arguments() -> None:
    graph = archcalc.load(json.loads(reversible_embedding().to_json()))
    report = archcalc.analyze(archcalc.load(archcalc.to_spec(graph)))
    assert report.totals.macs == 9 * 8 * 8 + 9 * 8 * 50
    assert report.rows[-1].output_shape == (9, 50)


# -- what earlier generations wrote ----------------------------------------------------------------
def keras2(version: str, dtype: str, **dense: Any) -> dict[str, Any]:
    shape = {"batch_input_shape": [None, 4], "dtype": dtype}
    layers = [{"class_name": "Dense", "config": {"name": "d", "units": 2, **shape, **dense}}]
    return {"class_name": "Sequential", "keras_version": version, "config": {"name": "s", "layers": layers}}


GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
DEFAULTS = [
    {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"},
    {"kernel_initializer": {"class_name": "VarianceScaling", "config": GLOROT}},
    {
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None, "dtype": "float32"}},
        "bias_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}, "shared_object_id": 2},
    },
    {
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None, "input_axes": None, "output_axes": None},
            "registered_name": None,
        }
    },
]


@pytest.mark.parametrize("stated", DEFAULTS)
def test_default_initialisers_of_all_generations_are_left_out(stated: dict[str, Any], tmp_path: Path) -> None:
    graph = archcalc.load(keras2("2.2.4", "float32", **stated))
    assert archcalc.to_spec(graph)["layers"] == [{"name": "d", "type": "Dense", "units": 2}]
    assert convert(graph, tmp_path / "net.keras") is None


@pytest.mark.parametrize(("old", "new"), [("float", "float32"), ("double", "float64"), ("half", "float16")])
def test_dtypes_have_the_names_of_keras_3(old: str, new: str, tmp_path: Path) -> None:
    graph = archcalc.load(keras2("2.1.3", old))
    dense = archcalc.load(archcalc.to_spec(graph)).nodes[1].layer
    assert (dense.dtype or "float32") == new
    assert convert(graph, tmp_path / "net.keras") is None


def test_marks_of_shared_objects_are_left_out_of_penalties() -> None:
    penalty = {"class_name": "L2", "config": {"l2": 0.5}}
    marked = {"module": "keras.regularizers", **penalty, "shared_object_id": 7}
    spec = archcalc.to_spec(keras2("3.15", "float32", kernel_regularizer=marked))
    assert spec["layers"][0]["kernel_regularizer"] == penalty


# -- what cannot be kept is said -------------------------------------------------------------------
def test_what_an_archive_cannot_hold_is_said(tmp_path: Path) -> None:
    x = keras.Input((6, 8))
    heads = kl.MultiHeadAttention(2, 4, name="mh")
    model = keras.Model(x, kl.Dense(3, name="d")(heads(x, x)))
    heads._query_dense.enable_lora(2)
    model.get_layer("d").bias.trainable = False
    with pytest.warns(UserWarning, match="an archive does not hold") as said:
        convert(model, tmp_path / "net.keras")
    assert [str(w.message) for w in said if "archive" in str(w.message)] == [
        "an archive does not hold which single weights are trained (of 'd')",
        "an archive does not hold adapters inside attention (of 'mh')",
    ]
    for form in ("spec", "python"):
        assert differences(model, archcalc.from_keras(model), form, tmp_path) == []


def test_dead_layers_and_new_names_are_said(tmp_path: Path, capsys: Any) -> None:
    conv = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
    layers: list[dict[str, Any]] = [{"name": "unread", **conv}]
    for k in range(1, 5):
        layers += [{"name": f"b{k}_conv", **conv, "inputs": [f"b{k - 1}_act" if k > 1 else "x"]}]
        layers += [{"name": f"b{k}_act", "type": "ReLU"}]
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"archcalc": 1, "inputs": {"x": [8, 8, 4]}, "layers": layers}))
    assert cli.main(["convert", str(path), "--to", "python"]) == 0
    assert capsys.readouterr().err == (
        "note: 'unread' leads to no output: Keras's model is without it\n"
        "note: 6 of 10 layers have new names (b2_conv is b[1]/conv); "
        "--keep-names keeps them, --names FILE lists all\n"
    )
    assert cli.main(["convert", str(path), "--keep-names"]) == 0
    assert capsys.readouterr().err == ""


def test_a_block_keeps_the_names_that_its_uses_have_in_common() -> None:
    conv = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
    layers: list[dict[str, Any]] = []
    for k in range(4):
        layers += [{"name": f"s{k}_mix", **conv}, {"name": f"s{k}_act_{k}", "type": "ReLU"}]
        layers += [{"name": f"s{k}_{'xyzw'[k]}", "type": "BatchNormalization"}]
    spec = archcalc.to_spec({"archcalc": 1, "inputs": {"x": [8, 8, 4]}, "layers": layers})
    (block,) = spec["blocks"].values()
    assert [layer["name"] for layer in block["layers"]] == ["mix", "act", "batch_normalization"]
