"""The layers that benchmarks/peers/layers.py builds in torch, as (type, arguments, input shapes)."""

from __future__ import annotations

from typing import Any

Layered = tuple[str, dict[str, Any], list[tuple[int, ...]]]

IMAGE, SEQUENCE, VOLUME = (9, 8, 4), (9, 4), (5, 6, 7, 4)

# torch's name -> that of keras.ops
FUNCTIONS = {
    **{name: name for name in ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu")},
    **{name: name for name in ("softplus", "softmax", "log_softmax", "softsign")},
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
}
UNARY = {
    **{name: name for name in ("sigmoid", "tanh", "exp", "log", "sqrt", "square")},
    "abs": "absolute",
    "neg": "negative",
}
REDUCTIONS = ("mean", "sum", "max", "min")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


RECURRENT = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
LSTM: dict[str, Any] = {"type": "LSTM", "units": 4}

# layers inside TimeDistributed, and the shape of the sequence
INNER: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "dense": ({"type": "Dense", "units": 4}, (5, 3)),
    "conv": ({"type": "Conv2D", "filters": 4, "kernel_size": 3}, (5, 8, 9, 3)),
    "transposed": ({"type": "Conv2DTranspose", "filters": 4, "kernel_size": 3, "strides": 2}, (5, 8, 9, 3)),
    "batchnorm": ({"type": "BatchNormalization"}, (5, 8, 9, 3)),
    "layernorm": ({"type": "LayerNormalization"}, (5, 6, 3)),
    "pooling": ({"type": "GlobalAveragePooling2D"}, (5, 8, 9, 3)),
    "upsampling": ({"type": "UpSampling2D"}, (5, 8, 9, 3)),
    "resizing": ({"type": "Resizing", "height": 4, "width": 4}, (5, 8, 9, 3)),
    "embedding": ({"type": "Embedding", "input_dim": 11, "output_dim": 3}, (5, 6)),
    "einsum": ({"type": "EinsumDense", "equation": "abc,cd->abd", "output_shape": [None, 47]}, (5, 13, 31)),
    "lstm": (LSTM, (6, 5, 3)),
    "gru": ({**LSTM, "type": "GRU", "return_sequences": True}, (6, 5, 3)),
}


def _einsum(equation: str, out: Any, bias_axes: str | None, shape: tuple[int, ...], **more: Any) -> Layered:
    arguments = {"equation": equation, "partial_shape": out, "bias_axes": bias_axes}
    return "EinsumDense", {**arguments, **more}, [shape]


def _spatial(rank: int, shape: tuple[int, ...]) -> dict[str, Layered]:
    def of(kind: str, **arguments: Any) -> Layered:
        return kind.replace("*", str(rank)), arguments, [shape]

    return {
        f"conv{rank}": of("Conv*D", filters=6, kernel_size=3),
        f"conv{rank} no bias": of("Conv*D", filters=6, kernel_size=2, strides=2, use_bias=False),
        f"conv{rank} same": of("Conv*D", filters=6, kernel_size=3, padding="same"),
        f"conv{rank} groups": of("Conv*D", filters=6, kernel_size=3, groups=2),
        f"conv{rank} dilated": of("Conv*D", filters=6, kernel_size=2, dilation_rate=2),
        f"transposed{rank}": of("Conv*DTranspose", filters=5, kernel_size=4, strides=3),
        f"transposed{rank} same": of("Conv*DTranspose", filters=5, kernel_size=3, strides=2, padding="same"),
        f"batchnorm{rank}": of("BatchNormalization"),
        f"batchnorm{rank} bare": of("BatchNormalization", scale=False, center=False),
        f"maxpool{rank}": of("MaxPooling*D", pool_size=2),
        f"maxpool{rank} same": of("MaxPooling*D", pool_size=3, strides=1, padding="same"),
        f"avgpool{rank}": of("AveragePooling*D", pool_size=3, strides=2),
        f"globalavg{rank}": of("GlobalAveragePooling*D"),
        f"globalmax{rank}": of("GlobalMaxPooling*D", keepdims=True),
        f"adaptiveavg{rank}": of("AdaptiveAveragePooling*D", output_size=3),
        f"adaptivemax{rank}": of("AdaptiveMaxPooling*D", output_size=2),
        f"upsample{rank}": of("UpSampling*D", size=2),
        f"zeropad{rank}": of("ZeroPadding*D", padding=1),
        f"dropout{rank}": of("SpatialDropout*D", rate=0.5),
    }


