"""Layers with several inputs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from archcalc.arith import Shape, Size, broadcast, certainly, equal, is_array, prod, require_equal, total
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer, NoMacs, Weightless, axis_index, family, layer, show
from archcalc.layers.dtypes import BYTES, floating
from archcalc.layers.fields import Axes, Axis, Flag
from archcalc.layers.window import (
    Fixed,
    Read,
    Section,
    Shares,
    Taps,
    UnknownRead,
    Whole,
    Window,
    identity,
    identity_read,
)


def require_inputs(owner: Layer, inputs: tuple[Shape, ...], exactly: int | None = None) -> tuple[Shape, ...]:
    """The shapes of the inputs; raises `LayerError` if there are none, or not `exactly` as many."""
    if len(inputs) == 0 or (exactly is not None and len(inputs) != exactly):
        wanted = "at least one input" if exactly is None else f"exactly {exactly} inputs"
        raise LayerError(f"{type(owner).__name__} takes {wanted}, got {len(inputs)}")
    return inputs


@family
class Merge(Weightless, NoMacs):
    """Inputs combined unit by unit, with broadcasting from the last axis."""

    fewest_inputs = 2
    keeps_integers = True

    def output_shape(self, *inputs: Shape) -> Shape:
        first, *others = require_inputs(self, inputs)
        out = first
        for x in others:
            out = self._meet(out, x)
        return out

    def _meet(self, a: Shape, b: Shape) -> Shape:
        if len(a) < len(b):
            a, b = b, a
        extra = len(a) - len(b)

        def misfit() -> str:
            return f"{type(self).__name__}: shapes {show(a)} and {show(b)} do not match"

        return (*a[:extra], *(broadcast(n, m, misfit) for n, m in zip(a[extra:], b, strict=True)))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        out = self.output_shape(*inputs)
        return tuple(
            tuple(aligned(n, out[axis], axis) for axis, n in enumerate(x, start=len(out) - len(x)))
            for x in inputs
        )

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return (len(inputs) - 1) * prod(self.output_shape(*inputs))

    @abstractmethod
    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        """The `kind` of the `Merge` primitive of `branches` inputs, and its `coefficients` if it is a sum."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        out = self.output_shape(*inputs)
        kind, coefficients = self.merged(len(inputs))
        return (prim.Merge(kind, tuple(repeat_count(x, out) for x in inputs), coefficients),)


def repeat_count(x: Shape, out: Shape) -> Size:
    """How many units of an output each unit of an input is broadcast to."""
    front = out[: len(out) - len(x)]
    pairs = zip(x, out[len(front) :], strict=True)
    return prod(front) * prod(m for n, m in pairs if certainly(equal(n, 1)))


def aligned(n: Size, m: Size, axis: int) -> Read:
    """The read of an axis of size n that is broadcast to output axis `axis` of size m."""
    if certainly(equal(n, 1)) and not certainly(equal(m, 1)):
        return Fixed()
    if is_array(n) and not certainly(equal(n, m)):
        return UnknownRead("the axis is repeated in some configurations only")
    return identity_read(axis)


@family
class Summing(Merge):
    """A merging layer in whose effective field each input has weight 1."""

    def shares(self, *inputs: Shape) -> Shares:
        return Shares((1,) * len(inputs))


@family
class Averaging(Merge):
    """A merging layer in whose effective field each of n inputs has weight 1/n, at least on average."""

    def shares(self, *inputs: Shape) -> Shares:
        return Shares((1,) * len(inputs), len(inputs))


@layer
class Add(Summing):
    """The sum of the inputs."""

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "add", (1.0,) * branches


@layer
class Multiply(Merge):
    """The product of the inputs."""

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "multiply", ()


@layer
class Maximum(Averaging):
    """The largest of the inputs, unit by unit."""

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "maximum", ()


@layer
class Minimum(Averaging):
    """The smallest of the inputs, unit by unit."""

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "minimum", ()


@layer
class Average(Averaging):
    """The mean of the inputs."""

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """As TensorFlow, which divides integers of 32 bits and more in float64."""
        summed = super().result_dtype(compute, *inputs)
        return summed if floating(summed) else "float64" if BYTES[summed] > 2 else compute

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return len(inputs) * prod(self.output_shape(*inputs))

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "average", ()


