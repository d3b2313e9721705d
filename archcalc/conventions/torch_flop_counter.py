"""FLOPs as torch 2.13.0 counts them (`torch.utils.flop_counter.FlopCounterMode`), for one sample.

Two for each multiply-add of products of matrices, nothing else. It has no formula for the attention kernel of
CPUs: of attention with projections the projections alone count. Without the fast paths of `torch.no_grad`.
"""

from __future__ import annotations

from archcalc.conventions.terms import (
    PRODUCTS,
    TorchTool,
    each,
    products,
    projections,
)

TORCH = TorchTool(
    "torch",
    "2.13.0",
    "FLOPs",
    2,
    {
        **each(PRODUCTS, products(2)),
        "MultiheadAttention": projections(2),
    },
)
