"""FLOPs as the tools count them that go by the operators torch executes.

fvcore 0.1.5.post20221221 (`nn/flop_count.py`, `nn/jit_handles.py`) traces the module and
has a handle per operator: products of matrices without bias, normalisations, and of
pooling and upsampling the two-dimensional kinds it knows.

ptflops 0.7.5, backend `aten` (`aten_ops.py`): products of matrices, with their bias.

torch 2.13.0 (`torch.utils.flop_counter.FlopCounterMode`): two for each multiply-add of
products of matrices, nothing else. It has no formula for the attention kernel of CPUs, nor
have the other two: of attention with projections the projections alone count.

Figures are those of one sample at inference, without the fast paths of `torch.no_grad`.
"""

from __future__ import annotations

from archcalc.conventions.module_tools import estimated_norm, inference_norm, with_bias
from archcalc.conventions.terms import (
    BIAS,
    MULTIPLY_ADDS,
    POOLING,
    UPSAMPLING,
    Counts,
    Rule,
    TorchTool,
    each,
    per_unit,
)
from archcalc.conventions.torch_calls import Call

_PRODUCTS = "Conv*d ConvTranspose*d Linear torch.bmm torch.matmul"


def _products(times: int) -> Rule:
    return lambda call: {MULTIPLY_ADDS: times * call.macs}


def _projections(times: int) -> Rule:
    return lambda call: {MULTIPLY_ADDS: times * call.projected}


def _fvcore_upsampling(call: Call) -> Counts:
    each_unit = {"nearest": 1, "bilinear": 4}.get(call.more["mode"], 0)
    return {UPSAMPLING: each_unit * call.out_units} if call.more["rank"] == 2 else {}


def _projections_with_bias(call: Call) -> Counts:
    width, queries, keys = (call.more[n] for n in ("width", "queries", "keys"))
    biases = 2 * (queries + keys) * width if "in_proj_bias" in call.parameters else 0
    return {MULTIPLY_ADDS: call.projected, BIAS: biases}


FVCORE = TorchTool(
    "fvcore",
    "0.1.5.post20221221",
    "flops",
    1,
    {
        **each(_PRODUCTS, _products(1)),
        **each("BatchNorm*d", inference_norm),
        "LayerNorm": estimated_norm,
        "AdaptiveAvgPool2d": per_unit(POOLING),
        "Upsample": _fvcore_upsampling,
        "MultiheadAttention": _projections(1),
    },
)

PTFLOPS_ATEN = TorchTool(
    "ptflops-aten",
    "0.7.5",
    "MACs",
    1,
    {
        **each(_PRODUCTS, with_bias),
        "MultiheadAttention": _projections_with_bias,
    },
)

TORCH = TorchTool(
    "torch",
    "2.13.0",
    "FLOPs",
    2,
    {
        **each(_PRODUCTS, _products(2)),
        "MultiheadAttention": _projections(2),
    },
)