LAYERS: dict[str, Layered] = {
    **_spatial(1, SEQUENCE),
    **_spatial(2, IMAGE),
    **_spatial(3, VOLUME),
    "conv2 odd same": ("Conv2D", {"filters": 6, "kernel_size": 2, "padding": "same"}, [IMAGE]),
    "maxpool2 odd same": ("MaxPooling2D", {"pool_size": 2, "padding": "same"}, [IMAGE]),
    "maxpool2 even same": ("MaxPooling2D", {"pool_size": 2, "strides": 1, "padding": "same"}, [IMAGE]),
    "transposed2 dilated": ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, [IMAGE]),
    "depthwise2": ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, [IMAGE]),
    "depthwise1": ("DepthwiseConv1D", {"kernel_size": 3, "use_bias": False}, [SEQUENCE]),
    "separable2": ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, [IMAGE]),
    "conv2 relu": ("Conv2D", {"filters": 6, "kernel_size": 3, "activation": "relu"}, [IMAGE]),
    "dense": ("Dense", {"units": 7}, [(5,)]),
    "dense no bias": ("Dense", {"units": 7, "use_bias": False}, [(5,)]),
    "dense softmax": ("Dense", {"units": 7, "activation": "softmax"}, [(5,)]),
    "dense of a sequence": ("Dense", {"units": 7}, [(6, 5)]),
    "dense of a sequence no bias": ("Dense", {"units": 7, "use_bias": False}, [(6, 5)]),
    "dense of an image": ("Dense", {"units": 7}, [(3, 6, 5)]),
    "embedding": ("Embedding", {"input_dim": 11, "output_dim": 3}, [(6,)]),
    "batchnorm of a vector": ("BatchNormalization", {}, [(7,)]),
    "layernorm": ("LayerNormalization", {}, [(6, 5)]),
    "layernorm no shift": ("LayerNormalization", {"center": False}, [(6, 5)]),
    "layernorm bare": ("LayerNormalization", {"center": False, "scale": False}, [(6, 5)]),
    "layernorm of two axes": ("LayerNormalization", {"axis": (-2, -1)}, [(3, 6, 5)]),
    "rmsnorm": ("LayerNormalization", {"rms_scaling": True}, [(6, 5)]),
    "rmsnorm layer": ("RMSNormalization", {}, [(6, 5)]),
    "groupnorm": ("GroupNormalization", {"groups": 2, "scale": False}, [IMAGE]),
    "groupnorm bare": ("GroupNormalization", {"groups": 2, "scale": False, "center": False}, [IMAGE]),
    "groupnorm of a sequence": ("GroupNormalization", {"groups": 1}, [SEQUENCE]),
    "instancenorm": ("GroupNormalization", {"groups": -1}, [VOLUME]),
    "unitnorm": ("UnitNormalization", {}, [(6, 5)]),
    "normalization": ("Normalization", {}, [IMAGE]),
    "normalization inverted": ("Normalization", {"invert": True}, [IMAGE]),
    "relu": ("ReLU", {}, [IMAGE]),
    "relu6": ("ReLU", {"max_value": 6.0}, [IMAGE]),
    "leakyrelu": ("LeakyReLU", {}, [IMAGE]),
    "elu": ("ELU", {}, [IMAGE]),
    "softmax": ("Softmax", {}, [(6, 5)]),
    "softmax of another axis": ("Softmax", {"axis": 1}, [(6, 5)]),
    "prelu": ("PReLU", {"shared_axes": [1, 2]}, [IMAGE]),
    "upsample2 bilinear": ("UpSampling2D", {"interpolation": "bilinear"}, [IMAGE]),
    "upsample2 bicubic": ("UpSampling2D", {"interpolation": "bicubic"}, [IMAGE]),
    "upsample2 unequal": ("UpSampling2D", {"size": (2, 3)}, [IMAGE]),
    "dropout": ("Dropout", {"rate": 0.5}, [IMAGE]),
    "add": ("Add", {}, [IMAGE] * 3),
    "subtract": ("Subtract", {}, [IMAGE] * 2),
    "multiply": ("Multiply", {}, [IMAGE, (1, 1, 4)]),
    "maximum": ("Maximum", {}, [IMAGE] * 2),
    "average": ("Average", {}, [IMAGE] * 2),
    "concatenate": ("Concatenate", {}, [IMAGE] * 2),
    "rescaling": ("Rescaling", {"scale": 2.0, "offset": 1.0}, [IMAGE]),
    "dot": ("Dot", {"axes": (2, 1)}, [(5, 4), (4, 3)]),
    "matmul": ("ops.matmul", {}, [(5, 4), (4, 3)]),
    "matmul of batches": ("ops.matmul", {}, [(2, 5, 4), (2, 4, 3)]),
    **{f"functional {in_torch}": (f"ops.{name}", {}, [IMAGE]) for in_torch, name in FUNCTIONS.items()},
    **{f"tensor {in_torch}": (f"ops.{name}", {}, [IMAGE]) for in_torch, name in UNARY.items()},
    **{f"tensor {name}": (f"ops.{name}", {}, [IMAGE] * 2) for name in BINARY},
    **{f"tensor {name}": (f"ops.{name}", {"axis": (1, 2)}, [IMAGE]) for name in REDUCTIONS},
    "tensor reshape": ("ops.reshape", {"newshape": (-1, 72, 4)}, [IMAGE]),
    "tensor transpose": ("ops.transpose", {"axes": (0, 2, 1, 3)}, [IMAGE]),
    "tensor get_item": ("ops.get_item", {"key": [[None, None, None], [1, None, None]]}, [IMAGE]),
    "tensor split": ("ops.split", {"indices_or_sections": 2, "axis": -1}, [IMAGE]),
    "tensor unstack": ("ops.unstack", {"axis": -1}, [IMAGE]),
    "tensor pad": ("ops.pad", {"pad_width": [[0, 0], [1, 1], [0, 0], [0, 0]]}, [IMAGE]),
    "tensor squeeze": ("ops.squeeze", {"axis": 1}, [(1, 8, 4)]),
    "tensor expand_dims": ("ops.expand_dims", {"axis": 2}, [IMAGE]),
    "tensor swapaxes": ("ops.swapaxes", {"axis1": 1, "axis2": 2}, [IMAGE]),
    "tensor moveaxis": ("ops.moveaxis", {"source": 1, "destination": 2}, [IMAGE]),
    "tensor stack": ("ops.stack", {"axis": 1}, [IMAGE] * 2),
    "tensor concatenate": ("ops.concatenate", {"axis": -1}, [IMAGE] * 2),
    "minimum": ("Minimum", {}, [IMAGE] * 2),
    "flatten": ("Flatten", {}, [IMAGE]),
    "reshape": ("Reshape", {"target_shape": (9, 8, 2, 2)}, [IMAGE]),
    "permute": ("Permute", {"dims": (2, 1)}, [SEQUENCE]),
    "repeat": ("RepeatVector", {"n": 3}, [(5,)]),
    "cropping1": ("Cropping1D", {"cropping": 1}, [SEQUENCE]),
    "cropping2": ("Cropping2D", {"cropping": 1}, [IMAGE]),
    "cropping3": ("Cropping3D", {"cropping": 1}, [VOLUME]),
    "layer scale": ("LayerScale", {"init_values": 0.1, "projection_dim": 4}, [IMAGE]),
    "custom scale": ("CustomScaleLayer", {"scale": 0.5}, [IMAGE] * 2),
    "identity": ("Identity", {}, [IMAGE]),
    "noise": ("GaussianNoise", {"stddev": 0.5}, [IMAGE]),
    "gaussian dropout": ("GaussianDropout", {"rate": 0.5}, [IMAGE]),
    "alpha dropout": ("AlphaDropout", {"rate": 0.5}, [IMAGE]),
    "regularization": ("ActivityRegularization", {"l1": 0.1}, [IMAGE]),
    "flip": ("RandomFlip", {}, [IMAGE]),
    "rotation": ("RandomRotation", {"factor": 0.1}, [IMAGE]),
    "translation": ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.1}, [IMAGE]),
    "attention": ("Attention", {}, [(6, 5), (7, 5)]),
    "resizing": ("Resizing", {"height": 18, "width": 5}, [IMAGE]),
    "resizing nearest": ("Resizing", {"height": 4, "width": 16, "interpolation": "nearest"}, [IMAGE]),
    "resizing bicubic": ("Resizing", {"height": 12, "width": 3, "interpolation": "bicubic"}, [IMAGE]),
    "resizing smoothed": ("Resizing", {"height": 4, "width": 4, "antialias": True}, [IMAGE]),
    "resizing cropped": ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}, [IMAGE]),
    "resizing by a function": (
        "ops.image.resize",
        {"size": (4, 16), "interpolation": "nearest"},
        [IMAGE],
    ),
    "resizing padded": ("Resizing", {"height": 4, "width": 4, "pad_to_aspect_ratio": True}, [IMAGE]),
    "einsum": _einsum("abc,cd->abd", (None, 7), "d", (6, 5)),
    "einsum no bias": _einsum("abc,cde->abde", (None, 2, 3), None, (6, 5)),
    "einsum rounded": _einsum("abc,cde->abde", (None, 4, 13), "de", (7, 31)),
    "einsum unnamed": _einsum("...x,xy->...y", 7, "y", (3, 6, 5)),
    "einsum summed": _einsum("abc,cd->ad", 7, None, (6, 5)),
    "einsum outer": _einsum("ab,c->abc", (6, 7), None, (6,)),
    "einsum elementwise": _einsum("abc,c->abc", (None, 5), "c", (6, 5)),
    "einsum over one": _einsum("abc,cd->abd", (None, 7), None, (6, 1)),
    "einsum softmax": _einsum("ab,bc->ac", 7, "c", (5,), activation="softmax"),
    **{name: (kind, {"units": 4}, [(5, 3)]) for name, kind in RECURRENT.items()},
    **{
        f"{name} no bias": (kind, {"units": 4, "use_bias": False, "return_sequences": True}, [(5, 3)])
        for name, kind in RECURRENT.items()
    },
    "rnn relu": ("SimpleRNN", {"units": 4, "activation": "relu", "go_backwards": True}, [(5, 3)]),
    "rnn of a cell": ("RNN", {"cell": {"type": "GRUCell", "units": 4}}, [(5, 3)]),
    "rnn of cells": (
        "RNN",
        {"cell": [{"type": "LSTMCell", "units": 4}, {"type": "GRUCell", "units": 2}]},
        [(5, 3)],
    ),
    "rnncell": ("SimpleRNNCell", {"units": 4}, [(3,), (4,)]),
    "lstmcell": ("LSTMCell", {"units": 4}, [(3,), (4,), (4,)]),
    "lstmcell no bias": ("LSTMCell", {"units": 4, "use_bias": False}, [(3,), (4,), (4,)]),
    "grucell": ("GRUCell", {"units": 4}, [(3,), (4,)]),
    "bidirectional": ("Bidirectional", {"layer": LSTM}, [(5, 3)]),
    "bidirectional gru": (
        "Bidirectional",
        {"layer": {**LSTM, "type": "GRU", "return_sequences": True}},
        [(5, 3)],
    ),
    **{
        f"bidirectional {mode}": (
            "Bidirectional",
            {"layer": {**LSTM, "return_sequences": True}, "merge_mode": mode},
            [(5, 3)],
        )
        for mode in ("sum", "mul", "ave")
    },
    **{
        f"distributed {name}": ("TimeDistributed", {"layer": inner}, [x])
        for name, (inner, x) in INNER.items()
    },
    "distributed twice": (
        "TimeDistributed",
        {"layer": {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 4}}},
        [(2, 5, 3)],
    ),
    "multihead": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4}, [(6, 8), (6, 8)]),
    "multihead no bias": (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 4, "use_bias": False},
        [(6, 8), (6, 8)],
    ),
    "multihead across": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4}, [(6, 8), (5, 8)]),
    **{
        in_torch: ("Activation", {"activation": name}, [IMAGE])
        for in_torch, name in {
            "celu": "celu",
            "selu": "selu",
            "gelu": "gelu",
            "silu": "silu",
            "mish": "mish",
            "softplus": "softplus",
            "softsign": "softsign",
            "sigmoid": "sigmoid",
            "logsigmoid": "log_sigmoid",
            "tanh": "tanh",
            "tanhshrink": "tanh_shrink",
            "hardsigmoid": "hard_sigmoid",
            "hardswish": "hard_silu",
            "hardtanh": "hard_tanh",
            "hardshrink": "hard_shrink",
            "softshrink": "soft_shrink",
            "logsoftmax": "log_softmax",
        }.items()
    },
}
