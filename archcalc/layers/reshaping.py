"""Layers that rearrange units without computing anything."""

from __future__ import annotations

from archcalc.arith import Shape, Size, certainly, concrete, equal, exact_div, integer, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import NoMacs, Weightless, family, layer, one_input, require_rank, show
from archcalc.layers.fields import Axes, Count, DataFormat, TargetShape
from archcalc.layers.window import Fixed, Read, Scattered, Taps, Window


@family
class Rearranging(Weightless, NoMacs):
    """Each output unit is one input unit."""

    keeps_integers = True

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
        (x,) = inputs
        if self.data_format != "channels_first" or len(x) == 0:
            return (reshaped(x, self.output_shape(x)),)
        *spatial, channel = reshaped((*x[1:], x[0]), self.output_shape(x))
        return ((channel, *spatial),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        flat = prim.Reshape(self.output_shape(x))
        if self.data_format != "channels_first" or len(x) == 0:
            return (flat,)
        return prim.Permute((*range(1, len(x)), 0)), flat


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

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Reshape(self.output_shape(*inputs)),)


def _is_open(n: Size) -> bool:
    """Whether a size of a target shape is -1, the remaining size."""
    return certainly(equal(n, -1))


def reshaped(x: Shape, out: Shape) -> Window:
    """The window of a row-major reshape from shape `x` to shape `out`.

    Both shapes are divided into pieces at positions where the products of the sizes before are
    equal. An axis that is alone in its piece in both shapes is unchanged; the others are scattered.
    """
    reads: list[Read] = []
    for axes_in, axes_out in _pieces(x, out):
        long_in = [a for a in axes_in if not certainly(equal(x[a], 1))]
        long_out = tuple(a for a in axes_out if not certainly(equal(out[a], 1)))
        if len(long_in) == len(long_out) == 1:
            moved: dict[int, Read] = {long_in[0]: Taps(long_out[0])}
        else:
            moved = {a: _scattered(a, long_in, x, long_out, out) for a in long_in}
        reads += [moved.get(a, Fixed()) for a in axes_in]
    return tuple(reads)


def _scattered(axis: int, axes_in: list[int], x: Shape, axes_out: tuple[int, ...], out: Shape) -> Scattered:
    """How one of the axes `axes_in` of shape `x` is read along the axes `axes_out` of a reshape."""
    sizes = tuple(out[a] for a in axes_out)
    later = tuple(x[a] for a in axes_in if a > axis)
    if concrete(sizes) and concrete(later):
        return Scattered(axes_out, sizes, integer(prod(later)))
    return Scattered(axes_out)


def _pieces(x: Shape, out: Shape) -> list[tuple[list[int], list[int]]]:
    """Groups of consecutive axes of input and output that hold the same units, as many as are certain."""
    pieces = []
    first_in = first_out = 0
    for stop_in in range(1, len(x) + 1):
        # the last piece has all remaining axes
        stops = range(first_out, len(out) + 1) if stop_in < len(x) else [len(out)]
        front = prod(x[:stop_in])
        stop_out = next(
            (j for j in stops if stop_in == len(x) or certainly(equal(prod(out[:j]), front))), None
        )
        if stop_out is not None:
            pieces.append((list(range(first_in, stop_in)), list(range(first_out, stop_out))))
            first_in, first_out = stop_in, stop_out
    return pieces


@layer
class Permute(Rearranging):
    """Axes in another order; `dims` counts from 1, the batch stays first."""

    dims: Axes

    def check(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise LayerError(f"dims={self.dims} must hold each of 1..{len(self.order)} once")

    @property
    def order(self) -> tuple[int, ...]:
        """For each output axis the input axis."""
        return tuple(a - 1 for a in (self.dims if isinstance(self.dims, tuple) else (self.dims,)))

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, len(self.order))
        return tuple(x[a] for a in self.order)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (tuple(Taps(self.order.index(a)) for a in range(len(inputs[0]))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Permute(self.order),)


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

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return prim.Reshape((1, *inputs[0])), prim.Upsample(0, 1, self.n)
