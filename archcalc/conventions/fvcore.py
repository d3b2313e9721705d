"""FLOPs as fvcore 0.1.5.post20221221 counts them (`nn/flop_count.py`, `nn/jit_handles.py`), for one sample.

It traces the module and has a handle per operator: convolutions and matrix products without bias,
normalisations, and some two-dimensional poolings and upsamplings. It has no formula for the attention kernel
of CPUs, so that only the projections of MultiheadAttention count. The fast paths of `torch.no_grad` are not
used.
"""

from __future__ import annotations

from archcalc.conventions.terms import (
    POOLING,
    PRODUCTS,
    UPSAMPLING,
    Counts,
    TorchTool,
    each,
    estimated_norm,
    inference_norm,
    per_unit,
    products,
    projections,
)
from archcalc.conventions.torch_calls import Call


def _fvcore_upsampling(call: Call) -> Counts:
    each_unit = {"nearest": 1, "bilinear": 4}.get(call.more["mode"], 0)
    return {UPSAMPLING: each_unit * call.out_units} if call.more["rank"] == 2 else {}


FVCORE = TorchTool(
    "fvcore",
    "0.1.5.post20221221",
    "flops",
    1,
    {
        **each(PRODUCTS, products(1)),
        **each("BatchNorm*d", inference_norm),
        "LayerNorm": estimated_norm,
        "AdaptiveAvgPool2d": per_unit(POOLING),
        "Upsample": _fvcore_upsampling,
        "MultiheadAttention": projections(1),
    },
)
