"""Tensors whose batch axis is not the first one for a while: moved, or folded with parts of a sample.

Code of TensorFlow writes time first in its loops, and folds leading axes before a matrix product; Swin cuts
images into windows, which it puts along the batch. What it does meanwhile is done to the tensor with the
batch axis first.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from archcalc.keras.tracing.recording import UntraceableError

_WHOLE = slice(None)
_FOLDED = "code folds or moves the batch axis"


@dataclass
class View:
    """`inner`, whose first axis is the batch, with its first `lead` axes as one, at the position `axis`."""

    inner: Any
    lead: int
    axis: int

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.inner.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes in the order of the view."""
        sizes = tuple(self.inner.shape)
        rest = sizes[self.lead :]
        return (*rest[: self.axis], prod(sizes[: self.lead]), *rest[self.axis :])

    def place(self, position: int) -> int:
        """The axis of `inner` at a position of the view; raises `UntraceableError` for the batch's."""
        if position == self.axis:
            raise UntraceableError("samples of the batch are combined")
        return self.lead + position - (position > self.axis)

    def per_axis(self, values: Sequence[Any], idle: Any) -> list[Any]:
        """What is done along each axis of `inner`, from what is done along each of the view."""
        if values[self.axis] != idle:
            raise UntraceableError("samples of the batch are combined")
        return [*[idle] * self.lead, *values[: self.axis], *values[self.axis + 1 :]]


def has_batch(x: Any, batch: int) -> bool:
    """Whether a value's elements are of different samples."""
    return isinstance(x, View) or (isinstance(x, keras.KerasTensor) and tuple(x.shape[:1]) == (batch,))


def viewed(x: Any) -> View:
    """A tensor with the batch as a view."""
    return x if isinstance(x, View) else View(x, 1, 0)


def as_seen(inner: Any, lead: int, axis: int) -> Any:
    """A view, or the tensor itself where that is the same."""
    return inner if (lead, axis) == (1, 0) else View(inner, lead, axis)


# -- arrangement ---------------------------------------------------------------------------------------------
def transposed(x: Any, order: Sequence[int], batch: int) -> Any:
    """The axes in this order."""
    order = list(map(int, order))
    if not has_batch(x, batch):
        return _in_order(x, order)
    view = viewed(x)
    rest = [view.place(p) for p in order if p != view.axis]
    inner = _in_order(view.inner, [*range(view.lead), *rest])
    return as_seen(inner, view.lead, order.index(view.axis))


def _in_order(x: Any, order: list[int]) -> Any:
    return x if order == list(range(len(order))) else ops.transpose(x, order)


def reshaped(x: Any, shape: Sequence[int], batch: int) -> Any:
    """The same elements in another shape."""
    shape = tuple(map(int, shape))
    if shape == tuple(x.shape):
        return x
    if not has_batch(x, batch):
        return ops.reshape(x, shape)
    view = viewed(x)
    inner, sizes = view.inner, tuple(view.inner.shape)
    before = view.shape[: view.axis]
    if prod(before) != 1:
        if shape[: view.axis + 1] != view.shape[: view.axis + 1]:
            raise UntraceableError("an axis before the batch is folded")
        whole = (*sizes[: view.lead], *before, *shape[view.axis + 1 :])
        return View(ops.reshape(inner, whole), view.lead, view.axis)
    # the order of the elements is that of the inner tensor
    if sizes == shape:
        return inner
    if shape[:1] == (batch,):
        return ops.reshape(inner, shape)
    return _folded(inner, shape, batch)


