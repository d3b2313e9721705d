"""Recurrent layers over sequences of vectors, and their cells.

A cell computes an output and the next states from one step and the states; a layer runs it along
the first axis.
Sources: Hochreiter & Schmidhuber 1997 (LSTM), Cho et al. 2014 (arXiv 1406.1078, GRU).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from archcalc.arith import Shape, Size, prod, require_equal, total
from archcalc.errors import LayerError
from archcalc.layers.activations import activated, activation_ops, coupled
from archcalc.layers.base import Layer, Weight, Window, family, layer, require_rank, show
from archcalc.layers.fields import ActivationName, Count, Flag, Fraction01, Initializer, Untracked
from archcalc.layers.inner import Inner, InnerCell, InnerCells
from archcalc.layers.primitives import Convolve, Matrix, Primitives, Recur, Stacked
from archcalc.layers.spatial import KernelAndBias
from archcalc.layers.window import Prefix, Read, Whole, identity_read

WHOLE = Whole()


class Run(NamedTuple):
    """How a cell is run: the number of steps, what it returns, and the prefix of its weights' names."""

    steps: Size
    return_sequences: bool
    return_state: bool
    prefix: str


@family
class Cell(Layer):
    """A cell: from one step of a sequence and the states to an output and the next states."""

    call_style = "states"
    call_arguments = ("training",)
    step_rank: ClassVar[int] = 1  # number of axes of one step

    @abstractmethod
    def step_shape(self, step: Shape) -> Shape:
        """Shape of the output of one step."""

    @abstractmethod
    def state_shapes(self, step: Shape) -> tuple[Shape, ...]:
        """Shapes of the states."""

    @abstractmethod
    def step_weights(self, step: Shape) -> tuple[Weight, ...]:
        """The weights, by their names inside the cell."""

    @abstractmethod
    def step_macs(self, step: Shape) -> Size:
        """Multiply-adds of one step."""

    @abstractmethod
    def step_ops(self, step: Shape) -> Size:
        """Elementwise operations of one step."""

    @property
    @abstractmethod
    def state_count(self) -> int:
        """Number of states."""

    def nested(self, states: Sequence[Any]) -> list[Any]:
        """States in the form that Keras takes: those of stacked cells as one list for each cell."""
        return list(states)

    # -- a cell as a layer ------------------------------------------------------------------------
    def output_shape(self, *inputs: Shape) -> Shape:
        step, *states = inputs
        require_rank(self, step, self.step_rank)
        self.require_states(step, states)
        return self.step_shape(step)

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (self.output_shape(*inputs), *self.state_shapes(inputs[0]))

    def require_states(self, step: Shape, states: list[Shape]) -> None:
        """Raise `LayerError` unless these are the shapes of all states."""
        wanted = self.state_shapes(step)
        name = type(self).__name__
        if len(states) != len(wanted):
            raise LayerError(f"{name} has {len(wanted)} states, got {len(states)}")
        for state, shape in zip(states, wanted, strict=True):
            require_rank(self, state, len(shape))
            for n, m in zip(state, shape, strict=True):
                require_equal(n, m, lambda g=state, s=shape: f"{name}: a state of {show(g)}, not {show(s)}")

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.step_weights(inputs[0])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple((WHOLE,) * len(x) for x in inputs)

    def macs(self, *inputs: Shape) -> Size:
        return self.step_macs(inputs[0])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return self.step_ops(inputs[0])

    @abstractmethod
    def recurrences(self, step: Shape, run: Run) -> Primitives:
        """The primitives of the cell when it is run along a sequence whose steps have this shape."""

    def primitives(self, *inputs: Shape) -> Primitives:
        return self.recurrences(inputs[0], Run(1, return_sequences=False, return_state=True, prefix=""))


@family
class WeightedCell(KernelAndBias, Cell):
    """A cell with weights for the step and for the state, and the arguments of such cells."""

    activation: ActivationName = "tanh"
    use_bias: Flag = True
    recurrent_initializer: Initializer = "orthogonal"
    recurrent_regularizer: Untracked = None
    recurrent_constraint: Untracked = None
    dropout: Fraction01 = 0.0
    recurrent_dropout: Fraction01 = 0.0
    seed: Untracked = None

    kind: ClassVar[str] = ""

    def gate(self, state: Shape) -> Primitives | None:
        """The activation of gates of this shape as primitives; None for a cell without gates."""
        return None

    def recurrence(
        self, run: Run, kernel: Matrix | Convolve, recurrent: Matrix | Convolve, state: Shape
    ) -> Recur:
        """The `Recur` primitive with these products of the step and of the state, of shape `state`."""
        return Recur(
            self.kind,
            run.steps,
            prod(state),
            kernel,
            recurrent,
            f"{run.prefix}bias" if self.use_bias else None,
            activated(self.activation, state),
            self.gate(state),
            run.return_sequences,
            run.return_state,
            bool(getattr(self, "reset_after", True)),
            self.dropout,
            self.recurrent_dropout,
        )


