"""Bytes of a number by its type, and what optimisers keep: tables, light enough for `--help`."""

from __future__ import annotations

from typing import NamedTuple

BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
}


class Precision(NamedTuple):
    """Bytes of one weight and of one activation."""

    weight: int
    activation: int


# Keras's dtype policies: the mixed ones keep weights, gradients and optimiser state in float32
PRECISIONS = {
    "float32": Precision(4, 4),
    "float16": Precision(2, 2),
    "bfloat16": Precision(2, 2),
    "float64": Precision(8, 8),
    "mixed_float16": Precision(4, 2),
    "mixed_bfloat16": Precision(4, 2),
}

# numbers that Keras's optimisers keep for each trainable parameter, in that parameter's own type;
# `sgd` has no momentum, as Keras's default, `momentum` is SGD with it
OPTIMIZER_SLOTS = {
    "adam": 2,
    "adamw": 2,
    "adamax": 2,
    "nadam": 2,
    "lamb": 2,
    "adadelta": 2,
    "ftrl": 2,
    "rmsprop": 1,
    "adagrad": 1,
    "lion": 1,
    "momentum": 1,
    "sgd": 0,
}
