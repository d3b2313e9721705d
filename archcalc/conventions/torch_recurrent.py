"""The recurrent modules of torch that correspond to Keras's layers.

torch's modules have two biases per gate where Keras has one (as Keras's GRU does by default); the counterpart
of a layer with a bias has both. `go_backwards` is a flip, and the last output a slice: neither counts.
"""

from __future__ import annotations

from typing import Any

from archcalc.arith import Shape
from archcalc.conventions.torch_calls import Call, NoCounterpartError
from archcalc.layers.activations import activation_name
from archcalc.layers.recurrent import GRUGates, LSTMGates, SimpleGates, StackedRNNCells

_KINDS = {SimpleGates: "RNN", LSTMGates: "LSTM", GRUGates: "GRU"}
_MERGED = {"sum": ["+"], "mul": ["*"], "ave": ["+", "/"]}


def recurrent(layer: Any, *inputs: Shape) -> list[Call]:
    """A module for each cell."""
    x = inputs[0]
    cell = layer.stepper.layer
    cells = [inner.layer for inner in cell.cells] if isinstance(cell, StackedRNNCells) else [cell]
    calls: list[Call] = []
    for one in cells:
        kind = kind_of(one)
        calls.append(Call(kind, x, (x[0], one.units), _parameters(one, x[1])))
        x = calls[-1].output
    return calls


def cell(layer: Any, *inputs: Shape) -> list[Call]:
    """One step of a recurrent module."""
    (features,) = inputs[0]
    return [Call(f"{kind_of(layer)}Cell", inputs[0], (layer.units,), _parameters(layer, features))]


def bidirectional(layer: Any, *inputs: Shape) -> list[Call]:
    """Both directions, and the operators that merge them."""
    merged = [Call(sign, layer.output_shape(*inputs), layer.output_shape(*inputs))
              for sign in _MERGED.get(layer.merge_mode or "", [])]  # fmt: skip
    return [*recurrent(layer.forward, inputs[0]), *recurrent(layer.backward, inputs[0]), *merged]


def kind_of(cell: Any) -> str:
    """The module for a cell; raises `NoCounterpartError` if there is none."""
    kind = next((kind for family, kind in _KINDS.items() if isinstance(cell, family)), None)
    if kind is None:
        raise NoCounterpartError(f"torch has no recurrent module with the cell {type(cell).__name__}")
    wanted = ("tanh", "relu") if kind == "RNN" else ("tanh",)
    gate = activation_name(getattr(cell, "recurrent_activation", "sigmoid"))
    if activation_name(cell.activation) not in wanted or gate != "sigmoid":
        raise NoCounterpartError(f"torch's {kind} has the activations {' or '.join(wanted)} and sigmoid only")
    if kind == "GRU" and not cell.reset_after:
        raise NoCounterpartError("torch's GRU applies its reset gate after the product (reset_after)")
    return kind


def _parameters(cell: Any, features: Any) -> dict[str, Shape]:
    wide = cell.gates * cell.units
    biases = {"bias_ih": (wide,), "bias_hh": (wide,)} if cell.use_bias else {}
    return {"weight_ih": (wide, features), "weight_hh": (wide, cell.units), **biases}
