"""Work by layer type: multiply-adds against sums of ones in real Keras, other operations by hand.

The convention is docs/conventions.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from archcalc.errors import LayerError
from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from tests import keras_oracle
from tests.test_contract import REAL_TYPES, accepted, outcomes

# -- multiply-adds -----------------------------------------------------------------------------------
WITH_MACS = [
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "EinsumDense",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "STFTSpectrogram",
]


def made(name: str, **arguments: Any) -> Layer:
    cls = registered()[name]
    return cls(**{cls.spec_names.get(k, k): v for k, v in arguments.items()})


def ones_summed(layer: Layer, inputs: tuple[tuple[int, ...], ...]) -> int:
    """The number of products in all output units: their sum if all inputs and weights are 1."""
    real = keras_oracle.make_raw(type(layer), {**layer.keras_arguments(), "dtype": "float64"})
    keras_oracle.build(real, inputs)
    for weight in real.weights:
        weight.assign(np.zeros(weight.shape) if "bias" in weight.name else np.ones(weight.shape))
    return round(float(np.sum(keras_oracle.layer_call(real)([np.ones((1, *s)) for s in inputs]))))


# arguments without which products are with padding, or something changes the sums
PLAIN = {
    "mode": "real",
    "padding": "valid",
    "activation": None,
    "lora_rank": None,
    "normalize": False,
    "data_format": None,
}


def countable(name: str) -> Iterator[tuple[Layer, tuple[tuple[int, ...], ...]]]:
    """The layers of the contract's grid with the arguments `PLAIN`, on all valid inputs."""
    cls = registered()[name]
    for o in outcomes(name):
        plain = {cls.spec_names.get(k, k): PLAIN.get(k, v) for k, v in o.cell.arguments.items()}
        try:
            layer = cls(**plain)
            layer.output_shape(*o.cell.inputs)
            layer.weights(*o.cell.inputs)
        except LayerError:
            continue
        yield layer, o.cell.inputs


@pytest.mark.parametrize("name", WITH_MACS)
def test_macs_are_the_products_of_ones(name: str) -> None:
    counted = 0
    for layer, inputs in countable(name):
        try:
            products = ones_summed(layer, inputs)
        except keras_oracle.CANNOT_RUN:
            continue
        assert layer.macs(*inputs) == products, f"{layer} on {inputs}"
        counted += 1
    assert counted > 4


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
def test_padding_counts(name: str) -> None:
    """`same` has the MACs of `valid` on the padded input."""
    for o in accepted(name):
        layer = o.layer
        if layer is None or layer.padding != "same" or layer.channels_first:  # type: ignore[attr-defined]
            continue
        (x,) = o.cell.inputs
        padded = tuple(
            (len(range(0, n, s)) - 1) * s + d * (k - 1) + 1
            for n, k, s, d in zip(
                x[:-1],
                layer.kernel_size,  # type: ignore[attr-defined]
                layer.strides,  # type: ignore[attr-defined]
                layer.dilation_rate,  # type: ignore[attr-defined]
                strict=True,
            )
        )
        valid = dataclasses.replace(layer, padding="valid")  # type: ignore[type-var]
        assert layer.macs(x) == valid.macs((*padded, x[-1])), f"{o.cell}"


def test_a_separable_convolution_is_two_convolutions() -> None:
    x = (9, 8, 6)
    layer = made("SeparableConv2D", filters=5, kernel_size=3, depth_multiplier=2, strides=2)
    depthwise = made("DepthwiseConv2D", kernel_size=3, depth_multiplier=2, strides=2)
    pointwise = made("Conv2D", filters=5, kernel_size=1)
    assert layer.macs(x) == depthwise.macs(x) + pointwise.macs(tuple(depthwise.output_shape(x)))


# counted by hand in tests/layers/test_sequences.py
SEQUENCES = {
    n
    for n, cls in registered().items()
    if cls.__module__.split(".")[-1] in ("attention", "recurrent", "conv_recurrent", "wrappers")
}


@pytest.mark.parametrize("name", sorted(set(REAL_TYPES) - set(WITH_MACS) - SEQUENCES))
def test_all_others_have_none(name: str) -> None:
    if name.startswith("SeparableConv") or name == "ReversibleEmbedding":
        return
    for o in accepted(name):
        assert o.layer.macs(*o.cell.inputs) == 0  # type: ignore[union-attr]


def test_a_reversible_embedding_multiplies_backwards_only() -> None:
    layer = made("ReversibleEmbedding", input_dim=7, output_dim=3, reverse=True, logit_soft_cap=2.0)
    assert layer.macs((4, 3)) == 4 * 3 * 7
    assert layer.elementwise_ops((4, 3)) == 3 * (4 * 7)
    assert made("ReversibleEmbedding", input_dim=7, output_dim=3).macs((4,)) == 0


def test_every_implementation_of_a_locally_connected_layer_works_as_much() -> None:
    work = {
        made("LocallyConnected2D", filters=4, kernel_size=3, implementation=i).macs((8, 8, 2))
        for i in (1, 2, 3)
    }
    assert work == {6 * 6 * 4 * 9 * 2}


# -- elementwise operations, by hand -------------------------------------------------------------------
IMAGE = (4, 6, 3)  # 72 units


