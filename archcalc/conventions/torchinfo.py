"""FLOPs as torchinfo 1.8.0 counts them (`layer_info.py`, `calculate_macs`), for one sample at inference.

It multiplies a module's parameters by the positions of its output if the name of its class contains Conv, and
by the batch size otherwise: a `Linear` on a sequence counts as on one vector.
"""

from __future__ import annotations

from archcalc.arith import prod
from archcalc.conventions.terms import (
    ACTIVATION,
    BIAS,
    CONVOLUTIONS,
    MULTIPLY_ADDS,
    NORMALISATION,
    NORMS,
    OTHER,
    Counts,
    Rule,
    TorchTool,
    each,
    gated,
)
from archcalc.conventions.torch_calls import Call, parameters_of


def _parameters(term: str) -> Rule:
    return lambda call: {term: parameters_of(call)}


def _parameters_by_position(call: Call) -> Counts:
    positions = prod(call.output[1:])
    return {MULTIPLY_ADDS: call.count("weight") * positions, BIAS: call.count("bias") * positions}


def _parameters_once(call: Call) -> Counts:
    return {MULTIPLY_ADDS: call.count("weight"), BIAS: call.count("bias")}


def _parameters_by_unit(call: Call) -> Counts:
    """The units of the state are taken for steps."""
    return {MULTIPLY_ADDS: call.out_units * call.macs, BIAS: call.out_units * call.biased}


TORCHINFO = TorchTool(
    "torchinfo",
    "1.8.0",
    "mult-adds",
    1,
    {
        **each(CONVOLUTIONS, _parameters_by_position),
        "Linear": _parameters_once,
        "torch.einsum": _parameters_once,
        **each("RNN LSTM GRU", gated(1, {"RNN": 0, "GRU": 0, "LSTM": 0})),
        **each("RNNCell LSTMCell GRUCell", _parameters_by_unit),
        **each(f"{NORMS} GroupNorm RMSNorm", _parameters(NORMALISATION)),
        "PReLU": _parameters(ACTIVATION),
        "Embedding": _parameters(OTHER),
    },
)
