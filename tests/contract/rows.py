"""What a row of the contract test holds, and the inputs and values that many of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]
Inputs = tuple[Shape, ...]

# arguments of Keras's base class, and of its abstract bases that subclasses fill in
LAYER_ARGUMENTS = {"name", "trainable", "dtype", "activity_regularizer", "autocast"}
INTERNAL_ARGUMENTS = {"rank", "pool_dimensions", "pool_mode"}

# values for arguments by name; where they depend on the number of spatial axes, by rank
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
    """One configuration of one type: constructor arguments as Keras gets them, and input shapes."""

    arguments: dict[str, Any]
    inputs: Inputs

    def __str__(self) -> str:
        return f"{self.arguments} on {self.inputs}"


@dataclass(frozen=True)
class Row:
    """How one type is tested; texts say why a row departs from the rule."""

    inputs: Sequence[Inputs]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    # arguments of Keras that are no field of ours
    left_out: Mapping[str, str] = field(default_factory=dict)
    # fields of ours that are no argument in Keras's signature
    added: Mapping[str, str] = field(default_factory=dict)
    # why we refuse a cell although Keras's shape inference does not see the fault; "" elsewhere
    stricter: Callable[[Cell], str] = lambda _: ""
    # how dependence is measured: "gradient", or "perturbation" where a gradient shows the winner only
    support: str = "gradient"
    dtype: str = "float64"
    tolerance: float = 1e-9
    step: float = 10.0
    # inputs (by number) of which single units read "less" than declared, a "box" with gaps, or all
    # "together" just that
    hull: Callable[[Cell, int], str] = lambda _cell, _number: ""
    # what is read is looked up in a table, or hangs on a comparison: symbols leave it open
    tables: bool = False
    # cells beside the grid, where most combinations of values make no sense
    also: Sequence[tuple[dict[str, Any], Inputs]] = ()
    # an axis of 1 means something else than longer ones, so that no array holds both
    ones_stay: bool = False
    # no real class to compare with; its own tests stand elsewhere
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
BATCH_AXIS = "axis 0 is the batch: samples would mix, and no figure is per sample then"
SINGLE_IMAGES = "Keras takes the batch for the height of a single image"
AT_THE_CALL = "Keras notices it when the layer is called on numbers only, which the test does"


def spatial(rank: int, **more: Any) -> Row:
    return Row(SPATIAL[rank], **more)


def pooling(rank: int) -> Row:
    # A maximum's gradient shows the winner only, and TensorFlow's gradient of a mean is wrong where
    # a `same` window is longer than the axis; kernels for three axes have no float64.
    return spatial(rank, support="perturbation", dtype="float32" if rank == 3 else "float64", tolerance=1e-5)


def elementwise(**values: Sequence[Any]) -> Row:
    return Row(ANY_RANK, values)


def augmenting(*unused: str, **values: Sequence[Any]) -> Row:
    reason = "of the abstract base, which refuses it here"
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
