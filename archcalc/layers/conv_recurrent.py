"""Recurrent layers whose products are convolutions.

Source: Shi et al. 2015 (arXiv 1506.04214); as in Keras without connections from c to the gates.
"""

from __future__ import annotations

from typing import Annotated

from archcalc.arith import Shape, Size, certainly, equal, floor_div, prod
from archcalc.layers.activations import ACTIVATIONS, activated, activation_name, activation_ops
from archcalc.layers.base import Weight, Window, family, layer
from archcalc.layers.convolution import not_both_above_one
from archcalc.layers.fields import ActivationName, ChoiceKind, Count, Untracked, each
from archcalc.layers.fields import Spatial as SpatialField
from archcalc.layers.primitives import Convolve, Primitives
from archcalc.layers.recurrent import WHOLE, BuiltInCell, Run, WeightedCell
from archcalc.layers.spatial import Spatial, sliding, sliding_windows, window_count
from archcalc.layers.window import Read, Taps, UnknownRead, identity_read, whole_along

_GROWING = "each step sees further than the one before"
_STRIDED = "a strided convolution inside a recurrence"


@family
class ConvGates(WeightedCell, Spatial):
    """An LSTM cell with a convolution of the step (`strides`, `padding`) and one of the state (`same`)."""

    filters: Count
    kernel_size: SpatialField
    strides: SpatialField = each(1)
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"
    dilation_rate: SpatialField = each(1)
    recurrent_activation: ActivationName = "sigmoid"
    unit_forget_bias: Untracked = True

    kind = "lstm"

    def check(self) -> None:
        not_both_above_one(self.strides, self.dilation_rate)

    def step_shape(self, step: Shape) -> Shape:
        sides = (
            window_count(n, k, s, d, self.padding)
            for n, k, s, d in zip(
                self.sides(step), self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        )
        return self.shape_of(tuple(sides), self.filters)

    def state_shapes(self, step: Shape) -> tuple[Shape, ...]:
        return (self.step_shape(step),) * 2

    @property
    def state_count(self) -> int:
        return 2

    def step_weights(self, step: Shape) -> tuple[Weight, ...]:
        wide = 4 * self.filters
        kernel, recurrent = ((*self.kernel_size, c, wide) for c in (self.channels(step), self.filters))
        bias = Weight("bias", (wide,), initializer=self.bias_initializer)
        return (
            Weight("kernel", kernel, initializer=self.kernel_initializer),
            Weight("recurrent_kernel", recurrent, initializer=self.recurrent_initializer),
            *((bias,) if self.use_bias else ()),
        )

    def step_macs(self, step: Shape) -> Size:
        channels = self.channels(step) + self.filters
        return prod(self.kernel_size) * channels * 4 * prod(self.step_shape(step))

    def step_ops(self, step: Shape) -> Size:
        """As for LSTM: the sum of the two products, biases, activations, and four products and sums."""
        out = self.step_shape(step)
        gates = 3 * activation_ops(self.recurrent_activation, out) + 2 * activation_ops(self.activation, out)
        return (4 + 4 * int(self.use_bias) + 4) * prod(out) + gates

    def gate(self, state: Shape) -> Primitives:
        return activated(self.recurrent_activation, state)

    def _windows(self, step: Shape) -> tuple[tuple[int, ...], Shape, Shape, Shape, Shape, str]:
        """The arguments of `sliding` for the convolution of a step."""
        sides = self.sides(step)
        return self.spatial_axes, sides, self.kernel_size, self.strides, self.dilation_rate, self.padding

    def recurrences(self, step: Shape, run: Run) -> Primitives:
        state = self.step_shape(step)
        ones = (1,) * self.rank
        of_step = sliding_windows(*self._windows(step))
        of_state = sliding_windows(self.spatial_axes, self.sides(state), self.kernel_size, ones, ones, "same")
        kernel = Convolve(f"{run.prefix}kernel", of_step, self.channel_axis)
        recurrent = Convolve(f"{run.prefix}recurrent_kernel", of_state, self.channel_axis)
        return (self.recurrence(run, kernel, recurrent, state),)


@family
class ConvLSTM(BuiltInCell, ConvGates):
    """A convolutional LSTM cell that is run along the first axis."""

    cell_name = "conv_lstm_cell"

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x, *states = inputs
        step, time = x[1:], x[0]
        spatial = sliding(*self._windows(step))
        of_x = tuple(
            self._spread(read, k, time - 1) for read, k in zip(spatial, self.kernel_size, strict=True)
        )
        windows: list[Window] = [(self.along(), *self.reads(of_x, WHOLE))]
        if len(states) > 0:
            alone = certainly(equal(time, 1))
            of_c = identity_read(self.channel_axis + int(self.return_sequences)) if alone else WHOLE
            windows += [self._of_state(time, WHOLE), self._of_state(time - 1, of_c)]
        return tuple(map(self._coupled, windows))

    def _of_state(self, steps: Size, channel: Read) -> Window:
        """The window of an initial state after `steps` convolutions of the state."""
        spatial = (
            self._spread(identity_read(axis), k, steps)
            for axis, k in zip(self.spatial_axes, self.kernel_size, strict=True)
        )
        return self.reads(tuple(spatial), channel)

    def _spread(self, read: Read, k: Size, steps: Size) -> Read:
        """The read after `steps` further convolutions of the state with kernel size k."""
        assert isinstance(read, Taps)
        axis = read.axis + int(self.return_sequences)
        if certainly(equal(steps * (k - 1), 0)):
            return Taps(axis, read.stride, read.offset, read.count, read.dilation)
        if self.return_sequences:
            return UnknownRead(_GROWING)
        if not certainly(equal(read.stride, 1)):
            return UnknownRead(_STRIDED)
        reach = read.dilation * (read.count - 1) + 1
        return Taps(axis, 1, read.offset - steps * floor_div(k - 1, 2), reach + steps * (k - 1))

    def _coupled(self, window: Window) -> Window:
        """The window; if an activation couples the last axis of the output, over all of it."""
        names = (activation_name(a) for a in (self.activation, self.recurrent_activation))
        if not any(ACTIVATIONS[name].couples_channels for name in names):
            return window
        return whole_along(window, self.rank + int(self.return_sequences))


@layer
class ConvLSTM1D(ConvLSTM):
    """LSTM of convolutions over one axis: (k * (Cin + F) + 1) * 4F weights."""

    rank = 1
    step_rank = 2


@layer
class ConvLSTM2D(ConvLSTM):
    """LSTM of convolutions over two axes: (kh * kw * (Cin + F) + 1) * 4F weights."""

    rank = 2
    step_rank = 3


@layer
class ConvLSTM3D(ConvLSTM):
    """LSTM of convolutions over three axes: (k...k * (Cin + F) + 1) * 4F weights."""

    rank = 3
    step_rank = 4