@pytest.mark.parametrize(
    ("layer", "inputs", "operations"),
    [
        (made("Conv2D", filters=2, kernel_size=3), [IMAGE], 2 * 4 * 2),  # bias
        (made("Conv2D", filters=2, kernel_size=3, use_bias=False), [IMAGE], 0),
        (made("Conv2D", filters=2, kernel_size=3, activation="relu"), [IMAGE], 2 * (2 * 4 * 2)),
        (made("Conv2D", filters=2, kernel_size=3, activation="linear"), [IMAGE], 2 * 4 * 2),
        (made("Conv2DTranspose", filters=2, kernel_size=2, strides=2), [IMAGE], 8 * 12 * 2),
        (made("SeparableConv2D", filters=2, kernel_size=3, activation="silu"), [IMAGE], 2 * (2 * 4 * 2)),
        (made("DepthwiseConv2D", kernel_size=3, depth_multiplier=2), [IMAGE], 2 * 4 * 6),
        (made("LocallyConnected2D", filters=2, kernel_size=3), [IMAGE], 2 * 4 * 2),
        (made("Dense", units=5, activation="softmax"), [IMAGE], 2 * (4 * 6 * 5)),
        (made("BatchNormalization"), [IMAGE], 2 * 72),
        (made("BatchNormalization", center=False, scale=False), [IMAGE], 2 * 72),
        (made("LayerNormalization"), [IMAGE], 7 * 72),
        (made("LayerNormalization", center=False, scale=False), [IMAGE], 5 * 72),
        (made("LayerNormalization", rms_scaling=True), [IMAGE], 6 * 72),
        (made("RMSNormalization"), [IMAGE], 4 * 72),
        (made("UnitNormalization"), [IMAGE], 3 * 72),
        (made("GroupNormalization", groups=3), [IMAGE], 7 * 72),
        (made("GroupNormalization", groups=3, scale=False), [IMAGE], 6 * 72),
        (made("AdaptiveAveragePooling2D", output_size=(2, 4)), [IMAGE], (2 * 4 * 3) * 2 * 2),
        (made("EinsumDense", equation="abc,cd->abd", output_shape=(4, 5), bias_axes="d"), [(4, 6)], 4 * 5),
        (made("EinsumDense", equation="ab,bc->ac", output_shape=5, activation="relu"), [(4,)], 5),
        (made("CenterCrop", height=2, width=3), [IMAGE], 0),
        (made("Resizing", height=2, width=3), [IMAGE], (2 * 3 * 3) * 7),
        (made("AutoContrast"), [IMAGE], 5 * 72),
        (made("RandAugment"), [IMAGE], 0),
        (made("CategoryEncoding", num_tokens=4), [(5,)], 0),
        # 3 frames of 2 channels and 3 frequencies; two squares, sum, clip, root; clip and logarithm
        (made("STFTSpectrogram", frame_length=4), [(8, 2)], 7 * (3 * 2 * 3)),
        (made("STFTSpectrogram", frame_length=4, mode="stft"), [(8, 2)], 0),
        (made("MaxPooling2D", pool_size=2), [IMAGE], 2 * 3 * 3 * 4),
        (made("AveragePooling2D", pool_size=3, strides=1, padding="same"), [IMAGE], 72 * 9),
        (made("GlobalAveragePooling2D"), [IMAGE], 72),
        (made("GlobalMaxPooling2D", keepdims=True), [IMAGE], 72),
        (made("Add"), [IMAGE, IMAGE, IMAGE], 2 * 72),
        (made("Add"), [IMAGE], 0),
        (made("Multiply"), [IMAGE, (1, 1, 3)], 72),
        (made("Maximum"), [(4, 1, 3), (1, 6, 3)], 72),
        (made("Average"), [IMAGE, IMAGE], 2 * 72),
        (made("Subtract"), [IMAGE, IMAGE], 72),
        (made("Concatenate"), [IMAGE, IMAGE], 0),
        (made("Dot", axes=1), [(5,), (5,)], 0),
        (made("Dot", axes=1, normalize=True), [(5,), (5,)], 3 * 10),
        (made("UpSampling2D"), [IMAGE], 0),
        (made("UpSampling2D", interpolation="bilinear"), [IMAGE], 4 * 72 * 7),
        (made("UpSampling2D", interpolation="bicubic"), [IMAGE], 4 * 72 * 31),
        (made("UpSampling2D", interpolation="lanczos3"), [IMAGE], 4 * 72 * 71),
        (made("UpSampling2D", interpolation="lanczos5"), [IMAGE], 4 * 72 * 199),
        (made("Rescaling", scale=1 / 255), [IMAGE], 2 * 72),
        (made("Masking"), [IMAGE], 2 * 72),
        (made("Normalization"), [IMAGE], 2 * 72),
        (made("ReLU", max_value=6.0), [IMAGE], 72),
        (made("PReLU", shared_axes=[1, 2]), [IMAGE], 72),
        (made("Softmax"), [IMAGE], 72),
        (made("Dropout", rate=0.5), [IMAGE], 0),
        (made("GaussianNoise", stddev=0.5), [IMAGE], 0),
        (made("Flatten"), [IMAGE], 0),
        (made("Reshape", target_shape=[-1, 3]), [IMAGE], 0),
        (made("ZeroPadding2D"), [IMAGE], 0),
        (made("Embedding", input_dim=9, output_dim=4), [(7,)], 0),
        (made("InputLayer", shape=IMAGE), [], 0),
    ],
    ids=repr,
)
def test_elementwise_operations(layer: Layer, inputs: list[Any], operations: int) -> None:
    assert layer.elementwise_ops(*inputs) == operations


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_is_one_operation_a_unit(name: str) -> None:
    expected = 0 if name == "linear" else math.prod(IMAGE)
    assert made("Activation", activation=name).elementwise_ops(IMAGE) == expected
