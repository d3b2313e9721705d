"""FLOPs as ptflops 0.7.5 counts them, for one sample at inference.

The backend `pytorch` (`pytorch_ops.py`) hooks modules and patches functions, so that modules which call a
patched function count twice: ReLU, ELU, GELU, PReLU, pooling and upsampling. The backend `aten`
(`aten_ops.py`) counts operators that torch executes: convolutions and matrix products, with their bias.
"""

from __future__ import annotations

from archcalc.arith import certainly, equal
from archcalc.conventions.terms import (
    ACTIVATION,
    BIAS,
    CONVOLUTIONS,
    FUNCTIONS,
    MULTIPLY_ADDS,
    NORMALISATION,
    NORMS,
    OTHER,
    POOLING,
    POOLS,
    PRODUCTS,
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


def with_bias(call: Call) -> Counts:
    return {MULTIPLY_ADDS: call.macs, BIAS: call.out_units if "bias" in call.parameters else 0}


def _ptflops_norm(call: Call) -> Counts:
    affine = call.affine and call.kind != "LayerNorm"
    return {NORMALISATION: (2 if affine else 1) * call.units}


def _ptflops_upsampling(call: Call) -> Counts:
    """The function counts all samples, the module the first one."""
    return {UPSAMPLING: (call.times + 1) * call.out_units}


def _ptflops_attention(call: Call) -> Counts:
    """The bias of the output projection counts even where there is none."""
    width, queries, keys = (call.more[n] for n in ("width", "queries", "keys"))
    biases = (queries + 2 * keys) * width if "in_proj_bias" in call.parameters else 0
    return {
        MULTIPLY_ADDS: call.macs,
        BIAS: biases + queries * width,
        ACTIVATION: call.more["heads"] * queries * keys,
        OTHER: queries * width,
    }


PTFLOPS = TorchTool(
    "ptflops",
    "0.7.5",
    "MACs",
    1,
    {
        **each(f"{CONVOLUTIONS} Linear", with_bias),
        **each(f"{NORMS} GroupNorm", _ptflops_norm),
        **each("ReLU ELU GELU PReLU", per_unit(ACTIVATION, 2)),
        **each("ReLU6 LeakyReLU SiLU Softmax", per_unit(ACTIVATION)),
        **each(FUNCTIONS, per_unit(ACTIVATION)),
        **each(POOLS, per_unit(POOLING, 2)),
        "Upsample": _ptflops_upsampling,
        "F.interpolate": per_output(UPSAMPLING),
        **each("torch.bmm torch.matmul", lambda call: {MULTIPLY_ADDS: call.macs}),
        "MultiheadAttention": _ptflops_attention,
        **each(RECURRENT, gated(1, {"RNN": 1, "GRU": 7, "LSTM": 10})),
    },
    of_batch=("Upsample",),
)


# -- backend `aten` --------------------------------------------------------------------------------
def _projections_with_bias(call: Call) -> Counts:
    """The biases of the packed projection count for a single sample only."""
    width, queries, keys = (call.more[n] for n in ("width", "queries", "keys"))
    packed = queries + 2 * keys if certainly(equal(call.times, 1)) else 0
    biases = (packed + queries) * width if "in_proj_bias" in call.parameters else 0
    return {MULTIPLY_ADDS: call.projected, BIAS: biases}


def _recurrent_with_bias(call: Call) -> Counts:
    """The biases of the products of the input count for a single sample only, except those of cells."""
    alone = call.kind.endswith("Cell") or certainly(equal(call.times, 1))
    of_input = call.count("bias_ih") if alone else 0
    return {MULTIPLY_ADDS: call.macs, BIAS: call.steps * (of_input + call.count("bias_hh"))}


PTFLOPS_ATEN = TorchTool(
    "ptflops-aten",
    "0.7.5",
    "MACs",
    1,
    {
        **each(PRODUCTS, with_bias),
        "MultiheadAttention": _projections_with_bias,
        "torch.einsum": lambda call: {MULTIPLY_ADDS: call.more["by_matrices"]},
        **each("RNN GRU RNNCell GRUCell LSTMCell", _recurrent_with_bias),
    },
)
