"""FLOPs as calflops 0.3.2 counts them (`pytorch_ops.py`), for one sample at inference.

It patches functions. It counts the bias of a transposed convolution as that of a convolution, the input of an
upsampling instead of its output, and fails on an upsampling with a factor for each axis.
"""

from __future__ import annotations

from archcalc.arith import Size, floor_div, prod
from archcalc.conventions.terms import (
    ACTIVATION,
    BIAS,
    FUNCTIONS,
    MULTIPLY_ADDS,
    OTHER,
    POOLING,
    POOLS,
    RECURRENT,
    UPSAMPLING,
    Counts,
    TorchTool,
    each,
    einsum_by_numpy,
    estimated_norm,
    inference_norm,
    per_unit,
)
from archcalc.conventions.torch_calls import Call, NoCounterpartError


def _twice(call: Call) -> Counts:
    return {MULTIPLY_ADDS: 2 * call.macs}


def _calflops_convolution(call: Call) -> Counts:
    return {**_twice(call), BIAS: call.out_units if "bias" in call.parameters else 0}


def _calflops_transposed(call: Call) -> Counts:
    if "bias" not in call.parameters:
        return _twice(call)
    _, channels, *kernel = call.parameters["weight"]
    columns = (call.input[1:], call.more["padding"], kernel, call.more["strides"], call.more["dilation"])
    sides = [_side(*column) for column in zip(*columns, strict=True)]
    return {**_twice(call), BIAS: channels * prod(sides)}


def _side(n: Size, p: Size, k: Size, s: Size, d: Size) -> Size:
    return floor_div(n + 2 * p - (d * (k - 1) + 1), s) + 1


def _calflops_recurrent(call: Call) -> Counts:
    """Per unit of each product one addition less than multiplications."""
    less = 2 * call.steps * call.parameters["weight_ih"][0]
    others = {"RNN": 1, "GRU": 7, "LSTM": 10}[call.kind.removesuffix("Cell")] * call.steps * call.output[-1]
    return {MULTIPLY_ADDS: 2 * call.macs - less, BIAS: call.biased, OTHER: others}


def _calflops_interpolation(call: Call) -> Counts:
    """The positions of the output, whatever the channels and the samples."""
    return {UPSAMPLING: prod(call.output[1:])}


def _calflops_upsampling(call: Call) -> Counts:
    if not call.more["one_factor"]:
        raise NoCounterpartError("calflops fails where an Upsample has a factor for each axis")
    return {UPSAMPLING: call.units}


CALFLOPS = TorchTool(
    "calflops",
    "0.3.2",
    "FLOPs",
    2,
    {
        **each("Conv*d", _calflops_convolution),
        **each("ConvTranspose*d", _calflops_transposed),
        **each("Linear torch.matmul", _twice),
        **each("BatchNorm*d", inference_norm),
        **each("LayerNorm GroupNorm", estimated_norm),
        **each("ReLU LeakyReLU ELU GELU SiLU PReLU Softmax F.leaky_relu", per_unit(ACTIVATION)),
        **each(FUNCTIONS, per_unit(ACTIVATION)),
        **each(POOLS, per_unit(POOLING)),
        "Upsample": _calflops_upsampling,
        "MultiheadAttention": lambda call: {MULTIPLY_ADDS: 2 * call.projected},
        "torch.einsum": lambda call: {MULTIPLY_ADDS: einsum_by_numpy(call)},
        "F.interpolate": _calflops_interpolation,
        **each(RECURRENT, _calflops_recurrent),
    },
    of_batch=("torch.einsum", "F.interpolate"),
)
