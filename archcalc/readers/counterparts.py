"""What other libraries call the layer types and arguments of Keras, for the hints of messages."""

from __future__ import annotations

from collections.abc import Collection

from archcalc.readers.names import nearest, show

# by lower-case name, without a number of axes at its end
_TYPES = {
    **dict.fromkeys(("linear", "fc", "fullyconnected", "innerproduct", "fully_connected"), "Dense"),
    **dict.fromkeys(("convolution", "conv", "convolutional"), "Conv2D"),
    **dict.fromkeys(("convtranspose", "deconvolution", "deconv", "transposedconv"), "Conv2DTranspose"),
    **dict.fromkeys(("depthwise", "depthwiseconv", "depthwiseconvolution"), "DepthwiseConv2D"),
    **dict.fromkeys(("separableconv", "sepconv"), "SeparableConv2D"),
    **dict.fromkeys(("maxpool", "maxpooling", "pool", "pooling"), "MaxPooling2D"),
    **dict.fromkeys(("avgpool", "averagepool", "avgpooling"), "AveragePooling2D"),
    **dict.fromkeys(("globalavgpool", "globalaveragepool", "gap"), "GlobalAveragePooling2D"),
    **dict.fromkeys(("adaptiveavgpool",), "AdaptiveAveragePooling2D"),
    **dict.fromkeys(("batchnorm", "bn"), "BatchNormalization"),
    **dict.fromkeys(("layernorm", "ln"), "LayerNormalization"),
    **dict.fromkeys(("groupnorm", "instancenorm"), "GroupNormalization"),
    "rmsnorm": "RMSNormalization",
    "dropout": "SpatialDropout2D",
    **dict.fromkeys(("upsample", "upsampling", "interpolate"), "UpSampling2D"),
    **dict.fromkeys(("zeropad", "pad", "padding", "constantpad"), "ZeroPadding2D"),
    **dict.fromkeys(("cat", "concat", "route"), "Concatenate"),
    **dict.fromkeys(("sum", "eltwise", "shortcut", "residual", "skip", "plus"), "Add"),
    **dict.fromkeys(("mul", "product"), "Multiply"),
    **dict.fromkeys(("sigmoid", "tanh", "gelu", "silu", "swish", "mish", "hardswish", "selu"), "Activation"),
    **dict.fromkeys(("attention", "selfattention", "multiheadattention", "mha"), "MultiHeadAttention"),
}
# words for one argument; those that Keras uses in one layer or another are among them
_ARGUMENTS = (
    ("filters", "units", "output_dim", "out_channels", "out_features", "num_output", "num_filters",
     "nb_filter", "nb_filters", "n_filters", "channels", "features", "hidden_size", "neurons",
     "embedding_dim"),
    ("kernel_size", "pool_size", "size", "kernel", "ksize", "kernel_shape", "filter_size", "scale_factor"),
    ("strides", "stride", "subsample"),
    ("dilation_rate", "dilation", "dilations"),
    ("padding", "pad", "pads", "border_mode"),
    ("use_bias", "bias"),
    ("rate", "p", "prob", "drop_prob", "dropout_rate"),
    ("groups", "num_groups", "group"),
    ("epsilon", "eps"),
    ("axis", "dim"),
    ("activation", "act", "activation_fn", "nonlinearity", "activation_function"),
    ("input_dim", "num_embeddings", "vocab_size"),
    ("negative_slope", "alpha", "slope"),
)  # fmt: skip
_FROM_THE_INPUT = (
    "in_channels",
    "in_features",
    "num_features",
    "input_size",
    "input_dim",
    "normalized_shape",
)


def meant_type(name: str, known: Collection[str]) -> str | None:
    """The type of Keras that another library, or a user, calls by this name."""
    bare = name.lower()
    axes = bare[-2] if bare[-2:] in ("1d", "2d", "3d") else ""
    counterpart = _TYPES.get(bare[:-2] if axes else bare)
    if counterpart is None or any(bare == k.lower() for k in known):
        return nearest(name, known)
    return counterpart.replace("2D", f"{axes}D") if axes else counterpart


def type_hint(name: str, known: Collection[str]) -> str:
    """`; did you mean 'Conv2D'?`, or nothing where no type is near."""
    meant = meant_type(name, known)
    if meant is None:
        return ""
    more = f' with "activation": {show(name.lower())}' if meant == "Activation" else ""
    return f"; did you mean {show(meant)}{more}?"


def meant_argument(key: str, known: Collection[str]) -> str | None:
    """The argument among these that another library, or another layer, calls by this name."""
    for words in _ARGUMENTS:
        if key.lower() in words:
            found = next((word for word in words if word in known), None)
            if found is not None:
                return found
    return nearest(key, known)


def argument_hint(key: str, meant: str | None) -> str:
    """The rest of a message about an argument that a layer does not have."""
    if meant is not None:
        return f"; did you mean {show(meant)}?"
    return "; Keras takes it from the input, so leave it out" if key in _FROM_THE_INPUT else ""
