"""The type of a row of the contract test, and inputs and values that many rows share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]
Inputs = tuple[Shape, ...]

# arguments of Keras's base class, and of its abstract bases, which subclasses set
LAYER_ARGUMENTS = {"name", "trainable", "dtype", "activity_regularizer", "autocast", "training"}
INTERNAL_ARGUMENTS = {"rank", "pool_dimensions", "pool_mode"}

# values of arguments by name; if they depend on the number of spatial axes, by rank
COMMON: dict[str, Any] = {
    "activation": [None, "relu", "softmax"],
    "use_bias": [True, False],
    "data_format": [None, "channels_first", "channels_last"],
    "padding": ["valid", "same"],
    "filters": [4, 6],
    "lora_rank": [None, 2],
    "depth_multiplier": [1, 3],
    "groups": [1, 2, 3],
    "units": [3, 2],
    "dropout": [0.0, 0.3],
    "recurrent_dropout": [0.0, 0.3],
    "recurrent_activation": ["sigmoid", "tanh"],
    "return_sequences": [False, True],
    "return_state": [False, True],
    "go_backwards": [False, True],
    "reset_after": [True, False],
    "use_causal_mask": [False, True],
    "return_attention_scores": [False, True],
    "use_gate": [False, True],
    "sliding_window": [None, 2],
    "keepdims": [False, True],
    "center": [True, False],
    "scale": [True, False],
    "epsilon": [1e-3, 0.1],
    "rate": [0.0, 0.3, 1.0],
    "kernel_size": {1: [1, 3, 4], 2: [3, (2, 4), (1, 3)], 3: [2, (3, 1, 2)]},
    "pool_size": {1: [2, 3], 2: [2, (3, 1), (2, 5)], 3: [2, (3, 1, 2)]},
    "strides": {1: [1, 2, 3], 2: [1, 2, (3, 1)], 3: [1, (2, 1, 3)]},
    "dilation_rate": {1: [1, 2], 2: [1, (1, 2), 3], 3: [1, (1, 2, 1)]},
    "output_padding": {1: [None, 0, 1], 2: [None, 1, (0, 1)], 3: [None, (1, 0, 2)]},
}


@dataclass(frozen=True)
class Cell:
    """One configuration of a layer type: constructor arguments as for Keras, and input shapes."""

    arguments: dict[str, Any]
    inputs: Inputs

    def __str__(self) -> str:
        return f"{self.arguments} on {self.inputs}"


@dataclass(frozen=True)
class Row:
    """How one layer type is tested; texts give the reason for an exception."""

    inputs: Sequence[Inputs]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    # arguments of Keras that are not fields of archcalc, with the reason
    left_out: Mapping[str, str] = field(default_factory=dict)
    # fields of archcalc that are not in Keras's signature, with the reason
    added: Mapping[str, str] = field(default_factory=dict)
    # why archcalc refuses a cell that Keras's shape inference accepts; "" if it does not
    stricter: Callable[[Cell], str] = lambda _: ""
    # how dependence is measured: "gradient", or "perturbation" for functions such as a maximum
    support: str = "gradient"
    dtype: str = "float64"
    tolerance: float = 1e-9
    step: float = 10.0
    # for an input (by number): single units may read "less" than declared, all units "together" read
    # what is declared, or a unit reads a "box" with gaps
    hull: Callable[[Cell, int], str] = lambda _cell, _number: ""
    # the window comes from a table or depends on a comparison, so that it is unknown for symbols
    tables: bool = False
    # further cells, for types whose combinations of values are mostly invalid
    also: Sequence[tuple[dict[str, Any], Inputs]] = ()
    # axes of size 1 have a different meaning, so that one array cannot have them and longer ones
    ones_stay: bool = False
    # whether Keras has the class; if not, other tests cover the type
    keras: bool = True


ONE_D: list[Inputs] = [((9, 4),), ((8, 6),), ((3, 2),), ((7,),)]
TWO_D: list[Inputs] = [((7, 6, 4),), ((5, 9, 3),), ((2, 8, 6),), ((8, 8),)]
THREE_D: list[Inputs] = [((5, 4, 3, 4),), ((4, 6, 3, 6),), ((4, 1, 5, 2),), ((4, 4, 4),)]
SPATIAL = {1: ONE_D, 2: TWO_D, 3: THREE_D}
ANY_RANK: list[Inputs] = [((5,),), ((4, 3),), ((3, 5, 4),), ((3, 2, 4, 3),)]
MERGING: list[Inputs] = [
    ((4, 5), (4, 5)),
    ((3, 4, 2), (3, 4, 2), (3, 4, 2)),
    ((3, 4, 2), (1, 1, 2)),
    ((3, 1, 2), (1, 4, 1)),
    ((5,), (4, 5)),
    ((3, 4), (2, 3, 1)),
    ((4, 5), (4, 6)),
    ((4, 5),),
]
CAUSAL = {"padding": ["valid", "same", "causal"]}
# reasons to be stricter than Keras's shape inference
BATCH_AXIS = "axis 0 is the batch: samples would be combined, and no figure would be per sample"
SINGLE_IMAGES = "Keras reads the batch as the height of a single image"
AT_THE_CALL = "Keras fails only when the layer is called on numbers, which the test does"


def spatial(rank: int, **more: Any) -> Row:
    return Row(SPATIAL[rank], **more)


def pooling(rank: int) -> Row:
    # The gradient of a maximum is nonzero at one unit only, and TensorFlow's gradient of a mean is wrong
    # if a `same` window is longer than the axis; kernels for three axes have no float64.
    return spatial(rank, support="perturbation", dtype="float32" if rank == 3 else "float64", tolerance=1e-5)


def elementwise(**values: Sequence[Any]) -> Row:
    return Row(ANY_RANK, values)


def augmenting(*unused: str, **values: Sequence[Any]) -> Row:
    reason = "an argument of the abstract base, which refuses it here"
    return Row(
        [*TWO_D, ((4, 5, 3),)],
        values=values,
        left_out=dict.fromkeys(unused, reason),
        stricter=lambda _: SINGLE_IMAGES,
    )


def softmax_axes(cell: Cell) -> str:
    axis = cell.arguments["axis"]
    rank = len(cell.inputs[0])
    axes = axis if isinstance(axis, tuple) else (axis,)
    return BATCH_AXIS if axis == 0 else AT_THE_CALL if any(a > rank for a in axes) else ""
