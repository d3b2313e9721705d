"""The Normalization layer, whose statistics are adapted to data before training."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import NoMacs, Weight, Window, axis_index, identity, layer, one_input
from archcalc.layers.fields import AxisKind, Flag
from archcalc.layers.operand import Constant, OperandKind
from archcalc.layers.primitives import BatchStandardise, Primitives

EPSILON = 1e-7  # the smallest standard deviation that Keras divides by

Statistic = Annotated[Any, OperandKind()]


@layer
class Normalization(NoMacs):
    """`(x - mean) / sqrt(variance)` for each entry of `axis`, or the inverse of that.

    Mean, variance and a count are non-trainable weights that `adapt` computes; a mean and a variance
    given as arguments are constants and no weights.
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
            raise LayerError(f"a mean of {rank} axes for the {len(self._axes)} axes in `axis`")

    @property
    def _axes(self) -> tuple[int, ...]:
        if self.axis is None:
            return ()
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    def statistic_axes(self, x: Shape) -> tuple[int, ...]:
        """The axes along which each index has its own mean and variance, in order."""
        return tuple(sorted(axis_index(self, a, len(x)) for a in self._axes))

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        axes = self.statistic_axes(x)
        stated = _shape(self.mean)
        for axis, n in zip(axes[len(axes) - len(stated) :], stated, strict=True):
            if n != 1:
                require_equal(x[axis], n, lambda n=n, m=x[axis]: f"{n} means for an axis of {m}")
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.mean is not None:
            return ()
        (x,) = inputs
        shape = tuple(x[a] for a in self.statistic_axes(x))
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
        adapted = self.mean is None
        return (
            BatchStandardise(
                self.statistic_axes(x),
                EPSILON,
                "mean" if adapted else self.mean,
                "variance" if adapted else self.variance,
                floor=True,
                inverse=self.invert,
                batch_statistics=False,
                unused_weights=("count",) if adapted else (),
            ),
        )


def _shape(statistic: Any) -> tuple[int, ...]:
    return statistic.shape if isinstance(statistic, Constant) else ()