@layer
class Subtract(Summing):
    """The first input less the second."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return super().output_shape(*require_inputs(self, inputs, exactly=2))

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "add", (1.0, -1.0)


@layer
class Concatenate(Weightless, NoMacs):
    """The inputs joined along `axis`; all other sizes must be equal."""

    fewest_inputs = 2
    keeps_integers = True

    axis: Axis = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        first, *others = require_inputs(self, inputs)
        joined = axis_index(self, self.axis, len(first))
        out = list(first)
        for x in others:
            if len(x) != len(first):
                raise LayerError(f"Concatenate: shapes {show(first)} and {show(x)} differ in rank")

            def misfit(x: Shape = x) -> str:
                return f"Concatenate(axis={self.axis}): shapes {show(first)} and {show(x)} do not match"

            for axis, n in enumerate(x):
                if axis != joined:
                    out[axis] = require_equal(out[axis], n, misfit)
        out[joined] = total(x[joined] for x in inputs)
        return tuple(out)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        joined = axis_index(self, self.axis, len(inputs[0]))
        windows: list[Window] = []
        start: Size = 0
        for x in inputs:
            reads: list[Read] = list(identity(len(x)))
            reads[joined] = Section(joined, start, x[joined])
            windows.append(tuple(reads))
            start = start + x[joined]
        return tuple(windows)

    def shares(self, *inputs: Shape) -> Shares:
        joined = axis_index(self, self.axis, len(inputs[0]))
        return Shares(tuple(x[joined] for x in inputs), total(x[joined] for x in inputs))

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        joined = axis_index(self, self.axis, len(inputs[0]))
        return (prim.Merge("concatenate", (1,) * len(inputs), axis=joined),)


@layer
class Dot(Weightless):
    """The sum of products along one axis of each of two inputs, scaled to norm 1 by `normalize`."""

    fewest_inputs = 2
    keeps_integers = True

    axes: Axes
    normalize: Flag = False

    def check(self) -> None:
        if isinstance(self.axes, tuple) and len(self.axes) != 2:
            raise LayerError(f"axes={self.axes} must be one axis or one for each of the two inputs")

    def contracted(self, a: Shape, b: Shape) -> tuple[int, int]:
        """The axis of each input that is summed over."""
        axis_a, axis_b = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        return axis_index(self, axis_a, len(a)), axis_index(self, axis_b, len(b))

    def output_shape(self, *inputs: Shape) -> Shape:
        a, b = require_inputs(self, inputs, exactly=2)
        i, j = self.contracted(a, b)
        require_equal(
            a[i], b[j], lambda: f"Dot: axis {i + 1} of {show(a)} and axis {j + 1} of {show(b)} differ"
        )
        remaining = (*a[:i], *a[i + 1 :], *b[:j], *b[j + 1 :])
        return remaining if len(remaining) > 0 else (1,)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        a, b = inputs
        i, j = self.contracted(a, b)
        return _contraction(len(a), i, 0), _contraction(len(b), j, len(a) - 1)

    def macs(self, *inputs: Shape) -> Size:
        a, b = inputs
        return prod(self.output_shape(a, b)) * a[self.contracted(a, b)[0]]

    def elementwise_ops(self, *inputs: Shape) -> Size:
        # for each unit of the inputs: its square, the addition and the scaling
        return 3 * total(prod(x) for x in inputs) if self.normalize else 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        a, b = inputs
        from string import ascii_lowercase, ascii_uppercase  # its import takes as long as this module's

        i, j = self.contracted(a, b)
        labels_a = ascii_lowercase[: len(a)]
        labels_b = ascii_uppercase[: len(b)]
        labels_b = labels_b[:j] + labels_a[i] + labels_b[j + 1 :]
        remaining = (labels_a + labels_b).replace(labels_a[i], "")
        contract = prim.Contract(
            f"Z{labels_a},Z{labels_b}->Z{remaining}", (None, None), a[i], normalised=self.normalize
        )
        return (contract,) if remaining else (contract, prim.Reshape((1,)))


def _contraction(rank: int, summed: int, first: int) -> Window:
    """The window of an input with a summed axis; its other axes are output axes from `first` on."""
    remaining: list[Any] = [axis for axis in range(rank) if axis != summed]
    return tuple(Whole() if a == summed else Taps(first + remaining.index(a)) for a in range(rank))
