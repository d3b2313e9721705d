"""Sums of products of tensors: einsum, and operations that are special cases of it."""

from __future__ import annotations

import string
from typing import Any, NamedTuple

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import Window, family
from archcalc.layers.fields import Untracked
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operand, OperandValue, Operation, operation
from archcalc.layers.primitives import Contract, Primitives
from archcalc.layers.window import Read, Taps, Whole

BATCH = "\0"  # in place of the size of the batch axis


class Labels(NamedTuple):
    """A letter for each axis of each operand and of the output, as in einsum."""

    operands: tuple[str, ...]
    output: str


@family
class Contraction(Operation):
    """Sums of products over axes that are not in the output; one multiply-add per product."""

    keeps_integers = True

    operands = ("x1", "x2")
    parameters = ("x1", "x2")

    x1: Operand = None
    x2: Operand = None

    def labels(self, ranks: tuple[int, ...]) -> Labels:
        """The labels of operands of these ranks (for tensors including the batch)."""
        raise NotImplementedError

    def _resolved(self, inputs: tuple[Shape, ...]) -> tuple[Labels, dict[str, Any]]:
        """The labels, and the size of each label (`BATCH` for the batch axis)."""
        values = self.operand_values(inputs)
        shapes = [self._shape(x) for x in values]
        labels = self.labels(tuple(map(len, shapes)))
        batch = {s[:1] for s, x in zip(labels.operands, values, strict=True) if isinstance(x, tuple)}
        if len(batch) != 1 or labels.output[:1] not in batch or "" in batch:
            raise LayerError(
                f"{type(self).__name__}: the batch must stay the first axis of every tensor and of the result"
            )
        (first,) = batch
        if any(first in s for s, x in zip(labels.operands, values, strict=True) if isinstance(x, Constant)):
            raise LayerError(f"{type(self).__name__}: a constant has the label of the batch axis")
        sizes: dict[str, Any] = {first: BATCH}
        for s, shape in zip(labels.operands, shapes, strict=True):
            if len(s) != len(shape):
                raise LayerError(
                    f"{type(self).__name__}: {len(s)} labels ({s}) for {len(shape)} axes, the batch included"
                )
            for label, n in zip(s, shape, strict=True):
                if label == first:
                    continue
                known = sizes.get(label, n)
                sizes[label] = require_equal(
                    known,
                    n,
                    lambda a=known, b=n: f"{type(self).__name__}: sizes {a} and {b} do not match",
                )
        missing = set(labels.output) - set(sizes)
        if missing:
            raise LayerError(
                f"{type(self).__name__}: no operand has the axes {''.join(sorted(missing))} of the result"
            )
        return labels, sizes

    def _shape(self, value: OperandValue) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return (BATCH, *value)
        if isinstance(value, Constant):
            return value.shape
        raise LayerError(f"{type(self).__name__} takes arrays, got the number {value}")

    def output_shape(self, *inputs: Shape) -> Shape:
        labels, sizes = self._resolved(inputs)
        return tuple(sizes[label] for label in labels.output[1:])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        labels, _ = self._resolved(inputs)
        tensors = (
            s
            for s, x in zip(labels.operands, self.operand_values(inputs), strict=True)
            if isinstance(x, tuple)
        )
        return tuple(tuple(_read(label, s, labels.output) for label in s[1:]) for s in tensors)

    def macs(self, *inputs: Shape) -> Size:
        _, sizes = self._resolved(inputs)
        return prod(n for n in sizes.values() if n is not BATCH) * (len(self.operand_values(inputs)) - 1)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        labels, sizes = self._resolved(inputs)
        constants = tuple(x if isinstance(x, Constant) else None for x in self.operand_values(inputs))
        count = prod(n for label, n in sizes.items() if label not in labels.output)
        return (Contract(f"{','.join(labels.operands)}->{labels.output}", constants, count),)


def _read(label: str, labels: str, output: str) -> Read:
    if labels.count(label) > 1 or output.count(label) != 1:
        return Whole()
    return Taps(output.index(label) - 1)


@operation("einsum", "Einsum")
class Einsum(Contraction):
    """A sum of products in Einstein's notation, of two operands."""

    subscripts: Untracked

    def check(self) -> None:
        if not isinstance(self.subscripts, str) or set(self.subscripts) - set(string.ascii_letters + ",-> "):
            raise LayerError(f"subscripts: expected letters, ',' and '->', got {self.subscripts!r:.60}")

    def labels(self, ranks: tuple[int, ...]) -> Labels:
        before_arrow, _, output = self.subscripts.replace(" ", "").partition("->")
        operands = tuple(before_arrow.split(","))
        if len(operands) != len(ranks):
            raise LayerError(
                f"subscripts={self.subscripts!r} names {len(operands)} operands, there are {len(ranks)}"
            )
        if "->" not in self.subscripts:
            output = "".join(
                sorted(c for c in set(before_arrow) if before_arrow.count(c) == 1 and c.isalpha())
            )
        return Labels(operands, output)


def _letters(count: int) -> str:
    return string.ascii_letters[:count]


@operation("matmul", "Matmul")
class Matmul(Contraction):
    """A product of matrices in the last two axes, for each index of the axes before them."""

    def labels(self, ranks: tuple[int, ...]) -> Labels:
        a, b = ranks
        if a < 2 or b < 2:
            raise LayerError(
                f"{type(self).__name__} of operands with {a} and {b} axes (the batch included) has no rule"
            )
        outer = _letters(max(a, b) - 2)
        return Labels((outer[len(outer) - a + 2 :] + "XY", outer[len(outer) - b + 2 :] + "YZ"), outer + "XZ")


@operation("dot", "Dot")
class Dot(Contraction):
    """Sums over the last axis of the first operand and the last but one of the second."""

    def labels(self, ranks: tuple[int, ...]) -> Labels:
        a, b = ranks
        if a < 1 or b < 1:
            raise LayerError(f"{type(self).__name__} of numbers is a multiplication")
        first = _letters(a - 1)
        second = string.ascii_uppercase[: b - 1]
        position = max(b - 2, 0)
        return Labels((first + "z", second[:position] + "z" + second[position:]), first + second)


@operation("tensordot", "Tensordot")
class Tensordot(Contraction):
    """Sums over the last `axes` axes of the first operand and the first of the second, or named axes."""

    axes: Untracked = 2

    def labels(self, ranks: tuple[int, ...]) -> Labels:
        a, b = ranks
        pairs = self._pairs(a, b)
        first = list(string.ascii_lowercase[:a])
        second = list(string.ascii_uppercase[:b])
        for i, j in pairs:
            second[j] = first[i]
        summed = {first[i] for i, _ in pairs}
        return Labels(
            ("".join(first), "".join(second)), "".join(c for c in first + second if c not in summed)
        )

    def _pairs(self, a: int, b: int) -> list[tuple[int, int]]:
        axes: Any = self.axes
        if type(axes) is int and 0 <= axes <= min(a, b):
            return [(a - axes + i, i) for i in range(axes)]
        if isinstance(axes, list | tuple) and len(axes) == 2:
            axes_a, axes_b = ([v] if type(v) is int else v for v in axes)
            rows = isinstance(axes_a, list | tuple) and isinstance(axes_b, list | tuple)
            if (
                rows
                and len(axes_a) == len(axes_b)
                and all(type(i) is int and -n <= i < n for n, row in ((a, axes_a), (b, axes_b)) for i in row)
            ):
                return [(i % a, j % b) for i, j in zip(axes_a, axes_b, strict=True)]
        raise LayerError(
            f"axes={axes!r:.60} name no axes of operands with {a} and {b} axes, the batch included"
        )
