"""Operations that reduce axes, or couple the units along one."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import Window, axis_index, family, identity
from archcalc.layers.fields import AxisKind, Flag, Untracked
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.operations.elementwise import Unary
from archcalc.layers.window import Prefix, Read, Taps, Whole, whole_along

# no gradient passes where the result is a position, a count or a truth
_STEPS = {"any", "all", "count_nonzero", "argmax", "argmin"}

OptionalAxes = Annotated[Any, AxisKind(several=True, optional=True)]


@family
class OverAxes(Operation):
    """An operation over `axis`, an axis or several; None means all of them, the batch included."""

    axis: OptionalAxes = None

    def axes(self, x: Shape) -> tuple[int, ...]:
        """The axes of a sample; raises `LayerError` if the batch is among them."""
        if self.axis is None:
            raise LayerError(f"{type(self).__name__} without `axis` runs over the batch too")
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis_index(self, a, len(x)) for a in given)


@family
class Reducing(OverAxes):
    """One number out of all units along `axis`: one operation for each unit that goes in."""

    @property
    def leaves_ones(self) -> bool:
        """Whether axes of size 1 are left where axes are reduced."""
        return False

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        gone = self.axes(x)
        if self.leaves_ones:
            return tuple(1 if a in gone else n for a, n in enumerate(x))
        return tuple(n for a, n in enumerate(x) if a not in gone)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        gone = self.axes(x)
        kept = [a for a in range(len(x)) if self.leaves_ones or a not in gone]
        return (tuple(self.read if a in gone else Taps(kept.index(a)) for a in range(len(x))),)

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
    """A reduction that may leave axes of size 1."""

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
            return (prim.Unbounded(f"no bound is kept for a norm of order {self.ord}"),)
        return super().primitives(*inputs)


@operation("argmax", "Argmax")
class Argmax(Reduction):
    """Where along `axis` the largest unit is."""

    result = "int32"


@operation("argmin", "Argmin")
class Argmin(Reduction):
    """Where along `axis` the smallest unit is."""

    result = "int32"


def _values(constant: Any) -> Any:
    """The numbers of a constant operand."""
    return constant.value if isinstance(constant, Constant) else constant


# -- the same shape, coupled along an axis -----------------------------------------------------------
@family
class Along(Unary, OverAxes):
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
class Softmax(Along):
    """Normalised exponentials along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Softmax(self.axes(x), prod(x[a] for a in self.axes(x))),)


@operation("log_softmax", "LogSoftmax")
class LogSoftmax(Along):
    """Logarithms of normalised exponentials along `axis`."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Softmax(self.axes(x), prod(x[a] for a in self.axes(x)), log=True),)


@operation("sparsemax", "Sparsemax")
class Sparsemax(Along):
    """Units along `axis` less a threshold, or 0; as in Keras no projection onto the simplex."""

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (prim.Sparsemax(self.axes(x), prod(x[a] for a in self.axes(x))),)


@operation("normalize", "Normalize")
class Normalize(Along):
    """Scaled to norm 1 along `axis`."""

    order: Untracked = 2
    epsilon: Untracked = None

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        x = self.one(inputs)
        return (
            prim.Normalise(self.axes(x), float(self.order), 1e-7 if self.epsilon is None else self.epsilon),
        )


@operation("rms_normalization", "RMSNorm")
class RMSNorm(Along):
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
class LayerNorm(Along):
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
class Sort(Along):
    """Sorted along `axis`."""

    keeps_integers = True

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Select(),)


@operation("argsort", "Argsort")
class Argsort(Along):
    """The order of units along `axis`."""

    result = "int32"

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.ZeroGradient(),)


@family
class Accumulation(Unary, OverAxes):
    """Each unit depends on those before it along `axis`."""

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
