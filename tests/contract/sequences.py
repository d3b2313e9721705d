"""Rows of recurrent layers, attention layers and wrappers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.contract.rows import (
    AT_THE_CALL,
    Cell,
    Inputs,
    Row,
)

SEQUENCES: list[Inputs] = [((5, 3),), ((4, 2),), ((3,),), ((2, 3, 4),)]
IGNORED = "Keras ignores states that the cell does not have"
BASE = "an argument of the abstract base, which the class sets"
AT_CALL = dict.fromkeys(("use_causal_mask", "return_attention_scores"), "an argument of the call")


def _stricter_states(states: int) -> Callable[[Cell], str]:
    def reason(cell: Cell) -> str:
        if len(cell.inputs) - 1 not in (0, states):
            return IGNORED
        return AT_THE_CALL if any(s != (cell.arguments["units"],) for s in cell.inputs[1:]) else ""

    return reason


def _recurrent(states: int, **more: Any) -> Row:
    with_states: list[Inputs] = [
        ((4, 2), *((3,),) * states),
        ((4, 2), *((2,),) * states),
        ((4, 2), (3,), (3,), (3,)),
    ]
    return Row(
        [*SEQUENCES, *with_states],
        more,
        left_out={"cell": BASE},
        stricter=_stricter_states(states),
        hull=lambda _, number: "less" if number else "",  # the first steps read less of an initial state
    )


def _cell(states: int) -> Row:
    inputs: list[Inputs] = [((4,), *((3,),) * states), ((5,), *((2,),) * states), ((4,), (3,), (3,), (3,))]
    return Row(inputs, stricter=_stricter_states(states))


REPEATED = "Keras fails at the call, or repeats states along axes on which they do not fit"


def _conv_lstm(*inputs: Inputs) -> Row:
    def reads(cell: Cell, number: int) -> str:
        """Later steps have larger fields, dilated kernels leave gaps, first steps read less of a state."""
        if number or cell.arguments["dilation_rate"] != 1:
            return "less"
        return "" if cell.arguments["kernel_size"] == 1 else "box"

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
            return "a mask of the first axis does not apply to scores over other axes"
        if cell.arguments.get("attention_axes") == (1, 2) and len(cell.inputs[0]) == 2:
            return "the last axis holds the features, and Keras uses the heads instead"
        return AT_THE_CALL

    # the first masked query has a score for one key only, and that score is 1
    return Row(
        inputs,
        values,
        left_out=left_out or {},
        added=AT_CALL,
        stricter=reason,
        tolerance=1e-13,
        hull=lambda cell, number: "" if not masked(cell) else "together" if number else "less",
    )


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
SEQUENTIAL: dict[str, Row] = {
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
        hull=lambda _, number: "less" if number == 2 else "",  # a unit reads one unit of c
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
