"""Layers that move units without computing anything."""

from __future__ import annotations

from archcalc.arith import Shape, Size, certainly, equal, exact_div, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import NoMacs, Weightless, family, layer, one_input, require_rank, show
from archcalc.layers.fields import Axes, Count, DataFormat, TargetShape
from archcalc.layers.window import Fixed, Read, Scattered, Taps, Window


@family
class Rearranging(Weightless, NoMacs):
    """Each output unit is one input unit."""

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0


@layer
class Flatten(Rearranging):
    """All axes in one; `channels_first` input is read channels-last."""

    data_format: DataFormat = None

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return (prod(x),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        # one axis that is not of size 1 stays itself, in either order
        (x,) = inputs
        return (reshaped(x, self.output_shape(x)),)


@layer
class Reshape(Rearranging):
    """The same units in row-major order under another shape; one size may be -1."""

    target_shape: TargetShape

    def check(self) -> None:
        if self._rest > 1:
            raise LayerError(f"target_shape={show(self.target_shape)}: only one size may be -1")

    @property
    def _rest(self) -> int:
        return sum(type(n) is int and n == -1 for n in self.target_shape)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        known = prod(n for n in self.target_shape if not (type(n) is int and n == -1))

        def misfit() -> str:
            return f"target_shape={show(self.target_shape)} does not hold the {prod(x)} units of {show(x)}"

        if not self._rest:
            require_equal(prod(x), known, misfit)
            return tuple(self.target_shape)
        rest = exact_div(prod(x), known, misfit)
        return tuple(rest if type(n) is int and n == -1 else n for n in self.target_shape)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return (reshaped(x, self.output_shape(x)),)


def reshaped(x: Shape, out: Shape) -> Window:
    """What a row-major reshape reads: axes that survive whole are themselves, the rest scattered."""
    before = {}  # output axis -> units of one step along everything in front of it
    front: Size = 1
    for axis, n in enumerate(out):
        before[axis] = front
        front = front * n
    reads: list[Read] = []
    front = 1
    first = 0
    for n in x:
        if certainly(equal(n, 1)):
            reads.append(Fixed())
            continue
        same = (
            axis
            for axis in range(first, len(out))
            if certainly(equal(out[axis], n)) and certainly(equal(before[axis], front))
        )
        kept = next(same, None)
        if kept is None:
            reads.append(Scattered())
        else:
            reads.append(Taps(kept))
            first = kept + 1
        front = front * n
    return tuple(reads)


@layer
class Permute(Rearranging):
    """Axes in another order; `dims` counts from 1, the batch stays in front."""

    dims: Axes

    def check(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise LayerError(f"dims={self.dims} must hold each of 1..{len(self.order)} once")

    @property
    def order(self) -> tuple[int, ...]:
        """Which input axis each output axis is."""
        return tuple(a - 1 for a in (self.dims if isinstance(self.dims, tuple) else (self.dims,)))

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, len(self.order))
        return tuple(x[a] for a in self.order)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (tuple(Taps(self.order.index(a)) for a in range(len(inputs[0]))),)


@layer
class RepeatVector(Rearranging):
    """A vector `n` times along a new first axis."""

    n: Count

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 1)
        return (self.n, *x)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return ((Taps(1),),)
