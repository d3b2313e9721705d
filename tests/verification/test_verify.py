"""`verify` agrees where archcalc is right, and notices planted errors."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archcalc
from archcalc import cli
from archcalc.analyses.fields import windows
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.keras import measure
from archcalc.layers import convolution, locally_connected, normalization, spatial
from archcalc.layers.base import Weight
from archcalc.layers.transposed import Conv1DTranspose
from archcalc.layers.window import Taps
from archcalc.render import verification as render
from archcalc.report.verification import Verification
from archcalc.verification import run as steps
from archcalc.verification.verify import verify

EXAMPLES = Path(__file__).parents[2] / "examples"


def spec(*layers: dict[str, Any], image: Any = (12, 11, 3), **more: Any) -> dict[str, Any]:
    named = [{"name": layer["type"].lower() + str(i), **layer} for i, layer in enumerate(layers)]
    return {"archcalc": 1, "name": "net", "inputs": {"image": list(image)}, "layers": named, **more}


CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3}
MIXED = spec(
    {**CONV, "padding": "same", "activation": "relu"},
    {"type": "BatchNormalization"},
    {"type": "MaxPooling2D", "padding": "same"},
    {**CONV, "dilation_rate": 2, "use_bias": False},
    {"type": "LocallyConnected2D", "filters": 2, "kernel_size": 2},
    {"type": "Flatten"},
    {"type": "Dense", "units": 3, "activation": "softmax"},
)


def differing(result: Verification) -> set[str]:
    return {check.what for check in result.differences}


@pytest.mark.parametrize(
    "name", ["conv_pair", "conv_then_local", "inception_resnet_a", "cifar_cnn", "plain_sigmoid_n"]
)
def test_examples_agree(name: str) -> None:
    result = verify(EXAMPLES / f"{name}.json")
    assert not result.differences
    assert result.agrees
    assert not result.skipped


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "symbols", "sample"),
    [
        ("local_pair", {}, None),
        ("resnet_depth_n", {}, None),
        ("resnet50", {}, None),
        ("resnet50_v15", {}, 12),
        ("vgg16", {}, 8),
        ("unet", {"H": 188}, 8),
    ],
)
def test_large_examples_agree(name: str, symbols: dict[str, int], sample: int | None) -> None:
    graph = archcalc.load(EXAMPLES / f"{name}.json", symbols=symbols)
    assert not verify(graph, sample).differences


def test_what_is_compared() -> None:
    result = verify(MIXED)
    assert not result.differences
    kinds = {
        "output shape",
        "weights",
        "parameters",
        "summary",
        "summary, total",
        "summary, trainable",
        "summary, non-trainable",
        "tf_keras, output shape",
        "tf_keras, weights",
        "tf_keras, parameters",
        "tf_keras, summary",
        "FLOPs (tf-profiler)",
        "activation bytes",
        "receptive field",
        "effective field",
    }
    assert kinds <= result.by_what().keys()
    layers = [layer["name"] for layer in MIXED["layers"]]
    for what in ("output shape", "weights", "summary", "activation bytes", "receptive field"):
        assert [c.layer for c in result.by_what()[what] if c.layer != "image"] == layers
    # padding and flattening leave positions whose spread is not predicted
    assert all(check.verdict == "agrees" for check in result.checks if check.what != "effective field")
    assert [c.layer for c in result.by_what()["effective field"] if c.verdict == "agrees"] == layers[:3]


def test_effective_fields_through_branches_and_strides() -> None:
    branches = [
        {"name": "wide", **CONV, "kernel_size": 5, "padding": "same"},
        {"name": "far", **CONV, "dilation_rate": 2, "padding": "same", "inputs": ["image"]},
        {"name": "sum", "type": "Add", "inputs": ["wide", "far", "image"]},
        {"name": "joined", "type": "Concatenate", "inputs": ["sum", "wide"]},
        {"name": "half", **CONV, "strides": 2},
        {"name": "pool", "type": "MaxPooling2D"},
        {"name": "norm", "type": "BatchNormalization"},
        {"name": "up", "type": "UpSampling2D", "interpolation": "bilinear"},
        {"name": "again", **CONV, "padding": "same"},
    ]
    net = {"archcalc": 1, "inputs": {"image": [41, 43, 4]}, "layers": branches}
    result = verify(net)
    assert not result.differences
    assert all(check.verdict == "agrees" for check in result.by_what()["effective field"])
    spreads = {check.layer: check.predicted for check in result.by_what()["effective field"]}
    assert spreads["wide"] == pytest.approx([2**0.5, 2**0.5], abs=1e-5), "(25 - 1)/12"
    # thirds of 2, 4*(9 - 1)/12 and 0
    assert spreads["sum"] == pytest.approx([(2 / 3 + 8 / 9) ** 0.5] * 2, abs=1e-5)


def test_a_spread_that_lies(monkeypatch: Any) -> None:
    net = spec({"type": "AveragePooling2D", "pool_size": 3, "strides": 1}, {**CONV, "kernel_size": 1})
    assert not verify(net).differences
    right = steps.analyze

    def wrong(graph: Any, **more: Any) -> Any:
        report = right(graph, **more)
        for row in report.rows:
            for field in row.effective_fields.values():
                object.__setattr__(field, "sigma", tuple(s * 1.001 for s in field.sigma))
        return report

    monkeypatch.setattr(steps, "analyze", wrong)
    assert differing(verify(net)) == {"effective field"}


def test_a_live_model_and_a_graph() -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="conv")])
    assert not verify(model).differences
    assert not verify(archcalc.from_keras(model)).differences


# -- planted errors --------------------------------------------------------------------------------
def test_a_forgotten_bias(monkeypatch: Any) -> None:
    monkeypatch.setattr(convolution, "bias_weight", lambda *_: ())
    assert differing(verify(MIXED)) == {
        "weights",
        "parameters",
        "summary",
        "summary, total",
        "summary, trainable",
    }


def test_moving_statistics_that_are_trained(monkeypatch: Any) -> None:
    right = normalization.BatchNormalization.weights

    def wrong(self: Any, *inputs: Any) -> tuple[Weight, ...]:
        return tuple(w._replace(trainable=True) for w in right(self, *inputs))

    monkeypatch.setattr(normalization.BatchNormalization, "weights", wrong)
    assert differing(verify(MIXED)) == {"weights", "summary, trainable", "summary, non-trainable"}


def test_weights_of_a_locally_connected_layer(monkeypatch: Any) -> None:
    right = locally_connected.LocallyConnected2D.kernel_shape
    monkeypatch.setattr(
        locally_connected.LocallyConnected2D, "kernel_shape", lambda self, x: right(self, x)[::-1]
    )
    assert differing(verify(MIXED)) == {"weights", "tf_keras, weights"}


def test_same_taken_for_valid(monkeypatch: Any) -> None:
    monkeypatch.setattr(convolution, "window_count", lambda n, k, s, d, _: (n - d * (k - 1) - 1) // s + 1)
    result = verify(spec({**CONV, "padding": "same"}))
    assert differing(result) >= {"output shape", "FLOPs (tf-profiler)", "activation bytes", "tensor shape"}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: right.__class__(right.axis, right.stride, right.offset, right.count, 1),
        lambda right: right.__class__(right.axis, 1, right.offset, right.count, right.dilation),
        lambda right: right.__class__(
            right.axis, right.stride, right.offset + 1, right.count, right.dilation
        ),
        lambda right: right.__class__(right.axis, right.stride, 0, right.count, right.dilation),
        lambda right: right.__class__(
            right.axis, right.stride, right.offset, right.count + 1, right.dilation
        ),
    ],
    ids=["dilation ignored", "stride once", "padding shifted", "padding ignored", "kernel too large"],
)
def test_a_window_that_lies(monkeypatch: Any, wrong: Any) -> None:
    net = spec(
        {**CONV, "padding": "same", "strides": 2},
        {**CONV, "padding": "same", "dilation_rate": 2, "filters": 2},
        image=(15, 15, 1),
    )
    assert not verify(net).differences
    right = spatial.sliding
    monkeypatch.setattr(
        convolution, "sliding", lambda *a: tuple(wrong(t) if isinstance(t, Taps) else t for t in right(*a))
    )
    result = verify(net)
    assert "receptive field" in differing(result) <= {"receptive field", "effective field"}
    assert re.search(r"at position \(.*\) .* is predicted, the gradient", result.differences[0].reason)


def test_a_window_that_lies_after_causal_attention(monkeypatch: Any) -> None:
    """Nothing excuses it: the query is also the value."""
    attention = {"type": "MultiHeadAttention", "num_heads": 1, "key_dim": 2, "use_causal_mask": True}
    net = spec(
        {**attention, "inputs": ["image", "image"]},
        {"type": "Conv1D", "filters": 2, "kernel_size": 3},
        image=(9, 4),
    )
    assert not verify(net).differences
    right = spatial.sliding
    monkeypatch.setattr(
        convolution,
        "sliding",
        lambda *a: tuple(Taps(t.axis, t.stride, t.offset, t.count + 1, t.dilation) for t in right(*a)),
    )
    assert "receptive field" in differing(verify(net))


BEGINNINGS = {
    "Reshape": spec({"type": "Reshape", "target_shape": [8, 9, 1]}, CONV, image=(8, 9)),
    "Permute": spec({"type": "Permute", "dims": [2, 3, 1]}, CONV, image=(3, 8, 9)),
    "TimeDistributed": spec(
        {"type": "TimeDistributed", "layer": CONV},
        {"type": "TimeDistributed", "layer": {"type": "GlobalAveragePooling2D"}},
        {"type": "GlobalAveragePooling1D"},
        image=(4, 8, 9, 3),
    ),
    "ConvLSTM": spec({"type": "ConvLSTM1D", "filters": 2, "kernel_size": 3}, image=(3, 12, 4)),
}


def of_the_first_layer(graph: Graph, shapes: Any) -> dict[int, frozenset[int]]:
    """A guess at the channel axis of the input: that of the first layer that has one."""
    (source,) = graph.inputs
    last = len(shapes[source][0]) - 1
    axes = [n.layer.channel_axis for n in graph.nodes if isinstance(n.layer, spatial.ChannelsLast)]
    return {source: frozenset([a for a in axes if a <= last][:1] or [last])}


@pytest.mark.parametrize("network", BEGINNINGS.values(), ids=BEGINNINGS)
def test_axes_of_the_input_that_are_guessed(network: dict[str, Any], monkeypatch: Any) -> None:
    result = verify(network)
    assert not result.differences
    assert "input axes" in {check.what for check in result.checks}
    monkeypatch.setattr(windows, "feature_axes", of_the_first_layer)
    assert "input axes" in differing(verify(network))


def test_a_layer_that_keras_refuses(monkeypatch: Any) -> None:
    monkeypatch.setattr(convolution.Convolution, "group_channels", lambda *_: 1)
    result = verify(spec({**CONV, "groups": 2}))
    assert [(c.what, c.layer, c.verdict) for c in result.checks] == [("build", "conv2d0", "differs")]
    assert "divi" in result.checks[0].reason


# -- what cannot run, symbols, sampling -----------------------------------------------------------
def test_gradients_that_do_not_fit_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure.os, "sysconf", {"SC_PHYS_PAGES": 3, "SC_PAGE_SIZE": 1024}.__getitem__)
    result = verify(spec(CONV))
    assert not result.differences
    reasons = [c.reason for c in result.checks if c.verdict == "cannot run here"]
    assert any("need about 0 GiB of 0: a smaller input needs less" in r for r in reasons)


def test_what_cannot_run_here_says_why() -> None:
    result = verify(spec({**CONV, "data_format": "channels_first"}, image=(3, 12, 11)))
    stopped = {check.what: check.reason for check in result.checks if check.verdict == "cannot run here"}
    assert not result.differences
    assert {"activation bytes", "receptive field"} <= stopped.keys()
    assert all(stopped.values())
    opaque = spec({"type": "Opaque", "output_shape": [4]})
    assert [c.verdict for c in verify(opaque).checks] == ["cannot run here"]


def test_open_symbols_are_tried_at_values_that_fit() -> None:
    net = spec(
        {**CONV, "filters": "4*w"}, {**CONV, "filters": "w", "groups": "w"}, image=["H", "H", 3],
        symbols={"H": {"min": 30}, "w": {"max": 8}},
    )  # fmt: skip
    result = verify(net)
    assert not result.differences
    assert len({tuple(s.items()) for s in result.samples}) == 3
    assert all(s["H"] >= 30 and 1 <= s["w"] <= 8 for s in result.samples)
    assert {tuple(c.symbols.items()) for c in result.checks} == {tuple(s.items()) for s in result.samples}
    assert verify(net, symbols={"H": 31, "w": 2}).samples == ({"H": 31, "w": 2},)


def test_no_values_that_fit() -> None:
    # no square is 3 modulo 4
    net = spec({**CONV, "filters": "H*H + 1", "groups": 4}, image=["H", "H", 4], symbols={"H": None})
    with pytest.raises(ArchcalcError, match=r"no values for H were found that fit .*--set"):
        verify(net)


def test_a_sample_says_what_it_leaves_out() -> None:
    result = verify(MIXED, sample=3)
    measured = [c.layer for c in result.checks if c.what == "receptive field"]
    assert len(measured) == 3
    assert measured[-1] == "dense6", "outputs come first"
    assert result.skipped == ("fields of 4 of 8 layers are not measured (--sample 3)",)
    assert verify(MIXED, sample=3, seed=1) == verify(MIXED, sample=3, seed=1)


def test_without_a_sample_the_work_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(steps, "WORK", 10)
    result = verify(MIXED)
    assert [c.layer for c in result.checks if c.what == "receptive field"] == ["dense6"]
    assert "take long; --sample N" in result.skipped[0]


# -- output ------------------------------------------------------------------------------------------
def test_the_command(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(spec(CONV)))
    assert cli.main(["verify", str(path), "--width", "160"]) == 0
    out, err = capsys.readouterr()
    assert re.match(r"\w+: all \d+ figures agree with Keras.*\ncompared: output shape \(2\)", out)
    assert "conv2d0" not in out
    assert err == ""
    assert cli.main(["verify", str(path), "--width", "160", "--all"]) == 0
    assert re.search(r"✓\s+parameters\s+conv2d0\s+112\s+112", capsys.readouterr().out)
    monkeypatch.setattr(convolution, "bias_weight", lambda *_: ())
    assert cli.main(["verify", str(path), "--format", "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["agrees"] is False
    assert data["verdicts"]["differs"] == 6
    wrong = next(c for c in data["checks"] if c["what"] == "parameters" and c["layer"])
    assert wrong == {
        "what": "parameters",
        "layer": "conv2d0",
        "symbols": {},
        "predicted": 108,
        "measured": 112,
        "verdict": "differs",
        "reason": "",
    }
    assert cli.main(["verify", str(path), "--ascii", "--width", "100"]) == 1
    out = capsys.readouterr().out
    assert out.isascii()
    assert re.match(r"\w+: 6 of \d+ figures differ from Keras", out)
    assert re.search(r"NO\s+parameters\s+conv2d0\s+108\s+112", out)
    assert "input_layer" not in out, "only what differs is listed"
    assert cli.main(["verify", str(path), "-o", str(tmp_path / "v.csv")]) == 1
    assert "parameters,conv2d0,,108,112,differs," in (tmp_path / "v.csv").read_text()


def test_every_line_and_reasons_are_shown() -> None:
    result = verify(spec({**CONV, "groups": 3, "filters": 3}, {"type": "ActivityRegularization", "l1": 0.1}))
    text = render.terminal_text(result, width=140, every=True)
    assert len(text.splitlines()) > len(result.checks)
    assert "its penalty adds operations" in text
    assert "\x1b" not in text
    assert "\x1b[" in render.terminal_text(result, width=140, color=True)


def test_a_gate_is_measured_sample_by_sample() -> None:
    """Keras 3.15 adds (n, 1, 1, 1) to (n, n, w, c) along the wrong axis: no batch has the size of an axis."""
    gated = [
        {"name": "pool", "type": "GlobalAveragePooling2D", "keepdims": True},
        {"name": "gate", "type": "Multiply", "inputs": ["up", "pool"]},
    ]
    up = {"name": "up", "type": "Conv2DTranspose", "filters": 1, "kernel_size": 1, "strides": 2}
    for side in (2, 3, 4, 6):
        result = verify(spec(up, *gated, image=(side, 3, 1)), sample=6)
        assert not result.differences


@pytest.mark.parametrize(("kind", "sides"), [("Conv2DTranspose", [5, 6]), ("Conv3D", [4, 5, 6])])
def test_the_profiler_overlooks_some_operations_with_channels_first(kind: str, sides: list[int]) -> None:
    layer = {**CONV, "type": kind, "kernel_size": 2, "data_format": "channels_first"}
    assert not verify(spec(layer, image=(3, *sides))).differences


LSTMS = {"type": "StackedRNNCells", "cells": [{"type": "LSTMCell", "units": n} for n in (1, 2)]}
FOUND_BY_DRAWING = {
    "a count of all numbers along the first axis": spec(
        {"type": "Discretization", "output_mode": "count", "num_bins": 3},
        {"type": "GlobalAveragePooling1D"},
        image=(7, 3),
    ),
    "channels of a concatenation side by side after a reshape": spec(
        {**CONV, "kernel_size": [5, 1], "padding": "same"},
        {"type": "Concatenate", "inputs": ["image", "conv2d0"]},
        {"type": "Reshape", "target_shape": [2, -1, 45, 1]},
        image=(5, 6, 5),
    ),
    "products of all pairs of channels": spec(
        {"type": "Activation", "activation": "hard_swish"},
        {"type": "Dot", "axes": [1, 1], "inputs": ["image", "activation0"]},
        image=(9, 4),
    ),
    "indices of a split": spec({"type": "ops.split", "indices_or_sections": [1, 2], "axis": -1}),
    "contrast over the first two axes, whatever the data format": spec(
        {"type": "AutoContrast", "data_format": "channels_first"},
        {"type": "Activation", "activation": "tanh"},
    ),
    "a branch of which only every third place holds anything": spec(
        {**CONV, "strides": 3, "padding": "same"},
        {"type": "Conv2DTranspose", "filters": 1, "kernel_size": 1, "strides": 3, "padding": "same"},
        {"type": "Cropping2D", "cropping": [[0, 0], [0, 1]]},
        {"type": "Concatenate", "inputs": ["image", "cropping2d2"]},
        {"type": "AdaptiveAveragePooling2D", "output_size": 3},
    ),
    "states of a recurrence on large numbers": spec(
        {"type": "Dense", "units": 5},
        {"type": "Dot", "axes": [1, 1], "inputs": ["dense0", "image"]},
        {"type": "RNN", "cell": LSTMS},
        image=(400, 2),
    ),
    "a product with what padding has made zero": spec(
        {"type": "ZeroPadding1D"},
        {"type": "Dense", "units": 3, "use_bias": False},
        {"type": "Dot", "axes": [2, 2], "inputs": ["zeropadding1d0", "dense1"]},
        image=(4, 3),
    ),
    "padding along what had been the channels": spec(
        {"type": "Permute", "dims": [3, 2, 1]},
        {"type": "DepthwiseConv2D", "kernel_size": [2, 3], "padding": "same", "use_bias": False},
        {"type": "Average", "inputs": ["permute0", "depthwiseconv2d1"]},
        image=(4, 5, 2),
    ),
    "the angle of a spectrum of one number": spec(
        {"type": "STFTSpectrogram", "mode": "angle", "frame_length": 4, "padding": "same"},
        image=(1, 2),
    ),
    "a recurrence over images, whose slopes depend on values": spec(
        {"type": "ConvLSTM2D", "filters": 5, "kernel_size": 1},
        {"type": "AdaptiveMaxPooling2D", "output_size": 1},
        image=(6, 4, 6, 2),
    ),
    "a mean of the steps that a mask lets through": spec(
        {"type": "Masking"}, {"type": "GlobalAveragePooling1D", "keepdims": True}, image=(9, 4)
    ),
}


@pytest.mark.parametrize("network", FOUND_BY_DRAWING.values(), ids=FOUND_BY_DRAWING)
def test_what_drawn_networks_found(network: dict[str, Any]) -> None:
    result = archcalc.verify(archcalc.load(network))
    assert not [c for c in result.checks if c.verdict == "differs"]


def test_the_model_that_keras_counts() -> None:
    """A layer that leads to no output: Keras builds the model without it."""
    result = verify(
        spec(
            {**CONV, "padding": "same"},
            {**CONV, "padding": "same", "inputs": ["image"]},
            {"type": "Dense", "units": 10},
        )
    )
    assert not result.differences
    (built,) = [c for c in result.checks if c.what == "parameters, as built"]
    (whole,) = [c for c in result.checks if c.what == "parameters" and c.layer is None]
    assert built.measured == whole.measured - 4 * (3 * 3 * 3 + 1) == 162
    assert "conv2d0 leads to no output" in " ".join(result.skipped)


def test_transposed_convolutions_that_tensorflow_cannot_run() -> None:
    for k, s, p, n in product((1, 2, 3, 4, 5), (1, 2, 3), (None, 0, 1, 2), (1, 4)):
        if p is not None and p >= s:
            continue
        for padding in ("same", "valid"):
            arguments = {"kernel_size": k, "strides": s, "output_padding": p, "padding": padding}
            declared = Conv1DTranspose(filters=1, **arguments)
            if declared.output_shape((n, 1))[0] < 1:
                continue
            try:
                keras.layers.Conv1DTranspose(1, **arguments)(np.ones((1, n, 1), "float32"))
                runs = True
            except Exception:
                runs = False
            assert (not declared.not_runnable((n, 1))) is runs, (k, s, p, n, padding)


def test_a_value_takes_the_place_of_a_default() -> None:
    net = spec({**CONV, "filters": "w"}, symbols={"w": {"default": 2, "max": 8}})
    result = verify(net, symbols={"w": 5})
    assert result.samples == ({"w": 5},)
    assert not result.differences
    assert archcalc.to_keras(archcalc.load(net), {"w": 5}).count_params() == 3 * 3 * 3 * 5 + 5
    for refuses in (verify, lambda net, symbols: archcalc.to_keras(archcalc.load(net), symbols)):
        with pytest.raises(ArchcalcError, match="w = 9 must be at least 1 and at most 8"):
            refuses(net, symbols={"w": 9})


def test_a_file_in_mixed_precision_agrees() -> None:
    policies = Path(__file__).parents[1] / "report" / "policy.json"
    assert not verify(archcalc.load(policies)).differences


def test_masks_that_a_file_holds_as_operations_verify() -> None:
    """`mask_zero` writes `not_equal` into the file, whose output carries no gradient and no spread."""
    words = keras.Input((5,), dtype="int32")
    x = keras.layers.Dropout(0.2)(keras.layers.Embedding(10, 4, mask_zero=True)(words))
    data = json.loads(keras.Model(words, keras.layers.LSTM(4)(x)).to_json())
    assert "NotEqual" in {layer["class_name"] for layer in data["config"]["layers"]}
    result = verify(archcalc.load(data))
    assert result.agrees
    assert len(result.checks) > 20


@pytest.mark.parametrize(
    ("layers", "apart"),
    [
        ([{"type": "Attention", "name": "a", "inputs": ["q", "v"], "use_causal_mask": True}], {"a"}),
        (
            [
                {"type": "GlobalAveragePooling1D", "name": "one", "inputs": ["v"], "keepdims": True},
                {
                    "type": "MultiHeadAttention",
                    "name": "a",
                    "inputs": ["q", "one"],
                    "num_heads": 2,
                    "key_dim": 2,
                },
                {"type": "Conv1D", "name": "c", "filters": 2, "kernel_size": 3},
            ],
            {"a", "c"},
        ),
        ([{"type": "Attention", "name": "a", "inputs": ["q", "v"]}], set()),
    ],
    ids=["causal", "one key", "several keys"],
)
def test_no_gradient_reaches_a_query_that_attends_to_one_key(layers: list[Any], apart: set[str]) -> None:
    result = verify({"archcalc": 1, "inputs": {"q": [3, 4], "v": [5, 4]}, "layers": layers})
    assert not result.differences
    single = [check for check in result.checks if "single key" in check.reason]
    assert {check.layer for check in single} == apart
    assert {check.what for check in single} <= {"receptive field in q"}
