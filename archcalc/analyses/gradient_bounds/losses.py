"""Upper bounds of the gradient of a loss with respect to an output of the network.

The losses are Keras's for one sample: the mean over all positions, and for mean squared error and
binary cross-entropy over units too. If the output ends in a softmax or sigmoid, the gradient of a
cross-entropy is taken before it, where it is the error p - y: a difference of two points of a simplex,
with norm at most sqrt(2), or in [-1, 1] for each unit. The gradient of mean squared error has the slope
of the last function as a further factor and vanishes where it saturates, however wrong the prediction.
Targets are assumed to be in the range of the outputs. Sources: Bridle 1990 (softmax with cross-entropy),
Glorot & Bengio 2010 (saturation).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from archcalc.analyses.gradient_bounds.terms import Bound, infinite, number, times
from archcalc.analyses.gradient_bounds.value_ranges import Interval
from archcalc.arith import Shape, Size, prod
from archcalc.errors import ArchcalcError
from archcalc.layers import primitives as prim

SOFTMAX = ("categorical_crossentropy", "sparse_categorical_crossentropy")
SIGMOID = "binary_crossentropy"
SQUARES = "mean_squared_error"
LOSSES = (*SOFTMAX, SIGMOID, SQUARES)

# sup of |(f(z) - y) f'(z)| over z and targets y in the range of f, rounded up:
# p^2 (1 - p) at p = 2/3 for the sigmoid, (1 + t)^2 (1 - t) at t = 1/3 for tanh
SATURATING = {"sigmoid": 4 / 27 * (1 + 1e-12), "tanh": 32 / 27 * (1 + 1e-12)}
DIAMETER = 2**0.5 * (1 + 1e-15)  # of the simplex


@dataclass(frozen=True, slots=True)
class LossGradient:
    """The gradient of a loss at one output: the loss, a bound of the gradient's norm, a description.

    `fused`: it is the gradient before the output's last function, which cancels in the loss.
    """

    loss: str
    size: Bound
    fused: bool
    description: str


def loss_gradient(
    loss: str | None, primitives: prim.Primitives, shape: Shape, values: Interval, fusible: bool
) -> LossGradient | None:
    """The gradient of a loss at an output of this shape; None if `loss` is None and has no default.

    The default is the cross-entropy for a softmax or sigmoid. `primitives` are those of the output's
    layer; `fusible`: no other layer reads the output. Raises `ArchcalcError` for a loss that is
    unknown or does not fit the output.
    """
    last = primitives[-1] if primitives else None
    function = last.function if isinstance(last, prim.Pointwise) else None
    softmax = isinstance(last, prim.Softmax) and not last.log
    if loss is None:
        loss = SOFTMAX[0] if softmax else SIGMOID if function == "sigmoid" else None
    if loss is None:
        return None
    if loss not in LOSSES:
        raise ArchcalcError(f"loss={loss!r}: expected {' or '.join(map(repr, LOSSES))}")
    if loss == SQUARES:
        return _squares(function, shape, values, fusible)
    if function is not None and function != "sigmoid" and loss == SIGMOID:
        raise ArchcalcError(f"loss={loss!r} takes probabilities or logits, and the output ends in {function}")
    if loss in SOFTMAX:
        if softmax and not fusible:
            return LossGradient(loss, infinite("the slope of log(p) is unbounded at p = 0"), False, loss)
        # the mean over positions of differences of two points of a simplex
        classes = last.count if isinstance(last, prim.Softmax) else shape[-1]
        return LossGradient(
            loss,
            times(number(DIAMETER), inverse_root(_positions(shape, classes))),
            softmax,
            f"{loss}: at most sqrt(2) before the softmax",
        )
    if function == "sigmoid" and not fusible:
        return LossGradient(loss, infinite("the slope of log(p) is unbounded at p = 0"), False, loss)
    return LossGradient(
        loss,
        inverse_root(prod(shape)),
        function == "sigmoid",
        f"{loss}: p - y for each unit before the sigmoid, at most 1, not zero for any wrong answer",
    )


def _squares(function: str | None, shape: Shape, values: Interval, fusible: bool) -> LossGradient:
    sup = SATURATING.get(function or "")
    if sup is not None and fusible:
        description = (
            f"{SQUARES}: 2 (p - y) times the slope of {function} for each unit, at most {2 * sup:.3f}, "
            "and zero where it saturates"
        )
        return LossGradient(SQUARES, times(number(2 * sup), inverse_root(prod(shape))), True, description)
    width = values.high - values.low
    if width == inf:
        return LossGradient(
            SQUARES,
            infinite("the error is unbounded because the range of the outputs is"),
            False,
            f"{SQUARES}: no bound",
        )
    return LossGradient(
        SQUARES,
        times(number(2 * width), inverse_root(prod(shape))),
        False,
        f"{SQUARES}: 2 (y' - y) for each unit, at most {2 * width:g}",
    )


def inverse_root(size: Size) -> Bound:
    """A bound of 1 / sqrt(size); 1 where the size is symbolic."""
    return number(float(size) ** -0.5 * (1 + 1e-15)) if type(size) is int else number(1.0)


def _positions(shape: Shape, classes: Size) -> Size:
    units = prod(shape)
    known = type(units) is int and type(classes) is int
    return units // classes if known else 1
