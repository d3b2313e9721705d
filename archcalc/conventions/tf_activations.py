"""FLOPs of activations as TensorFlow's profiler counts them."""

from __future__ import annotations

from collections.abc import Mapping

# per output unit
ACTIVATION_FLOPS: Mapping[str, int] = {
    "linear": 0,
    "relu": 0,
    "relu6": 0,
    "leaky_relu": 0,
    "elu": 0,
    "selu": 0,
    "sigmoid": 0,
    "tanh": 0,
    "softplus": 0,
    "softsign": 0,
    "exponential": 0,
    "log_softmax": 0,
    "mish": 1,
    "tanh_shrink": 1,
    "hard_shrink": 1,
    "silu": 2,
    "log_sigmoid": 2,
    "hard_sigmoid": 2,
    "hard_tanh": 2,
    "hard_silu": 3,
    "gelu": 4,
    "squareplus": 4,
    "soft_shrink": 4,
    "sparse_sigmoid": 4,
    "celu": 5,
    "sparse_plus": 5,
    "softmax": 5,
}
# not counted yet: their operations depend on the number of units, or they take arguments
NOT_COUNTED = ("threshold", "sparsemax", "glu")
