"""Preprocessing layers with a state."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import NoMacs, Weight, Window, axis_index, identity, layer, one_input
from archcalc.layers.fields import AxisKind, Flag
from archcalc.layers.operand import Constant, OperandKind
from archcalc.layers.primitives import BatchStandardise, Primitives

EPSILON = 1e-7  # the smallest deviation that Keras divides by

Statistic = Annotated[Any, OperandKind()]


@layer
class Normalization(NoMacs):
    """`(x - mean) / sqrt(variance)` for each entry of `axis`, or the inverse of that.

    Mean and variance are three weights (with a count) that `adapt` fills and nothing
    trains, or constants that are given, which are no weights.
    """

    axis: Annotated[Any, AxisKind(several=True, optional=True)] = -1
    mean: Statistic = None
    variance: Statistic = None
    invert: Flag = False

    def check(self) -> None:
        if (self.mean is None) != (self.variance is None):
            raise LayerError("mean and variance must be given both or neither")
        if _shape(self.mean) != _shape(self.variance):
            raise LayerError(f"a mean of shape {_shape(self.mean)}, a variance of {_shape(self.variance)}")
        rank = len(_shape(self.mean))
        if rank > len(self._axes):
            raise LayerError(f"a mean of {rank} axes for {len(self._axes)} kept axes")

    @property
    def _axes(self) -> tuple[int, ...]:
        if self.axis is None:
            return ()
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    def kept(self, x: Shape) -> tuple[int, ...]:
        """The axes that have statistics of their own, in order."""
        return tuple(sorted(axis_index(self, a, len(x)) for a in self._axes))

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        kept = self.kept(x)
        given = _shape(self.mean)
        for axis, n in zip(kept[len(kept) - len(given) :], given, strict=True):
            if n != 1:
                require_equal(x[axis], n, lambda n=n, m=x[axis]: f"{n} means for an axis of {m}")
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.mean is not None:
            return ()
        (x,) = inputs
        shape = tuple(x[a] for a in self.kept(x))
        return (
            Weight("mean", shape, trainable=False, initializer="zeros"),
            Weight("variance", shape, trainable=False, initializer="ones"),
            Weight("count", (), trainable=False, initializer="zeros"),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (identity(len(inputs[0])),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        own = self.mean is None
        return (
            BatchStandardise(
                self.kept(x),
                EPSILON,
                "mean" if own else self.mean,
                "variance" if own else self.variance,
                floor=True,
                inverse=self.invert,
                moving=False,
                others=("count",) if own else (),
            ),
        )


def _shape(statistic: Any) -> tuple[int, ...]:
    return statistic.shape if isinstance(statistic, Constant) else ()
