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
        if sum(map(_is_open, self.target_shape)) > 1:
            raise LayerError(f"target_shape={show(self.target_shape)}: only one size may be -1")

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        known = prod(n for n in self.target_shape if not _is_open(n))

        def misfit() -> str:
            return f"target_shape={show(self.target_shape)} does not hold the {prod(x)} units of {show(x)}"

        if not any(map(_is_open, self.target_shape)):
            require_equal(prod(x), known, misfit)
            return tuple(self.target_shape)
        rest = exact_div(prod(x), known, misfit)
        return tuple(rest if _is_open(n) else n for n in self.target_shape)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return (reshaped(x, self.output_shape(x)),)


def _is_open(n: Size) -> bool:
    """Whether a size of a target shape is the -1 that takes what is left."""
    return certainly(equal(n, -1))


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
    gap = 0  # where the scattered axes since the last surviving one begin in `reads`
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
            _scatter(reads, gap, tuple(range(first, kept)))
            reads.append(Taps(kept))
            first, gap = kept + 1, len(reads)
        front = front * n
    _scatter(reads, gap, tuple(range(first, len(out))))
    return tuple(reads)


def _scatter(reads: list[Read], start: int, axes: tuple[int, ...]) -> None:
    """Name the output axes that share the units of the scattered ones from `start` on."""
    reads[start:] = [Scattered(axes) if isinstance(r, Scattered) else r for r in reads[start:]]


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
