"""Indexing of tensors, as in `x[:, 1:-1, ::2, None]`, and `take`."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, TypeAlias

from archcalc.arith import Shape, Size, ceil_div, certainly, equal, largest, require_at_least, smallest
from archcalc.errors import LayerError
from archcalc.layers.base import Window, axis_index, show
from archcalc.layers.fields import Axis, FieldError, Kind
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import operation
from archcalc.layers.operations.reshaping import Moving
from archcalc.layers.primitives import Primitives, Repeat, Select
from archcalc.layers.window import Fixed, Read, Taps, UnknownRead


class Slice(NamedTuple):
    """`start:stop:step`; None as in Python."""

    start: int | None
    stop: int | None
    step: int | None

    def __repr__(self) -> str:
        ends = ("" if v is None else str(v) for v in (self.start, self.stop))
        return ":".join(ends) + ("" if self.step is None else f":{self.step}")


# an index, a slice, a new axis (None), or all axes in between (...)
Part: TypeAlias = "int | Slice | ellipsis | None"  # noqa: F821

WHOLE = Slice(None, None, None)


class KeyKind(Kind):
    """The index between the brackets, beginning with the batch.

    In a spec: a list of integers, `[start, stop, step]`, null (a new axis) and `"..."`.
    """

    def normalise(self, value: Any, rank: int) -> Any:
        parts = value if isinstance(value, list | tuple) and not isinstance(value, Slice) else [value]
        key = tuple(self._part(p) for p in parts)
        if sum(p is ... for p in key) > 1:
            raise FieldError("an index can have only one '...'")
        return key

    def _part(self, part: Any) -> Part:
        if part is None or part is ... or isinstance(part, Slice) or type(part) is int:
            return part
        if part == "...":
            return ...
        ends = [part.start, part.stop, part.step] if isinstance(part, slice) else part
        if (
            isinstance(ends, list | tuple)
            and len(ends) == 3
            and all(v is None or type(v) is int for v in ends)
        ):
            if ends[2] == 0:
                raise FieldError("the step of a slice must not be 0")
            return Slice(*ends)
        raise FieldError(f"expected an integer, a slice, a new axis or '...', got {part!r:.60}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["integer", "array", "string", "null"]}


@operation("get_item", "GetItem")
class GetItem(Moving):
    """`x[key]` with integers, slices and new axes; the batch axis cannot be indexed."""

    parameters = ("x", "key")

    key: Annotated[Any, KeyKind()]

    def parts(self, x: Shape) -> tuple[tuple[Part, int | None], ...]:
        """Each part of the key with the axis of a sample that it indexes (None: a new axis).

        Raises `LayerError` if the batch is indexed, or if there are more indices than axes.
        """
        taken = sum(p is not None and p is not ... for p in self.key)
        missing = len(x) + 1 - taken
        if missing < 0:
            raise LayerError(f"{len(self.key)} indices for a tensor of {len(x) + 1} axes, the batch included")
        parts = list(self.key) if ... in self.key else [*self.key, ...]
        position = parts.index(...)
        parts[position : position + 1] = [WHOLE] * missing
        if not parts or parts[0] not in (WHOLE, Slice(None, None, 1)):
            raise LayerError("the index cuts the batch axis, or puts a new axis before it")
        paired: list[tuple[Part, int | None]] = []
        axis = 0
        for part in parts[1:]:
            paired.append((part, None if part is None else axis))
            axis += part is not None
        return tuple(paired)

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        out: list[Size] = []
        for part, axis in self.parts(x):
            if axis is None:
                out.append(1)
            elif isinstance(part, Slice):
                out.append(self._span(part, x[axis])[1])
            else:
                self._index(part, x[axis])
        return tuple(out)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        reads: list[Read] = []
        position = 0
        for part, axis in self.parts(x):
            if axis is None:
                position += 1
            elif isinstance(part, Slice):
                start, _ = self._span(part, x[axis])
                reads.append(Taps(position, 1 if part.step is None else part.step, start))
                position += 1
            else:
                reads.append(Fixed(self._index(part, x[axis])))
        return (tuple(reads),)

    def _index(self, index: Any, n: Size) -> Size:
        """The position of a Python index, which may be negative."""
        position: Size = index + n if index < 0 else index
        require_at_least(position, 0, lambda: f"index {index} of an axis of {n}")
        require_at_least(n, position + 1, lambda: f"index {index} of an axis of {n}")
        return position

    def _span(self, part: Slice, n: Size) -> tuple[Size, Size]:
        """(first position, number of units) of a slice; raises `LayerError` if it is empty."""
        step = 1 if part.step is None else part.step
        if step < 0 and (part.start, part.stop) != (None, None):
            raise LayerError(f"the slice {part!r} with a negative step and ends has no rule")
        if step < 0:
            return n - 1, ceil_div(n, -step)
        start = 0 if part.start is None else self._end(part.start, n)
        stop = n if part.stop is None else self._end(part.stop, n)
        require_at_least(stop, start + 1, lambda: f"the slice {part!r} of an axis of {n} is empty")
        return start, ceil_div(stop - start, step)

    def _end(self, end: int, n: Size) -> Size:
        """An end of a slice, clipped to 0..n."""
        return largest(n + end, 0) if end < 0 else smallest(end, n)

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Select(),)


class IndicesKind(Kind):
    """An index, or a list of indices."""

    def normalise(self, value: Any, rank: int) -> Any:
        if isinstance(value, Constant):
            value = value.value
        if type(value) is int:
            return value
        if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
            return tuple(value)
        raise FieldError(f"expected an index or a list of indices, got {value!r:.60}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["integer", "array"]}


@operation("take", "Take")
class Take(Moving):
    """The units at `indices` along `axis`; a single index removes the axis."""

    parameters = ("x", "indices")

    indices: Annotated[Any, IndicesKind()]
    axis: Axis

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        several = isinstance(self.indices, tuple)
        reach = max((i if i >= 0 else -i - 1) for i in (self.indices if several else (self.indices,)))
        require_at_least(
            x[axis], reach + 1, lambda: f"indices up to {reach} for axis {axis + 1} of {show(x)}"
        )
        return (*x[:axis], *((len(self.indices),) if several else ()), *x[axis + 1 :])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        axis = axis_index(self, self.axis, len(x))
        if isinstance(self.indices, tuple):
            positions = [i + x[axis] if i < 0 else i for i in self.indices]
            read = _evenly(axis, positions)
            return (tuple(read if a == axis else Taps(a) for a in range(len(x))),)
        position = self.indices + x[axis] if self.indices < 0 else self.indices
        return (
            tuple(Fixed(position) if a == axis else Taps(a if a < axis else a - 1) for a in range(len(x))),
        )

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Repeat(_most(self.indices if isinstance(self.indices, tuple) else (self.indices,))),)


def _most(indices: tuple[int, ...]) -> int:
    """How often a unit is taken at most; a negative index may name the same unit as another index."""
    front = Counter(i for i in indices if i >= 0)
    back = Counter(i for i in indices if i < 0)
    return sum(count for counter in (front, back) for _, count in counter.most_common(1))


def _evenly(axis: int, positions: list[Size]) -> Read:
    """The read of these positions, if they are evenly spaced: a window with that stride."""
    steps = [b - a for a, b in pairwise(positions)] or [1]
    if all(certainly(equal(step, steps[0])) for step in steps):
        return Taps(axis, steps[0], positions[0])
    return UnknownRead("the indices that are taken are not evenly spaced")
