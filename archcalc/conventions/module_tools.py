"""FLOPs as the tools count them that go by torch's modules and patched functions.

torchinfo 1.8.0 (`layer_info.py`, `calculate_macs`) multiplies the parameters of a module by
the places of its output where its class is named Conv, and by the batch elsewhere: a
`Linear` on a sequence counts as on one vector.

thop 0.1.1.post2209072238 (`vision/basic_hooks.py`) has a hook per class. Transposed
convolutions are counted as if their output were their input's place.

ptflops 0.7.5, backend `pytorch` (`pytorch_ops.py`) hooks modules and patches functions, so
that a module which calls a patched function counts twice: ReLU, ELU, GELU, PReLU, pooling
and upsampling do.

calflops 0.3.2 (`pytorch_ops.py`) patches functions. It sizes the bias of a transposed
convolution as if it were no transposed one, counts the input of an upsampling in place of
its output, and fails on one with two factors.

Figures are those of one sample at inference.
"""

from __future__ import annotations

from archcalc.arith import Size, floor_div, prod
from archcalc.conventions.terms import (
    ACTIVATION,
    BIAS,
    MULTIPLY_ADDS,
    NORMALISATION,
    OTHER,
    POOLING,
    UPSAMPLING,
    Counts,
    Rule,
    TorchTool,
    each,
    per_output,
    per_unit,
)
from archcalc.conventions.torch_calls import Call, NoCounterpartError, parameters_of

_CONVOLUTIONS = "Conv*d ConvTranspose*d"
_NORMS = "BatchNorm*d LayerNorm"
_POOLS = "MaxPool*d AvgPool*d AdaptiveMaxPool*d AdaptiveAvgPool*d"


def _none(_: Call) -> Counts:
    return {}


# -- torchinfo ------------------------------------------------------------------------------------
def _parameters(term: str) -> Rule:
    return lambda call: {term: parameters_of(call)}


def _parameters_by_place(call: Call) -> Counts:
    places = prod(call.output[1:])
    return {MULTIPLY_ADDS: call.count("weight") * places, BIAS: call.count("bias") * places}


def _parameters_once(call: Call) -> Counts:
    return {MULTIPLY_ADDS: call.count("weight"), BIAS: call.count("bias")}


TORCHINFO = TorchTool(
    "torchinfo",
    "1.8.0",
    "mult-adds",
    1,
    {
        **each(_CONVOLUTIONS, _parameters_by_place),
        "Linear": _parameters_once,
        **each(f"{_NORMS} RMSNorm", _parameters(NORMALISATION)),
        "PReLU": _parameters(ACTIVATION),
        "Embedding": _parameters(OTHER),
    },
)


# -- thop -----------------------------------------------------------------------------------------
def _by_output(call: Call) -> Counts:
    """Output units times the window times the input channels of a group."""
    weight = call.parameters["weight"]
    channels = call.input[0] if call.kind.startswith("ConvTranspose") else weight[1]
    return {MULTIPLY_ADDS: call.out_units * channels * prod(weight[2:])}


def _thop_norm(call: Call) -> Counts:
    return {NORMALISATION: (4 if call.affine else 2) * call.units}


def _thop_softmax(call: Call) -> Counts:
    """An exponential and a quotient each, and the sum of each group."""
    along = call.more["along"]
    return {ACTIVATION: 3 * call.units - floor_div(call.units, along)}


def _thop_global(call: Call) -> Counts:
    return {POOLING: call.units + call.out_units}


def _thop_upsampling(call: Call) -> Counts:
    each_unit = {"nearest": 1, "bilinear": 11, "bicubic": 259}
    return {UPSAMPLING: each_unit[call.more["mode"]] * call.out_units}


THOP = TorchTool(
    "thop",
    "0.1.1.post2209072238",
    "MACs",
    1,
    {
        **each(_CONVOLUTIONS, _by_output),
        "Linear": lambda call: {MULTIPLY_ADDS: call.macs},
        **each(_NORMS, _thop_norm),
        "PReLU": per_unit(ACTIVATION),
        "Softmax": _thop_softmax,
        **each("AvgPool*d", per_output(POOLING)),
        **each("AdaptiveAvgPool*d", _thop_global),
        "Upsample": _thop_upsampling,
    },
)


# -- ptflops, pytorch backend ---------------------------------------------------------------------
def with_bias(call: Call) -> Counts:
    return {MULTIPLY_ADDS: call.macs, BIAS: call.out_units if "bias" in call.parameters else 0}


def _ptflops_norm(call: Call) -> Counts:
    affine = call.affine and call.kind.startswith("BatchNorm")
    return {NORMALISATION: (2 if affine else 1) * call.units}


def _ptflops_attention(call: Call) -> Counts:
    """The bias of the result is counted even where there is none."""
    width, queries, keys = (call.more[n] for n in ("width", "queries", "keys"))
    biases = (queries + 2 * keys) * width if "in_proj_bias" in call.parameters else 0
    return {
        MULTIPLY_ADDS: call.macs,
        BIAS: biases + queries * width,
        ACTIVATION: call.more["heads"] * queries * keys,
        OTHER: queries * width,
    }


_FUNCTIONS = "F.relu F.relu6 F.elu F.gelu F.silu F.softmax"

PTFLOPS = TorchTool(
    "ptflops",
    "0.7.5",
    "MACs",
    1,
    {
        **each(f"{_CONVOLUTIONS} Linear", with_bias),
        **each(_NORMS, _ptflops_norm),
        **each("ReLU ELU GELU PReLU", per_unit(ACTIVATION, 2)),
        **each("ReLU6 LeakyReLU SiLU Softmax", per_unit(ACTIVATION)),
        **each(_FUNCTIONS, per_unit(ACTIVATION)),
        **each(_POOLS, per_unit(POOLING, 2)),
        "Upsample": per_output(UPSAMPLING, 2),
        **each("torch.bmm torch.matmul", lambda call: {MULTIPLY_ADDS: call.macs}),
        "MultiheadAttention": _ptflops_attention,
    },
)


# -- calflops -------------------------------------------------------------------------------------
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


def estimated_norm(call: Call) -> Counts:
    return {NORMALISATION: (5 if call.affine else 4) * call.units}


def inference_norm(call: Call) -> Counts:
    return {NORMALISATION: (2 if call.affine else 1) * call.units}


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
        "LayerNorm": estimated_norm,
        **each("ReLU LeakyReLU ELU GELU SiLU PReLU Softmax F.leaky_relu", per_unit(ACTIVATION)),
        **each(_FUNCTIONS, per_unit(ACTIVATION)),
        **each(_POOLS, per_unit(POOLING)),
        "Upsample": _calflops_upsampling,
        "MultiheadAttention": lambda call: {MULTIPLY_ADDS: 2 * call.projected},
    },
)
