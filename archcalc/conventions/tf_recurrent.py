"""FLOPs of recurrent layers as TensorFlow's profiler counts them.

Keras computes one step in order to learn the shapes, then runs the steps in a loop into which the profiler
does not look: a layer counts one step, or all of them where it is unrolled. Stacked cells count one step
more. The masks of dropout are drawn at inference, too, although they are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcalc.arith import Shape, Size, prod, total
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS
from archcalc.layers.activations import activation_name
from archcalc.layers.conv_recurrent import ConvGates
from archcalc.layers.recurrent import Cell, GRUGates, LSTMGates, Recurrent, SimpleGates, StackedRNNCells


def products(layer: Any, *inputs: Shape) -> Size:
    """The part of the figure that is twice the multiply-adds of matrices and convolutions."""
    if isinstance(layer, Recurrent):
        return _steps(layer, inputs[0]) * 2 * _cell(layer).step_macs(inputs[0][1:])
    macs: Size = layer.step_macs(inputs[0])
    return 2 * macs


def flops(layer: Any, *inputs: Shape) -> Size:
    """The figure of a recurrent layer or of a cell."""
    if not isinstance(layer, Recurrent):
        return _step(layer, inputs[0])
    cell, step = _cell(layer), inputs[0][1:]
    return _steps(layer, inputs[0]) * _step(cell, step) + _masks(cell, step)


def exemption(layer: Any) -> str | None:
    """The reason why the figure of a recurrent layer, or of a cell, has no rule; None if it has one."""
    if isinstance(layer, StackedRNNCells):
        drops = any(cell.layer.dropout or cell.layer.recurrent_dropout for cell in layer.cells)
        return "how often stacked cells draw masks of dropout has no rule" if drops else None
    if isinstance(layer, ConvGates):
        supported = layer.data_format != "channels_first" and not (layer.dropout or layer.recurrent_dropout)
        same = supported and all(d == 1 for d in layer.dilation_rate)
        return None if same else "with dropout, dilation or channels_first it uses other operations"
    if isinstance(layer, LSTMGates | GRUGates) and layer.recurrent_dropout:
        return "with recurrent_dropout Keras computes the gates one by one"
    return None


def bidirectional(layer: Any, *inputs: Shape) -> Size:
    """The figures of both layers, and of the operations that merge their outputs."""
    merged = {"sum": 1, "mul": 1, "ave": 2}.get(layer.merge_mode or "", 0)
    both = total(flops(inner.layer, inputs[0]) for inner in layer.inside)
    return both + merged * prod(layer.output_shape(*inputs))


def _cell(layer: Recurrent) -> Cell:
    cell = layer.stepper.layer
    assert isinstance(cell, Cell)
    return cell


def _steps(layer: Any, x: Shape) -> Size:
    steps = x[0] if layer.unroll else 1
    return steps + int(isinstance(_cell(layer), StackedRNNCells))


def _masks(cell: Any, step: Shape) -> Size:
    """A mask takes 4 operations per unit, and its seed 5."""
    of_step, of_state = (int(getattr(cell, n, 0) > 0) for n in ("dropout", "recurrent_dropout"))
    return of_step * (4 * prod(step) + 5) + of_state * (4 * prod(cell.step_shape(step)) + 5)


def _step(cell: Any, step: Shape) -> Size:
    if isinstance(cell, StackedRNNCells):
        steps = [step]
        for inner in cell.cells[:-1]:
            steps.append(inner.layer.step_shape(steps[-1]))
        return total(_step(inner.layer, x) for inner, x in zip(cell.cells, steps, strict=True))
    units = prod(cell.step_shape(step))
    gates = next(gates for family, gates in _GATES.items() if isinstance(cell, family))
    macs: Size = cell.step_macs(step)
    return 2 * macs + gates(cell) * units


# -- operations of one step per unit of the state, without products ----------------------------------
def _activation(name: Any) -> int:
    return ACTIVATION_FLOPS[activation_name(name)]


def _simple(cell: Any) -> int:
    return 1 + int(cell.use_bias) + _activation(cell.activation)


def _lstm(cell: Any) -> int:
    """The sum and the bias of each gate, c' = f*c + i*g, h' = o*phi(c')."""
    activations = 3 * _activation(cell.recurrent_activation) + 2 * _activation(cell.activation)
    return 4 + 4 * int(cell.use_bias) + 4 + activations


def _gru(cell: Any) -> int:
    """The sums and biases of the gates, r*h, h' = z*h + (1 - z)*g."""
    biases = (6 if cell.reset_after else 3) * int(cell.use_bias)
    activations = 2 * _activation(cell.recurrent_activation) + _activation(cell.activation)
    return 3 + biases + 5 + activations


_GATES: Mapping[type, Callable[[Any], int]] = {
    SimpleGates: _simple,
    LSTMGates: _lstm,
    ConvGates: _lstm,
    GRUGates: _gru,
}
