"""How large the gradient of a usual loss is where it enters the network, at most.

The losses are Keras's, of one sample: the mean over all positions, and for the mean of squares and
binary cross-entropy over units too. With a softmax or sigmoid at the end a cross-entropy's gradient is
taken in front of it, where it is the error p - y: of two points of a simplex, so of norm sqrt(2)
at most, or in [-1, 1] for each unit. The mean of squares has the function's slope as a
further factor and goes to zero where it saturates, however wrong the answer. Targets lie in the range of
the outputs. Sources: Bridle 1990 (softmax with cross-entropy), Glorot & Bengio 2010 (saturation).
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
class Entry:
    """Where a loss's gradient enters one output, how large it is at most, and how the loss is called.

    `fused`: it is that in front of the output's last function, which the loss undoes.
    """

    loss: str
    size: Bound
    fused: bool
    words: str


def entry(
    loss: str | None, primitives: prim.Primitives, shape: Shape, values: Interval, fusible: bool
) -> Entry | None:
    """The gradient of a loss at an output of this shape; None without a loss where none suggests itself.

    `primitives` are those of the output's layer, `fusible` says that nothing else reads the output.
    Raises `ArchcalcError` for a loss that is not known or does not fit the output.
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
            return Entry(loss, infinite("the slope of log(p) at p = 0"), False, loss)
        # a mean over positions, at each of which two points of the simplex differ
        classes = last.count if isinstance(last, prim.Softmax) else shape[-1]
        return Entry(
            loss,
            times(number(DIAMETER), inverse_root(_positions(shape, classes))),
            softmax,
            f"{loss}: at most sqrt(2) in front of the softmax",
        )
    if function == "sigmoid" and not fusible:
        return Entry(loss, infinite("the slope of log(p) at p = 0"), False, loss)
    return Entry(
        loss,
        inverse_root(prod(shape)),
        function == "sigmoid",
        f"{loss}: p - y for each unit in front of the sigmoid, at most 1, which no wrong answer saturates",
    )


def _squares(function: str | None, shape: Shape, values: Interval, fusible: bool) -> Entry:
    sup = SATURATING.get(function or "")
    if sup is not None and fusible:
        words = (
            f"{SQUARES}: 2 (p - y) times the slope of {function} for each unit, at most {2 * sup:.3f}, "
            "and zero where it saturates"
        )
        return Entry(SQUARES, times(number(2 * sup), inverse_root(prod(shape))), True, words)
    width = values.high - values.low
    if width == inf:
        return Entry(
            SQUARES,
            infinite("an error has no bound where outputs have no range"),
            False,
            f"{SQUARES}: no bound",
        )
    return Entry(
        SQUARES,
        times(number(2 * width), inverse_root(prod(shape))),
        False,
        f"{SQUARES}: 2 (y' - y) for each unit, at most {2 * width:g}",
    )


def inverse_root(size: Size) -> Bound:
    """One over the square root of a size; 1, which is no less, where the size is open."""
    return number(float(size) ** -0.5 * (1 + 1e-15)) if type(size) is int else number(1.0)


def _positions(shape: Shape, classes: Size) -> Size:
    units = prod(shape)
    whole = type(units) is int and type(classes) is int
    return units // classes if whole else 1
