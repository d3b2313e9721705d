"""Operations that rearrange units: reshaping, permuting, repeating, joining, splitting, padding."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from archcalc.arith import Shape, Size, certainly, equal, exact_div, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers import merging
from archcalc.layers import primitives as prim
from archcalc.layers import reshaping as layers
from archcalc.layers.base import Window, axis_index, family, show
from archcalc.layers.fields import (
    Axes,
    Axis,
    ChoiceKind,
    Count,
    FieldError,
    Kind,
    OptionalCount,
    Untracked,
    size,
)
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.operations.reduction import OptionalAxes
from archcalc.layers.window import Blocks, Fixed, Read, Scattered, Shares, Taps, UnknownRead

MAX_PARTS = 10_000  # outputs of one split


@family
class Moving(Operation):
    """An operation whose output units are input units or constants; it computes nothing."""

    keeps_integers = True

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Select(),)


@family
class Permuting(Moving):
    """The axes of a tensor in another order; the batch axis must stay first."""

    def order(self, rank: int) -> tuple[int, ...]:
        """For each output axis the input axis, both including the batch."""
        raise NotImplementedError

    def _samples(self, x: Shape) -> tuple[int, ...]:
        order = self.order(len(x) + 1)
        if sorted(order) != list(range(len(x) + 1)):
            raise LayerError(f"{type(self).__name__}: {order} is no order of {len(x) + 1} axes")
        if order[0] != 0:
            raise LayerError(f"{type(self).__name__} moves the batch axis")
        return tuple(a - 1 for a in order[1:])

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return tuple(x[a] for a in self._samples(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        order = self._samples(x)
        return (tuple(Taps(order.index(a)) for a in range(len(x))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Permute(self._samples(self.one(inputs))),)


@operation("transpose", "Transpose")
class Transpose(Permuting):
    """The axes in the order `axes`; None reverses the order."""

    axes: OptionalAxes = None

    def order(self, rank: int) -> tuple[int, ...]:
        if self.axes is None:
            return tuple(reversed(range(rank)))
        numbers = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        return tuple(a % rank if -rank <= a < rank else a for a in numbers)


@operation("swapaxes", "Swapaxes")
class Swapaxes(Permuting):
    """Two axes exchanged."""

    axis1: Axis
    axis2: Axis

    def order(self, rank: int) -> tuple[int, ...]:
        swapped = list(range(rank))
        a, b = _with_batch(self, self.axis1, rank), _with_batch(self, self.axis2, rank)
        swapped[a], swapped[b] = b, a
        return tuple(swapped)


@operation("moveaxis", "Moveaxis")
class Moveaxis(Permuting):
    """Axes `source` at the positions `destination`, the others in their order."""

    source: Axes
    destination: Axes

    def order(self, rank: int) -> tuple[int, ...]:
        source = [_with_batch(self, a, rank) for a in _as_tuple(self.source)]
        destination = [_with_batch(self, a, rank) for a in _as_tuple(self.destination)]
        if len(source) != len(destination):
            raise LayerError(
                f"{type(self).__name__}: source={source} and destination={destination} differ in number"
            )
        order = [a for a in range(rank) if a not in source]
        for position, axis in sorted(zip(destination, source, strict=True)):
            order.insert(position, axis)
        return tuple(order)


def _as_tuple(axes: Any) -> tuple[int, ...]:
    return axes if isinstance(axes, tuple) else (axes,)


def _distinct(owner: Operation, axes: Any, rank: int) -> tuple[int, ...]:
    """The indices of axes in shapes without the batch; raises `LayerError` if one is named twice."""
    positions = tuple(axis_index(owner, a, rank) for a in _as_tuple(axes))
    for a in positions:
        if positions.count(a) > 1:
            raise LayerError(f"{type(owner).__name__}: axis {a + 1} is named twice")
    return positions


def _with_batch(owner: Operation, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise LayerError(
            f"{type(owner).__name__}: axis {axis} does not exist (there are {rank}, the batch included)"
        )
    return axis % rank


class NewShapeKind(Kind):
    """A shape that begins with the batch (-1 or null); one of the other sizes may be -1."""

    holds_sizes = True

    def normalise(self, value: Any, rank: int) -> Any:
        if not isinstance(value, list | tuple) or not value:
            raise FieldError(f"expected a list of integers, the batch first, got {value!r}")
        first, *rest = value
        if first not in (None, -1):
            raise FieldError(f"expected -1 or null for the batch, which is first, got {first!r}")
        sizes = tuple(-1 if n == -1 else size(n, 1, "a positive integer or -1") for n in rest)
        if sum(type(n) is int and n == -1 for n in sizes) > (first is None):
            raise FieldError(f"only one size of {list(value)} may be -1")
        return (first, *sizes)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["integer", "string", "null"]}, "minItems": 1}


@operation("reshape", "Reshape")
class Reshape(Moving):
    """The units of each sample in row-major order in another shape."""

    newshape: Annotated[Any, NewShapeKind()]

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        shape = self.newshape[1:]
        known = prod(n for n in shape if not (type(n) is int and n == -1))

        def misfit() -> str:
            return f"newshape={show(self.newshape)} does not hold the {prod(x)} units of {show(x)}"

        if any(type(n) is int and n == -1 for n in shape):
            rest = exact_div(prod(x), known, misfit)
            return tuple(rest if type(n) is int and n == -1 else n for n in shape)
        require_equal(prod(x), known, misfit)
        return tuple(shape)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        return (layers.reshaped(x, self.output_shape(x)),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Reshape(self.output_shape(*inputs)),)


@operation("expand_dims", "ExpandDims")
class ExpandDims(Moving):
    """New axes of size 1."""

    axis: Axes

    def positions(self, x: Shape) -> tuple[int, ...]:
        """The positions of the new axes in the output."""
        return tuple(sorted(_distinct(self, self.axis, len(x) + len(_as_tuple(self.axis)))))

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        out = list(x)
        for position in self.positions(x):
            out.insert(position, 1)
        return tuple(out)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        positions = self.positions(x)
        remaining = [a for a in range(len(x) + len(positions)) if a not in positions]
        return (tuple(map(Taps, remaining)),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Reshape(self.output_shape(*inputs)),)


@operation("squeeze", "Squeeze")
class Squeeze(Moving):
    """Removes axes of size 1; without `axis` all of them."""

    axis: OptionalAxes = None

    def removed_axes(self, x: Shape) -> tuple[int, ...]:
        """The axes that are removed; raises `LayerError` if the size of one is not 1."""
        if self.axis is None:
            return tuple(a for a, n in enumerate(x) if certainly(equal(n, 1)))
        axes = tuple(axis_index(self, a, len(x)) for a in _as_tuple(self.axis))
        for a in axes:
            require_equal(x[a], 1, lambda a=a: f"axis {a + 1} of {show(x)} is not of size 1")
        return axes

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        removed = self.removed_axes(x)
        return tuple(n for a, n in enumerate(x) if a not in removed)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        removed = self.removed_axes(x)
        remaining = [a for a in range(len(x)) if a not in removed]
        return (tuple(Fixed() if a in removed else Taps(remaining.index(a)) for a in range(len(x))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Reshape(self.output_shape(*inputs)),)


@operation("flip", "Flip")
class Flip(Moving):
    """The units along `axis` in reverse order."""

    axis: Axes

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        self._flipped(x)
        return x

    def _flipped(self, x: Shape) -> tuple[int, ...]:
        return _distinct(self, self.axis, len(x))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        flipped = self._flipped(x)
        return (tuple(Taps(a, -1, n - 1) if a in flipped else Taps(a) for a, n in enumerate(x)),)


@operation("roll", "Roll")
class Roll(Moving):
    """The units shifted along `axis`; those beyond one end re-enter at the other."""

    shift: Untracked
    axis: Axes

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        for a in _as_tuple(self.axis):
            axis_index(self, a, len(x))
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        moved = {axis_index(self, a, len(x)) for a in _as_tuple(self.axis)}
        return (tuple(Scattered((a,)) if a in moved else Taps(a) for a in range(len(x))),)


# -- copies -------------------------------------------------------------------------------------
@operation("repeat", "Repeat")
class Repeat(Moving):
    """Each unit along `axis` `repeats` times in a row."""

    repeats: Count
    axis: Axis

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        return (*x[:axis], x[axis] * self.repeats, *x[axis + 1 :])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        read = Blocks(axis, self.repeats, 1)
        return (tuple(read if a == axis else Taps(a) for a in range(len(x))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        return (prim.Upsample(axis, x[axis], self.repeats),)


class RepeatsKind(Kind):
    """The number of repetitions along each axis, beginning with the batch (1)."""

    holds_sizes = True

    def normalise(self, value: Any, rank: int) -> Any:
        if not isinstance(value, list | tuple):
            raise FieldError(f"expected a list of integers, the batch first, got {value!r}")
        return tuple(size(v, 1, "a positive integer") for v in value)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["integer", "string"]}}


@operation("tile", "Tile")
class Tile(Moving):
    """The tensor repeated along each axis; fewer `repeats` than axes apply to the last axes."""

    repeats: Annotated[Any, RepeatsKind()]

    def times(self, x: Shape) -> Shape:
        """The number of repetitions along each axis of a sample."""
        full: Shape = (1,) * (len(x) + 1 - len(self.repeats)) + self.repeats
        if len(full) > len(x) + 1:
            raise LayerError(f"repeats={show(self.repeats)} for {len(x) + 1} axes, the batch included")
        require_equal(full[0], 1, lambda: f"repeats={show(self.repeats)} multiplies the batch")
        return full[1:]

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return tuple(n * r for n, r in zip(x, self.times(x), strict=True))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        return (
            tuple(
                Taps(a) if certainly(equal(r, 1)) else Fixed() if certainly(equal(n, 1)) else Scattered((a,))
                for a, (n, r) in enumerate(zip(x, self.times(x), strict=True))
            ),
        )

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Repeat(prod(self.times(self.one(inputs)))),)


# -- joining and splitting -------------------------------------------------------------------------
@operation("concatenate", "Concatenate")
class Concatenate(Moving):
    """Tensors joined along `axis`."""

    parameters = ("xs",)
    operands = ("xs",)
    takes_list = True

    axis: Axis = 0

    def output_shape(self, *inputs: Shape) -> Shape:
        return merging.Concatenate(axis=self.axis).output_shape(*inputs)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return merging.Concatenate(axis=self.axis).window(*inputs)

    def shares(self, *inputs: Shape) -> Shares:
        return merging.Concatenate(axis=self.axis).shares(*inputs)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return merging.Concatenate(axis=self.axis).primitives(*inputs)


@operation("stack", "Stack")
class Stack(Moving):
    """Tensors of one shape along a new axis."""

    operands = ("x",)
    takes_list = True

    axis: Axis = 0

    def output_shape(self, *inputs: Shape) -> Shape:
        first, *others = merging.require_inputs(self, inputs)
        for x in others:

            def misfit(x: Shape = x) -> str:
                return f"{type(self).__name__}: shapes {show(first)} and {show(x)} differ"

            if len(x) != len(first):
                raise LayerError(misfit())
            for n, m in zip(first, x, strict=True):
                require_equal(n, m, misfit)
        position = axis_index(self, self.axis, len(first) + 1)
        return (*first[:position], len(inputs), *first[position:])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        # windows do not express that each tensor fills only one position of the new axis
        rank = len(inputs[0])
        position = axis_index(self, self.axis, rank + 1)
        return (tuple(Taps(a if a < position else a + 1) for a in range(rank)),) * len(inputs)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        position = axis_index(self, self.axis, len(inputs[0]) + 1)
        return (prim.Merge("stack", (1,) * len(inputs), axis=position),)


@operation("split", "Split")
class Split(Moving):
    """The tensor split along `axis` into equal parts, or before the given indices."""

    indices_or_sections: Untracked
    axis: Axis = 0

    def check(self) -> None:
        cut = self.indices_or_sections
        if type(cut) is int and cut > 0:
            return
        if not isinstance(cut, list | tuple) or not all(type(i) is int and i >= 0 for i in cut):
            raise LayerError(
                f"indices_or_sections: expected a positive integer or a list of indices, got {cut!r}"
            )
        if list(cut) != sorted(cut):
            raise LayerError(f"indices_or_sections={list(cut)} must rise")

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        cut = self.indices_or_sections
        if type(cut) is int:
            _require_few(cut)
            part = exact_div(
                x[axis], cut, lambda: f"an axis of {x[axis]} cannot be cut into {cut} equal parts"
            )
            lengths: tuple[Size, ...] = (part,) * cut
        else:
            ends = (0, *cut, x[axis])
            lengths = tuple(b - a for a, b in pairwise(ends))
        return tuple((*x[:axis], n, *x[axis + 1 :]) for n in lengths)

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.output_shapes(*inputs)[0]

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        unknown = UnknownRead("the parts of a split read different units along its axis")
        return (tuple(unknown if a == axis else Taps(a) for a in range(len(x))),)


def _require_few(parts: int) -> None:
    if parts > MAX_PARTS:
        raise LayerError(f"{parts} parts, more than the limit of {MAX_PARTS}")


@operation("unstack", "Unstack")
class Unstack(Moving):
    """The units along `axis` as separate tensors."""

    num: OptionalCount = None
    axis: Axis = 0

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        count = x[axis] if self.num is None else self.num
        require_equal(x[axis], count, lambda: f"num={count} for an axis of {x[axis]}")
        if type(count) is not int:
            raise LayerError(f"an axis of {count} gives an unknown number of tensors")
        _require_few(count)
        return ((*x[:axis], *x[axis + 1 :]),) * count

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.output_shapes(*inputs)[0]

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        unknown = UnknownRead("the parts of an unstack read different units along its axis")
        return (tuple(unknown if a == axis else Taps(a if a < axis else a - 1) for a in range(len(x))),)


class PaddingKind(Kind):
    """(before, after) for every axis, including the batch."""

    def normalise(self, value: Any, rank: int) -> Any:
        if type(value) is int:
            value = [[value, value]]
        if not isinstance(value, list | tuple) or not value:
            raise FieldError(f"expected pairs [before, after], the batch first, got {value!r}")
        if len(value) == 2 and all(type(v) is int for v in value):
            value = [value]
        pairs = []
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) not in (1, 2):
                raise FieldError(f"expected a pair [before, after], got {pair!r}")
            before, after = (size(v, 0, "an integer >= 0") for v in (pair[0], pair[-1]))
            pairs.append((before, after))
        return tuple(pairs)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["integer", "array"]}


@operation("pad", "Pad")
class Pad(Moving):
    """Units added before and after each axis, with values by `mode`."""

    parameters = ("x", "constant_values")

    pad_width: Annotated[Any, PaddingKind()]
    mode: Annotated[str, ChoiceKind("constant", "reflect", "symmetric")] = "constant"
    constant_values: Untracked = None

    def margins(self, x: Shape) -> tuple[tuple[int, int], ...]:
        """(before, after) of each axis of a sample."""
        pairs = self.pad_width * (len(x) + 1) if len(self.pad_width) == 1 else self.pad_width
        if len(pairs) != len(x) + 1 or pairs[0] != (0, 0):
            raise LayerError(
                f"pad_width={list(self.pad_width)} must be [0, 0] for the batch, then one pair an axis"
            )
        return tuple(pairs[1:])

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return tuple(n + before + after for n, (before, after) in zip(x, self.margins(x), strict=True))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        return (tuple(self._read(a, *pair) for a, pair in enumerate(self.margins(x))),)

    def _read(self, axis: int, before: int, after: int) -> Read:
        if self.mode == "constant" or (before, after) == (0, 0):
            return Taps(axis, 1, -before)
        return UnknownRead(f"{self.mode} padding reads units near the border twice")

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        pairs = self.margins(self.one(inputs))
        if self.mode == "constant":
            return (prim.Pad(pairs),)
        # a unit near a border occurs once more for each end that mirrors it
        return (prim.Repeat(prod(1 + sum(margin > 0 for margin in pair) for pair in pairs)),)


@operation("one_hot", "OneHot")
class OneHot(Moving):
    """Each integer as a vector with a single 1, along a new axis."""

    num_classes: Count
    axis: Axis = -1
    sparse: Untracked = False

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return self.dtype or "float32"

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        position = axis_index(self, self.axis, len(x) + 1)
        return (*x[:position], self.num_classes, *x[position:])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        position = axis_index(self, self.axis, len(x) + 1)
        return (tuple(Taps(a if a < position else a + 1) for a in range(len(x))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.ZeroGradient(),)
