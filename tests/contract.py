"""The rows of the contract test: how each layer type is exercised against real Keras.

A row lists input shapes and, for constructor arguments that the common table does not know,
values. Everything else is derived: the arguments and their defaults from Keras's signatures,
the grid by covering all pairs of values. See tests/test_contract.py for what is checked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.base import Layer, registered

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
    # inputs (by number) of which single units read "less" than declared, or all "together" just that
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


def _spatial(rank: int, **more: Any) -> Row:
    return Row(SPATIAL[rank], **more)


def _pooling(rank: int) -> Row:
    # A maximum's gradient shows the winner only, and TensorFlow's gradient of a mean is wrong where
    # a `same` window is longer than the axis; kernels for three axes have no float64.
    return _spatial(rank, support="perturbation", dtype="float32" if rank == 3 else "float64", tolerance=1e-5)


def _elementwise(**values: Sequence[Any]) -> Row:
    return Row(ANY_RANK, values)


def _augmenting(*unused: str, **values: Sequence[Any]) -> Row:
    reason = "of the abstract base, which refuses it here"
    return Row(
        [*TWO_D, ((4, 5, 3),)],
        values=values,
        left_out=dict.fromkeys(unused, reason),
        stricter=lambda _: SINGLE_IMAGES,
    )


def _softmax_axes(cell: Cell) -> str:
    axis = cell.arguments["axis"]
    rank = len(cell.inputs[0])
    axes = axis if isinstance(axis, tuple) else (axis,)
    return BATCH_AXIS if axis == 0 else AT_THE_CALL if any(a > rank for a in axes) else ""


ROWS: dict[str, Row] = {
    "InputLayer": Row(
        [()],
        {"shape": [(), (5,), (4, 3), (7, 6, 3)]},
        left_out={
            "batch_shape": "a spelling of `shape` that the Keras reader translates",
            "input_tensor": "a live tensor",
        },
    ),
    "Opaque": Row([((5, 4),)], keras=False),
    "Dense": Row(
        [*ANY_RANK, ((),)],
        {"units": [2, 5]},
    ),
    "Embedding": Row(
        [((5,),), ((3, 4),), ((),)],
        {"input_dim": [7, 11], "output_dim": [3, 1]},
        left_out={"weights": "initial values; their shape is known without them"},
        support="perturbation",
        step=1.0,
    ),
    "Identity": _elementwise(),
    "Masking": _elementwise(mask_value=[0.0, 1.0]),
    "Rescaling": _elementwise(scale=[2.0, 0.5], offset=[0.0, -1.0]),
    "Conv1D": _spatial(1, values=CAUSAL),
    "Conv2D": _spatial(2),
    "Conv3D": _spatial(3),
    "DepthwiseConv1D": _spatial(1),
    "DepthwiseConv2D": _spatial(2),
    "SeparableConv1D": _spatial(1),
    "SeparableConv2D": _spatial(2),
    "Conv1DTranspose": _spatial(1),
    "Conv2DTranspose": _spatial(2),
    "Conv3DTranspose": _spatial(3),
    "LocallyConnected1D": _spatial(1, values={"implementation": [1, 2, 3]}),
    "LocallyConnected2D": _spatial(2, values={"implementation": [1, 2, 3]}),
    **{f"MaxPooling{n}D": _pooling(n) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": _pooling(n) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": _pooling(n) for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": _pooling(n) for n in (1, 2, 3)},
    "BatchNormalization": Row(ANY_RANK, {"axis": [-1, 1, 2, 0], "renorm": [False, True]}),
    "LayerNormalization": Row(
        ANY_RANK,
        {"axis": [-1, 1, (2, 1), (1, -1), 3, 0], "rms_scaling": [False, True]},
        added={"rms_scaling": "taken out of **kwargs, and written to every configuration"},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axis"] == 0 else "",
    ),
    "Activation": Row([((5,),), ((3, 5, 4),)], {"activation": [None, *ACTIVATIONS]}, support="perturbation"),
    "ReLU": _elementwise(max_value=[None, 6.0], negative_slope=[0.0, 0.2], threshold=[0.0, 0.25]),
    "LeakyReLU": _elementwise(negative_slope=[0.3, 0.0]),
    "ELU": _elementwise(alpha=[1.0, 0.5]),
    "PReLU": _elementwise(shared_axes=[None, 1, (1, 2), (-1,), 0, (3,)]),
    "Softmax": Row(
        ANY_RANK,
        {"axis": [-1, 1, (1, 2), 3, 0]},
        stricter=_softmax_axes,
    ),
    "Dropout": _elementwise(),
    "AlphaDropout": _elementwise(),
    "GaussianDropout": _elementwise(),
    "GaussianNoise": _elementwise(stddev=[0.0, 0.5]),
    "ActivityRegularization": _elementwise(),
    "RandomFlip": _augmenting("factor", mode=["horizontal", "vertical"]),
    "RandomRotation": _augmenting(factor=[0.1, (-0.2, 0.3)]),
    "RandomTranslation": _augmenting("factor", height_factor=[0.1, (-0.2, 0.3)], width_factor=[0.1, 0.5]),
    **{f"SpatialDropout{n}D": _spatial(n) for n in (1, 2, 3)},
    "Flatten": Row([*ANY_RANK, ((1, 1, 5),), ((1, 4, 1),), ((),)]),
    "Reshape": Row(
        [((24,),), ((4, 6),), ((2, 3, 4),), ((1, 24, 1),), ((5, 3),)],
        {
            "target_shape": [
                (24,),
                (-1,),
                (4, 6),
                (2, -1, 3),
                (4, 1, 6),
                (2, 2, 6),
                (-1, -1),
                (1, 1, -1),
                (5, -1),
            ]
        },
    ),
    "Permute": Row(
        [((3, 4),), ((3, 4, 5),), ((3, 3),)],
        {"dims": [(2, 1), (1, 2), (3, 1, 2), (1, 3, 2), (1,), (1, 1)]},
    ),
    "RepeatVector": Row([((5,),), ((4, 3),)], {"n": [1, 3]}),
    "ZeroPadding1D": _spatial(1, values={"padding": [1, 0, (2, 3)]}),
    "ZeroPadding2D": _spatial(2, values={"padding": [1, (2, 0), ((1, 2), (0, 3))]}),
    "ZeroPadding3D": _spatial(3, values={"padding": [1, (2, 0, 1), ((1, 2), (0, 3), (1, 0))]}),
    "Cropping1D": _spatial(1, values={"cropping": [1, 0, (2, 1)]}),
    "Cropping2D": _spatial(2, values={"cropping": [0, (1, 2), ((1, 0), (2, 3))]}),
    "Cropping3D": _spatial(3, values={"cropping": [1, (1, 0, 1), ((1, 2), (0, 1), (1, 0))]}),
    "UpSampling1D": _spatial(1, values={"size": [2, 1, 3]}),
    "UpSampling2D": _spatial(
        2,
        values={
            "size": [2, (1, 3), (4, 1)],
            "interpolation": ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"],
        },
        dtype="float32",  # Lanczos' gradient has no float64, and weights are rounded by 1e-6
        tolerance=2e-6,
    ),
    "UpSampling3D": _spatial(3, values={"size": [2, (1, 3, 2)]}),
    "Normalization": Row(
        [*ANY_RANK, ((2, 3),)],
        {
            "axis": [-1, (1,), (1, 2), None, 0],
            "mean": [None, 0.5, (0.1, 0.2, 0.3)],
            "variance": [None, 2.0, (1.0, 2.0, 3.0)],
            "invert": [False, True],
        },
    ),
    "LayerScale": Row(
        [*ANY_RANK, ((3, 1),), ((4, 4),)], {"init_values": [0.1, 1.0], "projection_dim": [3, 4, 5]}
    ),
    "CustomScaleLayer": Row([m for m in MERGING if len(m) < 3], {"scale": [0.5, 2.0]}),
    **{name: Row(MERGING) for name in ("Add", "Average", "Multiply", "Subtract")},
    **{name: Row(MERGING, support="perturbation") for name in ("Maximum", "Minimum")},
    "Concatenate": Row(
        [*MERGING, ((4, 5), (2, 5)), ((3, 4, 2), (3, 1, 2), (3, 2, 2)), ((3, 4), (3, 4, 1))],
        {"axis": [-1, 1, 2, -2, 0]},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axis"] == 0 else "",
    ),
    "Dot": Row(
        [((4,), (4,)), ((3, 4), (5, 4)), ((3, 4), (4, 2)), ((2, 3, 4), (4, 3)), ((4, 5), (4, 6)), ((4,),)],
        {"axes": [-1, 1, 2, (1, 2), (2, 1), (-1, -2), (1, 2, 3), 0], "normalize": [False, True]},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axes"] == 0 else "",
    ),
}


# -- sequences --------------------------------------------------------------------------------------
SEQUENCES: list[Inputs] = [((5, 3),), ((4, 2),), ((3,),), ((2, 3, 4),)]
IGNORED = "Keras ignores states that the cell has not"
BASE = "of the abstract base, which the class fills in"
AT_CALL = dict.fromkeys(("use_causal_mask", "return_attention_scores"), "an argument of the call")


def _stricter_states(states: int) -> Callable[[Cell], str]:
    def reason(cell: Cell) -> str:
        if len(cell.inputs) - 1 not in (0, states):
            return IGNORED
        return AT_THE_CALL if any(s != (cell.arguments["units"],) for s in cell.inputs[1:]) else ""

    return reason


def _recurrent(states: int, **more: Any) -> Row:
    given: list[Inputs] = [
        ((4, 2), *((3,),) * states),
        ((4, 2), *((2,),) * states),
        ((4, 2), (3,), (3,), (3,)),
    ]
    return Row(
        [*SEQUENCES, *given],
        more,
        left_out={"cell": BASE},
        stricter=_stricter_states(states),
        hull=lambda _, number: "less" if number else "",  # the first steps read less of an initial state
    )


def _cell(states: int) -> Row:
    given: list[Inputs] = [((4,), *((3,),) * states), ((5,), *((2,),) * states), ((4,), (3,), (3,), (3,))]
    return Row(given, stricter=_stricter_states(states))


REPEATED = "Keras fails at the call, or repeats states along axes on which they do not fit"


def _conv_lstm(*inputs: Inputs) -> Row:
    def reads(cell: Cell, _: int) -> str:
        """Dilated kernels leave gaps, and what is said is all between their ends."""
        return "" if cell.arguments["dilation_rate"] == 1 else "less"

    return Row(
        inputs,
        {"kernel_size": [1, 3, 2], "strides": [1, 2], "dilation_rate": [1, 2], "filters": [2, 4]},
        left_out={"cell": BASE},
        stricter=lambda cell: AT_THE_CALL if len(cell.inputs) == 1 else REPEATED,
        tolerance=1e-13,
        hull=reads,
    )


def _attention(*inputs: Inputs, left_out: Mapping[str, str] | None = None, **values: Sequence[Any]) -> Row:
    def masked(cell: Cell) -> bool:
        return cell.arguments["use_causal_mask"] or cell.arguments.get("sliding_window") is not None

    def reason(cell: Cell) -> str:
        several = cell.arguments.get("attention_axes") not in (None, 1) or len(cell.inputs[0]) > 2
        if masked(cell) and several and "attention_axes" in values:
            return "a mask of the first axis says nothing of scores over others"
        if cell.arguments.get("attention_axes") == (1, 2) and len(cell.inputs[0]) == 2:
            return "the last axis holds the features, and Keras takes the heads in its place"
        return AT_THE_CALL

    # the first of masked queries is scored against one key alone, and that score becomes 1
    return Row(
        inputs,
        values,
        left_out=left_out or {},
        added=AT_CALL,
        stricter=reason,
        tolerance=1e-13,
        hull=lambda cell, number: "" if not masked(cell) else "together" if number else "less",
    )


# -- images -----------------------------------------------------------------------------------------
FACTOR = [0.1, (-0.2, 0.3)]
ROWS |= {
    "RandomZoom": _augmenting("factor", height_factor=FACTOR),
    "RandomCrop": replace(_augmenting("factor", height=[3, 5, 9], width=[3, 6]), tables=True),
    "AutoContrast": replace(_augmenting("factor", value_range=[(0, 255), (0, 1)]), support="perturbation"),
    "CenterCrop": replace(
        _augmenting("factor", height=[3, 5, 9], width=[3, 6, 1]),
        stricter=lambda cell: SINGLE_IMAGES if len(cell.inputs[0]) == 2 else "smaller images are resized",
    ),
    "Resizing": replace(
        _augmenting(
            "factor",
            height=[5, 7, 14],
            width=[6, 9, 3],
            interpolation=["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"],
            crop_to_aspect_ratio=[False, True],
            pad_to_aspect_ratio=[False, True],
            antialias=[False, True],
        ),
        dtype="float32",
        tolerance=2e-6,
        tables=True,
    ),
    **{
        f"Random{kind}": _augmenting(factor=[0.1, (0.2, 0.3)])
        for kind in ("Brightness", "Contrast", "Hue", "Saturation", "Sharpness", "ColorDegeneration")
    },
    "RandomPosterization": _augmenting(factor=[2, 4]),
    **{
        kind: _augmenting(factor=[0.1, 1.0])
        for kind in ("RandomElasticTransform", "RandomPerspective", "RandomErasing", "RandomGaussianBlur")
    },
    **{kind: _augmenting(factor=[0.1, 1.0]) for kind in ("RandomInvert", "RandomGrayscale", "CutMix")},
    **{kind: _augmenting(factor=[0.1, 1.0]) for kind in ("RandAugment", "AugMix")},
    "RandomShear": _augmenting("factor", x_factor=[0.0, 0.3]),
    "MixUp": _augmenting("factor", alpha=[0.2, 0.4]),
    "RandomColorJitter": _augmenting("factor", hue_factor=[None, 0.1]),
    "Solarization": _augmenting("factor", addition_factor=[0.0, 0.1]),
    "Equalization": _augmenting("factor", bins=[256, 16]),
}


# -- normalisation and pooling of other kinds --------------------------------------------------------
MISTAKEN = "Keras infers another shape than it computes, or takes samples together"


def _encoding(values: Mapping[str, Sequence[Any]], **more: Any) -> Row:
    # a step of one number moves an entry or two of a vector
    return Row(
        [((1,),), ((4,),), ((2, 3),), ((2, 1),), ((),)],
        values,
        stricter=lambda _: MISTAKEN,
        support="perturbation",
        step=1.0,
        hull=lambda *_: "less",
        ones_stay=True,
        **more,
    )


UNSUITED = "Keras does not hold the equation against the shape, and fails at the call or later"
UNCOUNTED = "Keras does not count the axes of the input, and fails later or pools others"


def _rms_axes(cell: Cell) -> str:
    if cell.arguments["axis"] == 0:
        return BATCH_AXIS
    if 1 in cell.inputs[0]:
        return "the scale would repeat the axis of 1, and the output has another shape than Keras infers"
    return AT_THE_CALL


ROWS |= {
    "GroupNormalization": Row(
        [((6,),), ((4, 6),), ((6, 3, 4),), ((2, 4, 3, 6),)],
        {"axis": [-1, 1, 2, -2, 0, 4], "groups": [32, 1, 2, 3, -1]},
    ),
    "RMSNormalization": Row(
        [*ANY_RANK, ((4, 4),), ((3, 4, 4),), ((1, 3),)],
        {"axis": [-1, 1, (2, 1), (1, -1), 3, 0]},
        stricter=_rms_axes,
    ),
    "UnitNormalization": Row(
        ANY_RANK,
        {"axis": [-1, 1, (2, 1), (1, -1), 3, 0]},
        stricter=lambda cell: BATCH_AXIS if cell.arguments["axis"] == 0 else "",
    ),
    "EinsumDense": Row(
        [((4, 3),), ((3,),), ((2, 4, 3),), ((4, 3, 3, 2),)],
        {
            "equation": [
                "ab,bc->ac",
                "abc,cd->abd",
                "abc,cde->abde",
                "abc,bde->adec",
                "abc,cd->adb",
                "...x,xy->...y",
                "...tx,txy->...y",
                "ab...,bc->ac...",
                "ab,cd->ac",
                "abc,abd->ad",
            ],
            "output_shape": [5, (None, 5), (4, 5), (2, 5), (None, 2, 5), (5, 6, 3), (5, 4), (None, None, 6)],
            "bias_axes": [None, "d", "c", "y", "dec", "b"],
        },
        stricter=lambda _: UNSUITED,
        also=[
            ({"equation": equation, "output_shape": shape, "bias_axes": bias, "activation": activation}, (x,))
            for equation, shape, bias, activation, x in (
                ("ab,bc->ac", 5, "c", "relu", (3,)),
                ("abc,cd->abd", (4, 5), "d", "softmax", (4, 3)),
                ("abc,cd->abd", (None, 5), "bd", None, (4, 3)),
                ("abc,cde->abde", (None, 2, 5), "e", None, (4, 3)),
                ("abc,bcde->abde", (4, 2, 5), "dec", None, (4, 3)),
                ("abc,bcde->abde", (4, 2, 5), "bd", "softmax", (4, 3)),
                ("abc,bde->adec", (2, 5, 3), "de", None, (4, 3)),
                ("abc,cd->adb", (5, 4), "b", "softmax", (4, 3)),
                ("abc,bc->ac", (3,), None, None, (4, 3)),
                ("abc,cd->ad", 5, None, None, (4, 3)),
                ("...x,xy->...y", 5, "y", "relu", (3,)),
                ("...x,xy->...y", 5, None, "softmax", (4, 4, 3)),
                ("...tx,txy->...y", 5, None, None, (2, 4, 3)),
                ("ab...,bc->ac...", 5, "c", "softmax", (4, 3)),
                ("...bx,xy->...by", (5,), None, None, (3,)),
            )
        ],
    ),
    "ReversibleEmbedding": Row(
        [((5,),), ((3, 4),), ((4, 3),), ((),)],
        {
            "input_dim": [7, 11],
            "output_dim": [3, 1],
            "tie_weights": [True, False],
            "logit_soft_cap": [None, 2.0],
            "reverse": [False, True],
        },
        left_out={"weights": "initial values; their shape is known without them"},
        added={"reverse": "an argument of the call"},
        stricter=lambda _: AT_THE_CALL,
        support="perturbation",
        step=1.0,
    ),
    "SpectralNormalization": Row(
        [((5, 3),), ((5, 4, 2),), ((3,),), ((),)],
        {
            "layer": [
                {"type": "Dense", "units": 2},
                {"type": "Conv2D", "filters": 3, "kernel_size": 2, "name": "mine"},
                {"type": "DepthwiseConv1D", "kernel_size": 3, "depth_multiplier": 2},
                {"type": "Conv1DTranspose", "filters": 2, "kernel_size": 3, "strides": 2, "trainable": False},
                {"type": "Embedding", "input_dim": 5, "output_dim": 3},
                {"type": "SeparableConv1D", "filters": 2, "kernel_size": 3},
                {"type": "BatchNormalization"},
                {"type": "LSTM", "units": 2},
            ],
            "power_iterations": [1, 3],
        },
        stricter=lambda _: AT_THE_CALL,
        support="perturbation",
        step=1.0,
    ),
    "CategoryEncoding": _encoding({"num_tokens": [3, 5], "output_mode": ["one_hot", "multi_hot", "count"]}),
    "Discretization": _encoding(
        {
            "output_mode": ["int", "one_hot", "multi_hot", "count"],
            "bin_boundaries": [None, (0.0, 0.95, 2.0)],
            "num_bins": [None, 4],
        },
        also=[
            ({"bin_boundaries": (0.0, 0.95, 2.0), "output_mode": mode}, (x,))
            for mode in ("int", "one_hot", "multi_hot", "count")
            for x in ((1,), (4,))
        ],
    ),
    "Hashing": _encoding(
        {"num_bins": [3, 5], "output_mode": ["int", "one_hot", "multi_hot", "count"]}, dtype="int64"
    ),
    "HashedCrossing": Row(
        [((1,), (1,)), ((), ()), ((2,), (2,)), ((1,), (1,), (1,)), ((1,),)],
        {"num_bins": [3, 5], "output_mode": ["int", "one_hot"]},
        stricter=lambda _: AT_THE_CALL,
        support="perturbation",
        dtype="int64",
        step=1.0,
        hull=lambda *_: "less",
    ),
    "STFTSpectrogram": Row(
        [((9, 2),), ((6, 3),), ((4, 1),), ((8,),)],
        {
            "mode": ["log", "magnitude", "psd", "real", "imag", "angle", "stft"],
            "frame_length": [4, 5, 3],
            "frame_step": [None, 1, 3],
            "fft_length": [None, 8, 5, 3],
            "expand_dims": [False, True],
        },
    ),
    **{
        f"Adaptive{kind}Pooling{n}D": replace(
            _pooling(n), values={"output_size": sizes}, tables=True, stricter=lambda _: UNCOUNTED
        )
        for kind in ("Average", "Max")
        for n, sizes in ((1, [1, 3, 4, 9]), (2, [1, 2, (3, 6), (5, 4)]), (3, [1, 2, (3, 2, 4)]))
    },
}

CELLS = [
    {"type": "LSTMCell", "units": 2},
    {"type": "GRUCell", "units": 3, "name": "mine", "use_bias": False},
    {
        "type": "StackedRNNCells",
        "cells": [
            {"type": "LSTMCell", "units": 2},
            {"type": "SimpleRNNCell", "units": 3, "trainable": False},
            {"type": "GRUCell", "units": 2, "name": "third"},
        ],
    },
]
INSIDE = [
    {"type": "LSTM", "units": 2},
    {"type": "LSTM", "units": 3, "return_sequences": True, "return_state": True, "name": "mine"},
    {"type": "GRU", "units": 2, "return_sequences": True},
    {"type": "SimpleRNN", "units": 3, "return_state": True, "name": "forward_old"},
    {"type": "GRU", "units": 2, "go_backwards": True},
    {"type": "RNN", "cell": {"type": "GRUCell", "units": 2}, "return_sequences": True},
]
PLAIN: list[Inputs] = [((4, 3), (5, 3)), ((3, 2), (4, 2), (4, 2)), ((2, 3, 2), (2, 4, 2)), ((4, 3),)]
ROWS |= {
    "SimpleRNN": _recurrent(1),
    "LSTM": _recurrent(2),
    "GRU": _recurrent(1),
    "SimpleRNNCell": _cell(1),
    "LSTMCell": _cell(2),
    "GRUCell": _cell(1),
    "StackedRNNCells": Row(
        [((4,), (2,), (2,), (3,)), ((3,), (2,), (2,), (3,))],
        {
            "cells": [
                [{"type": "LSTMCell", "units": 2}, {"type": "GRUCell", "units": 3}],
                [{"type": "LSTMCell", "units": 2, "trainable": False}, {"type": "SimpleRNNCell", "units": 3}],
            ]
        },
        hull=lambda _, number: "less" if number == 2 else "",  # c is read unit by unit, and then mixed
    ),
    "ConvLSTM1D": _conv_lstm(((3, 6, 2),), ((2, 5, 3), (5, 4), (5, 4)), ((4, 3),)),
    "ConvLSTM2D": _conv_lstm(((2, 4, 5, 2),), ((3, 2, 3, 1),), ((4, 3, 2),)),
    "ConvLSTM3D": _conv_lstm(((2, 3, 4, 3, 2),), ((1, 2, 3, 2, 1),), ((4, 3, 2, 2),)),
    "RNN": Row(SEQUENCES[:3], {"cell": CELLS}),
    "Bidirectional": Row(
        [*SEQUENCES[:3], ((4, 2), *((2,),) * 4)],
        {
            "layer": INSIDE,
            "merge_mode": ["concat", "sum", "mul", "ave", None],
            "backward_layer": [None, {"type": "LSTM", "units": 2, "go_backwards": True, "name": "back"}],
        },
        left_out={"weights": "initial values; their shape is known without them"},
        stricter=lambda cell: IGNORED if len(cell.inputs) > 1 else "",
        # each half of concatenated channels reads from one end
        hull=lambda _, number: "less" if number else "together",
    ),
    "TimeDistributed": Row(
        [((5, 3),), ((2, 5, 4, 2),), ((3, 4, 2),), ((3,),)],
        {
            "layer": [
                {"type": "Dense", "units": 2},
                {"type": "Conv2D", "filters": 3, "kernel_size": 2, "name": "mine"},
                {"type": "Conv1D", "filters": 2, "kernel_size": 3, "trainable": False},
                {"type": "Flatten"},
                {"type": "BatchNormalization"},
                {"type": "SimpleRNN", "units": 2},
                {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 2}},
            ]
        },
        stricter=lambda _: AT_THE_CALL,
    ),
    "Attention": _attention(
        *PLAIN, ((4, 3), (5, 3), (5, 2)),
        score_mode=["dot", "concat"],
        use_scale=[False, True],
    ),
    "AdditiveAttention": _attention(
        *PLAIN, use_scale=[True, False],
        left_out={"score_mode": "of the base class, and of no effect"},
    ),
    "GroupQueryAttention": _attention(
        ((4, 6), (4, 6)), ((3, 6), (4, 6), (4, 2)), ((4, 6), (5, 4)), ((2, 3, 4), (2, 3, 4)),
        head_dim=[3, 4],
        num_query_heads=[4, 2],
        num_key_value_heads=[2, 1, 3],
    ),
    "MultiHeadAttention": _attention(
        ((4, 6), (4, 6)), ((3, 6), (4, 5), (4, 2)), ((2, 3, 4), (2, 5, 4)), ((4, 3), (5, 3), (6, 3)),
        num_heads=[2, 3],
        key_dim=[3, 2],
        value_dim=[None, 4],
        output_shape=[None, 5, (2, 3)],
        attention_axes=[None, 1, (1, 2), (-2,)],
    ),
}  # fmt: skip


def candidates(cls: type[Layer], argument: str) -> Sequence[Any] | None:
    """The values that the grid gives an argument; None if nothing is known of it."""
    row = ROWS[cls.__name__]
    if argument in row.values:
        return row.values[argument]
    common = COMMON.get(argument)
    return common.get(cls.rank) if isinstance(common, dict) else common


def cells(cls: type[Layer], arguments: Mapping[str, Sequence[Any]], *, full: bool = False) -> Iterator[Cell]:
    """Cells that cover every pair of values, and some more (`full`: up to a few hundred)."""
    factors: dict[str, Sequence[Any]] = {**arguments, "inputs": ROWS[cls.__name__].inputs}
    for chosen in _some_of_all(factors, 400) if full else [*pairwise(factors), *_some_of_all(factors, 15)]:
        inputs = chosen.pop("inputs")
        yield Cell(chosen, inputs)
    for given, inputs in ROWS[cls.__name__].also:
        yield Cell({name: given.get(name, values[0]) for name, values in arguments.items()}, inputs)


def pairwise(factors: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Greedy covering array: each pair of values of two factors occurs in some combination."""
    choose = random.Random(0)
    names = list(factors)
    sizes = [len(factors[n]) for n in names]
    open_pairs = {
        (i, a, j, b)
        for i, j in combinations(range(len(names)), 2)
        for a, b in product(range(sizes[i]), range(sizes[j]))
    }
    if len(names) < 2:
        yield from ({names[0]: v} for v in factors[names[0]])
        return

    def gain(picks: Sequence[int]) -> int:
        return sum((i, picks[i], j, picks[j]) in open_pairs for i, j in combinations(range(len(names)), 2))

    while open_pairs:
        i, a, j, b = min(open_pairs)
        tries = []
        for _ in range(30):
            picks = [choose.randrange(n) for n in sizes]
            picks[i], picks[j] = a, b
            tries.append(picks)
        best = max(tries, key=gain)
        open_pairs -= {(i, best[i], j, best[j]) for i, j in combinations(range(len(names)), 2)}
        yield {name: factors[name][k] for name, k in zip(names, best, strict=True)}


def _some_of_all(factors: Mapping[str, Sequence[Any]], limit: int) -> Iterator[dict[str, Any]]:
    everything = [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
    yield from random.Random(1).sample(everything, min(limit, len(everything)))


def types() -> list[str]:
    """Every registered type, by name."""
    return sorted(registered())
