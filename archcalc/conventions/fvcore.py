"""FLOPs as fvcore 0.1.5.post20221221 counts them (`nn/flop_count.py`, `nn/jit_handles.py`), for one sample.

It traces the module and has a handle per operator: convolutions and matrix products without bias,
normalisations, and some two-dimensional poolings and upsamplings. It has no formula for the attention kernel
of CPUs, so that only the projections of MultiheadAttention count, and none for recurrent modules (their cells
are traced into products). The fast paths of `torch.no_grad` are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archcalc.arith import Size
from archcalc.conventions.terms import (
    MULTIPLY_ADDS,
    POOLING,
    PRODUCTS,
    UPSAMPLING,
    Counts,
    TorchTool,
    each,
    einsum_by_numpy,
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


def _fvcore_einsum(call: Call) -> Counts:
    return {MULTIPLY_ADDS: einsum_by_numpy(call) // 2}


def activations(call: Call) -> Size:
    """The call's part of `ActivationCountAnalysis`: units of the outputs of convolutions and products."""
    rule = _ACTIVATIONS.get(call.kind)
    return call.times * rule(call) if rule is not None else 0


def _projected_units(call: Call) -> Size:
    """Units of the projected queries, keys, values and results."""
    projected: Size = 2 * (call.more["queries"] + call.more["keys"]) * call.more["width"]
    return projected


_ACTIVATIONS: Mapping[str, Callable[[Call], Size]] = {
    **dict.fromkeys(each(f"{PRODUCTS} torch.einsum", products(1)), lambda call: call.out_units),
    **dict.fromkeys(
        each("RNNCell LSTMCell GRUCell", products(1)), lambda call: 2 * call.parameters["weight_ih"][0]
    ),
    "MultiheadAttention": _projected_units,
}

FVCORE = TorchTool(
    "fvcore",
    "0.1.5.post20221221",
    "flops",
    1,
    {
        **each(PRODUCTS, products(1)),
        **each("BatchNorm*d", inference_norm),
        **each("LayerNorm GroupNorm", estimated_norm),
        "AdaptiveAvgPool2d": per_unit(POOLING),
        **each("Upsample F.interpolate", _fvcore_upsampling),
        "MultiheadAttention": projections(1),
        "torch.einsum": _fvcore_einsum,
        **each("RNNCell LSTMCell GRUCell", products(1)),
    },
    of_batch=("torch.einsum",),
)
