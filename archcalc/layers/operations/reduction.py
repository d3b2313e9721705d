"""Operations that reduce axes, or in which units depend on all units along an axis."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import Window, axis_index, family, identity
from archcalc.layers.fields import Axes, AxisKind, Flag, Untracked
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.operations.elementwise import Unary
from archcalc.layers.window import Prefix, Read, Taps, Whole, whole_along

# results that are positions, counts or truth values pass no gradient
_STEPS = {"any", "all", "count_nonzero", "argmax", "argmin"}

OptionalAxes = Annotated[Any, AxisKind(several=True, optional=True)]


@family
class OverAxes(Operation):
    """An operation over one or several axes (`axis`); None means all of them, including the batch."""

    axis: OptionalAxes = None

    def axes(self, x: Shape) -> tuple[int, ...]:
        """The axes of a sample; raises `LayerError` if the batch is among them."""
        if self.axis is None:
            raise LayerError(f"{type(self).__name__} without `axis` runs over the batch too")
        numbers = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis_index(self, a, len(x)) for a in numbers)


@family
class Reducing(OverAxes):
    """Reduces the units along `axis` to one; one operation per input unit."""

    @property
    def leaves_ones(self) -> bool:
        """Whether reduced axes are kept with size 1."""
        return False

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        reduced = self.axes(x)
        if self.leaves_ones:
            return tuple(1 if a in reduced else n for a, n in enumerate(x))
        return tuple(n for a, n in enumerate(x) if a not in reduced)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        reduced = self.axes(x)
        remaining = [a for a in range(len(x)) if self.leaves_ones or a not in reduced]
        return (tuple(self.read if a in reduced else Taps(remaining.index(a)) for a in range(len(x))),)

    @property
    def read(self) -> Read:
        return Whole()

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(self.one(inputs))

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        if self.function in _STEPS:
            return (prim.ZeroGradient(),)
        x = self.one(inputs)
        axes = self.axes(x)
        return (
            prim.Reduce(self.function.removeprefix("a"), axes, prod(x[a] for a in axes), self.leaves_ones),
        )


@family
class Reduction(Reducing):
    """A reduction with the argument `keepdims`."""

    keepdims: Flag = False

    @property
    def leaves_ones(self) -> bool:
        return self.keepdims


@family
class Summing(Reduction):
    """A reduction in which all units have the same weight."""

    @property
    def read(self) -> Read:
        return Whole(uniform=True)


@operation("mean", "Mean")
class Mean(Summing):
    """The mean along `axis`."""


@operation("sum", "Sum")
class Sum(Summing):
    """The sum along `axis`."""

    keeps_integers = True


@operation("max", "Max")
class Max(Reduction):
    """The largest along `axis`."""

    keeps_integers = True

    initial: Untracked = None


@operation("min", "Min")
class Min(Reduction):
    """The smallest along `axis`."""

    keeps_integers = True

    initial: Untracked = None


@operation("amax", "Amax")
class Amax(Reduction):
    """The largest along `axis`."""

    keeps_integers = True


@operation("amin", "Amin")
class Amin(Reduction):
    """The smallest along `axis`."""

    keeps_integers = True


@operation("prod", "Prod")
class Prod(Reduction):
    """The product along `axis`."""

    keeps_integers = True


@operation("std", "Std")
class Std(Reduction):
    """The standard deviation along `axis`."""


@operation("var", "Var")
class Var(Reduction):
    """The variance along `axis`."""


@operation("moments", "Moments")
class Moments(Operation):
    """Mean and variance along `axes`."""

    axes: Axes
    keepdims: Flag = False
    synchronized: Untracked = False

    def output_shape(self, *inputs: Shape) -> Shape:
        return self._mean.output_shape(*inputs)

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (self.output_shape(*inputs),) * 2

    @property
    def _mean(self) -> Mean:
        return Mean(axis=self.axes, keepdims=self.keepdims)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return self._mean.window(*inputs)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(self.one(inputs))

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Unbounded("a variance has no bounded slope"),)


@operation("median", "Median")
class Median(Reduction):
    """The median along `axis`."""


@operation("any", "Any")
class Any_(Reduction):  # noqa: N801
    """Whether any unit along `axis` is true."""

    result = "bool"


@operation("all", "All")
class All(Reduction):
    """Whether all units along `axis` are true."""

    result = "bool"


@operation("count_nonzero", "CountNonzero")
class CountNonzero(Reducing):
    """How many units along `axis` are not zero."""

    result = "int32"


@operation("logsumexp", "Logsumexp")
class Logsumexp(Reduction):
    """The logarithm of the sum of exponentials along `axis`."""


@operation("norm", "Norm")
class Norm(Reduction):
    """The vector or matrix norm along `axis`."""

    ord: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        if self.ord not in (None, 2, "fro"):
            return (prim.Unbounded(f"no bound is known for a norm of order {self.ord}"),)
        return super().primitives(*inputs)


@operation("argmax", "Argmax")
class Argmax(Reduction):
    """The index of the largest unit along `axis`."""

    result = "int32"


@operation("argmin", "Argmin")
class Argmin(Reduction):
    """The index of the smallest unit along `axis`."""

    result = "int32"


def _values(constant: Any) -> Any:
    """The value of an operand that may be a `Constant`."""
    return constant.value if isinstance(constant, Constant) else constant


# -- functions that keep the shape, and depend on all units along an axis ------------------------------
@family
class AlongAxis(Unary, OverAxes):
    """Each unit depends on all units along `axis`."""

    axis: OptionalAxes = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        self.axes(x)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        window = identity(len(x))
        for axis in self.axes(x):
            window = whole_along(window, axis)
        return (window,)


@operation("softmax", "Softmax")
class Softmax(AlongAxis):
    """Normalised exponentials along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Softmax(self.axes(x), prod(x[a] for a in self.axes(x))),)


