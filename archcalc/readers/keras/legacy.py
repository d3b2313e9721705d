"""Classes and arguments that Keras 2 names differently from Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

CLASS_NAMES: Mapping[str, str] = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "UnifiedLSTM": "LSTM",
    "UnifiedGRU": "GRU",
    "GroupedQueryAttention": "GroupQueryAttention",  # Keras exports the class under the shorter name
}

# arguments that Keras 3 dropped and no figure depends on: of every layer (""), and of single classes
DROPPED: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {"autocast", "batch_input_shape", "batch_shape", "input_shape", "batch_size", "seed_generator"}
    ),
    "Dense": frozenset({"input_dim"}),
    "BatchNormalization": frozenset({"fused", "virtual_batch_size", "adjustment"}),
    "LayerNormalization": frozenset({"fused"}),
    "Embedding": frozenset({"input_length"}),
    "MultiHeadAttention": frozenset({"query_shape", "key_shape", "value_shape", "softmax_robust_masking"}),
    **dict.fromkeys(
        (
            "SimpleRNN",
            "LSTM",
            "GRU",
            "LSTMCell",
            "GRUCell",
            "SimpleRNNCell",
            "RNN",
            "CuDNNLSTM",
            "CuDNNGRU",
            "ConvLSTM1D",
            "ConvLSTM2D",
            "ConvLSTM3D",
        ),
        frozenset({"implementation", "unroll", "stateful"}),
    ),
    # in Keras 2 these inherit arguments from Conv2D and never use them
    **dict.fromkeys(
        ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
        frozenset({"groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"}),
    ),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), frozenset({"groups"})),
}

# names that TensorFlow gave its functions, which became the names of activations
ACTIVATION_NAMES: Mapping[str, str] = {"softmax_v2": "softmax", "log_softmax_v2": "log_softmax"}

RENAMED: Mapping[str, Mapping[str, str]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
}


def modern(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments under their Keras 3 names, without those that no figure depends on."""
    dropped = DROPPED[""] | DROPPED.get(class_name, frozenset())
    renamed = RENAMED.get(class_name, {})
    return {
        renamed.get(key, key): _VALUES.get((class_name, key), _same)(value)
        for key, value in config.items()
        if key not in dropped
    }


def _same(value: Any) -> Any:
    return value


def _only(value: Any) -> Any:
    """Keras 2 wrote the single axis of a normalisation as a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _if_true(value: Any) -> Any:
    return value or None


_VALUES: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("BatchNormalization", "axis"): _only,
    ("LayerNormalization", "axis"): _only,
    # time_major=False is the default and is dropped; True has no rule and is refused
    **{
        (name, "time_major"): _if_true
        for name in ("SimpleRNN", "LSTM", "GRU", "RNN", "CuDNNLSTM", "CuDNNGRU")
    },
}