@family
class Gates(WeightedCell):
    """A cell with `gates` matrices for the step and as many for the state, each set in one weight."""

    gates: ClassVar[int] = 1
    states: ClassVar[int] = 1

    units: Count

    def step_shape(self, step: Shape) -> Shape:
        return (self.units,)

    def state_shapes(self, step: Shape) -> tuple[Shape, ...]:
        return ((self.units,),) * self.states

    @property
    def state_count(self) -> int:
        return self.states

    def bias_shape(self) -> Shape:
        return (self.gates * self.units,)

    def step_weights(self, step: Shape) -> tuple[Weight, ...]:
        wide = self.gates * self.units
        bias = Weight("bias", self.bias_shape(), initializer=self.bias_initializer)
        return (
            Weight("kernel", (*step, wide), initializer=self.kernel_initializer),
            Weight("recurrent_kernel", (self.units, wide), initializer=self.recurrent_initializer),
            *((bias,) if self.use_bias else ()),
        )

    def step_macs(self, step: Shape) -> Size:
        return (prod(step) + self.units) * self.gates * self.units

    def step_ops(self, step: Shape) -> Size:
        """The sum of the two products, the biases, and the operations of the gates."""
        biases = prod(self.bias_shape()) if self.use_bias else 0
        return self.gates * self.units + biases + self.gate_ops()

    @abstractmethod
    def gate_ops(self) -> Size:
        """Activations, sums and products of the gates and states in one step."""

    def recurrences(self, step: Shape, run: Run) -> Primitives:
        kernel, recurrent = (Matrix(run.prefix + name) for name in ("kernel", "recurrent_kernel"))
        return (self.recurrence(run, kernel, recurrent, (self.units,)),)


@family
class SimpleGates(Gates):
    """The simple cell: an activation of the sum of both products."""

    kind = "simple"

    def gate_ops(self) -> Size:
        return activation_ops(self.activation, (self.units,))


@family
class LSTMGates(Gates):
    """The LSTM cell: input, forget, cell and output gates; the states are h and c."""

    kind = "lstm"
    gates = 4
    states = 2

    recurrent_activation: ActivationName = "sigmoid"
    unit_forget_bias: Untracked = True

    def gate_ops(self) -> Size:
        # c' = f*c + i*g, h' = o*phi(c')
        gate = activation_ops(self.recurrent_activation, (self.units,))
        return 3 * gate + 2 * activation_ops(self.activation, (self.units,)) + 4 * self.units

    def gate(self, state: Shape) -> Primitives:
        return activated(self.recurrent_activation, state)


@family
class GRUGates(Gates):
    """The GRU cell: update, reset and candidate; `reset_after` adds a bias to the state's products."""

    kind = "gru"
    gates = 3

    recurrent_activation: ActivationName = "sigmoid"
    reset_after: Flag = True

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def gate_ops(self) -> Size:
        # r*h, and h' = z*h + (1 - z)*g
        gate = activation_ops(self.recurrent_activation, (self.units,))
        return 2 * gate + activation_ops(self.activation, (self.units,)) + 5 * self.units

    def gate(self, state: Shape) -> Primitives:
        return activated(self.recurrent_activation, state)


@layer
class SimpleRNNCell(SimpleGates):
    """One step of SimpleRNN."""


@layer
class LSTMCell(LSTMGates):
    """One step of LSTM."""

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        step, state, _ = super().window(*inputs)
        return step, state, coupled((identity_read(0),), self.activation)


@layer
class GRUCell(GRUGates):
    """One step of GRU."""


@layer
class StackedRNNCells(Cell):
    """Several cells applied one after the other in each step."""

    cells: InnerCells

    def check(self) -> None:
        if not self.cells:
            raise LayerError("cells must not be empty")
        for cell in self.cells:
            require_cell(cell)

    def nested(self, states: Sequence[Any]) -> list[Any]:
        remaining = iter(states)
        return [[next(remaining) for _ in range(_cell(c).state_count)] for c in self.cells]

    @property
    def state_count(self) -> int:
        return sum(_cell(c).state_count for c in self.cells)

    def _steps(self, step: Shape) -> list[tuple[Inner, Shape]]:
        steps = []
        for cell in self.cells:
            steps.append((cell, step))
            step = cell.layer.step_shape(step)
        return steps

    def step_shape(self, step: Shape) -> Shape:
        last, last_step = self._steps(step)[-1]
        return last.layer.step_shape(last_step)  # type: ignore[attr-defined,no-any-return]

    def state_shapes(self, step: Shape) -> tuple[Shape, ...]:
        return tuple(s for cell, x in self._steps(step) for s in _cell(cell).state_shapes(x))

    def step_weights(self, step: Shape) -> tuple[Weight, ...]:
        return tuple(w for cell, x in self._steps(step) for w in cell.weights(_cell(cell).step_weights(x)))

    def step_macs(self, step: Shape) -> Size:
        return total(_cell(cell).step_macs(x) for cell, x in self._steps(step))

    def step_ops(self, step: Shape) -> Size:
        return total(_cell(cell).step_ops(x) for cell, x in self._steps(step))

    def recurrences(self, step: Shape, run: Run) -> Primitives:
        steps = self._steps(step)
        recurrences: list[Recur] = []
        for i, (cell, x) in enumerate(steps):
            return_sequences = run.return_sequences or i + 1 < len(steps)
            inner = run._replace(return_sequences=return_sequences, prefix=f"{run.prefix}{cell.name}/")
            for primitive in _cell(cell).recurrences(x, inner):
                assert isinstance(primitive, Recur | Stacked)
                recurrences += primitive.cells if isinstance(primitive, Stacked) else (primitive,)
        return (Stacked(tuple(recurrences)),)


