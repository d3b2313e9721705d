"""Rows of encodings, and of less common normalisation, pooling and product layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.contract.rows import (
    ANY_RANK,
    AT_THE_CALL,
    BATCH_AXIS,
    Cell,
    Row,
    pooling,
)

MISTAKEN = "Keras infers another shape than it computes, or combines samples"


def _encoding(values: Mapping[str, Sequence[Any]], **more: Any) -> Row:
    # changing one number by a step changes one or two entries of a vector
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


UNSUITED = "Keras does not check the equation against the shape, and fails at the call or later"
UNCOUNTED = "Keras does not check the rank of the input, and fails later or pools other axes"


def _rms_axes(cell: Cell) -> str:
    if cell.arguments["axis"] == 0:
        return BATCH_AXIS
    if 1 in cell.inputs[0]:
        return "the scale would repeat the axis of 1, and the output has another shape than Keras infers"
    return AT_THE_CALL


OTHERS: dict[str, Row] = {
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
            for x in ((1,), (4,), *([(3, 4), (3, 1), (3, 2, 2)] if mode in ("multi_hot", "count") else []))
        ],
    ),
    # its vocabulary, tokens and sizes must fit together: tests/layers/test_encoding.py compares it with Keras
    "IntegerLookup": Row([((1,),), ((4,),)], keras=False),
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
            pooling(n), values={"output_size": sizes}, tables=True, stricter=lambda _: UNCOUNTED
        )
        for kind in ("Average", "Max")
        for n, sizes in ((1, [1, 3, 4, 9]), (2, [1, 2, (3, 6), (5, 4)]), (3, [1, 2, (3, 2, 4)]))
    },
}
