"""FLOPs as torch 2.13.0 counts them (`torch.utils.flop_counter.FlopCounterMode`), for one sample.

It counts 2 per multiply-add of convolutions and matrix products, and nothing else. It has no formula for
the attention kernel of CPUs, so that only the projections of MultiheadAttention count, and none for that of
LSTM. The fast paths of `torch.no_grad` are not used.
"""

from __future__ import annotations

from archcalc.conventions.terms import (
    MULTIPLY_ADDS,
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
        "torch.einsum": lambda call: {MULTIPLY_ADDS: 2 * call.more["by_matrices"]},
        **each("RNN GRU RNNCell GRUCell LSTMCell", products(2)),
    },
)
