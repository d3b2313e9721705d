"""The rules of `tf_profiler` against TensorFlow's profiler, one layer at a time."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc import arith
from archcalc.arith import symbolic
from archcalc.conventions import tf_profiler
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS
from archcalc.graph import Graph
from archcalc.keras.build import build
from archcalc.keras.profile import profiled_flops
from archcalc.layers.operand import Constant
from archcalc.layers.registry import registered, registered_operations

Case = tuple[str, dict[str, Any], list[tuple[int, ...]]]

IMAGE = [(9, 8, 4)]
SEQUENCE = [(9, 4)]
VOLUME = [(5, 6, 7, 4)]


BINARY = ("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum")
_OTHERS = {
    *("mean", "sum", "max", "reshape", "concatenate", "transpose", "get_item", "matmul", "split"),
    *BINARY,
}
UNARY = [
    name
    for name in tf_profiler.covered()
    if name.startswith("ops.") and name.removeprefix("ops.") not in _OTHERS
]


def spatial(kind: str, arguments: dict[str, Any]) -> list[Case]:
    """The same layer over one, two and three axes."""
    return [(kind.replace("*", str(r)), arguments, s) for r, s in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))]


def attending() -> list[Case]:
    """Attention with and without what changes the operations that Keras chooses."""
    heads: dict[str, Any] = {"num_heads": 2, "key_dim": 4}
    grouped: dict[str, Any] = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    across, within, images = [(6, 8), (5, 8)], [(6, 8)] * 2, [(3, 4, 8)] * 2
    choices: list[dict[str, Any]] = [
        {},
        {"use_bias": False, "use_gate": True},
        {"use_causal_mask": True},
        {"dropout": 0.5, "use_causal_mask": True},
        {"dropout": 0.5, "use_gate": True},
        {"return_attention_scores": True},
        {"sliding_window": 2},
    ]
    both = [
        (kind, {**arguments, **more}, within if "sliding_window" in more else across)
        for kind, arguments in (("MultiHeadAttention", heads), ("GroupQueryAttention", grouped))
        for more in choices
    ]
    return [
        *both,
        ("MultiHeadAttention", {**heads, "sliding_window": 2, "use_causal_mask": True}, within),
        ("MultiHeadAttention", {**heads, "value_dim": 3, "dropout": 0.1}, across),
        ("MultiHeadAttention", {**heads, "stated_shape": (3, 5)}, across),
        ("MultiHeadAttention", heads, [(6, 8), (5, 7), (5, 9)]),
        ("MultiHeadAttention", heads, images),
        ("MultiHeadAttention", {**heads, "attention_axes": 2}, images),
        ("GroupQueryAttention", {**grouped, "num_key_value_heads": 4}, across),
        ("Attention", {}, across),
        ("Attention", {"use_scale": True, "use_causal_mask": True}, across),
        ("Attention", {"score_mode": "concat"}, across),
        ("Attention", {"score_mode": "concat", "use_scale": True}, across),
        ("Attention", {"dropout": 0.5, "return_attention_scores": True}, across),
        ("Attention", {"use_scale": True}, images),
        ("AdditiveAttention", {}, across),
        ("AdditiveAttention", {"use_scale": False, "use_causal_mask": True}, across),
    ]


def recurring() -> list[Case]:
    """Recurrent layers, unrolled or as loops, and their wrappers."""
    conv: dict[str, Any] = {"filters": 3, "kernel_size": 3}
    step, states = [(4,), (3,)], {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
    choices: list[dict[str, Any]] = [
        {},
        {"unroll": True},
        {"use_bias": False, "return_sequences": True, "activation": "gelu"},
        {"go_backwards": True, "return_state": True, "dropout": 0.5},
    ]
    lstm = {"type": "LSTM", "units": 3, "return_sequences": True}
    return [
        *((kind, {"units": 3, **more}, SEQUENCE) for kind in states for more in choices),
        *((f"{kind}Cell", {"units": 3}, [step[0], *step[1:] * n]) for kind, n in states.items()),
        ("LSTM", {"units": 3, "recurrent_activation": "hard_sigmoid"}, SEQUENCE),
        ("GRU", {"units": 3, "reset_after": False}, SEQUENCE),
        ("GRU", {"units": 3, "reset_after": False, "use_bias": False, "unroll": True}, SEQUENCE),
        ("LSTM", {"units": 3, "dropout": 0.5, "unroll": True}, SEQUENCE),
        ("SimpleRNN", {"units": 3, "dropout": 0.5, "recurrent_dropout": 0.5}, SEQUENCE),
        ("RNN", {"cell": {"type": "GRUCell", "units": 3}}, SEQUENCE),
        ("RNN", {"cell": {"type": "LSTMCell", "units": 3, "dropout": 0.5}}, SEQUENCE),
        ("RNN", {"cell": [{"type": "GRUCell", "units": n} for n in (3, 4, 2)]}, SEQUENCE),
        ("LSTMCell", {"units": 3, "dropout": 0.5}, [(4,), (3,), (3,)]),
        ("RNN", {"cell": [{"type": "LSTMCell", "units": 3}, {"type": "GRUCell", "units": 2}]}, SEQUENCE),
        ("RNN", {"cell": [{"type": "LSTMCell", "units": 3}] * 2, "unroll": True}, SEQUENCE),
        ("StackedRNNCells", {"cells": [{"type": "GRUCell", "units": n} for n in (3, 2)]}, [(4,), (3,), (2,)]),
        *(
            ("Bidirectional", {"layer": lstm, "merge_mode": m}, SEQUENCE)
            for m in ("concat", "sum", "ave", "mul")
        ),
        (
            "Bidirectional",
            {"layer": {"type": "GRU", "units": 3, "unroll": True}, "merge_mode": None},
            SEQUENCE,
        ),
        ("ConvLSTM1D", conv, [(4, 9, 2)]),
        ("ConvLSTM2D", {**conv, "use_bias": False, "padding": "same", "strides": 2}, [(4, 9, 8, 2)]),
        ("ConvLSTM2D", {**conv, "unroll": True, "return_sequences": True}, [(4, 9, 8, 2)]),
        ("ConvLSTM3D", {**conv, "kernel_size": 2}, [(3, 5, 6, 7, 2)]),
        ("TimeDistributed", {"layer": {"type": "Dense", "units": 3, "activation": "silu"}}, SEQUENCE),
        ("TimeDistributed", {"layer": {"type": "Conv2D", "filters": 3, "kernel_size": 3}}, [(4, 9, 8, 2)]),
        ("TimeDistributed", {"layer": {"type": "BatchNormalization"}}, SEQUENCE),
        ("TimeDistributed", {"layer": {"type": "TimeDistributed", "layer": lstm}}, [(2, 3, 4, 5)]),
    ]


def multiplied() -> list[Case]:
    """EinsumDense with equations that Keras writes as products of matrices, and with others."""
    equations: list[tuple[str, Any, str | None, list[tuple[int, ...]]]] = [
        ("ab,bc->ac", 5, "c", [(4,)]),
        ("nf,gf->ng", 5, None, [(4,)]),
        ("ab,b->a", (), None, [(4,)]),
        ("ab,c->abc", (4, 3), "bc", [(4,)]),
        ("abc,cd->abd", (None, 5), "d", SEQUENCE),
        ("abc,cde->abde", (None, 2, 3), "de", SEQUENCE),
        ("abc,dec->abde", (None, 2, 3), "e", SEQUENCE),
        ("abcd,cde->abe", (None, 5), "e", IMAGE),
        ("abcd,ecd->abe", (None, 5), None, IMAGE),
        ("abcd,de->abce", (None, None, 5), "e", IMAGE),
        ("...x,xy->...y", 5, "y", SEQUENCE),
        ("abc,bd->adc", (5, 4), "d", SEQUENCE),
    ]
    return [
        ("EinsumDense", {"equation": e, "partial_shape": s, "bias_axes": b}, x) for e, s, b, x in equations
    ]


COLOURS = [(9, 8, 3)]
AUGMENTING: dict[str, dict[str, Any]] = {
    "RandomRotation": {"factor": 0.1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "RandomBrightness": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 9, "width": 8},
}

CASES: list[Case] = [
    *spatial("Conv*D", {"filters": 6, "kernel_size": 3}),
    *spatial("Conv*D", {"filters": 6, "kernel_size": 2, "strides": 2, "use_bias": False}),
    *spatial("Conv*D", {"filters": 6, "kernel_size": 3, "padding": "same", "activation": "gelu"}),
    *spatial("Conv*DTranspose", {"filters": 5, "kernel_size": 4, "strides": 3}),
    *spatial("Conv*DTranspose", {"filters": 5, "kernel_size": 3, "padding": "same", "use_bias": False}),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 1), "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1, 3)}, VOLUME),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    ("DepthwiseConv1D", {"kernel_size": 3, "dilation_rate": 2}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, SEQUENCE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
    *spatial("DepthwiseConv*D", {"kernel_size": 3, "depth_multiplier": 2})[:2],
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": (1, 2), "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, "use_bias": False}, IMAGE),
    *spatial("SeparableConv*D", {"filters": 5, "kernel_size": 3, "activation": "silu"})[:2],
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "depth_multiplier": 3}, IMAGE),
    *spatial("LocallyConnected*D", {"filters": 3, "kernel_size": 2, "strides": 2})[:2],
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2, "use_bias": False, "activation": "relu"}, IMAGE),
    *((k, {"units": 7, "activation": a}, s) for k in ["Dense"] for a, s in [("relu", [(5,)]), (None, IMAGE)]),
    ("Dense", {"units": 7, "use_bias": False, "activation": "softmax"}, [(5,)]),
    *spatial("MaxPooling*D", {"pool_size": 2}),
    *spatial("MaxPooling*D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    *spatial("AveragePooling*D", {"pool_size": 2}),
    *spatial("AveragePooling*D", {"pool_size": 3, "strides": 1, "padding": "same"}),
    *spatial("GlobalMaxPooling*D", {}),
    *spatial("GlobalAveragePooling*D", {"keepdims": True}),
    *spatial("GlobalAveragePooling*D", {}),
    *spatial("UpSampling*D", {"size": 2}),
    ("UpSampling2D", {"size": (1, 3)}, IMAGE),
    *(("UpSampling2D", {"interpolation": i}, IMAGE) for i in ("bilinear", "bicubic", "lanczos3", "lanczos5")),
    *spatial("ZeroPadding*D", {"padding": 1}),
    *spatial("Cropping*D", {"cropping": 1}),
    *(("BatchNormalization", {"scale": s, "center": c}, IMAGE) for s in (True, False) for c in (True, False)),
    ("BatchNormalization", {"axis": 1}, IMAGE),
    ("BatchNormalization", {"renorm": True}, IMAGE),
    ("BatchNormalization", {}, [(7,)]),
    *(("LayerNormalization", {"scale": s, "center": c}, IMAGE) for s in (True, False) for c in (True, False)),
    ("LayerNormalization", {"axis": (1, 2)}, IMAGE),
    ("LayerNormalization", {"axis": 1, "rms_scaling": True}, IMAGE),
    *((k, {}, IMAGE * n) for k in ("Add", "Multiply", "Average", "Maximum", "Minimum") for n in (2, 4)),
    *((k, {}, [(9, 8, 4), (1, 1, 4)]) for k in ("Add", "Multiply", "Average", "Maximum", "Minimum")),
    *((k, {}, [(1, 1, 4), (9, 1, 1), (9, 8, 4)]) for k in ("Add", "Multiply", "Average")),
    ("Subtract", {}, IMAGE * 2),
    ("Concatenate", {}, IMAGE * 3),
    ("Dot", {"axes": 1}, [(4, 3), (4, 5)]),
    ("Dot", {"axes": (2, 1)}, [(4, 3), (3, 5)]),
    *(("Activation", {"activation": a}, IMAGE) for a in ACTIVATION_FLOPS),
    *(("ReLU", a, IMAGE) for a in ({}, {"max_value": 6.0}, {"max_value": 2.0}, {"negative_slope": 0.1})),
    ("LeakyReLU", {}, IMAGE),
    ("ELU", {}, IMAGE),
    ("ELU", {"alpha": 2.0}, IMAGE),
    ("PReLU", {}, IMAGE),
    ("PReLU", {"shared_axes": [1, 2]}, IMAGE),
    ("Softmax", {}, IMAGE),
    ("Softmax", {"axis": 1}, IMAGE),
    ("Rescaling", {"scale": 2.0}, IMAGE),
    ("Masking", {}, SEQUENCE),
    ("Embedding", {"input_dim": 5, "output_dim": 3}, [(6,)]),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, [(6,)]),
    ("RepeatVector", {"n": 3}, [(4,)]),
    ("Permute", {"dims": (2, 1, 3)}, IMAGE),
    ("Reshape", {"target_shape": (8, -1)}, IMAGE),
    ("Flatten", {}, IMAGE),
    ("Identity", {}, IMAGE),
    *((k, {"rate": 0.5}, IMAGE) for k in ("Dropout", "GaussianDropout", "AlphaDropout")),
    ("GaussianNoise", {"stddev": 0.5}, IMAGE),
    ("Normalization", {"axis": -1}, IMAGE),
    ("Normalization", {"axis": (1, 3)}, IMAGE),
    ("CustomScaleLayer", {"scale": 0.5}, IMAGE * 2),
    ("LayerScale", {"init_values": 0.1, "projection_dim": 4}, IMAGE),
    *((kind, AUGMENTING.get(kind, {}), COLOURS) for kind in tf_profiler._AUGMENTATIONS),
    ("RMSNormalization", {}, IMAGE),
    ("RMSNormalization", {"axis": (2, 3)}, IMAGE),
    ("UnitNormalization", {}, IMAGE),
    ("UnitNormalization", {"axis": 1}, IMAGE),
    *(
        ("GroupNormalization", {"groups": g, "scale": s, "center": c}, IMAGE)
        for g, s, c in (
            (1, True, True),
            (2, True, False),
            (2, False, True),
            (2, False, False),
            (-1, True, True),
        )
    ),
    ("SpectralNormalization", {"layer": {"type": "Dense", "units": 5}}, IMAGE),
    ("SpectralNormalization", {"layer": {"type": "Conv2D", "filters": 5, "kernel_size": 3}}, IMAGE),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3}, [(6,)]),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}, [(6,)]),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 4, "reverse": True, "mask_zero": True}, SEQUENCE),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 4, "reverse": True}, SEQUENCE),
    (
        "ReversibleEmbedding",
        {"input_dim": 5, "output_dim": 4, "reverse": True, "logit_soft_cap": 2.0},
        SEQUENCE,
    ),
    ("STFTSpectrogram", {"frame_length": 4, "mode": "real"}, SEQUENCE),
    ("STFTSpectrogram", {"frame_length": 4, "mode": "imag", "padding": "same"}, SEQUENCE),
    ("AutoContrast", {}, IMAGE),
    ("CenterCrop", {"height": 4, "width": 5}, IMAGE),
    ("Resizing", {"height": 18, "width": 5}, IMAGE),
    ("Resizing", {"height": 4, "width": 16, "interpolation": "nearest"}, IMAGE),
    *((f"ops.{k}", {}, IMAGE * 2) for k in BINARY),
    *((f"ops.{k}", {"x2": 2.0}, IMAGE) for k in BINARY),
    ("ops.multiply", {}, [(9, 8, 4), (1, 1, 4)]),
    ("ops.add", {"x1": Constant.of([1.0, 2.0, 3.0, 4.0])}, IMAGE),
    *((name, {}, IMAGE) for name in UNARY),
    *((f"ops.{k}", {"axis": (1, 2)}, IMAGE) for k in ("mean", "sum", "max")),
    *((f"ops.{k}", {"axis": -1, "keepdims": True}, IMAGE) for k in ("mean", "sum", "max")),
    ("ops.reshape", {"newshape": (-1, 72, 4)}, IMAGE),
    ("ops.concatenate", {"axis": -1}, IMAGE * 2),
    ("ops.transpose", {"axes": (0, 2, 1, 3)}, IMAGE),
    ("ops.get_item", {"key": [[None, None, None], [1, -1, None]]}, IMAGE),
    ("ops.matmul", {}, [(5, 4), (4, 3)]),
    ("ops.matmul", {}, [(2, 5, 4), (2, 4, 3)]),
    *spatial("SpatialDropout*D", {"rate": 0.5}),
    *spatial("Conv*D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "silu"}),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "groups": 2, "use_bias": False}, SEQUENCE),
    *attending(),
    *recurring(),
    *multiplied(),
    ("ops.split", {"indices_or_sections": 2, "axis": 2}, IMAGE),
    ("ops.split", {"indices_or_sections": [1, 2], "axis": 2}, IMAGE),
]

EXEMPT: list[Case] = [
    ("Conv2D", {"filters": 6, "kernel_size": 3, "activity_regularizer": "l1"}, IMAGE),
    ("Dense", {"units": 3, "lora_rank": 2}, [(5,)]),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 2, "implementation": 3}, IMAGE),
    ("Activation", {"activation": "glu"}, IMAGE),
    ("Activation", {"activation": "sparsemax"}, IMAGE),
    ("ReLU", {"threshold": 0.5}, IMAGE),
    ("ReLU", {"negative_slope": 0.5, "max_value": 6.0}, IMAGE),
    ("Softmax", {"axis": (1, 2)}, IMAGE),
    ("Dot", {"axes": 1, "normalize": True}, [(4,), (4,)]),
    ("ActivityRegularization", {"l1": 0.1}, IMAGE),
    ("SpectralNormalization", {"layer": {"type": "Dense", "units": 3, "lora_rank": 2}}, [(5,)]),
    ("STFTSpectrogram", {"frame_length": 4}, SEQUENCE),
    ("AutoContrast", {"value_range": (0, 1)}, IMAGE),
    ("Resizing", {"height": 4, "width": 4, "antialias": True}, IMAGE),
    ("RandomHue", {"factor": 0.5}, COLOURS),
    ("ConvLSTM2D", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}, [(4, 9, 8, 2)]),
    ("LSTM", {"units": 3, "recurrent_activation": "sparsemax"}, SEQUENCE),
    ("ConvLSTM2D", {"filters": 3, "kernel_size": 3, "dropout": 0.5}, [(4, 9, 8, 2)]),
    ("GRU", {"units": 3, "recurrent_dropout": 0.5}, SEQUENCE),
    ("RNN", {"cell": [{"type": "LSTMCell", "units": 3, "dropout": 0.5}] * 2}, SEQUENCE),
    ("TimeDistributed", {"layer": {"type": "Dense", "units": 3, "lora_rank": 2}}, SEQUENCE),
    ("Bidirectional", {"layer": {"type": "LSTM", "units": 3, "activation": "glu"}}, SEQUENCE),
]


def graph_of(kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]) -> Graph:
    types = {**registered(), **registered_operations()}
    nodes: list[Any] = [(f"in{i}", types["InputLayer"](shape=s), []) for i, s in enumerate(inputs)]
    names = [f"in{i}" for i in range(len(inputs))]
    return Graph.of("one", [*nodes, ("layer", types[kind](**arguments), names)], ["layer"])


@pytest.mark.parametrize(("kind", "arguments", "inputs"), CASES, ids=str)
def test_figures_are_those_of_the_profiler(
    kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]
) -> None:
    graph = graph_of(kind, arguments, inputs)
    assert tf_profiler.flops(graph.nodes[-1].layer, *inputs) == profiled_flops(build(graph))[-1]


@pytest.mark.parametrize(("kind", "arguments", "inputs"), EXEMPT, ids=str)
def test_exempt_layers_have_a_reason(
    kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]
) -> None:
    layer = registered()[kind](**arguments)
    assert tf_profiler.flops(layer, *inputs) is None
    assert tf_profiler.exemption(layer)


def test_every_covered_type_is_measured_and_none_is_exempt() -> None:
    measured = {kind for kind, _, _ in CASES} | {"InputLayer"}
    assert measured == set(tf_profiler.covered())
    assert not set(tf_profiler.covered()) & set(tf_profiler.EXEMPT)


def test_symbolic_figures() -> None:
    side = symbolic.symbol("H")
    layer = registered()["Conv2D"](filters=6, kernel_size=3, strides=2, padding="same", activation="silu")
    with arith.scope():
        closed = tf_profiler.flops(layer, (side, side, 3))
        assert arith.substitute(closed, {"H": 11}) == tf_profiler.flops(layer, (11, 11, 3))
