"""Axes that are read alike, in one description: most layers treat height and width in the same way.

`Sliding` is the usual form of what units see: an interval that moves evenly, and alike along all axes of
the root. Everything else is described axis by axis (`index_maps`); `dependences` and `condensed` convert.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from archcalc.analyses.fields.index_maps import MAX_BITS, Dependence, Endpoint, IndexMap
from archcalc.arith import concrete
from archcalc.layers.window import Phases, Section, Taps, Window


class CommonTaps(NamedTuple):
    """A window that reads several axes of its input alike: unit i reads `stride*i + offset + dilation*t`.

    The k-th of these axes goes to `axes[k]` of the output; 0 <= t < `taps`, `reach` is that of the last t.
    """

    axes: tuple[int, ...]
    stride: int
    offset: int
    taps: int
    dilation: int
    reach: int


class CommonTapsOf:
    """The taps of a window along given axes of its input, worked out once; None if it reads otherwise."""

    def __init__(self) -> None:
        # by the object, which stays with the answer, so that no other window gets its place in memory
        self._known: dict[tuple[int, tuple[int, ...]], tuple[Window, CommonTaps | None]] = {}

    def __call__(self, window: Window, axes: tuple[int, ...]) -> CommonTaps | None:
        key = id(window), axes
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = window, _common_taps(window, axes)
        return known[1]


def _common_taps(window: Window, axes: tuple[int, ...]) -> CommonTaps | None:
    # where parts or phases of any axis are read, not every position along the others sees the same
    if not _PARTIAL.isdisjoint(map(type, window)):
        return None
    reads = [read for axis in axes if isinstance(read := window[axis], Taps)]
    if len(reads) < len(axes):
        return None
    first, *others = [(read.stride, read.offset, read.count, read.dilation) for read in reads]
    if not concrete(first) or first[0] < 1 or any(not concrete(other) or other != first for other in others):
        return None
    stride, offset, count, dilation = first
    return CommonTaps(tuple(r.axis for r in reads), stride, offset, count, dilation, dilation * (count - 1))


_PARTIAL = frozenset({Section, Phases})


class Sliding(NamedTuple):
    """Unit i along `axes[k]` sees `step*i + low` to `step*i + high` of axis k of the root, for every k.

    All numbers are integers, the step is positive, and no layer on the path reads a whole axis.
    """

    axes: tuple[int, ...]
    step: int
    low: int
    high: int

    def through(self, taps: CommonTaps) -> Sliding | None:
        """What a layer's units see that slides over these; None where the stride becomes too large."""
        axes, stride, offset, _, _, reach = taps
        step = self.step
        low = step * offset
        moved = Sliding(axes, step * stride, low + self.low, low + step * reach + self.high)
        if moved == self:
            return self
        return moved if stride == 1 or moved.step.bit_length() <= MAX_BITS else None


# what a layer's units see along each axis of a root (a model input, or the input of a repeated block)
Dependences: TypeAlias = tuple[Dependence, ...]


def dependences(seen: Sliding | Dependences) -> Dependences:
    """The same, axis by axis."""
    if not isinstance(seen, Sliding):
        return seen
    ends = Endpoint(seen.step, (seen.low,)), Endpoint(seen.step, (seen.high,))
    return tuple([(IndexMap(axis, *ends),) for axis in seen.axes])


def condensed(seen: Dependences) -> Sliding | Dependences:
    """The same in one description, if there is one."""
    axes = []
    numbers = set()
    for of_axis in seen:
        if type(of_axis) is not tuple or len(of_axis) != 1 or not isinstance(of_axis[0], IndexMap):
            return seen
        axis, (step, lows), (rate, highs), whole, domains = of_axis[0]
        if axis is None or whole or domains or len(lows) != 1:
            return seen
        ends = step, rate, lows[0], highs[0]
        if not concrete(ends):
            return seen
        axes.append(axis)
        numbers.add(ends)
    if len(numbers) != 1:
        return seen
    ((step, rate, low, high),) = numbers
    return Sliding(tuple(axes), step, low, high) if step == rate > 0 else seen
