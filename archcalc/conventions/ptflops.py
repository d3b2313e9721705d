"""FLOPs as ptflops 0.7.5 counts them, for one sample at inference.

The backend `pytorch` (`pytorch_ops.py`) hooks modules and patches functions, so that modules which call a
patched function count twice: ReLU, ELU, GELU, PReLU, pooling and upsampling. The backend `aten`
(`aten_ops.py`) counts operators that torch executes: convolutions and matrix products, with their bias.
"""

from __future__ import annotations

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
    UPSAMPLING,
    Counts,
    TorchTool,
    each,
    per_output,
    per_unit,
)
from archcalc.conventions.torch_calls import Call


def with_bias(call: Call) -> Counts:
    return {MULTIPLY_ADDS: call.macs, BIAS: call.out_units if "bias" in call.parameters else 0}


def _ptflops_norm(call: Call) -> Counts:
    affine = call.affine and call.kind.startswith("BatchNorm")
    return {NORMALISATION: (2 if affine else 1) * call.units}


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
        **each(NORMS, _ptflops_norm),
        **each("ReLU ELU GELU PReLU", per_unit(ACTIVATION, 2)),
        **each("ReLU6 LeakyReLU SiLU Softmax", per_unit(ACTIVATION)),
        **each(FUNCTIONS, per_unit(ACTIVATION)),
        **each(POOLS, per_unit(POOLING, 2)),
        "Upsample": per_output(UPSAMPLING, 2),
        **each("torch.bmm torch.matmul", lambda call: {MULTIPLY_ADDS: call.macs}),
        "MultiheadAttention": _ptflops_attention,
    },
)


# -- backend `aten` --------------------------------------------------------------------------------
def _projections_with_bias(call: Call) -> Counts:
    width, queries, keys = (call.more[n] for n in ("width", "queries", "keys"))
    biases = 2 * (queries + keys) * width if "in_proj_bias" in call.parameters else 0
    return {MULTIPLY_ADDS: call.projected, BIAS: biases}


PTFLOPS_ATEN = TorchTool(
    "ptflops-aten",
    "0.7.5",
    "MACs",
    1,
    {
        **each(PRODUCTS, with_bias),
        "MultiheadAttention": _projections_with_bias,
    },
)
