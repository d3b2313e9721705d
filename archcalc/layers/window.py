"""Which input units an output unit depends on: the type that `Layer.window` returns.

For every input of a layer, one `Read` per axis of that input tensor (the batch axis excluded,
channels included). A read names an axis of the *output* by its number, so that permuted axes,
channels-first tensors and sequences need no special case. Padding is not clipped here and the gaps
of dilation are not filled; intervals, clipping and composition belong to
`archcalc.analyses.fields.receptive_field`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypeAlias

from archcalc.arith import Size
from archcalc.layers.records import Record, declared


@declared
class Taps(Record):
    """Unit i of output axis `axis` reads units `stride*i + offset + dilation*t` for 0 <= t < count."""

    axis: int
    stride: Size = 1
    offset: Size = 0
    count: Size = 1
    dilation: Size = 1


@declared
class Phases(Record):
    """Unit `period*q + r` of `axis` reads unit `step*q + o` with weight w for each (o, w) of `reads[r]`.

    The weights are for the effective field (all 1 for uniform kernels). A phase may read nothing
    (a transposed convolution with kernel < stride).
    """

    axis: int
    step: int
    reads: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def period(self) -> int:
        return len(self.reads)


@declared
class Blocks(Record):
    """Unit i of `axis` reads the block of `inputs` units that starts at `inputs * (i // outputs)`.

    Channels of grouped convolutions: `outputs` filters share the `inputs` channels of a group.
    `uniform`: all units of a block are read with equal weight.
    """

    axis: int
    outputs: Size
    inputs: Size
    uniform: bool = True


@declared
class Section(Record):
    """Unit i of `axis` reads unit `i - start` if it exists (0 <= i - start < length), else nothing.

    So a concatenation reads each of its inputs along the concatenated axis.
    """

    axis: int
    start: Size
    length: Size


@declared
class Whole(Record):
    """Every output unit reads the whole axis; `uniform`: with equal weight."""

    uniform: bool = False


@declared
class Prefix(Record):
    """Unit i of `axis` reads units 0..i (causal), or with `backwards` all from i on.

    `mirrored`: the output is in reverse order, so that i counts from the end of the axis.
    """

    axis: int
    backwards: bool = False
    mirrored: bool = False


@declared
class Fixed(Record):
    """Every output unit reads only unit `index` (an axis of size 1 that is broadcast)."""

    index: Size = 0


@declared
class Scattered(Record):
    """Every output unit reads one unit, by no affine function of its position (a flattened axis).

    Which unit depends on the position along the output axes `axes` (empty: along any of them). In a
    row-major reshape between integer sizes, `sizes` are those of `axes`, which together count from 0 to
    their product; the unit read is that count divided by `inner`, modulo the size of this axis.
    """

    axes: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    inner: int = 0


@declared
class UnknownRead(Record):
    """Which units of this axis are read is unknown; `reason` says why."""

    reason: str


Read: TypeAlias = Taps | Phases | Blocks | Section | Whole | Prefix | Fixed | Scattered | UnknownRead
Window: TypeAlias = tuple[Read, ...]


class Shares(NamedTuple):
    """The weight of each input of a merging layer in the effective field: `parts[k] / total`."""

    parts: tuple[Size, ...]
    total: Size = 1


@cache
def identity_read(axis: int) -> Taps:
    """Each output unit reads the input unit at the same position along `axis`; cached."""
    return Taps(axis)


@cache
def identity(rank: int) -> Window:
    """Each output unit reads the input unit at the same position along all `rank` axes."""
    return tuple(map(identity_read, range(rank)))


def whole_along(window: Window, axis: int) -> Window:
    """The window after a function that depends on the whole output axis `axis` (a softmax).

    An upper bound if windows leave gaps along that axis (a stride above the kernel).
    """
    return tuple(Whole() if getattr(read, "axis", None) == axis else read for read in window)
