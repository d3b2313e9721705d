"""Tensors whose batch axis is not the first one for a while: moved, or folded into another axis.

Code of TensorFlow writes time first in its loops, and folds leading axes before a matrix product. What it
does meanwhile is done to the tensor with the batch axis first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from archcalc.keras.tracing.recording import UntraceableError


@dataclass
class View:
    """A tensor of another shape than `inner`, which has the batch axis first."""

    inner: Any

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.inner.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes in the order of the view."""
        raise NotImplementedError


@dataclass
class Moved(View):
    """`inner` with its batch axis moved to the position `axis`."""

    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes in the order of the view, the batch's not first."""
        return tuple(self.inner.shape[i] for i in self.order)

    @property
    def order(self) -> list[int]:
        """The axis of `inner` at each position."""
        axes = list(range(1, len(self.inner.shape)))
        return [*axes[: self.axis], 0, *axes[self.axis :]]


@dataclass
class Folded(View):
    """`inner` with its first `lead` axes as one."""

    lead: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes, the folded axes' first."""
        sizes = tuple(self.inner.shape)
        return (prod(sizes[: self.lead]), *sizes[self.lead :])


def has_batch(x: Any, batch: int) -> bool:
    """Whether a value's elements are of different samples."""
    return isinstance(x, View) or (isinstance(x, keras.KerasTensor) and tuple(x.shape[:1]) == (batch,))


def transposed(x: Any, order: Sequence[int], batch: int) -> Any:
    """The axes in this order."""
    order = list(map(int, order))
    if isinstance(x, Folded):
        if order[0] != 0:
            raise UntraceableError("an axis that the batch is folded into is moved")
        rest = [p + x.lead - 1 for p in order[1:]]
        return Folded(_in_order(x.inner, [*range(x.lead), *rest]), x.lead)
    inner = x
    if isinstance(x, Moved):
        inner, order = x.inner, [x.order[p] for p in order]
    if not has_batch(x, batch) or order[0] == 0:
        return _in_order(inner, order)
    return Moved(_in_order(inner, [0, *(p for p in order if p != 0)]), order.index(0))


def _in_order(x: Any, order: list[int]) -> Any:
    return x if order == list(range(len(order))) else ops.transpose(x, order)


def reshaped(x: Any, shape: Sequence[int], batch: int) -> Any:
    """The same elements in another shape."""
    shape = tuple(map(int, shape))
    if shape == tuple(x.shape):
        return x
    if isinstance(x, Moved) and prod(x.shape[: x.axis]) != 1:
        raise UntraceableError("an axis before the batch is folded")
    # the order of the elements is that of the inner tensor
    inner = x.inner if isinstance(x, View) else x
    if tuple(inner.shape) == shape:
        return inner
    if not has_batch(x, batch) or shape[:1] == (batch,):
        return ops.reshape(inner, shape)
    axis = next((i for i, n in enumerate(shape) if n != 1), 0)
    if axis and shape[axis] == batch:
        return Moved(ops.reshape(inner, (batch, *shape[:axis], *shape[axis + 1 :])), axis)
    sizes = tuple(inner.shape)
    for lead in range(1, len(sizes) + 1):
        if shape and prod(sizes[:lead]) == shape[0]:
            whole = (*sizes[:lead], *shape[1:])
            return Folded(inner if whole == sizes else ops.reshape(inner, whole), lead)
    raise UntraceableError("the batch is folded into an axis")


def slices(x: Any, batch: int) -> list[Any]:
    """The parts along the first axis."""
    if isinstance(x, np.ndarray):
        return list(x)
    return [indexed(x, (i,), batch) for i in range(x.shape[0])]


def indexed(x: Any, index: tuple[Any, ...], batch: int) -> Any:
    """Basic indexing: integers, slices, None and Ellipsis."""
    whole = slice(None)
    if isinstance(x, Moved):
        index = (*index, *[whole] * (len(x.shape) - len(index)))
        if any(not isinstance(k, int | slice) for k in index) or index[x.axis] != whole:
            raise UntraceableError("a part of the batch is taken")
        order = x.order
        inner = tuple(index[order.index(axis)] for axis in range(len(order)))
        axis = x.axis - sum(isinstance(k, int) for k in index[: x.axis])
        part = x.inner[inner]
        return Moved(part, axis) if axis else part
    if isinstance(x, Folded):
        if index[0] != whole:
            raise UntraceableError("an axis that the batch is folded into is indexed")
        return Folded(x.inner[(*[whole] * x.lead, *index[1:])], x.lead)
    if has_batch(x, batch) and index[0] not in (whole, Ellipsis):
        raise UntraceableError("a part of the batch is taken")
    return x[index]


def stack(items: Sequence[Any], axis: int, batch: int) -> Any:
    """The items along a new axis."""
    if all(isinstance(item, np.ndarray) for item in items):
        return np.stack(items, axis)
    if any(isinstance(item, View) for item in items):
        raise UntraceableError("code folds or moves the batch axis")
    rank = len(items[0].shape) + 1
    if axis % rank or not any(has_batch(item, batch) for item in items):
        return ops.stack(items, axis=axis % rank)
    return Moved(ops.stack(items, axis=1), 1)


def elementwise(function: Callable[..., Any], values: Sequence[Any], batch: int) -> Any:
    """A function of elements, applied to views in the order of what they view."""
    first = next((v for v in values if isinstance(v, View)), None)
    if first is None:
        return function(*values)
    place = _place(first)
    width = len(first.shape) - 1 - (first.axis if isinstance(first, Moved) else 0)
    inner = []
    for v in values:
        if isinstance(v, View):
            if _place(v) != place:
                raise UntraceableError("tensors with the batch in different axes are combined")
            inner.append(v.inner)
        elif has_batch(v, batch):
            raise UntraceableError("code folds or moves the batch axis")
        else:
            inner.append(_narrow(v, width))
    result = function(*inner)
    return Folded(result, first.lead) if isinstance(first, Folded) else Moved(result, first.axis)  # type: ignore[attr-defined]


def _place(x: View) -> tuple[Any, ...]:
    """What views must have in common, so that their elements are in the same order."""
    if isinstance(x, Folded):
        return Folded, x.lead, len(x.shape), tuple(x.inner.shape[: x.lead])
    assert isinstance(x, Moved)
    return Moved, x.axis, len(x.shape)


def _narrow(x: Any, width: int) -> Any:
    """An operand that is the same for every sample, with no more axes than those after the batch."""
    shape = tuple(x.shape)
    extra = max(len(shape) - width, 0)
    if shape[:extra] != (1,) * extra:
        raise UntraceableError("code folds or moves the batch axis")
    return ops.reshape(x, shape[extra:]) if extra else x


def matrices(function: Callable[..., Any], values: Sequence[Any], batch: int) -> Any:
    """A product of matrices in the last two axes, which keeps those before."""
    a, b = values
    if isinstance(a, Folded) and not isinstance(b, View):
        # rows of the first factor may be folded ones; the second is the same for all of them
        if has_batch(b, batch) or len(b.shape) > 2:
            raise UntraceableError("code folds the batch axis")
        return Folded(function(a.inner, b), a.lead)
    if isinstance(a, Folded) and isinstance(b, Folded) and min(len(a.shape), len(b.shape)) > 2:
        return elementwise(function, values, batch)
    if any(isinstance(v, View) for v in values):
        raise UntraceableError("code folds or moves the batch axis")
    return function(a, b)
