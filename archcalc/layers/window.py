"""Which units of an input one output unit reads: the type that `Layer.window` returns.

For every input of a layer, one `Read` per axis of that input tensor (the batch axis
excluded, channels included). An axis of the *output* is named by its number, so permuted
axes, channels-first tensors and sequences need nothing more. Padding is not clipped here
and holes of dilation are kept; hulls, clipping and composition belong to
`archcalc.analyses.fields.receptive_field`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

from archcalc.arith import Size


@dataclass(frozen=True, slots=True)
class Taps:
    """Unit i of output axis `axis` reads `stride*i + offset + dilation*t` for 0 <= t < count."""

    axis: int
    stride: Size = 1
    offset: Size = 0
    count: Size = 1
    dilation: Size = 1


@dataclass(frozen=True, slots=True)
class Phases:
    """Unit `period*q + r` of `axis` reads `step*q + o` with weight w for each (o, w) of `reads[r]`.

    The weights say how strongly, for the effective field (uniform kernels: all 1); a phase
    may read nothing at all (a transposed convolution with kernel < stride).
    """

    axis: int
    step: int
    reads: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def period(self) -> int:
        return len(self.reads)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Unit i of `axis` reads the block of `inner` units that starts at `inner * (i // outer)`.

    Channels of grouped convolutions: `outer` filters share the `inner` channels of a group.
    `uniform` if all of a block is read with equal weight.
    """

    axis: int
    outer: Size
    inner: Size
    uniform: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """Unit i of `axis` reads unit `i - start` if that is one of `0..length-1`, and nothing if not.

    This is how a concatenation reads each of its inputs along the axis that it joins.
    """

    axis: int
    start: Size
    length: Size


@dataclass(frozen=True, slots=True)
class Whole:
    """Every output unit reads the whole axis; `uniform` if all of it with equal weight."""

    uniform: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """Unit i of `axis` reads units 0..i (causal), or i.. to the end where `backwards`.

    `turned`: the output runs from the end, and unit i stands where its mirror image would.
    """

    axis: int
    backwards: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every output unit reads just the unit `index` (an axis of size 1 that is broadcast)."""

    index: Size = 0


@dataclass(frozen=True, slots=True)
class Scattered:
    """One unit of this axis, but which one is not an affine function (a flattened axis).

    The output axes `axes` together decide which one (empty: any of them may have a say).
    """

    axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unstated:
    """What is read of this axis is not known; `reason` says why."""

    reason: str


Read: TypeAlias = Taps | Phases | Blocks | Section | Whole | Prefix | Fixed | Scattered | Unstated
Window: TypeAlias = tuple[Read, ...]


class Shares(NamedTuple):
    """How strongly a merging layer depends on each of its inputs: `each[k] / of`."""

    each: tuple[Size, ...]
    of: Size = 1


@cache
def here(axis: int) -> Taps:
    """Each output unit reads the input unit at its own place along `axis`; one object for all layers."""
    return Taps(axis)


@cache
def identity(rank: int) -> Window:
    """Each output unit reads the input unit at its own place."""
    return tuple(map(here, range(rank)))


def whole_along(window: Window, axis: int) -> Window:
    """The window of a layer whose output is then coupled along its axis `axis` (a softmax).

    An upper bound where windows leave gaps along that axis (a stride above the kernel).
    """
    return tuple(Whole() if getattr(read, "axis", None) == axis else read for read in window)
