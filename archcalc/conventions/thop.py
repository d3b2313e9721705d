"""FLOPs as thop 0.1.1.post2209072238 counts them (`vision/basic_hooks.py`), for one sample at inference.

It has a hook per module class. For a transposed convolution it multiplies by the positions of the output
instead of those of the input.
"""

from __future__ import annotations

from archcalc.arith import floor_div, prod
from archcalc.conventions.terms import (
    ACTIVATION,
    CONVOLUTIONS,
    MULTIPLY_ADDS,
    NORMALISATION,
    NORMS,
    POOLING,
    RECURRENT,
    UPSAMPLING,
    Counts,
    TorchTool,
    each,
    gated,
    per_output,
    per_unit,
)
from archcalc.conventions.torch_calls import Call


def _by_output(call: Call) -> Counts:
    """Output units times the size of the window times the input channels of a group."""
    weight = call.parameters["weight"]
    channels = call.input[0] if call.kind.startswith("ConvTranspose") else weight[1]
    return {MULTIPLY_ADDS: call.out_units * channels * prod(weight[2:])}


def _thop_norm(call: Call) -> Counts:
    return {NORMALISATION: (4 if call.affine else 2) * call.units}


def _thop_softmax(call: Call) -> Counts:
    """One exponential and one quotient per unit, and the additions along the softmax axis."""
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
        **each(CONVOLUTIONS, _by_output),
        "Linear": lambda call: {MULTIPLY_ADDS: call.macs},
        **each(NORMS, _thop_norm),
        "PReLU": per_unit(ACTIVATION),
        "Softmax": _thop_softmax,
        **each("AvgPool*d", per_output(POOLING)),
        **each("AdaptiveAvgPool*d", _thop_global),
        "Upsample": _thop_upsampling,
        **each(RECURRENT, gated(1, {"RNN": 1, "GRU": 7, "LSTM": 8})),
    },
)
