"""Keras 1: the names of its arguments, translated to those of today's classes.

Keras 2 published the table when it renamed them (keras/legacy/interfaces.py of Keras 2.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# the same in every class; "" marks arguments that no figure depends on
_EVERYWHERE: Mapping[str, str] = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "weights": "",
    "input_dtype": "",
    "input_dim": "",
    "input_length": "",
}
_CONVOLUTION = {"nb_filter": "filters", "subsample": "strides", "atrous_rate": "dilation_rate"}
_LINE = {**_CONVOLUTION, "filter_length": "kernel_size", "subsample_length": "strides"}
_RECURRENT = {
    "output_dim": "units",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "U_constraint": "recurrent_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "forget_bias_init": "",
    "consume_less": "",
}
_SPATIAL_DROPOUTS = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
_LINE_POOLING = {"pool_length": "pool_size", "stride": "strides"}

_RENAMED: Mapping[str, Mapping[str, str]] = {
    "Dense": {"output_dim": "units"},
    "TimeDistributedDense": {"output_dim": "units"},
    "Embedding": {
        "input_dim": "input_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
        "dropout": "",
    },
    "Dropout": {"p": "rate"},
    **{name: {"p": "rate"} for name in (*_SPATIAL_DROPOUTS, "GaussianDropout")},
    "GaussianNoise": {"sigma": "stddev"},
    **dict.fromkeys(("Convolution1D", "AtrousConvolution1D", "LocallyConnected1D"), _LINE),
    **dict.fromkeys(
        ("Convolution2D", "AtrousConvolution2D", "Convolution3D", "LocallyConnected2D"), _CONVOLUTION
    ),
    "SeparableConvolution2D": {**_CONVOLUTION, "init": "depthwise_initializer"},
    "MaxPooling1D": _LINE_POOLING,
    "AveragePooling1D": _LINE_POOLING,
    "UpSampling1D": {"length": "size"},
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer", "mode": ""},
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), _RECURRENT),
    "ConvLSTM2D": {**_RECURRENT, **_CONVOLUTION},
    "PReLU": {"init": "alpha_initializer"},
}
_NEW_NAMES: Mapping[str, str] = {
    "TimeDistributedDense": "Dense",  # which acts on the last axis of any tensor
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
}
# the parts of what is one argument now
_KERNELS: Sequence[Sequence[str]] = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_ORDERS = {"tf": "channels_last", "th": "channels_first"}
_SIDES: Mapping[str, Sequence[str]] = {
    "ZeroPadding1D": ("left_pad", "right_pad"),
    "ZeroPadding2D": ("top_pad", "bottom_pad", "left_pad", "right_pad"),
}


def without_rule(class_name: str, config: Mapping[str, Any]) -> str:
    """Why a layer of Keras 1 is not what its class is today; empty if it is."""
    if class_name == "BatchNormalization" and config.get("mode") == 1:
        return "a BatchNormalization with mode=1, which normalises each sample; only Keras 1 has it"
    if class_name == "Deconvolution2D":
        return "a Deconvolution2D of Keras 1, whose output has the size that is stated, with any kernel"
    if class_name in ("Highway", "MaxoutDense", "SReLU", "ParametricSoftplus", "LayerList", "Graph"):
        return f"a {class_name}, which only Keras 1 has"
    return ""


def translated(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class and the arguments of a layer of Keras 1 under today's names; others stay as they are."""
    names = {**_EVERYWHERE, **_RENAMED.get(class_name, {})}
    arguments = {names.get(k, k): v for k, v in config.items() if names.get(k, k)}
    for parts in _KERNELS:
        if all(part in arguments for part in parts):
            arguments["kernel_size"] = [arguments.pop(part) for part in parts]
    order = arguments.get("data_format")
    if isinstance(order, str):
        arguments["data_format"] = _ORDERS.get(order, order)
    if class_name in _SIDES:
        arguments["padding"] = _sides(arguments.get("padding"), _SIDES[class_name])
    return _NEW_NAMES.get(class_name, class_name), arguments


def _sides(padding: Any, names: Sequence[str]) -> Any:
    """Padding per side: stated as a dictionary or, for images, as a list of four."""
    if isinstance(padding, dict):
        padding = [padding.get(name, 0) for name in names]
    if len(names) == 4 and isinstance(padding, list) and len(padding) == 4:
        return [padding[:2], padding[2:]]
    return padding


def written_by(data: Mapping[str, Any]) -> bool:
    """Whether a model's configuration has arguments of Keras 1; its first files state no version."""
    config = data.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    configs = [e.get("config") for e in layers if isinstance(e, dict)] if isinstance(layers, list) else []
    return any(isinstance(c, dict) and not _FORMER.isdisjoint(c) and _TODAYS.isdisjoint(c) for c in configs)


_FORMER = {"output_dim", "nb_filter", "border_mode", "inner_activation", "dim_ordering"}
_TODAYS = {"units", "filters", "padding", "data_format", "embeddings_initializer"}