def _cell(inner: Inner) -> Cell:
    assert isinstance(inner.layer, Cell)
    return inner.layer


def require_cell(inner: Inner) -> None:
    """Raise `LayerError` if the layer is not a cell."""
    if not isinstance(inner.layer, Cell) or isinstance(inner.layer, Recurrent):
        raise LayerError(f"a {type(inner.layer).__name__} is no cell (such as LSTMCell)")


# -- along a sequence -------------------------------------------------------------------------------
@family
class Recurrent(Layer):
    """A cell that is run along the first axis; further inputs are its initial states.

    Outputs: that of the last step (with `return_sequences` those of all steps, in reverse order
    with `go_backwards`), then with `return_state` the final states.
    """

    call_style = "states"
    call_arguments = ("training",)
    reads_masks = True

    return_sequences: Flag = False
    return_state: Flag = False
    go_backwards: Flag = False
    stateful: Untracked = False
    zero_output_for_mask: Untracked = False

    @property
    @abstractmethod
    def stepper(self) -> Inner:
        """The cell, and its name."""

    @property
    def _cell(self) -> Cell:
        return _cell(self.stepper)

    def step(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of one step; raises `LayerError` for wrong ranks and states."""
        if len(inputs) == 0:
            raise LayerError(f"{type(self).__name__} takes a sequence, got no inputs")
        x, *states = inputs
        require_rank(self, x, self._cell.step_rank + 1)
        if len(states) > 0:
            self._cell.require_states(x[1:], states)
        return x[1:]

    def output_shape(self, *inputs: Shape) -> Shape:
        output = self._cell.step_shape(self.step(inputs))
        return (inputs[0][0], *output) if self.return_sequences else output

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        out = self.output_shape(*inputs)
        return (out, *self._cell.state_shapes(inputs[0][1:])) if self.return_state else (out,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.stepper.weights(self._cell.step_weights(inputs[0][1:]))

    def along(self) -> Read:
        """The steps that one output step reads."""
        if not self.return_sequences:
            return WHOLE
        return Prefix(0, backwards=self.go_backwards, mirrored=self.go_backwards)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x, *states = inputs
        of_x: Window = (self.along(), *(WHOLE for _ in x[1:]))
        return (of_x, *((WHOLE,) * len(s) for s in states))

    def macs(self, *inputs: Shape) -> Size:
        return inputs[0][0] * self._cell.step_macs(inputs[0][1:])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return inputs[0][0] * self._cell.step_ops(inputs[0][1:])

    def run(self, inputs: tuple[Shape, ...], prefix: str = "") -> Primitives:
        """The primitives of the layer, with `prefix` before the names of its weights."""
        x = inputs[0]
        run = Run(
            x[0],
            return_sequences=self.return_sequences,
            return_state=self.return_state,
            prefix=f"{prefix}{self.stepper.name}/",
        )
        return self._cell.recurrences(x[1:], run)

    def primitives(self, *inputs: Shape) -> Primitives:
        return self.run(inputs)


@family
class BuiltInCell(Recurrent):
    """A recurrent layer that creates its cell from its own arguments."""

    cell_name: ClassVar[str] = ""

    unroll: Untracked = False

    @property
    def stepper(self) -> Inner:
        return Inner(self, self.cell_name)

    @property
    def _cell(self) -> Cell:
        assert isinstance(self, Cell)
        return self


@layer
class SimpleRNN(BuiltInCell, SimpleGates):
    """h' = phi(W x + U h + b): (Cin + units + 1) * units weights."""

    cell_name = "simple_rnn_cell"


@layer
class LSTM(BuiltInCell, LSTMGates):
    """Long short-term memory: four gates of (Cin + units + 1) * units weights."""

    cell_name = "lstm_cell"
    use_cudnn: Untracked = "auto"


@layer
class GRU(BuiltInCell, GRUGates):
    """Gated recurrent unit: three gates of (Cin + units + 2) * units weights (`reset_after`)."""

    cell_name = "gru_cell"
    use_cudnn: Untracked = "auto"


@layer
class RNN(Recurrent):
    """Any cell, or a list of cells, along a sequence."""

    cell: InnerCell
    unroll: Untracked = False

    def check(self) -> None:
        require_cell(self.cell)

    @property
    def stepper(self) -> Inner:
        cell: Any = self.cell
        return cell  # type: ignore[no-any-return]
