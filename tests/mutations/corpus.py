"""Networks written for the comparison, so that a mistake in any rule changes some figure.

Most are stars, many layers on one input: real Keras builds, runs and differentiates all of them in
one model, which saves most of the time of recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Rows = list[tuple[str, str, dict[str, Any], list[str]]]


def star(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> Rows:
    """A network of layers that all read the only input, each of them an output."""
    rows: Rows = [("x", "InputLayer", {"shape": shape}, [])]
    return rows + [(f"l{i}", kind, arguments, ["x"]) for i, (kind, arguments) in enumerate(layers)]


def line(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> Rows:
    """A sequential network."""
    rows: Rows = [("x", "InputLayer", {"shape": shape}, [])]
    for i, (kind, arguments) in enumerate(layers):
        rows.append((f"l{i}", kind, arguments, [rows[-1][0]]))
    return rows


FILTERS = {"filters": 6, "kernel_size": 3}
ONE_D: list[tuple[str, dict[str, Any]]] = [
    ("Conv1D", {**FILTERS, "dilation_rate": 2}),
    ("Conv1D", {**FILTERS, "padding": "causal", "dilation_rate": 3, "use_bias": False}),
    ("Conv1D", {**FILTERS, "padding": "causal", "strides": 2}),
    ("Conv1D", {**FILTERS, "padding": "same", "strides": 2, "groups": 2, "activation": "relu"}),
    ("DepthwiseConv1D", {"kernel_size": 4, "padding": "same", "depth_multiplier": 2}),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 4, "strides": 3}),
    ("Conv1DTranspose", {**FILTERS, "strides": 2}),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 3, "padding": "same"}),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3}),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2}),
    ("LocallyConnected1D", {**FILTERS, "strides": 2, "activation": "relu"}),
    ("LocallyConnected1D", {**FILTERS, "padding": "same", "implementation": 3}),
    ("LocallyConnected1D", {"filters": 3, "kernel_size": 4, "padding": "same", "implementation": 2}),
    ("AveragePooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("MaxPooling1D", {"pool_size": 3}),
    ("GlobalMaxPooling1D", {}),
    ("GlobalAveragePooling1D", {"keepdims": True}),
    ("ZeroPadding1D", {"padding": (2, 3)}),
    ("Cropping1D", {"cropping": (2, 1)}),
    ("UpSampling1D", {"size": 3}),
    ("Dense", {"units": 3}),
    ("Permute", {"dims": (2, 1)}),
    ("Reshape", {"target_shape": (-1, 2)}),
    ("Flatten", {}),
    ("LayerNormalization", {}),
    ("LayerNormalization", {"axis": 1, "center": False}),
    ("BatchNormalization", {"axis": 1}),
    ("Softmax", {"axis": 1}),
    ("PReLU", {"shared_axes": (1,)}),
]
TWO_D: list[tuple[str, dict[str, Any]]] = [
    ("Conv2D", {"filters": 4, "kernel_size": (2, 4), "strides": (2, 1)}),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "padding": "same", "strides": 2, "use_bias": False}),
    ("Conv2D", {"filters": 9, "kernel_size": 3, "groups": 3, "dilation_rate": (1, 2), "activation": "silu"}),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "lora_rank": 2}),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "strides": 3, "padding": "same", "trainable": False}),
    ("Conv2D", {"filters": 4, "kernel_size": (4, 3), "padding": "same", "dilation_rate": 2}),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3, "strides": 2}),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "padding": "same", "use_bias": False}),
    ("SeparableConv2D", {"filters": 4, "kernel_size": (2, 3), "depth_multiplier": 2}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (3, 2), "strides": 2}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (4, 3), "strides": (2, 3), "padding": "same"}),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1}),
    ("Conv2DTranspose",
     {"filters": 4, "kernel_size": 4, "strides": 2, "output_padding": 1, "padding": "same"}),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": (2, 3), "strides": (2, 1)}),
    ("LocallyConnected2D", {"filters": 3, "kernel_size": 3, "padding": "same", "implementation": 2}),
    ("LocallyConnected2D",
     {"filters": 3, "kernel_size": (3, 2), "strides": 2, "padding": "same", "implementation": 3}),
    ("AveragePooling2D", {"pool_size": (2, 3)}),
    ("AveragePooling2D", {"pool_size": 3, "strides": (2, 1), "padding": "same"}),
    ("MaxPooling2D", {"pool_size": 3, "strides": 1}),
    ("GlobalAveragePooling2D", {}),
    ("GlobalMaxPooling2D", {"keepdims": True}),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}),
    ("Cropping2D", {"cropping": ((1, 0), (2, 3))}),
    ("UpSampling2D", {"size": (2, 3)}),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}),
    ("BatchNormalization", {}),
    ("BatchNormalization", {"center": False, "trainable": False}),
    ("BatchNormalization", {"scale": False}),
    ("LayerNormalization", {"axis": (1, 2)}),
    ("LayerNormalization", {"rms_scaling": True}),
    ("Dense", {"units": 5, "activation": "softmax"}),
    ("Flatten", {}),
    ("Reshape", {"target_shape": (-1, 6)}),
    ("Permute", {"dims": (3, 1, 2)}),
    ("PReLU", {}),
    ("Activation", {"activation": "relu"}),
    ("Rescaling", {"scale": 2.0}),
    ("Dropout", {"rate": 0.5}),
    ("SpatialDropout2D", {"rate": 0.5}),
]  # fmt: skip
THREE_D: list[tuple[str, dict[str, Any]]] = [
    ("Conv3D", {"filters": 4, "kernel_size": (3, 1, 2), "strides": (2, 1, 3), "padding": "same"}),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": (1, 2, 1)}),
    ("MaxPooling3D", {"pool_size": 2}),
    ("GlobalAveragePooling3D", {}),
    ("ZeroPadding3D", {"padding": ((1, 2), (0, 3), (1, 0))}),
    ("Cropping3D", {"cropping": (1, 0, 1)}),
    ("UpSampling3D", {"size": (1, 3, 2)}),
]
FIRST: list[tuple[str, dict[str, Any]]] = [
    ("GlobalAveragePooling2D", {"data_format": "channels_first", "keepdims": True}),
    ("ZeroPadding2D", {"data_format": "channels_first", "padding": ((1, 2), (0, 3))}),
    ("UpSampling2D", {"data_format": "channels_first", "size": (2, 3)}),
    ("Flatten", {"data_format": "channels_first"}),
    ("Conv2D", {"data_format": "channels_first", "filters": 4, "kernel_size": (2, 3)}),
]


def _merging() -> Rows:
    conv = {"filters": 4, "padding": "same"}
    return [
        ("x", "InputLayer", {"shape": (15, 12, 4)}, []),
        ("y", "InputLayer", {"shape": (15, 12, 4)}, []),
        ("three", "Conv2D", {**conv, "kernel_size": 3, "dilation_rate": (2, 1)}, ["x"]),
        ("five", "Conv2D", {**conv, "kernel_size": (1, 5)}, ["x"]),
        ("sum", "Add", {}, ["three", "five", "y"]),
        ("product", "Multiply", {}, ["three", "y"]),
        ("mean", "Average", {}, ["three", "x"]),
        ("less", "Subtract", {}, ["five", "x"]),
        ("most", "Maximum", {}, ["x", "y"]),
        ("narrow", "Conv2D", {"filters": 3, "kernel_size": 1}, ["y"]),
        ("beside", "Concatenate", {}, ["three", "narrow", "x"]),
        ("thin", "Conv2D", {"filters": 2, "kernel_size": 1}, ["x"]),
        ("uneven", "Concatenate", {}, ["three", "thin"]),
        ("below", "Concatenate", {"axis": 1}, ["three", "five"]),
        ("reader", "Conv2D", {"filters": 2, "kernel_size": 3, "groups": 1}, ["below"]),
        ("squeeze", "GlobalAveragePooling2D", {"keepdims": True}, ["three"]),
        ("excite", "Dense", {"units": 4}, ["squeeze"]),
        ("gate", "Multiply", {}, ["five", "excite"]),
        ("after", "Conv2D", {**conv, "kernel_size": 3, "strides": 2}, ["gate"]),
        ("flat", "Reshape", {"target_shape": (180, 4)}, ["x"]),
        ("other", "Reshape", {"target_shape": (180, 4)}, ["y"]),
        ("dot", "Dot", {"axes": 1}, ["flat", "other"]),
    ]


def _unet() -> Rows:
    conv = {"filters": 3, "kernel_size": 3, "padding": "same"}
    return [
        ("x", "InputLayer", {"shape": (16, 12, 2)}, []),
        ("a", "Conv2D", conv, ["x"]),
        ("down", "MaxPooling2D", {}, ["a"]),
        ("b", "Conv2D", conv, ["down"]),
        ("deeper", "Conv2D", {**conv, "strides": 2}, ["b"]),
        ("up", "UpSampling2D", {}, ["deeper"]),
        ("join", "Concatenate", {}, ["up", "b"]),
        ("c", "Conv2D", conv, ["join"]),
        ("out", "Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, ["c"]),
        ("add", "Add", {}, ["out", "a"]),
        ("cut", "Cropping2D", {"cropping": ((1, 0), (0, 2))}, ["add"]),
        ("last", "AveragePooling2D", {"pool_size": 3, "strides": 2}, ["cut"]),
        ("head", "Conv2D", {**conv, "padding": "valid"}, ["last"]),
    ]


def _shared() -> tuple[Rows, dict[str, str]]:
    conv = {"filters": 3, "kernel_size": 3, "padding": "same"}
    rows: Rows = [
        ("x", "InputLayer", {"shape": (20, 3)}, []),
        ("one", "Conv1D", conv, ["x"]),
        ("two", "Conv1D", conv, ["one"]),
        ("norm", "BatchNormalization", {}, ["two"]),
        ("three", "Conv1D", conv, ["norm"]),
        ("add", "Add", {}, ["three", "x"]),
        ("pool", "AveragePooling1D", {"pool_size": 2}, ["add"]),
        ("flat", "Flatten", {}, ["pool"]),
        ("out", "Dense", {"units": 4}, ["flat"]),
    ]
    return rows, {"two": "one", "three": "one"}


def _sequences() -> Rows:
    """Recurrent layers and their wrappers on one sequence, and layers that read their outputs."""
    lstm = {"type": "LSTM", "units": 3, "return_sequences": True}
    cells = [{"type": "LSTMCell", "units": 2}, {"type": "SimpleRNNCell", "units": 3, "trainable": False}]
    ways: list[tuple[str, dict[str, Any]]] = [
        ("SimpleRNN", {"units": 4, "use_bias": False}),
        ("LSTM", {"units": 3, "return_sequences": True}),
        ("LSTM", {"units": 3, "return_state": True}),
        ("GRU", {"units": 2, "return_sequences": True, "go_backwards": True}),
        ("GRU", {"units": 2, "reset_after": False}),
        ("RNN", {"cell": cells, "return_sequences": True}),
        ("Bidirectional", {"layer": lstm}),
        ("Bidirectional", {"layer": {"type": "GRU", "units": 3}, "merge_mode": "sum"}),
        ("TimeDistributed", {"layer": {"type": "Dense", "units": 5}}),
    ]
    return [
        *star((9, 4), *ways),
        ("last", "LSTM", {"units": 3, "return_sequences": True}, ["l8", "h", "h"]),
        ("h", "Dense", {"units": 3}, ["l7"]),
        ("behind", "Conv1D", {"filters": 2, "kernel_size": 3}, ["l3"]),
    ]


def _attention() -> Rows:
    heads = {"num_heads": 2, "key_dim": 3}
    grouped = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    return [
        ("x", "InputLayer", {"shape": (9, 6)}, []),
        ("memory", "InputLayer", {"shape": (5, 6)}, []),
        ("narrow", "Conv1D", {"filters": 6, "kernel_size": 3, "padding": "same"}, ["memory"]),
        ("itself", "MultiHeadAttention", {**heads, "value_dim": 4, "use_causal_mask": True}, ["x", "x"]),
        ("across", "MultiHeadAttention", {**heads, "use_bias": False}, ["x", "narrow"]),
        ("other", "MultiHeadAttention", {**heads, "output_shape": 5}, ["x", "memory", "narrow"]),
        ("grouped", "GroupQueryAttention", grouped, ["x", "narrow"]),
        ("scored", "GroupQueryAttention", {**grouped, "return_attention_scores": True}, ["x", "memory"]),
        ("plain", "Attention", {"use_scale": True}, ["x", "narrow"]),
        ("causal", "Attention", {"use_causal_mask": True}, ["x", "x"]),
        ("additive", "AdditiveAttention", {}, ["x", "memory"]),
        ("sum", "Add", {}, ["itself", "x"]),
        ("norm", "LayerNormalization", {}, ["sum"]),
    ]


def networks() -> Iterator[tuple[str, Rows, dict[str, str]]]:
    """(name, layers, shared weights: layer -> owner)."""
    yield "one axis", star((11, 6), *ONE_D), {}
    yield "two axes", star((9, 8, 6), *TWO_D), {}
    yield "three axes", star((5, 6, 4, 2), *THREE_D), {}
    yield "channels first", star((4, 7, 6), *FIRST), {}
    yield "merging", _merging(), {}
    yield "u-net", _unet(), {}
    yield "shared", *_shared()
    yield "sequences", _sequences(), {}
    yield "attention", _attention(), {}
    conv = {"filters": 2, "kernel_size": 3}
    yield "dilated", line((40, 2), *(("Conv1D", {**conv, "dilation_rate": d}) for d in (1, 2, 4))), {}
    yield (
        "strided",
        line(
            (64, 2),
            ("Conv1D", {**conv, "strides": 2}),
            ("AveragePooling1D", {"pool_size": 3, "strides": 2}),
            ("Conv1D", conv),
            ("ZeroPadding1D", {"padding": (2, 0)}),
            ("Conv1D", {**conv, "padding": "same"}),
        ),
        {},
    )
    tokens: Rows = [
        ("x", "InputLayer", {"shape": (9,), "dtype": "int32"}, []),
        ("table", "Embedding", {"input_dim": 7, "output_dim": 3}, ["x"]),
        ("conv", "Conv1D", conv, ["table"]),
    ]
    yield "tokens", tokens, {}
    yield (
        "turned",
        line(
            (9, 11, 2),
            ("Permute", {"dims": (2, 1, 3)}),
            ("Conv2D", {**conv, "kernel_size": (1, 3)}),
            ("Permute", {"dims": (3, 2, 1)}),
            ("ZeroPadding2D", {"data_format": "channels_first", "padding": ((1, 2), (0, 3))}),
        ),
        {},
    )
    yield "vector", line((5,), ("RepeatVector", {"n": 4}), ("Conv1D", conv)), {}
