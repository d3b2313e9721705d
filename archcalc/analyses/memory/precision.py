"""Tables of dtype policies and of optimisers' state; they import little, because `--help` lists them."""

from __future__ import annotations

from typing import NamedTuple


class Precision(NamedTuple):
    """Bytes of one weight and of one activation, and the type that layers compute in."""

    weight: int
    activation: int
    compute: str


SINGLE = 4  # bytes of a float32

# Keras's dtype policies: the mixed ones keep weights, gradients and optimiser state in float32
PRECISIONS = {
    "float32": Precision(4, 4, "float32"),
    "float16": Precision(2, 2, "float16"),
    "bfloat16": Precision(2, 2, "bfloat16"),
    "float64": Precision(8, 8, "float64"),
    "mixed_float16": Precision(4, 2, "float16"),
    "mixed_bfloat16": Precision(4, 2, "bfloat16"),
}

# state variables of Keras's optimisers per trained parameter, of the parameter's type; None: depends on
# the weight (see `optimizers`). `sgd` is Keras's default without momentum, `momentum` is SGD with it
OPTIMIZERS: dict[str, int | None] = {
    "adam": 2,
    "adamw": 2,
    "adamax": 2,
    "nadam": 2,
    "lamb": 2,
    "schedulefreeadamw": 2,
    "adadelta": 2,
    "ftrl": 2,
    "adafactor": None,
    "muon": None,
    "rmsprop": 1,
    "adagrad": 1,
    "lion": 1,
    "momentum": 1,
    "sgd": 0,
}
