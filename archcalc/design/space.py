"""The space that a sweep covers: values of symbols, in boxes of bounded size, visited in any order.

Rows are numbered with the last axis fastest, as nested loops in the order of the axes would visit them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc import arith
from archcalc.errors import ArchcalcError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LISTED = 10_000_000  # values of one axis
MAX_VALUE = 2**63 - 1
FORM = "expected START:STOP or START:STOP:STEP, the stop included, or values with commas: 16:256:8, 1,2,5"


def span(values: Any) -> range | tuple[int, ...]:
    """The values of an axis: `"16:256:8"` with the stop included, `"1,2,5"`, a range, or integers.

    Raises `ArchcalcError` for what holds no value, the same value twice or one that no symbol takes.
    """
    if isinstance(values, str):
        parts = [_part(part.strip(), values) for part in values.split(",")]
        found: range | tuple[int, ...] = parts[0] if len(parts) == 1 else _listed(parts)
    elif isinstance(values, range):
        found = values
    else:
        try:
            found = arith.integers([values] if isinstance(values, int) else values)
        except TypeError:
            raise ArchcalcError(f"{FORM}; got {values!r}") from None
    if not found:
        raise ArchcalcError(f"{values!r} holds no value")
    least, most = (
        (min(found[0], found[-1]), max(found[0], found[-1]))
        if isinstance(found, range)
        else (
            min(found),
            max(found),
        )
    )
    if least < 1 or most > MAX_VALUE:
        raise ArchcalcError(f"a symbol is a positive integer below 2**63, got {least if least < 1 else most}")
    if isinstance(found, tuple) and len(set(found)) < len(found):
        twice = next(v for i, v in enumerate(found) if v in found[:i])
        raise ArchcalcError(f"{twice} stands twice in {values!r}; each configuration is counted once")
    return found


def _part(text: str, whole: str) -> range:
    ends = text.split(":")
    try:
        numbers = [int(end) for end in ends]
    except ValueError:
        raise ArchcalcError(f"{FORM}; got {whole!r}") from None
    first, last, step, *more = (
        *numbers,
        *((numbers[0], 1) if len(numbers) == 1 else (1,) * (len(numbers) == 2)),
    )
    if more:
        raise ArchcalcError(f"{FORM}; got {whole!r}")
    if step < 1:
        raise ArchcalcError(f"the step of {text!r} is {step}; it must be at least 1")
    if last < first:
        raise ArchcalcError(f"{text!r} ends before it begins; write {last}:{first}")
    return range(first, last + 1, step)


def _listed(parts: Sequence[range]) -> tuple[int, ...]:
    if sum(map(len, parts)) > MAX_LISTED:
        raise ArchcalcError(f"more than {MAX_LISTED:,} listed values; write one range")
    return tuple(value for part in parts for value in part)


class Box(NamedTuple):
    """A part of a space: the first and last place of each axis, the last one excluded."""

    places: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(stop - start for start, stop in self.places)


class Space:
    """The product of some axes."""

    def __init__(self, axes: Mapping[str, range | tuple[int, ...]], most: int) -> None:
        """`most`: the largest number of configurations in a box."""
        self.axes = dict(axes)
        lengths = [len(values) for values in axes.values()]
        # the axes from `_split` on lie whole in each box, the one before is cut, those before it are fixed
        self._split = len(lengths)
        while self._split and prod(lengths[self._split - 1 :]) <= most:
            self._split -= 1
        self._lengths = lengths
        if self._split:
            cut = lengths[self._split - 1]
            self._cuts = -(-cut // max(1, most // prod(lengths[self._split :])))
            self._run = -(-cut // self._cuts)
            self._cuts = -(-cut // self._run)

    @property
    def count(self) -> int:
        """The number of configurations."""
        return prod(self._lengths)

    @property
    def boxes(self) -> int:
        """The number of boxes."""
        return prod(self._lengths[: self._split - 1]) * self._cuts if self._split else 1

    def box(self, number: int) -> Box:
        """A box, counted from 0; their rows follow each other."""
        places = [(0, n) for n in self._lengths]
        if self._split:
            number, cut = divmod(number, self._cuts)
            start = cut * self._run
            places[self._split - 1] = (start, min(start + self._run, self._lengths[self._split - 1]))
            for k in reversed(range(self._split - 1)):
                number, place = divmod(number, self._lengths[k])
                places[k] = (place, place + 1)
        return Box(tuple(places))

    def columns(self, box: Box) -> dict[str, NDArray[Any]]:
        """The values in a box by name, shaped to be combined: axis k has length one along all others."""
        import numpy as np

        columns = {}
        for k, ((name, values), (start, stop)) in enumerate(zip(self.axes.items(), box.places, strict=True)):
            part = values[start:stop]
            column = (
                np.arange(part.start, part.stop, part.step, dtype=np.int64)
                if isinstance(part, range)
                else np.array(part, dtype=np.int64)
            )
            columns[name] = column.reshape([-1 if j == k else 1 for j in range(len(self.axes))])
        return columns

    def ranges(self) -> dict[str, tuple[int, int]]:
        """The least and the largest value of each axis."""
        return {
            name: (min(v[0], v[-1]), max(v[0], v[-1])) if isinstance(v, range) else (min(v), max(v))
            for name, v in self.axes.items()
        }
