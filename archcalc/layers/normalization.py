"""Normalisation by statistics of the batch (moving ones at inference) or of each sample."""

from __future__ import annotations

from archcalc.arith import Shape, Size, broadcast, certainly, equal, exact_div, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import (
    Elementwise,
    NoMacs,
    Weight,
    Weightless,
    Window,
    axis_index,
    family,
    identity,
    layer,
    one_input,
)
from archcalc.layers.fields import Axes, Axis, Flag, Groups, Initializer, Real, Untracked
from archcalc.layers.window import Blocks, Read, Whole, identity_read, whole_along


@family
class ScaledAndShifted(NoMacs):
    """Normalisation followed by an optional scale (gamma) and shift (beta)."""

    epsilon: Real = 1e-3
    center: Flag = True
    scale: Flag = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Untracked = None
    gamma_regularizer: Untracked = None
    beta_constraint: Untracked = None
    gamma_constraint: Untracked = None

    def affine(self, shape: Shape, *, scale: bool, center: bool) -> tuple[Weight, ...]:
        gamma = Weight("gamma", shape, initializer=self.gamma_initializer)
        beta = Weight("beta", shape, initializer=self.beta_initializer)
        return (gamma,) * scale + (beta,) * center


@layer
class BatchNormalization(ScaledAndShifted, Elementwise):
    """At inference x * a + b per entry of `axis`; moving statistics are not trained.

    Source: Ioffe & Szegedy 2015 (arXiv 1502.03167). `renorm`: Ioffe 2017 (arXiv 1702.03275).
    """

    call_arguments = ("training",)

    axis: Axis = -1
    momentum: Untracked = 0.99
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    renorm: Flag = False
    renorm_clipping: Untracked = None
    renorm_momentum: Untracked = 0.99
    synchronized: Untracked = False

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        axis_index(self, self.axis, len(x))
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        shape = (x[axis_index(self, self.axis, len(x))],)
        mean, variance = self.moving_mean_initializer, self.moving_variance_initializer
        moving = [("moving_mean", mean), ("moving_variance", variance)]
        if self.renorm:
            moving += [("moving_stddev", variance), ("renorm_mean", mean), ("renorm_stddev", variance)]
        return (
            *self.affine(shape, scale=self.scale, center=self.center),
            *(Weight(name, shape, trainable=False, initializer=start) for name, start in moving),
        )

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        return (
            prim.BatchStandardise(
                (axis_index(self, self.axis, len(x)),),
                self.epsilon,
                "moving_mean",
                "moving_variance",
                "gamma" if self.scale else None,
                "beta" if self.center else None,
                unused_weights=("moving_stddev", "renorm_mean", "renorm_stddev") if self.renorm else (),
            ),
        )


@family
class OverAxes(NoMacs):
    """Normalisation over `axis` of each sample; each unit depends on all units along those axes."""

    axis: Axes = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.axes(x)
        return x

    def axes(self, x: Shape) -> tuple[int, ...]:
        """The normalised axes, in the order of the axes of the weights (Keras sorts `axis`)."""
        numbers = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis_index(self, a, len(x)) for a in sorted(numbers))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        window = identity(len(x))
        for axis in self.axes(x):
            window = whole_along(window, axis)
        return (window,)


@layer
class LayerNormalization(OverAxes, ScaledAndShifted):
    """Zero mean and unit variance over `axis` of each sample (Ba et al. 2016, arXiv 1607.06450)."""

    rms_scaling: Flag = False

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        shape = tuple(x[a] for a in self.axes(x))
        return self.affine(
            shape, scale=self.scale or self.rms_scaling, center=self.center and not self.rms_scaling
        )

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return (5 + len(self.weights(*inputs))) * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        axes = self.axes(inputs[0])
        if self.rms_scaling:
            return (prim.DivideByStd(axes, self.epsilon, "gamma"),)
        gamma, beta = "gamma" if self.scale else None, "beta" if self.center else None
        count = prod(inputs[0][a] for a in axes)
        return (prim.Standardise(axes, self.epsilon, gamma=gamma, beta=beta, weight_axes=axes, count=count),)


@layer
class RMSNormalization(OverAxes):
    """Divided by the root mean square over `axis`, times a scale (arXiv 1910.07467).

    Source: Zhang & Sennrich 2019.
    """

    keeps_integers = True

    epsilon: Real = 1e-6

    def output_shape(self, *inputs: Shape) -> Shape:
        x = super().output_shape(*inputs)
        scaled = [x[a] for a in self.axes(x)]
        if len(scaled) > len(x):
            raise LayerError(f"RMSNormalization: axis={self.axis} names an axis twice")
        # Keras broadcasts the scale, which is therefore along the last axes
        for n, m in zip(scaled, x[len(x) - len(scaled) :], strict=True):
            words = f"a scale of {n} along an axis of {m}"
            require_equal(broadcast(n, m, words), m, words)
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        return (Weight("scale", tuple(x[a] for a in self.axes(x)), initializer="ones"),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 4 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        axes = self.axes(x)
        scaled = tuple(range(len(x) - len(axes), len(x)))
        count = prod(x[a] for a in axes)
        return (
            prim.Standardise(
                axes, self.epsilon, centre=False, gamma="scale", weight_axes=scaled, count=count
            ),
        )


@layer
class UnitNormalization(OverAxes, Weightless):
    """A 2-norm of 1 over `axis` of each sample."""

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 3 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Normalise(self.axes(inputs[0]), 2.0, 1e-12),)  # Keras's constant


@layer
class GroupNormalization(ScaledAndShifted):
    """Zero mean and unit variance over groups of channels and all other axes (arXiv 1803.08494).

    With `groups=-1` each channel is a separate group (instance normalisation).
    Source: Wu & He 2018.
    """

    groups: Groups = 32
    axis: Axis = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        self.members(x)
        return x

    def members(self, x: Shape) -> Size:
        """The number of channels of a group."""
        channels = x[axis_index(self, self.axis, len(x))]
        if certainly(equal(self.groups, -1)):
            return 1
        return exact_div(
            channels, self.groups, lambda: f"{channels} channels must be divisible by groups={self.groups}"
        )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        shape = (x[axis_index(self, self.axis, len(x))],)
        return self.affine(shape, scale=self.scale, center=self.center)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        axis, members = axis_index(self, self.axis, len(x)), self.members(x)
        if certainly(equal(self.groups, 1)):
            within: Read = Whole()
        elif certainly(equal(members, 1)):
            within = identity_read(axis)
        else:
            within = Blocks(axis, members, members, uniform=False)
        return (tuple(within if a == axis else Whole() for a in range(len(x))),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return (5 + len(self.weights(*inputs))) * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        axis, members = axis_index(self, self.axis, len(x)), self.members(x)
        groups = x[axis] if certainly(equal(self.groups, -1)) else self.groups
        others = tuple(a for a in range(len(x)) if a != axis)
        return (
            prim.Standardise(
                (*others, axis),
                self.epsilon,
                gamma="gamma" if self.scale else None,
                beta="beta" if self.center else None,
                weight_axes=(axis,),
                groups=groups,
                count=members * prod(x[a] for a in others),
            ),
        )