@operation("log_softmax", "LogSoftmax")
class LogSoftmax(AlongAxis):
    """Logarithms of normalised exponentials along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Softmax(self.axes(x), prod(x[a] for a in self.axes(x)), log=True),)


@operation("sparsemax", "Sparsemax")
class Sparsemax(AlongAxis):
    """Each unit minus a threshold along `axis`, or 0; as in Keras not a projection onto the simplex."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Sparsemax(self.axes(x), prod(x[a] for a in self.axes(x))),)


@operation("normalize", "Normalize")
class Normalize(AlongAxis):
    """Scaled to norm 1 along `axis`."""

    order: Untracked = 2
    epsilon: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (
            prim.Normalise(self.axes(x), float(self.order), 1e-7 if self.epsilon is None else self.epsilon),
        )


@operation("rms_normalization", "RMSNorm")
class RMSNorm(AlongAxis):
    """Divided by the root of the mean square along `axis`, then scaled by a constant."""

    parameters = ("x", "scale")

    scale: Untracked = None
    epsilon: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        axes = self.axes(x)
        epsilon = 1e-7 if self.epsilon is None else self.epsilon
        return (
            prim.Standardise(
                axes,
                epsilon,
                centre=False,
                gamma=_values(self.scale),
                weight_axes=axes,
                count=prod(x[a] for a in axes),
            ),
        )


@operation("layer_normalization", "LayerNorm")
class LayerNorm(AlongAxis):
    """Zero mean and unit variance along `axis`, then scaled and shifted by constants."""

    parameters = ("x", "gamma", "beta")

    gamma: Untracked = None
    beta: Untracked = None
    epsilon: Untracked = None
    rms_scaling: Untracked = False

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        axes = self.axes(x)
        epsilon = 1e-7 if self.epsilon is None else self.epsilon
        if self.rms_scaling:
            return (prim.DivideByStd(axes, epsilon, _values(self.gamma)),)
        gamma, beta = _values(self.gamma), _values(self.beta)
        return (
            prim.Standardise(
                axes, epsilon, gamma=gamma, beta=beta, weight_axes=axes, count=prod(x[a] for a in axes)
            ),
        )


@operation("sort", "Sort")
class Sort(AlongAxis):
    """Sorted along `axis`."""

    keeps_integers = True

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Select(),)


@operation("argsort", "Argsort")
class Argsort(AlongAxis):
    """The order of units along `axis`."""

    result = "int32"

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.ZeroGradient(),)


@family
class Accumulation(Unary, OverAxes):
    """A cumulative operation: each unit depends on those up to it along `axis`."""

    keeps_integers = True

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        self.axes(x)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        running = self.axes(x)
        return (tuple(Prefix(a) if a in running else Taps(a) for a in range(len(x))),)


@operation("cumsum", "Cumsum")
class Cumsum(Accumulation):
    """The sum of all units up to each one along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return tuple(prim.Cumulative("sum", a, x[a]) for a in self.axes(x))


@operation("cumprod", "Cumprod")
class Cumprod(Accumulation):
    """The product of all units up to each one along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return tuple(prim.Cumulative("product", a, x[a]) for a in self.axes(x))