def _folded(inner: Any, shape: tuple[int, ...], batch: int) -> Any:
    """The elements of a tensor in a shape whose first axis, but for those of size 1, has the batch in it."""
    axis = next((i for i, n in enumerate(shape) if n != 1), 0)
    if not shape or shape[axis] % batch:
        raise UntraceableError("the batch is folded into an axis")
    sizes, rest = tuple(inner.shape), (*shape[:axis], *shape[axis + 1 :])
    lead = next((k for k in range(1, len(sizes) + 1) if prod(sizes[:k]) == shape[axis]), 0)
    leading = sizes[:lead] if lead else (batch, shape[axis] // batch)
    whole = (*leading, *rest)
    return as_seen(inner if whole == sizes else ops.reshape(inner, whole), len(leading), axis)


def slices(x: Any, batch: int) -> list[Any]:
    """The parts along the first axis."""
    if isinstance(x, np.ndarray):
        return list(x)
    return [indexed(x, (i,), batch) for i in range(x.shape[0])]


def indexed(x: Any, index: tuple[Any, ...], batch: int) -> Any:
    """Basic indexing: integers, slices, None and Ellipsis."""
    if not has_batch(x, batch) or (not isinstance(x, View) and index[0] in (_WHOLE, Ellipsis)):
        return x[index]
    view = viewed(x)
    before: list[Any] = []
    after: list[Any] = []
    position = 0
    for k in _without_ellipsis(index, len(view.shape)):
        if k is not None and position == view.axis and k != _WHOLE:
            raise UntraceableError("a part of the batch is taken")
        if k is None or position != view.axis:
            (before if position <= view.axis else after).append(k)
        position += k is not None
    part = view.inner[(*[_WHOLE] * view.lead, *before, *after)]
    return as_seen(part, view.lead, sum(not isinstance(k, int) for k in before))


def _without_ellipsis(index: tuple[Any, ...], rank: int) -> list[Any]:
    """An entry for each axis, and those that add one."""
    left = rank - sum(k is not None and k is not Ellipsis for k in index)
    if Ellipsis not in index:
        return [*index, *[_WHOLE] * left]
    at = index.index(Ellipsis)
    return [*index[:at], *[_WHOLE] * left, *index[at + 1 :]]


# -- several tensors -----------------------------------------------------------------------------------------
def stack(items: Sequence[Any], axis: int, batch: int) -> Any:
    """The items along a new axis."""
    if all(isinstance(item, np.ndarray) for item in items):
        return np.stack(items, axis)
    position = axis % (len(items[0].shape) + 1)
    batched = [has_batch(item, batch) for item in items]
    if not any(batched) or (position and not any(isinstance(item, View) for item in items)):
        return ops.stack(items, axis=position)
    first, *others = _aligned(items, batched, batch)
    moved = position <= first.axis
    inner = ops.stack([v.inner for v in (first, *others)], axis=first.lead + position - (not moved))
    return as_seen(inner, first.lead, first.axis + moved)


def concatenated(items: Sequence[Any], axis: int, batch: int) -> Any:
    """The items one after the other along an axis."""
    if not any(isinstance(item, View) for item in items):
        return ops.concatenate(list(items), axis=axis)
    first, *others = _aligned(items, [has_batch(item, batch) for item in items], batch)
    inner = ops.concatenate([v.inner for v in (first, *others)], axis=first.place(axis))
    return as_seen(inner, first.lead, first.axis)


def _aligned(items: Sequence[Any], batched: Sequence[bool], batch: int) -> list[View]:
    """Tensors of the same arrangement, whose elements along the batch are in the same order."""
    if not all(batched):
        raise UntraceableError(_FOLDED)
    given = [viewed(item) for item in items]
    if len({(v.axis, len(v.shape)) for v in given}) > 1:
        raise UntraceableError("tensors with the batch in different axes are combined")
    if len({tuple(v.inner.shape[: v.lead]) for v in given}) > 1:
        given = [_in_two(v, batch) for v in given]
    if len({tuple(v.inner.shape[: v.lead]) for v in given}) > 1:
        raise UntraceableError("tensors with the batch in different axes are combined")
    return given


def _in_two(view: View, batch: int) -> View:
    """The folded axes as two: the batch, and what is folded into it."""
    sizes = tuple(view.inner.shape)
    whole = (batch, prod(sizes[1 : view.lead]), *sizes[view.lead :])
    return View(view.inner if whole == sizes else ops.reshape(view.inner, whole), 2, view.axis)


def elementwise(function: Callable[..., Any], values: Sequence[Any], batch: int) -> Any:
    """A function of elements, applied to views in the order of what they view."""
    if not any(isinstance(v, View) for v in values):
        return function(*values)
    batched = [v for v in values if has_batch(v, batch)]
    aligned = _aligned(batched, [True] * len(batched), batch)
    first, left = aligned[0], iter(aligned)
    width = len(first.shape) - 1 - first.axis
    inner = [next(left).inner if has_batch(v, batch) else _narrow(v, width) for v in values]
    return View(function(*inner), first.lead, first.axis)


def _narrow(x: Any, width: int) -> Any:
    """An operand that is the same for every sample, with no more axes than those after the batch."""
    shape = tuple(x.shape)
    extra = max(len(shape) - width, 0)
    if shape[:extra] != (1,) * extra:
        raise UntraceableError(_FOLDED)
    return ops.reshape(x, shape[extra:]) if extra else x


def matrices(function: Callable[..., Any], values: Sequence[Any], batch: int) -> Any:
    """A product of matrices in the last two axes, which keeps those before."""
    a, b = values
    if not any(isinstance(v, View) for v in values):
        return function(a, b)
    rank = len(a.shape)
    if isinstance(a, View) and not has_batch(b, batch):
        # rows of the first factor may be folded ones; the second is the same for all of them
        if len(b.shape) > 2 or a.axis == rank - 1:
            raise UntraceableError("code folds the batch axis")
        return View(function(a.inner, b), a.lead, a.axis)
    alike = has_batch(a, batch) and has_batch(b, batch) and rank == len(b.shape)
    if alike and viewed(a).axis == viewed(b).axis < rank - 2:
        return elementwise(function, values, batch)
    raise UntraceableError(_FOLDED)


def einsum(equation: str, values: Sequence[Any], batch: int) -> Any:
    """A sum of products, of which the batch is an axis of the result and of every operand that has it."""
    if not any(isinstance(v, View) for v in values):
        return ops.einsum(equation, *values)
    operands, _, output = equation.replace(" ", "").partition("->")
    letters = operands.split(",")
    batched = [has_batch(v, batch) for v in values]
    given = [viewed(v) if of else v for v, of in zip(values, batched, strict=True)]
    marks = {of[v.axis] for of, v in zip(letters, given, strict=True) if isinstance(v, View)}
    mark = next(iter(marks))
    alone = all(of.count(mark) == is_of for of, is_of in zip(letters, batched, strict=True))
    if len(marks) > 1 or "." in equation or output.count(mark) != 1 or not alone:
        raise UntraceableError(_FOLDED)
    given = [_in_two(v, batch) if isinstance(v, View) else v for v in given]
    second = next(c for c in string.ascii_letters if c not in equation)
    folded = [
        mark + second + of.replace(mark, "") if is_of else of
        for of, is_of in zip(letters, batched, strict=True)
    ]
    whole = f"{','.join(folded)}->{mark}{second}{output.replace(mark, '')}"
    inner = ops.einsum(whole, *[v.inner if isinstance(v, View) else v for v in given])
    return View(inner, 2, output.index(mark))
