"""Which units of an axis each position reads, and sums over what it reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

import numpy as np

from archcalc.analyses.mean_field.functions import Array
from archcalc.analyses.mean_field.maps import Groups, Places, alone, expanded

FEW = 48  # groups from which a matrix takes longer than adding tap by tap, if each is a single unit
MOST = 1 << 18  # numbers of a matrix that is remembered
Slices = tuple[tuple[slice, slice], ...]


class Taps:
    """How often a position (row) reads a unit (column) of an axis.

    Either as a matrix of any numbers, or as pairs of slices, of positions and of the units that they read
    once.
    """

    def __init__(self, positions: int, size: int, reads: Array | Slices) -> None:
        self._positions = positions
        self.size = size
        self._reads = reads
        self._known: dict[Groups, tuple[Array, Groups]] = {}

    @staticmethod
    def of(matrix: Array) -> Taps:
        """From a matrix of any numbers."""
        positions, size = matrix.shape
        return Taps(positions, size, matrix)

    def __len__(self) -> int:
        return self._positions

    @cached_property
    def is_identity(self) -> bool:
        """Whether each position reads the unit of its own number, once."""
        n = self.size
        if isinstance(self._reads, tuple):
            return len(self) == n and self._reads == ((slice(0, n), slice(0, n, 1)),)
        return bool(np.array_equal(self._reads, np.eye(n)))

    @cached_property
    def most(self) -> int:
        """The largest number of taps of a position, but at least 1."""
        return max(int(self.by_group(np.zeros(self.size, np.intp), 1).max()), 1)

    @cached_property
    def transposed(self) -> Taps:
        reads = self._reads
        other = Taps(
            self.size,
            len(self),
            tuple((units, positions) for positions, units in reads) if isinstance(reads, tuple) else reads.T,
        )
        other.__dict__["transposed"] = self
        return other

    def by_group(self, labels: Places, count: int) -> Array:
        """How often each position (row) reads a unit of each group (column)."""
        if isinstance(self._reads, tuple):
            sums = np.zeros((len(self), count))
            for positions, units in self._reads:
                sums[np.arange(len(self))[positions], labels[units]] += 1.0
            return sums
        members = np.zeros((self.size, count))
        members[np.arange(self.size), labels] = 1.0
        return self._reads @ members

    def sums(self, values: Array, groups: Groups, axis: int) -> tuple[Array, Groups]:
        """The sums over what each position reads, by group, and the groups of positions."""
        if groups.count == groups.size > FEW or len(self) * groups.count > MOST:
            return self._tap_by_tap(expanded(values, groups, axis), axis), alone(len(self))
        if groups not in self._known:
            self._known[groups] = self._grouped(groups)
        matrix, new = self._known[groups]
        return along(matrix, values, axis), new

    def _grouped(self, groups: Groups) -> tuple[Array, Groups]:
        """A matrix from the groups of units to those of positions, which are alike if their rows are."""
        rows = self.by_group(groups.labels, groups.count)
        known: dict[bytes, int] = {}
        new = Groups.of(np.array([known.setdefault(row.tobytes(), len(known)) for row in rows], np.intp))
        return rows[new.first], new

    def _tap_by_tap(self, values: Array, axis: int) -> Array:
        if not isinstance(self._reads, tuple):
            return along(self._reads, values, axis)
        reads, before = list(self._reads), (slice(None),) * axis
        if reads and reads[0][0] == slice(0, len(self)):  # all positions have the first tap
            output: Array = values[(*before, reads.pop(0)[1])].copy()
        else:
            output = np.zeros((*values.shape[:axis], len(self), *values.shape[axis + 1 :]))
        for positions, units in reads:
            output[(*before, positions)] += values[(*before, units)]
        return output


Reads = Sequence[tuple[int, Taps]]


def along(matrix: Array, values: Array, axis: int) -> Array:
    """The product of a matrix with an array along one of its axes."""
    shape = values.shape
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    new_shape = (*shape[:axis], len(matrix), *shape[axis + 1 :])
    if after == 1:
        product: Array = values.reshape(before, shape[axis]) @ matrix.T
    else:
        product = np.matmul(matrix, values.reshape(before, shape[axis], after))
    return product.reshape(new_shape)


def all_sums(values: Array, groups: tuple[Groups, ...], reads: Reads) -> tuple[Array, tuple[Groups, ...]]:
    """The sums over windows along several axes, one after the other."""
    new = list(groups)
    for axis, taps in reads:
        values, new[axis] = taps.sums(values, new[axis], axis)
    return values, tuple(new)


@lru_cache(maxsize=1024)
def taps(size: int, positions: int, kernel: int, stride: int, dilation: int, before: int) -> Taps:
    """How often a position reads a unit of an axis through a sliding window, without padding."""
    slices = []
    starts = stride * np.arange(positions) - before
    for t in range(kernel):
        at = starts + dilation * t
        (inside,) = np.nonzero((at >= 0) & (at < size))
        if len(inside):
            first, last = int(inside[0]), int(inside[-1])
            slices.append((slice(first, last + 1), slice(int(at[first]), int(at[last]) + 1, stride)))
    slices.sort(key=lambda read: read[0].start - read[0].stop)  # the one that most positions have comes first
    return Taps(positions, size, tuple(slices))


def transposed(reads: Iterable[tuple[int, Taps]]) -> Reads:
    """From the positions back to what they read."""
    return [(axis, taps.transposed) for axis, taps in reads]
